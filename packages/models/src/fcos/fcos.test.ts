import { readFileSync } from "node:fs";

import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it, test } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { packageContent } from "../package/content.ts";
import { adaptWeights, loadNetwork } from "../package/load.ts";
import { readModelPackage } from "../package/read.ts";
import { encodeModelPackage } from "../package/write.ts";
import { filled, shapesOf, slotted, type Truth } from "../testing/detection.ts";
import { greatestDifference, pattern, relativeDifference, sameWeights, unpack } from "../testing/pattern.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import type { FCOSConfig } from "./config.ts";
import { createFCOS, fcosBlueprint } from "./fcos.ts";
import type { FcosOutputs } from "./outputs.ts";
import { cellLevels } from "./points.ts";

interface Thinned {
  readonly shape: number[];
  readonly step: number;
  readonly values: string;
}

type Part = "logits" | "boxes" | "centreness";

interface Fixture {
  readonly resnet50: { readonly parameters: number; readonly keys: string };
  readonly narrow: { readonly width: number; readonly classes: number; readonly parameters: number; readonly keys: string };
  readonly outputs: readonly (Readonly<Record<Part, Thinned>> & {
    readonly size: [number, number, number];
    readonly bands: number;
    readonly width: number;
    /** Of another network than the narrow one. */
    readonly keys: string | null;
  })[];
  readonly losses: readonly (Readonly<Record<"classification" | "boxes" | "centreness", number>> & {
    readonly name: string;
    readonly size: [number, number];
    readonly objectSizes: number[];
    readonly truth: readonly Truth[];
    /** Points of each level that stand for an object, of each image. */
    readonly matched: readonly number[][];
    readonly gradients: Readonly<Record<Part, Thinned>>;
  })[];
  readonly detections: readonly {
    readonly name: string;
    readonly size: [number, number];
    readonly images: number;
    readonly at: number;
    readonly spread: number;
    readonly step: number;
    readonly options: DecodeOptions;
    readonly found: readonly { readonly boxes: string; readonly scores: string; readonly labels: number[] }[];
  }[];
}

/** What tests/oracles/fcos.py has computed with torchvision. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/fcos.json", import.meta.url), "utf8")) as Fixture;
const { width: fpnWidth, classes } = fixture.narrow;
const narrow = { bands: 3, classes, backbone: "resnet18", fpnWidth } as const;
const PARTS = ["logits", "boxes", "centreness"] as const;
const [HEIGHT, WIDTH] = [64, 96];

/** Every so many numbers, as the fixture holds them. */
function thin(values: ArrayLike<number>, { step }: Thinned): Float32Array {
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

/** A network with the oracle's weights. */
async function filledNetwork(config: Partial<FCOSConfig> = {}, keys = fixture.narrow.keys): Promise<ObjectNetwork<FcosOutputs>> {
  const network = createFCOS({ ...narrow, ...config });
  const shapes = shapesOf(keys);
  shapes.set("backbone.body.conv1.weight", [64, config.bands ?? 3, 7, 7]);
  await loadDetectorWeights(network, filled(shapes, null));
  return network;
}

beforeAll(async () => {
  await startEngine();
});

describe("parameters are torchvision's", () => {
  const trained = (of: ReturnType<typeof fcosBlueprint>): number =>
    of.parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const theirs = (keys: string): Map<string, number[]> => {
    const named = [...shapesOf(keys)].filter(([name]) => !name.endsWith("num_batches_tracked"));
    return new Map(named.map(([name, shape]) => [name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn."), shape]));
  };

  it("of FCOS R50-FPN for 91 classes, 32,322,720", () => {
    const blueprint = fcosBlueprint({ bands: 3, classes: 91, backbone: "resnet50" });
    expect(trained(blueprint)).toBe(32_322_720);
    expect(fixture.resnet50.parameters).toBe(32_322_720);
    expect(new Map(blueprint.parameters.map(({ name, shape }) => [name, shape]))).toEqual(theirs(fixture.resnet50.keys));
  });

  it("of a narrow one on ResNet-18, in the same order", () => {
    const blueprint = fcosBlueprint(narrow);
    expect(trained(blueprint)).toBe(fixture.narrow.parameters);
    expect(blueprint.parameters.map(({ name, shape }) => [name, [...shape]])).toEqual([...theirs(fixture.narrow.keys)]);
  });

  it("and begin as torchvision's, from a seed", () => {
    const [a, b, c] = [createFCOS(narrow, { seed: 1 }), createFCOS(narrow, { seed: 1 }), createFCOS(narrow, { seed: 2 })];
    const weights = a.weights();
    expect(sameWeights(weights, b.weights())).toBe(true);
    expect(sameWeights(weights, c.weights())).toBe(false);
    const of = (name: string): number[] => [...weights.get(name)!.data];
    const deviation = (values: number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    expect(of("head.classification_head.cls_logits.bias").every((v) => Math.abs(v + Math.log(99)) < 1e-6)).toBe(true);
    for (const last of ["bbox_reg", "bbox_ctrness"]) expect(of(`head.regression_head.${last}.bias`).every((v) => v === 0)).toBe(true);
    // Thousands of draws: their deviation is within 5 % of what they are drawn with.
    expect(deviation(of("head.classification_head.conv.0.weight")) / 0.01).toBeCloseTo(1, 1);
    expect(of("head.regression_head.conv.10.weight").every((v) => v === 1)).toBe(true);
    expect(of("head.regression_head.conv.10.bias").every((v) => v === 0)).toBe(true);
    for (const network of [a, b, c]) network.dispose();
  });
});

describe("class logits, boxes and centre-ness are torchvision's", () => {
  it.each(fixture.outputs)("for $size pixels of $bands bands, $width channels", async ({ size, bands, width, keys, ...theirs }) => {
    const before = tf.memory().numTensors;
    const network = await filledNetwork({ bands, fpnWidth: width }, keys ?? undefined);
    const run = compile(
      ({ x }) => {
        const outputs = network.forward(x as tf.Tensor4D, { training: false });
        return Object.fromEntries(PARTS.map((part) => [part, tf.concat(outputs[part] as tf.Tensor3D[], 1)]));
      },
      { inputs: { x: { shape: [...size, bands], dtype: "float32" } } },
    );
    const found = await run.run({ x: Float32Array.from(pattern("image", sizeOf(size) * bands)) });
    for (const part of PARTS) {
      expect(found[part]!.shape).toEqual(theirs[part].shape);
      expect(relativeDifference(thin(found[part]!.data, theirs[part]), unpack(theirs[part].values)), part).toBeLessThan(1e-4);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("normalizes in the graph", async () => {
    const [raw, normalized] = [await filledNetwork(), await filledNetwork({ normalization: { mean: [10, 20, 30], std: [2, 4, 0] } })];
    const first = async (network: ObjectNetwork<FcosOutputs>, x: Float32Array): Promise<HostTensor> => {
      const run = compile(({ images }) => ({ y: tf.add(network.forward(images as tf.Tensor4D, { training: false }).logits[0]!, 0) }), {
        inputs: { images: { shape: [1, 32, 32, 3], dtype: "float32" } },
      });
      const { y } = await run.run({ images: x });
      await run.dispose();
      network.dispose();
      return y!;
    };
    const x = Float32Array.from(pattern("image", 32 * 32 * 3));
    const scaled = x.map((v, i) => v * [2, 4, 1][i % 3]! + [10, 20, 30][i % 3]!);
    expect(relativeDifference((await first(normalized, scaled)).data, (await first(raw, x)).data)).toBeLessThan(1e-4);
  });
});

/** Outputs of heads made up by the oracle, as inputs of a compiled function. */
function madeUp(images: number, height = HEIGHT, width = WIDTH) {
  const counts = cellLevels({ height, width }).map((cells) => cells.length / 4);
  const count = counts.reduce((sum, n) => sum + n, 0);
  const levels = (x: tf.Tensor): tf.Tensor3D[] => tf.split(x as tf.Tensor3D, counts, 1);
  const input = (each: number): { readonly shape: number[]; readonly dtype: "float32" } => ({
    shape: [images, count, each],
    dtype: "float32",
  });
  const rounded = (values: Float32Array, step: number): Float32Array =>
    step === 0 ? values : values.map((v) => roundHalfEven(v / step) * step);
  return {
    counts,
    inputs: { logits: input(classes), boxes: input(4), centreness: input(1) },
    outputs: (given: Readonly<Record<string, tf.Tensor>>): FcosOutputs => ({
      ...{ logits: levels(given["logits"]!), boxes: levels(given["boxes"]!), centreness: levels(given["centreness"]!) },
      image: { height, width },
    }),
    values: (at: number, spread: number, step = 0): Record<Part, Float32Array> => ({
      logits: rounded(Float32Array.from(pattern("logits", images * count * classes), (v) => at + spread * v), step), // prettier-ignore
      boxes: Float32Array.from(pattern("boxes", images * count * 4), (v) => Math.max(0, 1.5 + 2.5 * v)),
      centreness: rounded(Float32Array.from(pattern("centreness", images * count), (v) => 2 * v), step), // prettier-ignore
    }),
  };
}

function roundHalfEven(x: number): number {
  return Math.abs(x - Math.trunc(x)) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/** Losses of outputs, and their gradients. */
function compiledLosses(network: ObjectNetwork<FcosOutputs>, images: number, slots: number, size = [HEIGHT, WIDTH] as const) {
  const made = madeUp(images, ...size);
  const run = compile(
    (given) => {
      const objects = { boxes: given["truth"] as tf.Tensor3D, classIndices: given["classes"] as tf.Tensor2D };
      const of = (...values: tf.Tensor[]): Readonly<Record<string, tf.Scalar>> =>
        network.losses(made.outputs(Object.fromEntries(PARTS.map((part, i) => [part, values[i]!]))), objects);
      const own = PARTS.map((part) => given[part]!);
      const losses = Object.entries(of(...own)).map(([name, value]) => [`loss of ${name}`, value] as const);
      const grads = tf.grads((...values: tf.Tensor[]) => tf.addN(Object.values(of(...values))))(own);
      return { ...Object.fromEntries(losses), ...Object.fromEntries(PARTS.map((part, i) => [part, grads[i]!])) };
    },
    {
      inputs: {
        ...made.inputs,
        truth: { shape: [images, slots, 4], dtype: "float32" },
        classes: { shape: [images, slots], dtype: "int32" },
      },
    },
  );
  return { run, values: made.values(-2, 3), counts: made.counts };
}

describe("losses and their gradients are torchvision's", () => {
  it.each(fixture.losses)(
    "on $size pixels with sizes $objectSizes and objects: $name",
    async ({ truth, size, objectSizes, matched, gradients, ...theirs }) => {
      const before = tf.memory().numTensors;
      const network = createFCOS({ ...narrow, objectSizes });
      const [images, slots] = [truth.length, Math.max(...truth.map((one) => one.length)) + 3];
      const { run, values, counts } = compiledLosses(network, images, slots, size);
      const given = slotted(truth, slots);
      const found = await run.run({ ...values, truth: given.boxes, classes: given.classIndices });
      // Torchvision computed in float64.
      for (const part of ["classification", "boxes", "centreness"] as const)
        expect(Math.abs(found[`loss of ${part}`]!.data[0]! - theirs[part]), part).toBeLessThanOrEqual(1e-5 * theirs[part]);
      const moved = Array.from({ length: images }, (_, n) => {
        let first = n * counts.reduce((sum, count) => sum + count, 0);
        return counts.map((count) => found["centreness"]!.data.subarray(first, (first += count)).filter((g) => g !== 0).length);
      });
      expect(moved).toEqual(matched);
      for (const part of PARTS)
        expect(greatestDifference(thin(found[part]!.data, gradients[part]), unpack(gradients[part].values)), part).toBeLessThan(1e-5);
      await run.dispose();
      network.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it("a box without area is no object", async () => {
    const network = createFCOS(narrow);
    const { run, values } = compiledLosses(network, 1, 2);
    const { name, classification } = fixture.losses[0]!;
    expect(name).toBe("none");
    const found = await run.run({ ...values, truth: Float32Array.of(5, 5, 5, 9, 9, 9, 3, 3), classes: Int32Array.of(0, 1) });
    expect(Math.abs(found["loss of classification"]!.data[0]! / classification - 1)).toBeLessThan(1e-5);
    expect([found["loss of boxes"]!.data[0], found["loss of centreness"]!.data[0]]).toEqual([0, 0]);
    await run.dispose();
    network.dispose();
  });

  it("of two objects a point stands for the smaller, be it by two square pixels", async () => {
    const network = createFCOS(narrow);
    const { run, values } = compiledLosses(network, 1, 2);
    const losses = async (boxes: number[]): Promise<number> => {
      const found = await run.run({ ...values, truth: Float32Array.from(boxes), classes: Int32Array.of(1, 1) });
      return found["loss of boxes"]!.data[0]!;
    };
    const [larger, smaller] = [
      [20, 20, 39, 39],
      [20, 20, 39, 38.9],
    ];
    const twice = await losses([...smaller, ...smaller]);
    expect(await losses([...larger, ...smaller])).toBe(twice);
    expect(await losses([...smaller, ...larger])).toBe(twice);
    expect(await losses([...larger, ...larger])).not.toBe(twice);
    await run.dispose();
    network.dispose();
  });
});

test("of one class only, the loss is that of several of which the others are out of the question", async () => {
  const [one, three] = [createFCOS({ ...narrow, classes: 1 }), createFCOS(narrow)];
  const run = compile(
    ({ x, boxes, classes: indices }) => {
      const truth = { boxes: boxes as tf.Tensor3D, classIndices: indices as tf.Tensor2D };
      const outputs = one.forward(x as tf.Tensor4D, { training: false });
      const never = (level: tf.Tensor3D): tf.Tensor3D => tf.concat([level, tf.sub<tf.Tensor3D>(tf.zeros([1, level.shape[1], 2]), 60)], 2);
      const total = (parts: Readonly<Record<string, tf.Scalar>>): tf.Tensor => tf.addN(Object.values(parts));
      return {
        single: total(one.losses(outputs, truth)),
        among: total(three.losses({ ...outputs, logits: outputs.logits.map(never) }, truth)),
      };
    },
    {
      inputs: {
        x: { shape: [1, 64, 64, 3], dtype: "float32" },
        boxes: { shape: [1, 1, 4], dtype: "float32" },
        classes: { shape: [1, 1], dtype: "int32" },
      },
    },
  );
  const x = Float32Array.from({ length: 64 * 64 * 3 }, (_, i) => (i % 17) / 17);
  const { single, among } = await run.run({ x, boxes: Float32Array.of(10, 10, 40, 30), classes: Int32Array.of(0) });
  expect(single!.data[0]).toBeGreaterThan(0);
  expect(single!.data[0]).toBeCloseTo(among!.data[0]!, 5);
  await run.dispose();
  one.dispose();
  three.dispose();
});

describe("detections are torchvision's", () => {
  it.each(fixture.detections)("$name", async ({ size, images, at, spread, step, options, found: theirs }) => {
    const before = tf.memory().numTensors;
    const network = createFCOS(narrow);
    const made = madeUp(images, ...size);
    const run = compile((given) => ({ ...network.decode(made.outputs(given), options) }), { inputs: made.inputs });
    const found = await run.run(made.values(at, spread, step));
    const room = options.maxDetections ?? 100;
    expect(found["boxes"]!.shape).toEqual([images, room, 4]);
    expect(found["classIndices"]).toMatchObject({ shape: [images, room], dtype: "int32" });
    for (const [n, { boxes, scores, labels }] of theirs.entries()) {
      const part = (name: string, width: number, from: number, to: number): number[] => [
        ...found[name]!.data.subarray((n * room + from) * width, (n * room + to) * width),
      ];
      expect(part("classIndices", 1, 0, labels.length)).toEqual(labels);
      // Coordinates up to 224 in float32.
      expect(greatestDifference(part("boxes", 4, 0, labels.length), unpack(boxes))).toBeLessThan(1e-4);
      expect(greatestDifference(part("scores", 1, 0, labels.length), unpack(scores))).toBeLessThan(1e-6);
      const rest = [
        part("boxes", 4, labels.length, room),
        part("scores", 1, labels.length, room),
        part("classIndices", 1, labels.length, room),
      ];
      expect(rest.flat().every((v) => v === 0)).toBe(true);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it.each(["resnet50", "mobilenetv3-small"] as const)("learns on %s, of one band, with group norm", async (backbone) => {
  const network = createFCOS({ ...narrow, bands: 1, backbone, headDepth: 1, norm: "group" }, { seed: 1 });
  const trained = network.parameters.filter(({ trainable }) => trainable);
  const variables = trained.map(({ variable }) => variable);
  const step = compile(
    ({ x, truth, classes: indices }) => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = network.forward(x as tf.Tensor4D, { training: true });
        return tf.addN(Object.values(network.losses(outputs, { boxes: truth as tf.Tensor3D, classIndices: indices as tf.Tensor2D })));
      }, variables);
      return { value, sizes: tf.stack(variables.map((v) => tf.max(tf.abs(grads[v.name]!)))) };
    },
    {
      inputs: {
        x: { shape: [2, 64, 96, 1], dtype: "float32" },
        truth: { shape: [2, 2, 4], dtype: "float32" },
        classes: { shape: [2, 2], dtype: "int32" },
      },
    },
  );
  const given = slotted([[[8, 8, 40, 30, 0], [30, 20, 70, 60, 2]], [[1, 2, 12, 11, 1]]], 2); // prettier-ignore
  const x = Float32Array.from(pattern("image", 2 * 64 * 96));
  const { value, sizes: greatest } = await step.run({ x, truth: given.boxes, classes: given.classIndices });
  expect(Number.isFinite(value!.data[0])).toBe(true);
  expect(trained.filter((_, i) => !(greatest!.data[i]! > 0 && Number.isFinite(greatest!.data[i]!))).map(({ name }) => name)).toEqual([]);
  await step.dispose();
  network.dispose();
});

describe("an FCOS in a file and in a model package", () => {
  const manifest = (network: ObjectNetwork, count = classes): ModelManifest => ({
    ...{ task: "objectDetection", name: "Trees", modelType: "fcos", backbone: "resnet18", config: network.config },
    classes: Array.from({ length: count }, (_, i) => ({ value: i + 1, name: `kind ${i + 1}`, color: [10 * i, 200, 0] })),
    ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "uint8", chipWidth: 96, chipHeight: 64, resolution: 0.3 },
    statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 100, std: 30, count: 1000 })),
    ...{ metrics: {}, training: {} },
  });
  const CLASS_LAYER = ["head.classification_head.cls_logits.weight", "head.classification_head.cls_logits.bias"];

  it("weights of a whole detector are read for other bands and classes", async () => {
    const network = createFCOS({ ...narrow, bands: 4, classes: 5 }, { seed: 3 });
    const { adapted, kept, loaded } = await loadDetectorWeights(network, filled(shapesOf(fixture.narrow.keys), null));
    expect(adapted).toEqual(["encoder.conv1.weight"]);
    expect(kept).toEqual(CLASS_LAYER);
    expect(loaded.length).toBe(network.parameters.length - 2);
    network.dispose();
  });

  it("comes back as it was, and starts another one", async () => {
    const network = createFCOS({ ...narrow, objectSizes: [16, 32, 64, 128] }, { seed: 5 });
    const pkg = await readModelPackage(await encodeModelPackage(packageContent(network, manifest(network))));
    expect(pkg.manifest).toEqual(manifest(network));
    const again = loadNetwork(pkg, { task: "objectDetection" });
    expect(again.config).toEqual(network.config);
    expect(sameWeights(again.weights(), network.weights())).toBe(true);
    const other = createFCOS({ ...narrow, classes: 2 }, { seed: 6 });
    expect(adaptWeights(other, pkg).reinitialized).toEqual(CLASS_LAYER);
    expect(() => loadNetwork(pkg, { task: "pixelClassification" })).toThrow(expect.objectContaining({ code: "TASK_MISMATCH" }));
    for (const each of [network, again, other]) each.dispose();
  });
});

describe("what cannot be built or run", () => {
  it.each([
    [{ bands: 0 }, "bands"],
    [{ classes: 0 }, "classes"],
    [{ backbone: "vgg16" }, "backbone"],
    [{ fpnWidth: 0.5 }, "fpnWidth"],
    [{ headDepth: -1 }, "headDepth"],
    [{ objectSizes: [8, 16] }, "objectSizes"],
    [{ objectSizes: [8, 16, 32, 0] }, "objectSizes"],
    [{ objectSizes: [64, 128, 128, 512] }, "objectSizes"],
    [{ objectSizes: "large" }, "objectSizes"],
    [{ normalization: { mean: [1], std: [1] } }, "normalization.mean"],
  ])("%j", (change, field) => {
    const make = (): unknown => createBlueprint("fcos", { bands: 3, classes: 2, ...change });
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }));
  });

  it("chips of other bands and sides, another task, a disposed network", () => {
    const network = createNetwork("fcos", narrow, { task: "objectDetection" });
    const forward = (shape: number[]): unknown =>
      compile(({ x }) => ({ y: tf.add((network.forward(x as tf.Tensor4D, { training: false }) as FcosOutputs).logits[0]!, 0) }), {
        inputs: { x: { shape, dtype: "float32" } },
      });
    expect(() => forward([1, 64, 64, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => forward([1, 64, 48, 3])).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE", message: expect.stringContaining("multiples of 32") as string })); // prettier-ignore
    expect(() => createNetwork("fcos", narrow, { task: "instanceSegmentation" })).toThrow(
      expect.objectContaining({ code: "TASK_MISMATCH" }),
    );
    network.dispose();
    expect(() => forward([1, 64, 64, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
