import { readFileSync } from "node:fs";

import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { filled, outlines, shapesOf, slotted, type Truth } from "../testing/detection.ts";
import { greatestDifference, pattern, relativeDifference, sameWeights, unpack } from "../testing/pattern.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createFasterRCNN, fasterRCNNBlueprint } from "./faster-rcnn.ts";
import { featuresOf } from "./heads.ts";
import { BOX_BINS, MASK_BINS, maskLayers, regionLayers } from "./layers.ts";
import { createMaskRCNN, maskRCNNBlueprint } from "./mask-rcnn.ts";
import type { RcnnOutputs } from "./outputs.ts";
import { type MaskRCNNConfig, resolveMaskRCNNConfig } from "./config.ts";

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
  readonly resnet50: { readonly faster: Counted; readonly mask: Counted };
  readonly narrow: Counted & {
    readonly width: number;
    readonly hidden: number;
    readonly classes: number;
    readonly sizes: number[];
    readonly candidates: number;
    readonly proposals: number;
    readonly objects: number;
  };
  readonly outputs: readonly {
    readonly name: string;
    readonly size: [number, number, number];
    readonly bands: number;
    readonly options: DecodeOptions;
    readonly objectness: Thinned;
    readonly deltas: Thinned;
    readonly proposals: readonly string[];
    readonly logits: Thinned;
    readonly told: Thinned;
    readonly masks: Thinned;
    readonly found: readonly { readonly boxes: string; readonly scores: string; readonly labels: number[]; readonly masks: Thinned }[];
  }[];
  readonly losses: readonly {
    readonly name: string;
    readonly truth: readonly Truth[];
    readonly losses: Readonly<Record<string, number>>;
    readonly norms: Readonly<Record<string, number>>;
  }[];
}

/** What tests/oracles/rcnn.py has computed with torchvision. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/rcnn.json", import.meta.url), "utf8")) as Fixture;
const { width, hidden, classes, sizes, candidates, proposals, objects } = fixture.narrow;
const narrow: MaskRCNNConfig = {
  ...{ bands: 3, classes, backbone: "resnet18", fpnWidth: width, boxHeadWidth: hidden, maskHeadWidth: width, maskHeadDepth: 2 },
  anchors: { sizes },
  candidates: [candidates, candidates],
  proposals: [proposals, proposals],
  rpnSamples: 20_000,
  rois: 4 * (proposals + objects),
};
const LOSSES = {
  ...{ loss_objectness: "objectness", loss_rpn_box_reg: "proposals", loss_classifier: "classification" },
  ...{ loss_box_reg: "boxes", loss_mask: "masks" },
} as const;
const [HEIGHT, WIDTH] = [64, 96];

/** Every so many numbers, as the fixture holds them. */
function thin(values: ArrayLike<number>, { step }: Thinned): Float32Array {
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn.");

/** The narrow network with the oracle's weights. */
async function narrowNetwork(bands = 3): Promise<ObjectNetwork<RcnnOutputs>> {
  const network = createMaskRCNN({ ...narrow, bands });
  const shapes = shapesOf(fixture.narrow.keys);
  shapes.set("backbone.body.conv1.weight", [64, bands, 7, 7]);
  await loadDetectorWeights(network, filled(shapes, null));
  return network;
}

beforeAll(async () => {
  await startEngine();
});

describe("parameters are torchvision's", () => {
  const trained = (of: ObjectBlueprint<RcnnOutputs>): number =>
    of.parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const theirs = (keys: string): Map<string, number[]> =>
    new Map([...shapesOf(keys)].filter(([name]) => !name.endsWith("num_batches_tracked")).map(([name, shape]) => [ours(name), shape]));

  it.each([
    ["Faster R-CNN", fasterRCNNBlueprint({ bands: 3, classes: 90, backbone: "resnet50" }), fixture.resnet50.faster, 41_808_406],
    ["Mask R-CNN", maskRCNNBlueprint({ bands: 3, classes: 90, backbone: "resnet50" }), fixture.resnet50.mask, 44_454_513],
    ["a narrow Mask R-CNN", maskRCNNBlueprint(narrow), fixture.narrow, fixture.narrow.parameters],
  ] as const)("of %s", (_, blueprint, { parameters, keys }, count) => {
    expect(trained(blueprint)).toBe(count);
    expect(parameters).toBe(count);
    expect(new Map(blueprint.parameters.map(({ name, shape }) => [name, shape]))).toEqual(theirs(keys));
  });
});

describe("all that passes between the stages is torchvision's", () => {
  it.each(fixture.outputs)("$name", async ({ size, bands, options, ...theirs }) => {
    const before = tf.memory().numTensors;
    const network = await narrowNetwork(bands);
    const config = resolveMaskRCNNConfig({ ...narrow, bands });
    const [boxLayers, maskLayer] = [regionLayers(config, []), maskLayers(config, [])];
    const [n, h, w] = size;
    const most = options.maxDetections ?? 100;
    const run = compile(
      ({ x }) => {
        const outputs = network.forward(x as tf.Tensor4D, { training: false });
        const { boxes, scores, classIndices, masks } = network.decode(outputs, options);
        const heads = boxLayers.boxes(featuresOf(outputs, outputs.proposals, BOX_BINS), outputs.context);
        return {
          objectness: tf.concat(outputs.objectness as tf.Tensor2D[], 1),
          deltas: tf.concat(outputs.deltas as tf.Tensor3D[], 1),
          proposals: tf.add(outputs.proposals, 0),
          ...{ logits: heads.logits, told: heads.told, boxes, scores, classIndices, masks: masks! },
          maskLogits: tf.transpose(maskLayer(featuresOf(outputs, boxes, MASK_BINS), outputs.context), [0, 3, 1, 2]),
        };
      },
      { inputs: { x: { shape: [n, h, w, bands], dtype: "float32" } } },
    );
    const found = await run.run({ x: Float32Array.from(pattern("image", n * h * w * bands)) });
    const rows = (name: string, image: number, each: number, count: number, room: number): Float32Array =>
      (found[name]!.data as Float32Array).subarray(image * room * each, (image * room + count) * each);
    // Float32 through some thirty layers, against torchvision in float64.
    const near = (values: ArrayLike<number>, { shape, ...rest }: Thinned): void => {
      expect(values.length).toBe(sizeOf(shape));
      expect(relativeDifference(thin(values, { shape, ...rest }), unpack(rest.values))).toBeLessThan(1e-4);
    };
    near(found["objectness"]!.data, theirs.objectness);
    near(found["deltas"]!.data, theirs.deltas);
    const counts = theirs.proposals.map((packed) => unpack(packed).length / 4);
    for (const [image, packed] of theirs.proposals.entries())
      // Pixels of a chip of up to 128: boxes grow by exponentials of what is told.
      expect(greatestDifference(rows("proposals", image, 4, counts[image]!, proposals), unpack(packed))).toBeLessThan(3e-3);
    const together = (name: string, each: number, of: readonly number[], room: number): Float32Array =>
      Float32Array.from(of.flatMap((count, image) => [...rows(name, image, each, count, room)]));
    near(together("logits", 1 + classes, counts, proposals), theirs.logits);
    near(together("told", 4 * (1 + classes), counts, proposals), theirs.told);
    const detections = theirs.found.map(({ labels }) => labels.length);
    near(together("maskLogits", (1 + classes) * 28 * 28, detections, most), theirs.masks);
    for (const [image, { boxes, scores, labels, masks }] of theirs.found.entries()) {
      const count = labels.length;
      expect([...rows("classIndices", image, 1, count, most)]).toEqual(labels.map((label) => label - 1));
      expect(greatestDifference(rows("boxes", image, 4, count, most), unpack(boxes))).toBeLessThan(3e-3);
      expect(greatestDifference(rows("scores", image, 1, count, most), unpack(scores))).toBeLessThan(1e-4);
      expect(greatestDifference(thin(rows("masks", image, 28 * 28, count, most), masks), unpack(masks.values))).toBeLessThan(1e-4);
      for (const [name, each] of [
        ["boxes", 4],
        ["scores", 1],
        ["classIndices", 1],
        ["masks", 28 * 28],
      ] as const)
        // prettier-ignore
        expect(found[name]!.data.subarray((image * most + count) * each, (image + 1) * most * each).every((v) => v === 0)).toBe(true);
    }
    await run.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

type LossRun = (truth: readonly Truth[]) => Promise<{ parts: Record<string, number>; norms: Map<string, number> }>;

/** Losses of batches and the length of the gradient of each parameter; without `training` with the statistics the network holds. */
function lossesOf(
  network: ObjectNetwork<RcnnOutputs>,
  { images, slots, bands = 3, training = false }: { images: number; slots: number; bands?: number; training?: boolean },
): { readonly run: LossRun; readonly dispose: () => Promise<void> } {
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map(({ variable }) => variable);
  const compiled = compile(
    ({ x, boxes, classIndices, masks }) => {
      const given = { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D, masks: masks as tf.Tensor4D };
      const of = (): Readonly<Record<string, tf.Scalar>> => network.losses(network.forward(x as tf.Tensor4D, { training }), given);
      const { grads } = tf.variableGrads(() => tf.addN(Object.values(of())), variables);
      return { ...of(), norms: tf.stack(variables.map((v) => tf.sqrt(tf.sum(tf.square(grads[v.name]!))))) };
    },
    {
      inputs: {
        x: { shape: [images, HEIGHT, WIDTH, bands], dtype: "float32" },
        boxes: { shape: [images, slots, 4], dtype: "float32" },
        classIndices: { shape: [images, slots], dtype: "int32" },
        masks: { shape: [images, slots, HEIGHT, WIDTH], dtype: "bool" },
      },
    },
  );
  const x = Float32Array.from(pattern("image", images * HEIGHT * WIDTH * bands));
  return {
    async run(truth) {
      const { norms, ...parts } = await compiled.run({ x, ...slotted(truth, slots), masks: outlines(truth, slots, HEIGHT, WIDTH) });
      return {
        parts: Object.fromEntries(Object.entries(parts).map(([name, { data }]) => [name, data[0]!])),
        norms: new Map(trainable.map(({ name }, i) => [name, norms!.data[i]!])),
      };
    },
    dispose: () => compiled.dispose(),
  };
}

describe("losses and all gradients are torchvision's", () => {
  it.each([1, 2, 3])("of %i images", { timeout: 60_000 }, async (images) => {
    const before = tf.memory().numTensors;
    const network = await narrowNetwork();
    const losses = lossesOf(network, { images, slots: 80 });
    const cases = fixture.losses.filter(({ truth }) => truth.length === images);
    expect(cases.length).toBe(images === 1 ? 9 : 1);
    for (const { name: objects, truth, losses: theirs, norms } of cases) {
      const found = await losses.run(truth);
      for (const [name, value] of Object.entries(theirs)) {
        // Torchvision computed in float64.
        const own = found.parts[LOSSES[name as keyof typeof LOSSES]]!;
        expect(Math.abs(own - value), `${name} of ${objects}`).toBeLessThanOrEqual(1e-4 * value);
      }
      const greatest = Math.max(...Object.values(norms));
      expect([...found.norms.keys()].toSorted()).toEqual(Object.keys(norms).map(ours).toSorted());
      for (const [name, norm] of Object.entries(norms))
        expect(Math.abs(found.norms.get(ours(name))! - norm), `${name} of ${objects}`).toBeLessThan(1e-3 * norm + 1e-6 * greatest);
    }
    await losses.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([false, true])("boxes without area and of the whole chip, one class: finite, training %s", async (training) => {
    const network = createMaskRCNN({ ...narrow, classes: 1, preset: "compact", rois: 8, rpnSamples: 16 }, { seed: 3 });
    const losses = lossesOf(network, { images: 1, slots: 3, training });
    for (const truth of [
      [],
      [
        [5, 5, 5, 9, 0],
        [9, 9, 3, 3, 0],
      ],
      [[0, 0, WIDTH, HEIGHT, 0]],
      [[20, 20, 20.001, 20.001, 0]],
    ] as Truth[]) {
      // prettier-ignore
      const { parts, norms } = await losses.run([truth]);
      expect(
        [...Object.values(parts), ...norms.values()].filter((v) => !Number.isFinite(v)),
        JSON.stringify(truth),
      ).toEqual([]);
      if (truth.length === 0 || truth.length === 2) expect(parts).toMatchObject({ proposals: 0, boxes: 0, masks: 0 });
    }
    await losses.dispose();
    network.dispose();
  });
});

describe("samples", () => {
  it("are drawn anew with another seed, the same with the same", async () => {
    const network = createFasterRCNN({ ...narrow, rois: 12, rpnSamples: 8 }, { seed: 2 });
    const run = compile(
      ({ x, boxes, classIndices, seed }) => {
        const truth = { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D };
        return { ...network.losses(network.forward(x as tf.Tensor4D, { training: false }), truth, seed as tf.Scalar) };
      },
      {
        inputs: {
          x: { shape: [1, HEIGHT, WIDTH, 3], dtype: "float32" },
          boxes: { shape: [1, 4, 4], dtype: "float32" },
          classIndices: { shape: [1, 4], dtype: "int32" },
          seed: { shape: [], dtype: "int32" },
        },
      },
    );
    const given = { x: Float32Array.from(pattern("image", HEIGHT * WIDTH * 3)), ...slotted([[[10, 10, 42, 40, 0], [60, 8, 90, 30, 1]]], 4) }; // prettier-ignore
    const values = (found: Record<string, HostTensor>): number[] => Object.values(found).map(({ data }) => data[0]!);
    const [first, again, other] = [await run.run({ ...given, seed: 1 }), await run.run({ ...given, seed: 1 }), await run.run({ ...given, seed: 2 })]; // prettier-ignore
    expect(values(again)).toEqual(values(first));
    expect(values(other)).not.toEqual(values(first));
    await run.dispose();
    network.dispose();
  });
});

it.each(["resnet50", "mobilenetv3-large", "efficientnet-b0"] as const)("learns on %s, of one band, with group norm", async (backbone) => {
  const small = { fpnWidth: 8, boxHeadWidth: 16, maskHeadWidth: 8, rois: 64 };
  const network = createMaskRCNN({ ...narrow, ...small, bands: 1, backbone, norm: "group" }, { seed: 1 });
  const losses = lossesOf(network, { images: 1, slots: 3, bands: 1, training: true });
  const { parts, norms } = await losses.run([[[8, 8, 40, 30, 0], [30, 20, 70, 60, 2]]]); // prettier-ignore
  expect(Object.values(parts).every(Number.isFinite)).toBe(true);
  expect([...norms].filter(([, norm]) => !(norm > 0 && Number.isFinite(norm))).map(([name]) => name)).toEqual([]);
  await losses.dispose();
  network.dispose();
});

describe("weights", () => {
  it("of a whole detector, for other bands and classes", async () => {
    const network = createMaskRCNN({ ...narrow, bands: 4, classes: 5 }, { seed: 3 });
    const { adapted, kept, loaded } = await loadDetectorWeights(network, filled(shapesOf(fixture.narrow.keys), null));
    expect(adapted).toEqual(["encoder.conv1.weight"]);
    expect(kept.toSorted()).toEqual(
      ["box_predictor.bbox_pred", "box_predictor.cls_score", "mask_predictor.mask_fcn_logits"].flatMap((name) =>
        ["bias", "weight"].map((part) => `roi_heads.${name}.${part}`),
      ),
    );
    expect(loaded.length).toBe(network.parameters.length - kept.length);
    const again = createMaskRCNN({ ...narrow, bands: 4, classes: 5 }, { seed: 4, weights: network.weights() });
    expect(sameWeights(again.weights(), network.weights())).toBe(true);
    again.dispose();
    network.dispose();
  });
});

describe("what cannot be built or run", () => {
  it.each([
    [{ bands: 0 }, "bands"],
    [{ classes: 0 }, "classes"],
    [{ backbone: "vgg16" }, "backbone"],
    [{ preset: "tiny" }, "preset"],
    [{ fpnWidth: 0.5 }, "fpnWidth"],
    [{ boxHeadWidth: 0 }, "boxHeadWidth"],
    [{ maskHeadWidth: -3 }, "maskHeadWidth"],
    [{ maskHeadDepth: 99 }, "maskHeadDepth"],
    [{ anchors: { sizes: [8, 16] } }, "anchors.sizes"],
    [{ anchors: { scales: [1] } }, "scales"],
    [{ anchors: { sizes: [1, 2, 3, 4, 5] } }, "anchors"],
    [{ candidates: [100] }, "candidates"],
    [{ proposals: [100, 0.5] }, "proposals"],
    [{ rpnSamples: 1 }, "rpnSamples"],
    [{ rois: "many" }, "rois"],
    [{ detections: 0 }, "detections"],
  ])("%j", (change, field) => {
    const make = (): unknown => createBlueprint("mask-rcnn", { bands: 3, classes: 2, ...change });
    expect(make).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }));
  });

  it("presets fill in what is not given", () => {
    expect(createBlueprint("mask-rcnn", { bands: 3, classes: 2 }).config).toMatchObject({ fpnWidth: 256, rois: 512, maskHeadDepth: 4, proposals: [2000, 1000], detections: 100 }); // prettier-ignore
    expect(createBlueprint("faster-rcnn", { bands: 3, classes: 2, preset: "compact", rois: 32 }).config).toMatchObject({ fpnWidth: 64, rois: 32, boxHeadWidth: 256 }); // prettier-ignore
  });

  it("chips of other bands and sides, truths without masks, another task", () => {
    const network = createNetwork("mask-rcnn", { ...narrow }, { task: "instanceSegmentation" });
    const run = (shape: number[]): unknown =>
      compile(
        ({ x, boxes, classIndices }) => ({ ...network.losses(network.forward(x as tf.Tensor4D, { training: false }), { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D }) }), // prettier-ignore
        { inputs: { x: { shape, dtype: "float32" }, boxes: { shape: [1, 1, 4], dtype: "float32" }, classIndices: { shape: [1, 1], dtype: "int32" } } }, // prettier-ignore
      );
    expect(() => run([1, 64, 64, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => run([1, 64, 48, 3])).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }));
    expect(() => run([1, 64, 64, 3])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    network.dispose();
    expect(() => createNetwork("faster-rcnn", { ...narrow }, { task: "instanceSegmentation" })).toThrow(expect.objectContaining({ code: "TASK_MISMATCH" })); // prettier-ignore
  });
});
