/** The front door: names that people coming from arcgis.learn guess, and steps that must not compile. */

import { expect, test } from "vitest";
import {
  PixelLearner,
  type LearningData,
  type ObjectData,
  type PixelClassifier,
  PSPNet,
  PSPNetClassifier,
  UNet,
  UnetClassifier,
  fromModel,
  prepareData,
} from "./index.ts";

test("names of arcgis.learn lead to what they stand for", () => {
  expect(UnetClassifier).toBe(UNet);
  expect(PSPNetClassifier).toBe(PSPNet);
  const verbs = [
    ...["lrFind", "fit", "freeze", "unfreeze", "showResults", "plotLosses", "mIOU", "perClassMetrics", "accuracy"],
    ...["plotConfusionMatrix", "predict", "save", "load"],
  ];
  for (const verb of verbs) expect(PixelLearner.prototype, verb).toHaveProperty(verb);
});

/** Never run: each line marked so must be refused by the compiler. */
export async function illegalSteps(boxes: ObjectData<"objectDetection">, chips: LearningData<"pixelClassification">): Promise<void> {
  // @ts-expect-error a U-Net does not learn boxes
  await UNet.create(boxes);
  // @ts-expect-error boxes come without a class per pixel
  expect((await prepareData("chips", { task: "objectDetection" })).classPixels).toBeDefined();
  // @ts-expect-error this task is no task
  await prepareData("chips", { task: "guessing" });
  const learner = await UNet.create(chips);
  // @ts-expect-error a learner is saved, then opened to classify
  await learner.classifyPixels("scene.tif");
  const model: PixelClassifier = await fromModel("buildings.dlpk", { task: "pixelClassification" });
  // @ts-expect-error a model that was opened for use is not trained
  await model.fit({ epochs: 1 });
  const map = await model.classifyPixels("scene.tif");
  // @ts-expect-error features have no pixels to outline
  await (await map.toPolygons()).toPolygons();
}
