import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type CocoMetrics, cocoMetrics } from "@geolearn/core";
import type { DataOf, ObjectBatch, ObjectData, ObjectTask } from "@geolearn/data-prep";
import { startEngine } from "@geolearn/engine";
import {
  type AnyNetwork,
  type ModelPackage,
  type ObjectNetwork,
  openOnnx,
  type OnnxSpec,
  readModelPackage,
  writeModelPackage,
} from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { foundMasks, predictedOf } from "../tasks/objects/evaluate.ts";
import { createObjectEvaluation } from "../tasks/objects/graph.ts";
import { diskData, squareData } from "../testing/memory-objects.ts";
import { stripeData } from "../testing/memory-tiles.ts";
import { createLearner, type LearnerOf, type TrainableTask } from "./create-learner.ts";
import { evaluatePackage } from "./evaluate-package.ts";
import type { LearnerOptions } from "./options.ts";

const DETECTOR = {
  threads: 1,
  backbone: "mobilenetv3-small",
  fpnWidth: 16,
  headDepth: 1,
  anchors: { sizes: [8, 16, 32, 64, 128] },
} as const;
const CLASSIFIER: LearnerOptions = { threads: 1, backbone: "mobilenetv3-small", norm: "group" };

const times =
  (factor: number) =>
  (value: number): number =>
    factor * value;

let folder: string;
beforeAll(async () => {
  await startEngine({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), "evaluate-graph-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A network as the package it saves, and as a package around the ONNX file it writes. Some of its weights are changed first. */
async function bothOf<T extends TrainableTask>(
  data: DataOf<T> & { readonly task: T },
  options: LearnerOptions,
  changes: Readonly<Record<string, (value: number, at: number) => number>>,
  onnx: object = {},
): Promise<{ readonly learner: LearnerOf<T>; readonly own: string; readonly around: string }> {
  const learner = await createLearner<T>(data, options);
  const weights = new Map(learner.network.weights());
  for (const [name, change] of Object.entries(changes)) {
    const { data: values, shape } = weights.get(name)!;
    weights.set(name, { data: Float32Array.from(values, change), shape, dtype: "float32" });
  }
  learner.network.setWeights(weights);
  const [own, file, around] = ["own.dlpk", "model.onnx", "around.dlpk"].map((name) => join(folder, name)) as [string, string, string];
  await learner.save(own);
  await learner.toOnnx(file, onnx);
  await writeModelPackage(around, await openOnnx(file));
  return { learner, own, around };
}

/** The data with every third object that the network itself finds as a true one, every other of these moved by a pixel. */
async function withFound<T extends ObjectTask>(data: ObjectData<T>, network: AnyNetwork): Promise<ObjectData<T>> {
  const step = createObjectEvaluation({ network: network as ObjectNetwork, data });
  const [maxObjects, side] = [8, data.chipWidth];
  const batches: ObjectBatch[] = [];
  for await (const batch of data.valid.read()) {
    const found = await step.run(batch);
    const [boxes, classIndices] = [new Float32Array(batch.size * maxObjects * 4), new Int32Array(batch.size * maxObjects).fill(-1)];
    const masks = new Uint8Array(batch.size * maxObjects * side * side);
    const counts = new Int32Array(batch.size);
    for (let image = 0; image < batch.real; image++) {
      const { boxes: corners, labels } = predictedOf(found, image);
      const drawn = foundMasks(data, found, image);
      let count = 0;
      for (let k = 0; k < labels.length && count < maxObjects; k += 3) {
        const by = k % 2;
        const box = corners.subarray(4 * k, 4 * k + 4).map((at, i) => (i % 2 === 0 ? Math.min(side, at + by) : at));
        const mask = drawn[k];
        if (Math.min(box[2]! - box[0]!, box[3]! - box[1]!) < 4 || mask === null) continue;
        const slot = image * maxObjects + count++;
        boxes.set(box, 4 * slot);
        classIndices[slot] = labels[k]!;
        for (let row = 0; mask !== undefined && row < mask.height; row++)
          masks.set(mask.bits.subarray(row * mask.width, (row + 1) * mask.width), (slot * side + mask.top + row) * side + mask.left);
      }
      counts[image] = count;
    }
    batches.push({ ...batch, boxes, classIndices, counts, maxObjects, ...(batch.masks === undefined ? {} : { masks }) });
  }
  await step.dispose();
  expect(batches.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b, 0), 0)).toBeGreaterThan(10);
  const read = async function* (): AsyncGenerator<ObjectBatch> {
    for (const batch of batches) yield await Promise.resolve(batch);
  };
  return { ...data, mostObjects: maxObjects, valid: { ...data.valid, read } };
}

const FIGURES = ["AP", "AP50", "AP75", "APsmall", "AR1", "AR100"] as const;
/**
 * The same operations in another graph move boxes by less than 1e-3 pixels and scores by less than 1e-4 (objects-to-onnx.test.ts): a figure changes only where
 * two scores, or an IoU and its threshold, are as near to each other.
 */
function expectAlike(figures: CocoMetrics, own: CocoMetrics): void {
  for (const name of ["AP", "AP50"] as const) expect(own[name], name).toBeGreaterThan(0.05);
  expect(own.AP).toBeLessThan(0.9);
  for (const name of FIGURES) expect(figures[name], name).toBeCloseTo(own[name]!, 3);
  expect(figures.classes.map(({ truthObjects }) => truthObjects)).toEqual(own.classes.map(({ truthObjects }) => truthObjects));
}

describe("a package around an ONNX file that geolearn wrote does on chips as the network itself", () => {
  test("finding boxes", { timeout: 120_000 }, async () => {
    const shapes = squareData({ train: 4, valid: 7 });
    // classes are as likely as not before the image has its say
    const scores = "head.classification_head.cls_logits";
    const { learner, own, around } = await bothOf(shapes, DETECTOR, { [`${scores}.bias`]: () => 0, [`${scores}.weight`]: times(40) });
    const data = await withFound(shapes, learner.network);
    const [ours, theirs] = [await evaluatePackage(around, data), await evaluatePackage(own, data)];
    expectAlike(ours, theirs);
    expect({ loss: ours.loss, masks: ours.masks, images: ours.images }).toEqual({ loss: null, masks: null, images: 7 });
    // anchors are constants of the file: it takes chips of one size
    await expect(evaluatePackage(around, squareData({ side: 96, valid: 2 }))).rejects.toMatchObject({ code: "CHIPS_MISMATCH" });
    await learner.dispose();
  });

  test("outlining, four images a run", { timeout: 120_000 }, async () => {
    const shapes = diskData({ train: 4, valid: 6 });
    const heads = { boxHeadWidth: 32, maskHeadWidth: 16, maskHeadDepth: 1 };
    const { headDepth: _, ...common } = DETECTOR;
    const options: LearnerOptions = { ...common, ...heads, modelType: "mask-rcnn", preset: "compact", detections: 30 };
    const scores = "roi_heads.box_predictor.cls_score";
    const masks = "roi_heads.mask_predictor.mask_fcn_logits";
    // the background, first of the scores, is unlikely, objects are told apart by their scores, and most of a box belongs to its object
    const changes = {
      ...{ [`${scores}.weight`]: times(30), [`${scores}.bias`]: (_: number, at: number) => (at === 0 ? -12 : 0) },
      ...{ [`${masks}.weight`]: times(0.01), [`${masks}.bias`]: () => 2 },
    };
    const { learner, own, around } = await bothOf(shapes, options, changes, { batch: 4 });
    const data = await withFound(shapes, learner.network);
    const [ours, theirs] = [await evaluatePackage(around, data), await evaluatePackage(own, data)];
    expectAlike(ours, theirs);
    expectAlike(ours.masks!, theirs.masks!);
    await learner.dispose();
  });

  test.each(["scores", "logits"] as const)("one class a chip, the file gives %s", { timeout: 120_000 }, async (output) => {
    const data = stripeData({ train: 8, valid: 21 });
    const { learner, own, around } = await bothOf(data, CLASSIFIER, { "head.weight": times(100) }, { output });
    const { loss, ...figures } = await evaluatePackage(around, data);
    const { loss: known, ...expected } = await evaluatePackage(own, data);
    expect([loss, Number.isFinite(known)]).toEqual([null, true]);
    expect(expected.classes.filter(({ predictedChips }) => predictedChips > 0).length).toBeGreaterThan(1);
    // decisions are compared, and no two scores of a chip are alike to 1e-4
    expect(figures).toEqual(expected);
    await expect(evaluatePackage(around, stripeData({ multiLabel: true }))).rejects.toMatchObject({ code: "TASK_MISMATCH" });
    await learner.dispose();
  });

  test.each(["scores", "logits"] as const)("several classes a chip, the file gives %s", { timeout: 120_000 }, async (output) => {
    const data = stripeData({ multiLabel: true, train: 8, valid: 21 });
    const { learner, own, around } = await bothOf(data, CLASSIFIER, { "head.weight": times(100) }, { output });
    expect((await readModelPackage(around)).manifest.config).toEqual({ multiLabel: true, thresholds: [0.5, 0.5, 0.5] });
    const [ours, theirs] = [await evaluatePackage(around, data), await evaluatePackage(own, data)];
    expect(theirs.meanAp).toBeGreaterThan(0.1);
    expect({ ...ours, loss: null }).toEqual({ ...theirs, loss: null });
    await expect(evaluatePackage(around, stripeData())).rejects.toMatchObject({ code: "TASK_MISMATCH" });
    await learner.dispose();
  });
});

interface Fixture {
  readonly file: string;
  readonly images: { readonly boxes: number[]; readonly labels: number[]; readonly scores: number[] }[];
}
/** Files that PyTorch wrote, and what it finds with them: tests/oracles/onnx_objects.py. */
const fixtures = JSON.parse(readFileSync(new URL("../../../inference/src/onnx/fixtures/objects.json", import.meta.url), "utf8")) as Record<
  string,
  Fixture
>;
const [HEIGHT, WIDTH, IMAGES] = [24, 40, 3];

/** The images of the script, two a batch; their true objects are what PyTorch finds on them, a class further, each box `by` pixels to the right. */
function pytorchData(by: number): DataOf<"objectDetection"> {
  const { images } = fixtures["torchvision"]!;
  const data = squareData({ valid: 1 });
  const classes = [
    { value: 3, name: "red", color: [255, 0, 0] as const },
    { value: 7, name: "blue", color: [0, 0, 255] as const },
    { value: 9, name: "green", color: [0, 255, 0] as const },
  ];
  const length = HEIGHT * WIDTH * 3;
  const pixels = Float32Array.from({ length: 4 * length }, (_, i) => (i < IMAGES * length ? Math.imul(i + 1, 2654435761) >>> 8 : 0));
  const batchOf = (first: number): ObjectBatch => {
    const own = images.slice(first, first + 2);
    const [boxes, classIndices] = [new Float32Array(2 * 8 * 4), new Int32Array(2 * 8).fill(-1)];
    own.forEach((image, i) => {
      boxes.set(moved(image.boxes, by), i * 32);
      classIndices.set(image.labels.map(placeOf), i * 8);
    });
    const counts = Int32Array.from([0, 1], (i) => own[i]?.labels.length ?? 0);
    const names = own.map((_, i) => `image ${first + i}`);
    const part = pixels.slice(first * length, (first + 2) * length);
    return { images: part, boxes, classIndices, counts, maxObjects: 8, size: 2, real: own.length, names };
  };
  return {
    ...{ ...data, classes, batchSize: 2, chipWidth: WIDTH, chipHeight: HEIGHT },
    valid: {
      ...{ count: IMAGES, batches: 2, names: [] },
      async *read() {
        for (const first of [0, 2]) yield await Promise.resolve(batchOf(first));
      },
    },
  };
}

const moved = (boxes: readonly number[] | Float32Array, by: number): Float32Array =>
  Float32Array.from(boxes).map((side, i) => side + (i % 2 === 0 ? by : 0));
/** The labels of the script are red, green, blue from 1; data sort classes by value. */
const placeOf = (label: number): number => [-1, 0, 2, 1][label]!;
const spec: OnnxSpec = {
  task: "objectDetection",
  normalization: { scale: 2 ** -24 },
  classes: ["background", { name: "red", value: 3 }, { name: "green", value: 9 }, { name: "blue", value: 7 }],
};
const open = (name: string, more: OnnxSpec = {}): Promise<ModelPackage> =>
  openOnnx(new Uint8Array(Buffer.from(fixtures[name]!.file, "base64")), { ...spec, ...more });

describe("a detector of PyTorch", () => {
  test.each([
    ["torchvision", {}],
    ["batch", { classes: spec.classes!.slice(1), boxOrder: "cxcywh", boxUnit: "fraction" }],
  ] as const)("with the outputs of %s gets the figures of what PyTorch finds", async (name, more) => {
    for (const by of [0, 1, 2]) {
      const data = pytorchData(by);
      const { images } = fixtures["torchvision"]!;
      const found = images.map(({ boxes, labels, scores }) => ({ boxes: Float32Array.from(boxes), labels: labels.map(placeOf), scores }));
      const truth = found.map(({ boxes, labels }) => ({ boxes: moved(boxes, by), labels }));
      const evaluation = await evaluatePackage(await open(name, more), data);
      expect(evaluation).toMatchObject({
        ...cocoMetrics(truth, found, { classes: data.classes }),
        loss: null,
        masks: null,
        images: IMAGES,
      });
      // 5 x 3 pixels: moved by one the IoU is 4/6, by two 3/7
      expect(evaluation.AP50).toBe(by === 2 ? 0 : 1);
      expect(evaluation.AP75).toBe(by === 0 ? 1 : 0);
    }
  });

  test("needs the classes of the chips", async () => {
    const other = await open("torchvision", { classes: ["background", "red", "green", "blue"] });
    await expect(evaluatePackage(other, pytorchData(0))).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
    await expect(evaluatePackage(await open("torchvision"), diskData({ valid: 2 }) as never)).rejects.toMatchObject({
      code: "TASK_MISMATCH",
    });
  });
});
