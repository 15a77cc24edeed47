/** An option that there is not is refused before model and scene are read. */

import { expect, test } from "vitest";

import { classifyPixels, estimateClassification } from "./classify/classify-pixels.ts";
import { detectChange, estimateChange } from "./classify/detect-change.ts";
import { classifyObjects, streamClassifiedObjects } from "./classify-objects/classify-objects.ts";
import { classifyPhotos } from "./classify-objects/classify-photos.ts";
import { detectObjects } from "./detect/detect-objects.ts";
import { estimateDetection } from "./detect/estimate-detection.ts";

const [MODEL, SCENE] = ["none.dlpk", "none.tif"];

const ENTRIES: readonly [string, (options: object) => Promise<unknown>][] = [
  ["classifyPixels()", (options) => classifyPixels(MODEL, SCENE, options)],
  ["classifyPixels()", (options) => estimateClassification(MODEL, SCENE, options)],
  ["detectChange()", (options) => detectChange(MODEL, SCENE, SCENE, options)],
  ["detectChange()", (options) => estimateChange(MODEL, SCENE, SCENE, options)],
  ["classifyObjects()", (options) => classifyObjects(MODEL, SCENE, "none.gpkg", options)],
  ["classifyObjects()", (options) => streamClassifiedObjects(MODEL, SCENE, "none.gpkg", options)],
  ["classifyPhotos()", (options) => classifyPhotos(MODEL, ["none.jpg"], options)],
  ["detectObjects()", (options) => detectObjects(MODEL, SCENE, options)],
  ["detectObjects()", (options) => estimateDetection(MODEL, SCENE, options)],
];

test.each(ENTRIES)("%s refuses an option that there is not, and tells the one that was meant", async (where, work) => {
  await expect(work({ batch_size: 2 })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `${where} has no option \`batch_size\`.`,
    hint: "Did you mean `batchSize`?",
    data: { field: "batch_size" },
  });
  await expect(work(null as unknown as object)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a score in the wrong case is not the default score", async () => {
  const work = detectObjects(MODEL, SCENE, { minscore: 0.01 } as object);
  await expect(work).rejects.toMatchObject({ code: "INVALID_ARGUMENT", hint: "Did you mean `minScore`?" });
});
