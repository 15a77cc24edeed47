/** How well a detector does on the validation side: COCO's numbers. */

import { CocoEvaluation, type CocoMetrics, GeoLearnError, type PredictedObjects, type TruthObjects } from "@geolearn/core";
import type { ObjectBatch, ObjectData } from "@geolearn/data-prep";

import { readAhead } from "../../learner/read-ahead.ts";
import type { TaskEvaluation } from "../task.ts";
import type { FoundObjects, ObjectEvaluationStep } from "./graph.ts";

/** Result of an evaluation: COCO's twelve numbers of boxes. Its loss is the mean over images. */
export interface ObjectEvaluation extends CocoMetrics, TaskEvaluation {
  /** Images compared. */
  readonly images: number;
}

/** Loss and metrics over the validation chips. Padding chips do not count in the metrics. */
export async function evaluateObjects(
  data: ObjectData,
  step: ObjectEvaluationStep,
  signal: AbortSignal | undefined,
): Promise<ObjectEvaluation> {
  const coco = new CocoEvaluation({ classes: data.classes });
  let [lossSum, images] = [0, 0];
  for await (const batch of readAhead(data.valid.read(signal && { signal }))) {
    signal?.throwIfAborted();
    const found = await step.run(batch);
    if (!Number.isFinite(found.loss)) {
      throw new GeoLearnError("LOSS_NOT_FINITE", `The validation loss is ${found.loss} on chips ${batch.names.join(", ")}.`, {
        hint: "Look at these chips; use a lower `lr`, or set `clipNorm`.",
        data: { chips: batch.names },
      });
    }
    lossSum += found.loss * batch.real;
    images += batch.real;
    for (let image = 0; image < batch.real; image++) coco.add(truthOf(batch, image), predictedOf(found, image));
  }
  return { ...coco.metrics(), loss: images === 0 ? null : lossSum / images, images };
}

/** The true objects of an image. */
export function truthOf({ boxes, classIndices, counts, maxObjects }: ObjectBatch, image: number): TruthObjects & { boxes: Float32Array } {
  const [first, count] = [image * maxObjects, counts[image]!];
  return { boxes: boxes.subarray(4 * first, 4 * (first + count)), labels: classIndices.subarray(first, first + count) };
}

/** The objects found on an image. */
export function predictedOf(
  { boxes, scores, classIndices, detections }: FoundObjects,
  image: number,
): PredictedObjects & { boxes: Float32Array } {
  const first = image * detections;
  let end = first;
  while (end < first + detections && scores[end]! > 0) end++;
  return { boxes: boxes.subarray(4 * first, 4 * end), labels: classIndices.subarray(first, end), scores: scores.subarray(first, end) };
}
