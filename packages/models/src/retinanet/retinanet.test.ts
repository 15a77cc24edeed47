import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it, test } from "vitest";

import { anchorBoxes, anchorSides } from "../detection/anchors.ts";
import type { ModelManifest } from "../manifest.ts";
import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { adaptWeights, loadNetwork } from "../package/load.ts";
import { packageContent } from "../package/content.ts";
import { readModelPackage } from "../package/read.ts";
import { encodeModelPackage } from "../package/write.ts";
import { filled, shapesOf, slotted, type Truth } from "../testing/detection.ts";
import { greatestDifference, pattern, relativeDifference, sameWeights, unpack } from "../testing/pattern.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { loadEncoderWeights } from "../weights/encoder-weights.ts";
import type { RetinaNetOutputs } from "./outputs.ts";
import { createRetinaNet, retinaNetBlueprint } from "./retinanet.ts";

interface Thinned {
  readonly shape: number[];
  readonly step: number;
  readonly values: string;
}

interface Fixture {
  readonly resnet50: { readonly parameters: number; readonly keys: string };
  readonly narrow: {
    readonly width: number;
    readonly classes: number;
    readonly sizes: number[];
    readonly parameters: number;
    readonly keys: string;
  };
  readonly outputs: readonly {
    readonly size: [number, number, number];
    readonly bands: number;
    readonly logits: Thinned;
    readonly boxes: Thinned;
  }[];
  readonly anchors: readonly {
    readonly height: number;
    readonly width: number;
    readonly sizes: number[];
    readonly count: number;
    readonly first: number[];
    readonly sha256: string;
  }[];
  readonly losses: readonly {
    readonly name: string;
    readonly truth: readonly Truth[];
    readonly classification: number;
    readonly boxes: number;
    readonly matched: number[];
    readonly gradients: { readonly logits: Thinned; readonly boxes: Thinned };
  }[];
  readonly detections: readonly {
    readonly name: string;
    readonly images: number;
    readonly at: number;
    readonly spread: number;
    readonly step: number;
    readonly options: DecodeOptions;
    readonly found: readonly { readonly boxes: string; readonly scores: string; readonly labels: number[] }[];
  }[];
}

/** What tests/oracles/retinanet.py has computed with torchvision. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/retinanet.json", import.meta.url), "utf8")) as Fixture;
const { width: fpnWidth, classes, sizes } = fixture.narrow;
const narrow = { bands: 3, classes, backbone: "resnet18", fpnWidth, anchors: { sizes } } as const;
const [HEIGHT, WIDTH] = [64, 96];

/** Every so many numbers, as the fixture holds them. */
function thin(values: ArrayLike<number>, { step }: Thinned): Float32Array {
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

/** The narrow network with the oracle's weights. */
async function narrowNetwork(bands = 3): Promise<ObjectNetwork<RetinaNetOutputs>> {
  const network = createRetinaNet({ ...narrow, bands });
  const shapes = shapesOf(fixture.narrow.keys);
  shapes.set("backbone.body.conv1.weight", [64, bands, 7, 7]);
  await loadDetectorWeights(network, filled(shapes, null));
  return network;
}

beforeAll(async () => {
  await startEngine();
});

describe("parameters are torchvision's", () => {
  const trained = (of: ReturnType<typeof retinaNetBlueprint>): number =>
    of.parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const theirs = (keys: string): Map<string, number[]> => {
    const named = [...shapesOf(keys)].filter(([name]) => !name.endsWith("num_batches_tracked"));
    return new Map(named.map(([name, shape]) => [name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn."), shape]));
  };

  it("of RetinaNet R50-FPN for 91 classes, 34,068,119", () => {
    const blueprint = retinaNetBlueprint({ bands: 3, classes: 91, backbone: "resnet50" });
    expect(trained(blueprint)).toBe(34_068_119);
    expect(fixture.resnet50.parameters).toBe(34_068_119);
    expect(new Map(blueprint.parameters.map(({ name, shape }) => [name, shape]))).toEqual(theirs(fixture.resnet50.keys));
  });

  it("of a narrow one on ResNet-18, in the same order", () => {
    const blueprint = retinaNetBlueprint(narrow);
    expect(trained(blueprint)).toBe(fixture.narrow.parameters);
    expect(blueprint.parameters.map(({ name, shape }) => [name, [...shape]])).toEqual([...theirs(fixture.narrow.keys)]);
  });

  it("and begin as torchvision's, from a seed", () => {
    const [a, b, c] = [createRetinaNet(narrow, { seed: 1 }), createRetinaNet(narrow, { seed: 1 }), createRetinaNet(narrow, { seed: 2 })];
    const weights = a.weights();
    expect(sameWeights(weights, b.weights())).toBe(true);
    expect(sameWeights(weights, c.weights())).toBe(false);
    const of = (name: string): number[] => [...weights.get(name)!.data];
    const deviation = (values: number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    expect(of("head.classification_head.cls_logits.bias").every((v) => Math.abs(v + Math.log(99)) < 1e-6)).toBe(true);
    expect(of("head.regression_head.bbox_reg.bias").every((v) => v === 0)).toBe(true);
    // Thousands of draws: their deviation is within 5 % of what they are drawn with.
    expect(deviation(of("head.classification_head.conv.0.0.weight")) / 0.01).toBeCloseTo(1, 1);
    expect(deviation(of("fpn.layer_blocks.0.0.weight")) / Math.sqrt(1 / (9 * fpnWidth))).toBeCloseTo(1, 1);
    expect(Math.max(...of("fpn.layer_blocks.0.0.weight"))).toBeLessThanOrEqual(Math.sqrt(3 / (9 * fpnWidth)));
    for (const network of [a, b, c]) network.dispose();
  });
});

it.each(fixture.anchors)(
  "anchors on $height x $width pixels with sizes $sizes",
  ({ height, width, sizes: given, count, first, sha256 }) => {
    const grids = [8, 16, 32].map((stride) => ({ height: height / stride, width: width / stride }));
    for (let i = 0; i < 2; i++) grids.push({ height: Math.ceil(grids.at(-1)!.height / 2), width: Math.ceil(grids.at(-1)!.width / 2) });
    const levels = grids.map((grid, i) =>
      anchorBoxes({ sides: anchorSides(given[i]!, [1, 2 ** (1 / 3), 2 ** (2 / 3)]), ratios: [0.5, 1, 2] }, grid, { height, width }),
    );
    const all = Int32Array.from(levels.flatMap((level) => [...level]));
    expect(all.length).toBe(4 * count);
    expect([...all.subarray(0, 36)]).toEqual(first);
    expect(createHash("sha256").update(new Uint8Array(all.buffer)).digest("hex")).toBe(sha256);
  },
);

describe("class logits and boxes are torchvision's", () => {
  it.each(fixture.outputs)("for $size pixels of $bands bands", async ({ size, bands, logits, boxes }) => {
    const before = tf.memory().numTensors;
    const network = await narrowNetwork(bands);
    const run = compile(
      ({ x }) => {
        const outputs = network.forward(x as tf.Tensor4D, { training: false });
        return { logits: tf.concat(outputs.logits as tf.Tensor3D[], 1), boxes: tf.concat(outputs.boxes as tf.Tensor3D[], 1) };
      },
      { inputs: { x: { shape: [...size, bands], dtype: "float32" } } },
    );
    const found = await run.run({ x: Float32Array.from(pattern("image", sizeOf(size) * bands)) });
    for (const [name, theirs] of Object.entries({ logits, boxes })) {
      expect(found[name]!.shape).toEqual(theirs.shape);
      expect(relativeDifference(thin(found[name]!.data, theirs), unpack(theirs.values)), name).toBeLessThan(1e-4);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("normalizes in the graph", async () => {
    const raw = createRetinaNet(narrow);
    const state = filled(shapesOf(fixture.narrow.keys), null);
    const normalized = createRetinaNet({ ...narrow, normalization: { mean: [10, 20, 30], std: [2, 4, 0] } });
    for (const network of [raw, normalized]) await loadDetectorWeights(network, state);
    const first = async (network: ObjectNetwork<RetinaNetOutputs>, x: Float32Array): Promise<HostTensor> => {
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
function madeUp(images: number): {
  readonly inputs: Record<string, { readonly shape: number[]; readonly dtype: "float32" }>;
  readonly outputs: (given: Record<string, tf.Tensor>) => RetinaNetOutputs;
  readonly values: (at: number, spread: number, step?: number) => Record<string, Float32Array>;
} {
  const counts = [8 * 12, 4 * 6, 2 * 3, 2, 1].map((cells) => 9 * cells);
  const count = counts.reduce((sum, n) => sum + n, 0);
  const levels = (x: tf.Tensor): tf.Tensor3D[] => tf.split(x as tf.Tensor3D, counts, 1);
  return {
    inputs: { logits: { shape: [images, count, classes], dtype: "float32" }, boxes: { shape: [images, count, 4], dtype: "float32" } },
    outputs: ({ logits, boxes }) => ({ logits: levels(logits!), boxes: levels(boxes!), image: { height: HEIGHT, width: WIDTH } }),
    values: (at, spread, step = 0) => {
      const logits = Float32Array.from(pattern("logits", images * count * classes), (v) => at + spread * v);
      return {
        logits: step === 0 ? logits : logits.map((v) => roundHalfEven(v / step) * step),
        boxes: Float32Array.from(pattern("boxes", images * count * 4), (v) => 0.4 * v),
      };
    },
  };
}

function roundHalfEven(x: number): number {
  return Math.abs(x - Math.trunc(x)) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

describe("losses and their gradients are torchvision's", () => {
  it.each(fixture.losses)("with objects: $name", async ({ truth, classification, boxes, matched, gradients }) => {
    const before = tf.memory().numTensors;
    const network = createRetinaNet(narrow);
    const [images, slots] = [truth.length, Math.max(...truth.map((one) => one.length)) + 3];
    const made = madeUp(images);
    const run = compile(
      (given) => {
        const objects = { boxes: given["truth"] as tf.Tensor3D, classIndices: given["classes"] as tf.Tensor2D };
        const of = (logits: tf.Tensor, told: tf.Tensor): Readonly<Record<string, tf.Scalar>> =>
          network.losses(made.outputs({ logits, boxes: told }), objects);
        const parts = of(given["logits"]!, given["boxes"]!);
        const [toLogits, toBoxes] = tf.grads((...both: tf.Tensor[]) => tf.addN(Object.values(of(both[0]!, both[1]!))))([given["logits"]!, given["boxes"]!]); // prettier-ignore
        return { ...parts, toLogits: toLogits!, toBoxes: toBoxes! };
      },
      {
        inputs: {
          ...made.inputs,
          truth: { shape: [images, slots, 4], dtype: "float32" },
          classes: { shape: [images, slots], dtype: "int32" },
        },
      },
    );
    const given = slotted(truth, slots);
    const found = await run.run({ ...made.values(-2, 3), truth: given.boxes, classes: given.classIndices });
    // Torchvision computed in float64.
    expect(Math.abs(found["classification"]!.data[0]! / classification - 1)).toBeLessThan(1e-5);
    expect(Math.abs(found["boxes"]!.data[0]! - boxes)).toBeLessThanOrEqual(1e-5 * boxes);
    const { data } = found["toBoxes"]!;
    const each = data.length / images / 4;
    const moved = Array.from({ length: images }, (_, n) =>
      Array.from({ length: each }, (_, a) => data.subarray(4 * (n * each + a), 4 * (n * each + a) + 4)).filter((g) =>
        g.some((v) => v !== 0),
      ),
    );
    expect(moved.map((anchors) => anchors.length)).toEqual(matched);
    expect(relativeDifference(thin(found["toLogits"]!.data, gradients.logits), unpack(gradients.logits.values))).toBeLessThan(1e-5);
    expect(greatestDifference(thin(data, gradients.boxes), unpack(gradients.boxes.values))).toBeLessThan(1e-5);
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("a box without area is no object", async () => {
    const network = createRetinaNet(narrow);
    const made = madeUp(1);
    const run = compile(
      (given) =>
        network.losses(made.outputs(given), { boxes: given["truth"] as tf.Tensor3D, classIndices: given["classes"] as tf.Tensor2D }),
      { inputs: { ...made.inputs, truth: { shape: [1, 2, 4], dtype: "float32" }, classes: { shape: [1, 2], dtype: "int32" } } },
    );
    const { name, classification } = fixture.losses[0]!;
    expect(name).toBe("none");
    const found = await run.run({ ...made.values(-2, 3), truth: Float32Array.of(5, 5, 5, 9, 9, 9, 3, 3), classes: Int32Array.of(0, 1) });
    expect(Math.abs(found["classification"]!.data[0]! / classification - 1)).toBeLessThan(1e-5);
    expect(found["boxes"]!.data[0]).toBe(0);
    await run.dispose();
    network.dispose();
  });
});

test("of one class only, the loss is that of several of which the others are out of the question", async () => {
  const [one, three] = [createRetinaNet({ ...narrow, classes: 1 }), createRetinaNet(narrow)];
  const run = compile(
    ({ x, boxes, classes }) => {
      const truth = { boxes: boxes as tf.Tensor3D, classIndices: classes as tf.Tensor2D };
      const outputs = one.forward(x as tf.Tensor4D, { training: false }) as RetinaNetOutputs;
      const never = (level: tf.Tensor3D): tf.Tensor3D =>
        tf.pad(
          level,
          [
            [0, 0],
            [0, 0],
            [0, 2],
          ],
          -60,
        );
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
  it.each(fixture.detections)("$name", async ({ images, at, spread, step, options, found: theirs }) => {
    const before = tf.memory().numTensors;
    const network = createRetinaNet(narrow);
    const made = madeUp(images);
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
      // Coordinates up to 96 in float32.
      expect(greatestDifference(part("boxes", 4, 0, labels.length), unpack(boxes))).toBeLessThan(1e-4);
      expect(greatestDifference(part("scores", 1, 0, labels.length), unpack(scores))).toBeLessThan(1e-6);
      for (const [name, width] of [
        ["boxes", 4],
        ["scores", 1],
        ["classIndices", 1],
      ] as const)
        // prettier-ignore
        expect(part(name, width, labels.length, room).every((v) => v === 0)).toBe(true);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it.each(["resnet50", "mobilenetv2", "mobilenetv3-small", "efficientnet-b0"] as const)(
  "learns on %s, of one band, with group norm",
  async (backbone) => {
    const network = createRetinaNet({ ...narrow, bands: 1, backbone, fpnWidth: 8, headDepth: 1, norm: "group" }, { seed: 1 });
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
  },
);

describe("weights", () => {
  it("of ResNet-18's own names fill the encoder, whatever the bands", async () => {
    const network = createRetinaNet({ ...narrow, bands: 12 });
    const shapes = new Map([...shapesOf(fixture.narrow.keys)].filter(([name]) => name.startsWith("backbone.body.")));
    const { scheme, loaded, adapted, kept } = await loadEncoderWeights(network, filled(shapes, null));
    expect(scheme).toBe("torchvision");
    expect(adapted).toEqual(["encoder.conv1.weight"]);
    expect(loaded.length).toBe(network.parameters.filter(({ backbone }) => backbone).length);
    expect(kept.every((name) => /^(fpn|head)\./.test(name))).toBe(true);
    network.dispose();
  });

  it("of a whole detector, for other bands and classes", async () => {
    const network = createRetinaNet({ ...narrow, bands: 4, classes: 5 }, { seed: 3 });
    const first = network.weights();
    const state = filled(shapesOf(fixture.narrow.keys), null);
    const { adapted, kept, loaded } = await loadDetectorWeights(network, state);
    expect(adapted).toEqual(["encoder.conv1.weight"]);
    expect(kept).toEqual(["head.classification_head.cls_logits.weight", "head.classification_head.cls_logits.bias"]);
    expect(loaded.length).toBe(network.parameters.length - 2);
    const now = network.weights();
    expect([...now.get(kept[0]!)!.data]).toEqual([...first.get(kept[0]!)!.data]);
    expect([...now.get("fpn.inner_blocks.1.0.weight")!.data]).toEqual([...state.get("backbone.fpn.inner_blocks.1.0.weight")!.data]);
    network.dispose();
  });

  it("of another network are refused, and of broken ones", async () => {
    const network = createRetinaNet({ ...narrow, fpnWidth: 8 });
    const before = network.weights();
    const state = filled(shapesOf(fixture.narrow.keys), null);
    await expect(loadDetectorWeights(network, state)).rejects.toMatchObject({ code: "WEIGHTS_MISMATCH" });
    state.set("backbone.body.conv1.weight", {
      data: new Float32Array(64 * 3 * 49).fill(Number.NaN),
      shape: [64, 3, 7, 7],
      dtype: "float32",
    });
    await expect(loadDetectorWeights(network, state)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
    expect(sameWeights(network.weights(), before)).toBe(true);
    network.dispose();
  });
});

describe("a RetinaNet in a model package", () => {
  const manifest = (network: ObjectNetwork, count = classes): ModelManifest => ({
    task: "objectDetection",
    name: "Trees",
    modelType: "retinanet",
    backbone: "resnet18",
    config: network.config,
    classes: Array.from({ length: count }, (_, i) => ({ value: i + 1, name: `kind ${i + 1}`, color: [10 * i, 200, 0] })),
    ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "uint8", chipWidth: 96, chipHeight: 64, resolution: 0.3 },
    statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 100, std: 30, count: 1000 })),
    ...{ metrics: {}, training: {} },
  });

  it("comes back as it was, and starts another one", async () => {
    const network = createRetinaNet(narrow, { seed: 5 });
    const bytes = await encodeModelPackage(packageContent(network, manifest(network)));
    const pkg = await readModelPackage(bytes);
    expect(pkg.manifest).toEqual(manifest(network));
    const again = loadNetwork(pkg, { task: "objectDetection" });
    expect(again.config).toEqual(network.config);
    expect(sameWeights(again.weights(), network.weights())).toBe(true);
    const other = createRetinaNet({ ...narrow, classes: 2 }, { seed: 6 });
    expect(adaptWeights(other, pkg).reinitialized).toEqual([
      "head.classification_head.cls_logits.weight",
      "head.classification_head.cls_logits.bias",
    ]);
    expect(() => loadNetwork(pkg, { task: "pixelClassification" })).toThrow(expect.objectContaining({ code: "TASK_MISMATCH" }));
    for (const each of [network, again, other]) each.dispose();
  });

  it("is refused when its classes are not the network's", async () => {
    const network = createRetinaNet(narrow);
    await expect(encodeModelPackage(packageContent(network, manifest(network, 4)))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    network.dispose();
  });
});

describe("what cannot be built or run", () => {
  it.each([
    [{ bands: 0 }, "bands"],
    [{ classes: 0 }, "classes"],
    [{ backbone: "vgg16" }, "backbone"],
    [{ backbone: null }, null],
    [{ fpnWidth: 0.5 }, "fpnWidth"],
    [{ headDepth: -1 }, "headDepth"],
    [{ convention: "tensorflow" }, "convention"],
    [{ anchors: { sizes: [8, 16] } }, "anchors.sizes"],
    [{ anchors: { ratios: [0] } }, "anchors.ratios"],
    [{ anchors: { scales: [] } }, "anchors.scales"],
    [{ anchors: { sizes: [1, 2, 3, 4, 5], scales: [0.5] } }, "anchors"],
    [{ anchors: { size: [8, 16, 32, 64, 128] } }, "size"],
    [{ anchors: [8, 16, 32, 64, 128] }, "anchors"],
    [{ normalization: { mean: [1], std: [1] } }, "normalization.mean"],
    [{ normalization: { mean: [1, 1, 1], std: [1, 1, 1], means: [1, 1, 1] } }, "means"],
  ])("%j", (change, field) => {
    const make = (): unknown => createBlueprint("retinanet", { bands: 3, classes: 2, ...change });
    if (field === null) expect(make()).toMatchObject({ config: { backbone: "resnet18" } });
    else expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }));
  });

  it("anchors of another name: the message tells which was meant", () => {
    expect(() => createBlueprint("retinanet", { bands: 3, classes: 2, anchors: { ratio: [1] } })).toThrow(
      expect.objectContaining({ message: "`anchors` of RetinaNet has no option `ratio`.", hint: "Did you mean `ratios`?" }),
    );
  });

  it("chips of other bands and sides, another task, a disposed network", () => {
    const network = createNetwork("retinanet", narrow, { task: "objectDetection" });
    const forward = (shape: number[]): unknown =>
      compile(({ x }) => ({ y: tf.add((network.forward(x as tf.Tensor4D, { training: false }) as RetinaNetOutputs).logits[0]!, 0) }), {
        inputs: { x: { shape, dtype: "float32" } },
      });
    expect(() => forward([1, 64, 64, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => forward([1, 64, 48, 3])).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE", message: expect.stringContaining("multiples of 32") as string })); // prettier-ignore
    expect(() => createNetwork("retinanet", narrow, { task: "pixelClassification" })).toThrow(expect.objectContaining({ code: "TASK_MISMATCH" })); // prettier-ignore
    network.dispose();
    expect(() => forward([1, 64, 64, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
