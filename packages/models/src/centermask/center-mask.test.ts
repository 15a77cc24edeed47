import { readFileSync } from "node:fs";

import { compile, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { featuresOf } from "../rcnn/heads.ts";
import { MASK_BINS, maskLayers } from "../rcnn/layers.ts";
import { filled, outlines, shapesOf, slotted, type Truth } from "../testing/detection.ts";
import { greatestDifference, pattern, relativeDifference, sameWeights, unpack } from "../testing/pattern.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { centerMaskBlueprint, type CenterMaskOutputs, createCenterMask } from "./center-mask.ts";
import { resolveCenterMaskConfig } from "./config.ts";

interface Thinned {
  readonly shape: number[];
  readonly step: number;
  readonly values: string;
}

interface Counted {
  readonly parameters: number;
  readonly keys: string;
}

interface Fixture {
  readonly resnet50: Counted;
  readonly narrow: Counted & { readonly width: number; readonly classes: number };
  readonly outputs: readonly {
    readonly name: string;
    readonly size: [number, number, number];
    readonly bands: number;
    readonly options: DecodeOptions;
    readonly maskLogits: Thinned;
    readonly found: readonly { readonly boxes: string; readonly scores: string; readonly labels: number[]; readonly masks: Thinned }[];
  }[];
  readonly losses: readonly {
    readonly name: string;
    readonly truth: readonly Truth[];
    readonly losses: Readonly<Record<string, number>>;
    readonly norms: Readonly<Record<string, number>>;
  }[];
}

/** What tests/oracles/centermask.py has computed with torchvision's parts. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/centermask.json", import.meta.url), "utf8")) as Fixture;
const { width, classes } = fixture.narrow;
const narrow = {
  bands: 3,
  classes,
  backbone: "resnet18",
  fpnWidth: width,
  maskHeadWidth: width,
  maskHeadDepth: 2,
  detections: 40,
} as const;
const LOSSES = { classification: "classification", bbox_regression: "boxes", bbox_ctrness: "centreness", mask: "masks" } as const;
const [HEIGHT, WIDTH] = [64, 96];
const SLOTS = 80;

/** Every so many numbers, as the fixture holds them. */
function thin(values: ArrayLike<number>, { step }: Thinned): Float32Array {
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn.");

/** The last layers of the heads, which the oracle weakens where it finds objects. */
const LAST = ["classification_head.cls_logits", "regression_head.bbox_reg", "regression_head.bbox_ctrness"].map(
  (name) => `head.${name}.weight`,
);

/** The narrow network with the oracle's weights. */
async function narrowNetwork(bands = 3, { weakened = false } = {}): Promise<ObjectNetwork<CenterMaskOutputs>> {
  const network = createCenterMask({ ...narrow, bands });
  const shapes = shapesOf(fixture.narrow.keys);
  shapes.set("backbone.body.conv1.weight", [64, bands, 7, 7]);
  const state = filled(shapes, null);
  for (const name of weakened ? LAST : []) {
    const tensor = state.get(name)!;
    state.set(name, { ...tensor, data: (tensor.data as Float32Array).map((v) => 0.1 * v) });
  }
  await loadDetectorWeights(network, state);
  return network;
}

beforeAll(async () => {
  await startEngine();
});

describe("parameters are those of torchvision's parts", () => {
  it.each([
    ["on ResNet-50, of 90 classes", centerMaskBlueprint({ bands: 3, classes: 90, backbone: "resnet50" }), fixture.resnet50, 34_966_522],
    ["of a narrow one", centerMaskBlueprint(narrow), fixture.narrow, fixture.narrow.parameters],
  ] as const)("%s", (_, { parameters }, theirs, count) => {
    const trained = parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    expect(trained).toBe(count);
    expect(theirs.parameters).toBe(count);
    const named = [...shapesOf(theirs.keys)].filter(([name]) => !name.endsWith("num_batches_tracked"));
    expect(new Map(parameters.map(({ name, shape }) => [name, shape]))).toEqual(new Map(named.map(([name, shape]) => [ours(name), shape])));
  });
});

describe("objects and masks are those of torchvision's parts", () => {
  it.each(fixture.outputs)("$name", async ({ size, bands, options, ...theirs }) => {
    const before = tf.memory().numTensors;
    const network = await narrowNetwork(bands, { weakened: true });
    const maskLayer = maskLayers(resolveCenterMaskConfig({ ...narrow, bands }), []);
    const [n, h, w] = size;
    const most = options.maxDetections ?? narrow.detections;
    const run = compile(
      ({ x }) => {
        const outputs = network.forward(x as tf.Tensor4D, { training: false });
        const { boxes, scores, classIndices, masks } = network.decode(outputs, options);
        const maskLogits = tf.transpose(maskLayer(featuresOf(outputs, boxes, MASK_BINS), outputs.context), [0, 3, 1, 2]);
        return { boxes, scores, classIndices, masks: masks!, maskLogits };
      },
      { inputs: { x: { shape: [n, h, w, bands], dtype: "float32" } } },
    );
    const found = await run.run({ x: Float32Array.from(pattern("image", n * h * w * bands)) });
    const rows = (name: string, image: number, each: number, count: number): Float32Array =>
      (found[name]!.data as Float32Array).subarray(image * most * each, (image * most + count) * each);
    const counts = theirs.found.map(({ labels }) => labels.length);
    const each = (1 + classes) * 28 * 28;
    const logits = Float32Array.from(counts.flatMap((count, image) => [...rows("maskLogits", image, each, count)]));
    expect(logits.length).toBe(sizeOf(theirs.maskLogits.shape));
    // Float32 through some thirty layers, against torchvision in float64.
    expect(relativeDifference(thin(logits, theirs.maskLogits), unpack(theirs.maskLogits.values))).toBeLessThan(1e-4);
    for (const [image, { boxes, scores, labels, masks }] of theirs.found.entries()) {
      const count = labels.length;
      expect([...rows("classIndices", image, 1, count)]).toEqual(labels);
      // Pixels of a chip of up to 128.
      expect(greatestDifference(rows("boxes", image, 4, count), unpack(boxes))).toBeLessThan(3e-3);
      expect(greatestDifference(rows("scores", image, 1, count), unpack(scores))).toBeLessThan(1e-4);
      expect(greatestDifference(thin(rows("masks", image, 28 * 28, count), masks), unpack(masks.values))).toBeLessThan(1e-4);
      for (const [name, numbers] of Object.entries({ boxes: 4, scores: 1, classIndices: 1, masks: 28 * 28 }))
        expect(
          rows(name, image, numbers, most)
            .subarray(count * numbers)
            .every((v) => v === 0),
        ).toBe(true);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

type LossRun = (truth: readonly Truth[], seed?: number) => Promise<{ parts: Record<string, number>; norms: Map<string, number> }>;

/** Losses of batches and the length of the gradient of each parameter; without `training` with the statistics the network holds. */
function lossesOf(
  network: ObjectNetwork<CenterMaskOutputs>,
  { images, bands = 3, training = false }: { images: number; bands?: number; training?: boolean },
): { readonly run: LossRun; readonly dispose: () => Promise<void> } {
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map(({ variable }) => variable);
  const compiled = compile(
    ({ x, boxes, classIndices, masks, seed }) => {
      const given = { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D, masks: masks as tf.Tensor4D };
      const of = (): Readonly<Record<string, tf.Scalar>> =>
        network.losses(network.forward(x as tf.Tensor4D, { training }), given, seed as tf.Scalar);
      const { grads } = tf.variableGrads(() => tf.addN(Object.values(of())), variables);
      return { ...of(), norms: tf.stack(variables.map((v) => tf.sqrt(tf.sum(tf.square(grads[v.name]!))))) };
    },
    {
      inputs: {
        x: { shape: [images, HEIGHT, WIDTH, bands], dtype: "float32" },
        boxes: { shape: [images, SLOTS, 4], dtype: "float32" },
        classIndices: { shape: [images, SLOTS], dtype: "int32" },
        masks: { shape: [images, SLOTS, HEIGHT, WIDTH], dtype: "bool" },
        seed: { shape: [], dtype: "int32" },
      },
    },
  );
  const x = Float32Array.from(pattern("image", images * HEIGHT * WIDTH * bands));
  return {
    async run(truth, seed = 0) {
      const given = { x, ...slotted(truth, SLOTS), masks: outlines(truth, SLOTS, HEIGHT, WIDTH), seed };
      const { norms, ...parts } = await compiled.run(given);
      return {
        parts: Object.fromEntries(Object.entries(parts).map(([name, { data }]) => [name, data[0]!])),
        norms: new Map(trainable.map(({ name }, i) => [name, norms!.data[i]!])),
      };
    },
    dispose: () => compiled.dispose(),
  };
}

describe("losses and all gradients are those of torchvision's parts", () => {
  it.each([1, 2, 3])("of %i images", { timeout: 60_000 }, async (images) => {
    const before = tf.memory().numTensors;
    const network = await narrowNetwork();
    const losses = lossesOf(network, { images });
    const cases = fixture.losses.filter(({ truth }) => truth.length === images);
    expect(cases.length).toBe(images === 1 ? 9 : 1);
    for (const { name: objects, truth, losses: theirs, norms } of cases) {
      const found = await losses.run(truth);
      // Torchvision computed in float64.
      for (const [name, value] of Object.entries(theirs))
        expect(Math.abs(found.parts[LOSSES[name as keyof typeof LOSSES]]! - value), `${name} of ${objects}`).toBeLessThanOrEqual(
          1e-4 * value,
        );
      const greatest = Math.max(...Object.values(norms));
      expect([...found.norms.keys()].toSorted()).toEqual(Object.keys(norms).map(ours).toSorted());
      for (const [name, norm] of Object.entries(norms))
        expect(Math.abs(found.norms.get(ours(name))! - norm), `${name} of ${objects}`).toBeLessThan(1e-3 * norm + 1e-6 * greatest);
    }
    await losses.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("of more objects than the mask head looks at: drawn anew with another seed, the same with the same; boxes without area never", async () => {
    const network = createCenterMask({ ...narrow, rois: 2 }, { seed: 3 });
    const losses = lossesOf(network, { images: 1 });
    const { truth } = fixture.losses.find(({ name }) => name === "many")!;
    const masks = async (seed: number): Promise<number> => (await losses.run(truth, seed)).parts["masks"]!;
    const [first, again, other] = [await masks(1), await masks(1), await masks(2)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    const flat = await losses.run([[[5, 5, 5, 9, 0], [9, 9, 3, 3, 0]]]); // prettier-ignore
    expect(flat.parts).toMatchObject({ boxes: 0, centreness: 0, masks: 0 });
    expect([...flat.norms.values()].every(Number.isFinite)).toBe(true);
    await losses.dispose();
    network.dispose();
  });
});

it.each(["mobilenetv2", "efficientnet-b0"] as const)("learns on %s, of one band, with group norm", async (backbone) => {
  const network = createCenterMask({ ...narrow, preset: "compact", headDepth: 1, bands: 1, backbone, norm: "group" }, { seed: 1 });
  const losses = lossesOf(network, { images: 1, bands: 1, training: true });
  const { parts, norms } = await losses.run([[[8, 8, 40, 30, 0], [30, 20, 70, 60, 2]]]); // prettier-ignore
  expect(Object.values(parts).every(Number.isFinite)).toBe(true);
  expect([...norms].filter(([, norm]) => !(norm > 0 && Number.isFinite(norm))).map(([name]) => name)).toEqual([]);
  await losses.dispose();
  network.dispose();
});

it("weights of a whole detector are read for other bands and classes", async () => {
  const network = createCenterMask({ ...narrow, bands: 4, classes: 5 }, { seed: 3 });
  const { adapted, kept, loaded } = await loadDetectorWeights(network, filled(shapesOf(fixture.narrow.keys), null));
  expect(adapted).toEqual(["encoder.conv1.weight"]);
  expect(kept).toEqual(
    ["head.classification_head.cls_logits", "roi_heads.mask_predictor.mask_fcn_logits"].flatMap((name) => [
      `${name}.weight`,
      `${name}.bias`,
    ]),
  );
  expect(loaded.length).toBe(network.parameters.length - kept.length);
  const again = createCenterMask({ ...narrow, bands: 4, classes: 5 }, { seed: 4, weights: network.weights() });
  expect(sameWeights(again.weights(), network.weights())).toBe(true);
  again.dispose();
  network.dispose();
});

describe("what cannot be built or run", () => {
  it.each([
    [{ classes: 0 }, "classes"],
    [{ preset: "tiny" }, "preset"],
    [{ fpnWidth: 0.5 }, "fpnWidth"],
    [{ objectSizes: [64, 32, 128, 256] }, "objectSizes"],
    [{ maskHeadWidth: -3 }, "maskHeadWidth"],
    [{ maskHeadDepth: 99 }, "maskHeadDepth"],
    [{ rois: 0 }, "rois"],
    [{ detections: "many" }, "detections"],
  ])("%j", (change, field) => {
    const make = (): unknown => createBlueprint("centermask", { bands: 3, classes: 2, ...change });
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }));
  });

  it("presets fill in what is not given", () => {
    expect(createBlueprint("centermask", { bands: 3, classes: 2 }).config).toMatchObject({ fpnWidth: 256, headDepth: 4, objectSizes: [64, 128, 256, 512], maskHeadDepth: 4, rois: 128, detections: 100 }); // prettier-ignore
    expect(createBlueprint("centermask", { bands: 3, classes: 2, preset: "compact", rois: 32 }).config).toMatchObject({ fpnWidth: 64, headDepth: 2, objectSizes: [32, 64, 128, 256], maskHeadDepth: 2, rois: 32, detections: 50 }); // prettier-ignore
  });

  it("chips of other bands and sides, truths without masks, another task", () => {
    const network = createNetwork("centermask", { ...narrow }, { task: "instanceSegmentation" });
    const run = (shape: number[]): unknown =>
      compile(
        ({ x, boxes, classIndices }) => ({ ...network.losses(network.forward(x as tf.Tensor4D, { training: false }), { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D }) }), // prettier-ignore
        { inputs: { x: { shape, dtype: "float32" }, boxes: { shape: [1, 1, 4], dtype: "float32" }, classIndices: { shape: [1, 1], dtype: "int32" } } }, // prettier-ignore
      );
    expect(() => run([1, 64, 64, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => run([1, 64, 48, 3])).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }));
    expect(() => run([1, 64, 64, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    network.dispose();
    expect(() => createNetwork("centermask", { ...narrow }, { task: "objectDetection" })).toThrow(expect.objectContaining({ code: "TASK_MISMATCH" })); // prettier-ignore
  });
});
