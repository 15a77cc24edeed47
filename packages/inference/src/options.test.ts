/** Options that there are not, and values they cannot have, are refused before model and scene are read. */

import { showValue } from "@geolearn/core";
import { expect, test } from "vitest";

import { objectAccuracy } from "./accuracy/object-accuracy.ts";
import { pixelAccuracy } from "./accuracy/pixel-accuracy.ts";
import { classifyImage } from "./classify/classify-image.ts";
import { classifyPixels, estimateClassification } from "./classify/classify-pixels.ts";
import { detectChange, estimateChange } from "./classify/detect-change.ts";
import { pixelClassifier } from "./classify/pixel-classifier.ts";
import { classifyObjects, streamClassifiedObjects } from "./classify-objects/classify-objects.ts";
import { estimateObjects } from "./classify-objects/estimate-objects.ts";
import { classifyPhotos } from "./classify-objects/classify-photos.ts";
import { detectObjects } from "./detect/detect-objects.ts";
import { estimateDetection } from "./detect/estimate-detection.ts";
import { objectDetector } from "./detect/object-detector.ts";
import type { InferenceFunction } from "./inference-function.ts";
import { fromOnnx } from "./onnx/from-onnx.ts";
import { openOnnxFunction } from "./onnx/onnx-function.ts";
import { estimateInference } from "./run/estimate.ts";
import { runInference } from "./run/run-inference.ts";

const [MODEL, SCENE, FEATURES, ONNX] = ["none.dlpk", "none.tif", "none.gpkg", "none.onnx"];
const FN = { process: () => Promise.reject(new Error("not to be called")) } as unknown as InferenceFunction;

type Work = (options: object) => unknown;

const SCENE_WORK: readonly [string, Work][] = [
  ["classifyPixels()", (options) => classifyPixels(MODEL, SCENE, options)],
  ["classifyPixels()", (options) => estimateClassification(MODEL, SCENE, options)],
  ["classifyImage()", (options) => classifyImage(FN, SCENE, options)],
  ["detectChange()", (options) => detectChange(MODEL, SCENE, SCENE, options)],
  ["detectChange()", (options) => estimateChange(MODEL, SCENE, SCENE, options)],
  ["detectObjects()", (options) => detectObjects(MODEL, SCENE, options)],
  ["detectObjects()", (options) => estimateDetection(MODEL, SCENE, options)],
  ["runInference()", (options) => runInference(FN, SCENE, options)],
  ["estimateInference()", (options) => estimateInference(FN, SCENE, options)],
];

const MODEL_WORK: readonly [string, Work][] = [
  ["classifyObjects()", (options) => classifyObjects(MODEL, SCENE, FEATURES, options)],
  ["classifyObjects()", (options) => streamClassifiedObjects(MODEL, SCENE, FEATURES, options)],
  ["classifyObjects()", (options) => estimateObjects(MODEL, SCENE, FEATURES, options)],
  ["classifyPhotos()", (options) => classifyPhotos(MODEL, ["none.jpg"], options)],
  ["pixelClassifier()", (options) => pixelClassifier(MODEL, options)],
  ["objectDetector()", (options) => objectDetector(MODEL, options)],
  ["fromOnnx()", (options) => fromOnnx(ONNX, {}, options)],
];

const accuracyOfPixels: Work = (options) => pixelAccuracy(SCENE, FEATURES, options);
const accuracyOfObjects: Work = (options) => objectAccuracy(FEATURES, FEATURES, options);
const onnx: Work = (options) => openOnnxFunction(ONNX, {}, options);

test.each<[where: string, given: string, meant: string, work: Work]>([
  ...[...SCENE_WORK, ...MODEL_WORK].map(([where, work]): [string, string, string, Work] => [where, "batch_size", "batchSize", work]),
  ["pixelAccuracy()", "classfield", "classField", accuracyOfPixels],
  ["objectAccuracy()", "min_iou", "minIou", accuracyOfObjects],
  ["openOnnxFunction()", "externaldata", "externalData", onnx],
  ["detectObjects()", "minscore", "minScore", (options) => detectObjects(MODEL, SCENE, options)],
])("%s refuses %s, and tells %s", async (where, field, meant, work) => {
  await expect(refused(work, { [field]: 2 })).resolves.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `${where} has no option \`${field}\`.`,
    hint: `Did you mean \`${meant}\`?`,
    data: { field },
  });
  await expect(refused(work, null as unknown as object)).resolves.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("where a function has chosen its device, none can be given", async () => {
  await expect(refused((options) => runInference(FN, SCENE, options), { device: "cpu" })).resolves.toMatchObject({
    data: { field: "device" },
  });
});

const ON_SCENE: readonly [string, unknown, string][] = [
  ["mask", 3, "a path, or features that were read"],
  ["extent", [2, 0, 1, 1], "[xmin, ymin, xmax, ymax], the smaller ones first"],
  ["cellSize", "modle", 'metres above 0, "model" or "scene"'],
  ["bands", "0,1", "a list of bands, by number from 0 or by name"],
  ["overlap", -1, "a whole number of pixels from 0"],
  ["padding", 0.25, "pixels from 0, whole or half ones"],
  ["tta", "yes", "true or false"],
  ["parameters", [1], "an object with a value for each name"],
  ["inputMemoryMb", Number.NaN, "a number from 0"],
  ["network", "any", "true, false or a policy"],
  ["signal", {}, "the signal of an AbortController"],
  ["onProgress", true, "a function"],
];
const ON_MODEL: readonly [string, unknown, string][] = [
  ["batchSize", 1.5, "a whole number from 1"],
  ["workers", 0, "a whole number from 1"],
  ["threads", "2", "a whole number from 1"],
  ["device", "gpu", '"cpu", "webgpu", "cuda", "coreml", "dml", "tensorflow" or "auto"'],
];
const pixels: Work = (options) => classifyPixels(MODEL, SCENE, options);
const objects: Work = (options) => detectObjects(MODEL, SCENE, options);
const features: Work = (options) => classifyObjects(MODEL, SCENE, FEATURES, options);

const MEANT: Readonly<Record<string, string>> = { modle: 'Did you mean `cellSize: "model"`?', Hann: 'Did you mean `blend: "hann"`?' };

test.each<[field: string, value: unknown, expected: string, works: readonly Work[]]>([
  ...ON_SCENE.map((row): [...typeof row, Work[]] => [...row, SCENE_WORK.map(([, work]) => work)]),
  ...ON_MODEL.map((row): [...typeof row, Work[]] => [...row, [pixels, objects, ...MODEL_WORK.map(([, work]) => work)]]),
  ["blend", "Hann", '"hann", "crop" or "none"', [pixels]],
  ["merge", "median", '"mean", "max" or "min"', [pixels]],
  ["scores", "float", 'true or false, "float32" or "uint8"', [pixels]],
  ["predictBackground", "false", "true or false", [pixels]],
  ["out", "", "a path", [pixels]],
  ["resume", 1, "true or false", [pixels]],
  ["minScore", 2, "a number from 0 to 1", [objects, (options) => objectDetector(MODEL, options)]],
  ["nmsOverlap", Number.NaN, "a number from 0 to 1", [objects]],
  ["maxDetections", 0, "a whole number from 1", [objects, (options) => objectDetector(MODEL, options)]],
  ["simplify", "two", 'a length of at least 0, metres on the ground or such as "2 crs"', [objects]],
  ["esriFields", "true", "true or false", [objects, features, (options) => classifyPhotos(MODEL, ["none.jpg"], options)]],
  ["cropMode", "fixed", '"fixedSize" or "boundingBox"', [features]],
  ["buffer", -1, 'a length of at least 0, metres on the ground or such as "2 crs"', [features]],
  ["classField", ["a"], "a text", [accuracyOfPixels]],
  ["classes", [{ value: "1", name: "roof" }], "a list of classes with value and name", [accuracyOfPixels]],
  ["classField", { predicted: "a" }, "a text, or { predicted, truth } with a text each", [accuracyOfObjects]],
  ["minIou", 0, "a number above 0 and at most 1", [accuracyOfObjects]],
  ["externalData", "yes", "true or false", [onnx, (options) => fromOnnx(ONNX, {}, options)]],
])("%s: %j is refused", async (field, value, expected, works) => {
  for (const work of works) {
    await expect(refused(work, { [field]: value })).resolves.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`(): \`${field}\` is ${showValue(value)}; expected ${expected}.`) as string,
      hint: MEANT[String(value)] ?? `Change \`${field}\`, or leave it out.`,
      data: { field, value },
    });
  }
});

test("undefined is as good as left out, and what is there is read", async () => {
  const options = {
    signal: undefined,
    cellSize: "model",
    extent: [0, 0, 1, 1],
    padding: 0.5,
    bands: [0, "red"],
    simplify: "2 crs",
    mask: FEATURES,
  };
  await expect(refused(objects, options)).resolves.toMatchObject({ code: "FILE_NOT_FOUND" });
});

/** What a function throws or rejects with. */
async function refused(work: Work, options: object): Promise<unknown> {
  try {
    await work(options);
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}
