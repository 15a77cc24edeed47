import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { compile, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it, test } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { adaptWeights, loadNetwork } from "../package/load.ts";
import { packageContent } from "../package/content.ts";
import { readModelPackage } from "../package/read.ts";
import { encodeModelPackage } from "../package/write.ts";
import { filled, shapesOf, slotted, type Truth } from "../testing/detection.ts";
import { greatestDifference, pattern, relativeDifference, sameWeights, unpack } from "../testing/pattern.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { loadEncoderWeights } from "../weights/encoder-weights.ts";
import { defaultBoxes } from "./anchors.ts";
import { resolveSSDConfig, type SSDConfig } from "./config.ts";
import { ssdMaps } from "./maps.ts";
import type { SSDOutputs } from "./outputs.ts";
import { createSSD, ssdBlueprint } from "./ssd.ts";

interface Thinned {
  readonly shape: number[];
  readonly step: number;
  readonly values: string;
}

interface Grid {
  readonly height: number;
  readonly width: number;
}

interface Fixture {
  readonly lite: { readonly parameters: number; readonly keys: string; readonly narrow: string };
  readonly standard: { readonly classes: number; readonly maps: number[]; readonly parameters: number; readonly keys: string };
  readonly outputs: readonly {
    readonly variant: "standard" | "lite";
    readonly size: [number, number, number];
    readonly bands: number;
    readonly logits: Thinned;
    readonly boxes: Thinned;
  }[];
  readonly anchors: readonly {
    readonly variant: "standard" | "lite";
    readonly height: number;
    readonly width: number;
    readonly grids: [number, number][];
    readonly count: number;
    readonly first: number[];
    readonly sha256: string;
  }[];
  readonly gridAnchors: Grid & {
    readonly given: { readonly grids: number[]; readonly zooms: number[]; readonly ratios: [number, number][] };
    readonly count: number;
    readonly boxes: string;
  };
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
    readonly spread: number;
    readonly options: DecodeOptions;
    readonly found: readonly { readonly boxes: string; readonly scores: string; readonly labels: number[] }[];
  }[];
  readonly image: Grid & { readonly grids: [number, number][] };
}

/** What tests/oracles/ssd.py has computed with torchvision. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/ssd.json", import.meta.url), "utf8")) as Fixture;
const { classes, maps } = fixture.standard;
const standard = { bands: 3, classes, backbone: "resnet18", maps } as const;

/** Every so many numbers, as the fixture holds them. */
function thin(values: ArrayLike<number>, { step }: Thinned): Float32Array {
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

const asGrids = (sides: readonly (readonly [number, number])[]): Grid[] => sides.map(([height, width]) => ({ height, width }));

/** A network with the oracle's weights. */
async function filledNetwork(variant: "standard" | "lite", bands: number): Promise<ObjectNetwork<SSDOutputs>> {
  const network = createSSD(variant === "lite" ? { bands, classes, variant } : { ...standard, bands });
  const shapes = shapesOf(variant === "lite" ? fixture.lite.narrow : fixture.standard.keys);
  const first = variant === "lite" ? "backbone.features.0.0.0.weight" : "backbone.body.conv1.weight";
  const [outputs, , ...kernel] = shapes.get(first)!;
  shapes.set(first, [outputs!, bands, ...kernel]);
  await loadDetectorWeights(network, filled(shapes, null));
  return network;
}

beforeAll(async () => {
  await startEngine();
});

describe("parameters are torchvision's", () => {
  const trained = (of: ReturnType<typeof ssdBlueprint>): number =>
    of.parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

  it("of SSDLite on MobileNetV3 for its 91 classes, 3,440,060", () => {
    const blueprint = ssdBlueprint({ bands: 3, classes: 90, variant: "lite" });
    expect(trained(blueprint)).toBe(3_440_060);
    expect(fixture.lite.parameters).toBe(3_440_060);
    const theirs = [...shapesOf(fixture.lite.keys)].filter(([name]) => !name.endsWith("num_batches_tracked"));
    expect(blueprint.parameters.map(({ shape }) => [...shape])).toEqual(theirs.map(([, shape]) => shape));
    // An encoder that is not cut short takes weights trained for classification.
    expect(trained(ssdBlueprint({ bands: 3, classes: 90, variant: "lite", reducedTail: false }))).toBeGreaterThan(4_000_000);
  });

  it("of an SSD on ResNet-18, in the same order", () => {
    const blueprint = ssdBlueprint(standard);
    expect(trained(blueprint)).toBe(fixture.standard.parameters);
    const theirs = [...shapesOf(fixture.standard.keys)].filter(([name]) => !name.endsWith("num_batches_tracked"));
    const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.", "");
    expect(blueprint.parameters.map(({ name, shape }) => [name, [...shape]])).toEqual(theirs.map(([name, shape]) => [ours(name), shape]));
  });

  it("and begin as torchvision's, from a seed", () => {
    const [a, b, c] = [createSSD(standard, { seed: 1 }), createSSD(standard, { seed: 1 }), createSSD(standard, { seed: 2 })];
    const lite = createSSD({ bands: 3, classes, variant: "lite" }, { seed: 1 });
    const weights = a.weights();
    expect(sameWeights(weights, b.weights())).toBe(true);
    expect(sameWeights(weights, c.weights())).toBe(false);
    const of = (name: string): number[] => [...weights.get(name)!.data];
    expect(of("head.classification_head.module_list.0.bias").every((v) => v === 0)).toBe(true);
    // Tens of thousands of draws: the greatest comes close to the bound of Glorot's rule.
    const bound = Math.sqrt(6 / ((128 + 16) * 9));
    expect(Math.max(...of("head.classification_head.module_list.0.weight")) / bound).toBeCloseTo(1, 2);
    const head = [...lite.weights().get("head.regression_head.module_list.0.1.weight")!.data];
    expect(Math.sqrt(head.reduce((sum, v) => sum + v * v, 0) / head.length) / 0.03).toBeCloseTo(1, 1);
    for (const network of [a, b, c, lite]) network.dispose();
  });
});

describe("anchors", () => {
  it.each(fixture.anchors)(
    "$variant on $height x $width pixels are torchvision's",
    ({ variant, grids, count, first, sha256, ...image }) => {
      const all = defaultBoxes(resolveSSDConfig({ bands: 3, classes, variant }), asGrids(grids), image);
      expect(all.length).toBe(4 * count);
      expect([...all.subarray(0, 24)]).toEqual(first);
      expect(createHash("sha256").update(new Uint8Array(all.buffer)).digest("hex")).toBe(sha256);
    },
  );

  it("of grids are cells times zooms times ratios, height first", () => {
    const { given, count, boxes, ...image } = fixture.gridAnchors;
    const config = resolveSSDConfig({ bands: 3, classes, anchors: given });
    const found = defaultBoxes(config, given.grids.map((cells) => ({ height: cells, width: cells })), image); // prettier-ignore
    expect(found.length).toBe(4 * count);
    // Coordinates up to 150 in float32.
    expect(greatestDifference(found, unpack(boxes))).toBeLessThan(2e-5);
  });

  it("a single grid of four cells is arcgis.learn's, and needs only one map", () => {
    const config = resolveSSDConfig({ bands: 3, classes, anchors: { grids: [4] } });
    expect(config).toMatchObject({ maps: [32], anchors: { grids: [4], zooms: [1], ratios: [[1, 1]] } });
    const [first] = [defaultBoxes(config, [{ height: 4, width: 4 }], { height: 224, width: 112 }).subarray(0, 4)];
    expect([...first]).toEqual([0, 0, 28, 56]);
  });

  it.each([
    [{ width: 256, height: 256 }, {}, [8, 16, 32, 64, 128, 256]],
    [{ width: 512, height: 512 }, {}, [8, 16, 32, 64, 128, 256, 512]],
    [{ width: 32, height: 32 }, {}, [8, 16, 32]],
    [{ width: 300, height: 100 }, {}, [8, 16, 32, 64, 128, 256, 512]],
    [{ width: 320, height: 320 }, { variant: "lite" }, [16, 32, 64, 128, 256, 512]],
    [{ width: 224, height: 224 }, { anchors: { grids: [4] } }, [64]],
    [{ width: 128, height: 256 }, { anchors: { grids: [1, 4, 9, 30] } }, [4, 8, 32, 128]],
  ] as const)("maps of %j, %j", (image, config, expected) => {
    expect(ssdMaps(image, config)).toEqual(expected);
  });

  it("no map is finer than a quarter of the image", () => {
    expect(() => ssdMaps({ width: 64, height: 64 }, { anchors: { grids: [17] } })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(() => ssdMaps({ width: 31, height: 64 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("class logits and boxes are torchvision's", () => {
  it.each(fixture.outputs)("$variant for $size pixels of $bands bands", async ({ variant, size, bands, logits, boxes }) => {
    const before = tf.memory().numTensors;
    const network = await filledNetwork(variant, bands);
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
});

/** Outputs of heads made up by the oracle, as inputs of a compiled function. */
function madeUp(images: number): {
  readonly inputs: Record<string, { readonly shape: number[]; readonly dtype: "float32" }>;
  readonly outputs: (given: Record<string, tf.Tensor>) => SSDOutputs;
  readonly values: (spread: number) => Record<string, Float32Array>;
} {
  const { grids: sides, ...image } = fixture.image;
  const grids = asGrids(sides);
  const counts = grids.map(({ height, width }, i) => height * width * [4, 6, 6, 4, 4][i]!);
  const count = counts.reduce((sum, n) => sum + n, 0);
  const levels = (x: tf.Tensor): tf.Tensor3D[] => tf.split(x as tf.Tensor3D, counts, 1);
  return {
    inputs: { logits: { shape: [images, count, classes + 1], dtype: "float32" }, boxes: { shape: [images, count, 4], dtype: "float32" } },
    outputs: ({ logits, boxes }) => ({ logits: levels(logits!), boxes: levels(boxes!), grids, image }),
    values: (spread) => ({
      logits: Float32Array.from(pattern("logits", images * count * (classes + 1)), (v) => spread * v),
      boxes: Float32Array.from(pattern("boxes", images * count * 4), (v) => 0.8 * v),
    }),
  };
}

describe("losses and their gradients are torchvision's", () => {
  it.each(fixture.losses)("with objects: $name", async ({ truth, classification, boxes, matched, gradients }) => {
    const before = tf.memory().numTensors;
    const network = createSSD(standard);
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
    const found = await run.run({ ...made.values(3), truth: given.boxes, classes: given.classIndices });
    // Torchvision computed in float64.
    expect(Math.abs(found["classification"]!.data[0]! - classification)).toBeLessThanOrEqual(1e-5 * classification);
    expect(Math.abs(found["boxes"]!.data[0]! - boxes)).toBeLessThanOrEqual(1e-5 * boxes);
    const { data } = found["toBoxes"]!;
    const each = data.length / images / 4;
    const moved = Array.from({ length: images }, (_, n) =>
      Array.from({ length: each }, (_, a) => data.subarray(4 * (n * each + a), 4 * (n * each + a) + 4)).filter((g) =>
        g.some((v) => v !== 0),
      ),
    );
    expect(moved.map((anchors) => anchors.length)).toEqual(matched);
    expect(greatestDifference(thin(found["toLogits"]!.data, gradients.logits), unpack(gradients.logits.values))).toBeLessThan(1e-6);
    expect(greatestDifference(thin(data, gradients.boxes), unpack(gradients.boxes.values))).toBeLessThan(1e-6);
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("no anchor counts twice where objects leave less than three times as many of background", async () => {
    // One map of a single cell, one box: the whole chip is the object, and nothing is background.
    const network = createSSD({ bands: 1, classes: 1, maps: [32], anchors: { grids: [1] } });
    const run = compile(
      ({ logits, boxes, truth, indices }) =>
        network.losses(
          {
            logits: [logits as tf.Tensor3D],
            boxes: [boxes as tf.Tensor3D],
            grids: [{ height: 1, width: 1 }],
            image: { height: 32, width: 32 },
          },
          { boxes: truth as tf.Tensor3D, classIndices: indices as tf.Tensor2D },
        ),
      {
        inputs: {
          logits: { shape: [1, 1, 2], dtype: "float32" },
          boxes: { shape: [1, 1, 4], dtype: "float32" },
          truth: { shape: [1, 1, 4], dtype: "float32" },
          indices: { shape: [1, 1], dtype: "int32" },
        },
      },
    );
    const found = await run.run({ logits: Float32Array.of(0, 0), boxes: new Float32Array(4), truth: Float32Array.of(0, 0, 32, 32), indices: Int32Array.of(0) }); // prettier-ignore
    expect(found["classification"]!.data[0]).toBeCloseTo(Math.LN2, 6);
    expect(found["boxes"]!.data[0]).toBeCloseTo(0, 6);
    await run.dispose();
    network.dispose();
  });
});

describe("detections are torchvision's", () => {
  it.each(fixture.detections)("$name", async ({ images, spread, options, found: theirs }) => {
    const before = tf.memory().numTensors;
    const network = createSSD(standard);
    const made = madeUp(images);
    const run = compile((given) => ({ ...network.decode(made.outputs(given), options) }), { inputs: made.inputs });
    const found = await run.run(made.values(spread));
    const room = options.maxDetections ?? 200;
    expect(found["boxes"]!.shape).toEqual([images, room, 4]);
    expect(found["classIndices"]).toMatchObject({ shape: [images, room], dtype: "int32" });
    for (const [n, { boxes, scores, labels }] of theirs.entries()) {
      const part = (name: string, width: number, from: number, to: number): number[] => [
        ...found[name]!.data.subarray((n * room + from) * width, (n * room + to) * width),
      ];
      expect(part("classIndices", 1, 0, labels.length)).toEqual(labels);
      // Coordinates up to 160 in float32.
      expect(greatestDifference(part("boxes", 4, 0, labels.length), unpack(boxes))).toBeLessThan(1e-4);
      expect(greatestDifference(part("scores", 1, 0, labels.length), unpack(scores))).toBeLessThan(1e-6);
      expect(part("scores", 1, labels.length, room).every((v) => v === 0)).toBe(true);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

const trained: readonly (readonly [string, Omit<SSDConfig, "bands" | "classes">])[] = [
  ["resnet34", { backbone: "resnet34", norm: "group" }],
  ["resnet50 with grids", { backbone: "resnet50", maps: [16, 32], anchors: { grids: [4, 1], zooms: [0.8, 1.2] } }],
  ["mobilenetv2", { backbone: "mobilenetv2", norm: "group" }],
  ["lite on mobilenetv3-small", { backbone: "mobilenetv3-small", variant: "lite", maps: [16, 32, 64, 128], norm: "group" }],
  ["lite on efficientnet-b0", { backbone: "efficientnet-b0", variant: "lite", maps: [16, 32, 64, 128], norm: "group" }],
];

test.each(trained)("learns on %s, of one band", async (_, config) => {
  const network = createSSD({ maps: [8, 16, 32, 64], ...config, bands: 1, classes }, { seed: 1 });
  const parts = network.parameters.filter(({ trainable }) => trainable);
  const variables = parts.map(({ variable }) => variable);
  const step = compile(
    ({ x, truth, indices }) => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = network.forward(x as tf.Tensor4D, { training: true });
        return tf.addN(Object.values(network.losses(outputs, { boxes: truth as tf.Tensor3D, classIndices: indices as tf.Tensor2D })));
      }, variables);
      return { value, sizes: tf.stack(variables.map((v) => tf.max(tf.abs(grads[v.name]!)))) };
    },
    {
      inputs: {
        x: { shape: [2, 72, 104, 1], dtype: "float32" },
        truth: { shape: [2, 5, 4], dtype: "float32" },
        indices: { shape: [2, 5], dtype: "int32" },
      },
    },
  );
  // Something of the size of each map's anchors.
  const given = slotted([[[0, 0, 12, 9, 0], [20, 20, 50, 45, 2], [10, 8, 90, 64, 1], [0, 0, 104, 72, 0], [0, 0, 62, 43, 1]], [[30, 20, 75, 55, 1]]], 5); // prettier-ignore
  const x = Float32Array.from(pattern("image", 2 * 72 * 104));
  const { value, sizes } = await step.run({ x, truth: given.boxes, indices: given.classIndices });
  expect(Number.isFinite(value!.data[0])).toBe(true);
  expect(parts.filter((_, i) => !(sizes!.data[i]! > 0 && Number.isFinite(sizes!.data[i]!))).map(({ name }) => name)).toEqual([]);
  await step.dispose();
  network.dispose();
});

describe("weights", () => {
  it("of a whole detector, for other bands and classes", async () => {
    const network = createSSD({ ...standard, bands: 4, classes: 5 }, { seed: 3 });
    const { adapted, kept, loaded } = await loadDetectorWeights(network, filled(shapesOf(fixture.standard.keys), null));
    expect(adapted).toEqual(["encoder.conv1.weight"]);
    expect(kept).toEqual(maps.flatMap((_, i) => ["weight", "bias"].map((part) => `head.classification_head.module_list.${i}.${part}`)));
    expect(loaded.length).toBe(network.parameters.length - kept.length);
    network.dispose();
  });

  it("of a MobileNetV3 fill the encoder of a lite one whose tail is whole", async () => {
    const network = createSSD({ bands: 3, classes, variant: "lite", reducedTail: false });
    const encoder = ssdBlueprint({ bands: 3, classes, variant: "lite", reducedTail: false }).parameters.filter(({ backbone }) => backbone);
    const shapes = new Map(encoder.map(({ name, shape }) => [name.replace("encoder.", ""), shape]));
    const { scheme, loaded } = await loadEncoderWeights(network, filled(shapes, null));
    expect(scheme).toBe("torchvision");
    expect(loaded.length).toBe(shapes.size);
    const short = createSSD({ bands: 3, classes, variant: "lite" });
    await expect(loadEncoderWeights(short, filled(shapes, null))).rejects.toMatchObject({ code: "WEIGHTS_MISMATCH" });
    network.dispose();
    short.dispose();
  });
});

test("in a model package it comes back as it was, and starts another one", async () => {
  const network = createSSD({ ...standard, anchors: { grids: [8, 4, 2, 1, 3], zooms: [1, 1.5] } }, { seed: 5 });
  const manifest: ModelManifest = {
    ...{ task: "objectDetection", name: "Ships", modelType: "ssd", backbone: "resnet18", config: network.config },
    classes: Array.from({ length: classes }, (_, i) => ({ value: i + 1, name: `kind ${i + 1}`, color: [10 * i, 200, 0] as const })),
    ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "uint8", chipWidth: 96, chipHeight: 64, resolution: 10 },
    statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 100, std: 30, count: 1000 })),
    ...{ metrics: {}, training: {} },
  };
  const pkg = await readModelPackage(await encodeModelPackage(packageContent(network, manifest)));
  const again = loadNetwork(pkg, { task: "objectDetection" });
  expect(again.config).toEqual(network.config);
  expect(sameWeights(again.weights(), network.weights())).toBe(true);
  const other = createSSD({ ...(network.config as unknown as SSDConfig), bands: 12, classes: 2 }, { seed: 6 });
  expect(adaptWeights(other, pkg).reinitialized).toEqual([
    "encoder.conv1.weight",
    ...maps.flatMap((_, i) => ["weight", "bias"].map((part) => `head.classification_head.module_list.${i}.${part}`)),
  ]);
  for (const each of [network, again, other]) each.dispose();
});

describe("what cannot be built or run", () => {
  it.each([
    [{ bands: 0 }, "bands"],
    [{ backbone: "vgg16" }, "backbone"],
    [{ variant: "heavy" }, "variant"],
    [{ maps: [8, 4] }, "maps"],
    [{ maps: [2] }, "maps"],
    [{ maps: [24] }, "maps"],
    [{ maps: [8, 16], anchors: { grids: [4] } }, "maps"],
    [{ anchors: { sizes: [8, 16] } }, "sizes"],
    [{ anchors: { grid: [4] } }, "grid"],
    [{ anchors: { zooms: [1] } }, "anchors"],
    [{ anchors: { scales: [0.1, 0.2] } }, "anchors.scales"],
    [{ anchors: { ratios: [[2], [3]] } }, "anchors.ratios"],
    [{ anchors: { ratios: [0] } }, "anchors.ratios"],
    [{ anchors: { grids: [4, 4] } }, "anchors.grids"],
    [{ anchors: { grids: [4], zooms: [] } }, "anchors.zooms"],
    [{ anchors: { grids: [4], ratios: [1] } }, "anchors.ratios"],
    [{ anchors: { grids: [4], scales: [1] } }, "anchors"],
    [{ reducedTail: true }, "reducedTail"],
  ])("%j", (change, field) => {
    expect(() => createBlueprint("ssd", { bands: 3, classes: 2, ...change })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }),
    );
  });

  it("chips of other bands, too small, or too coarse for a grid", () => {
    const network = createSSD({ bands: 3, classes: 1, anchors: { grids: [4] } });
    const forward = (shape: number[]): unknown =>
      compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }).logits[0]! }), {
        inputs: { x: { shape, dtype: "float32" } },
      });
    expect(() => forward([1, 128, 128, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => forward([1, 128, 31, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => forward([1, 64, 64, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    network.dispose();
  });
});
