/** How well a detector does on the validation side: COCO's numbers. */

import {
  CocoEvaluation,
  type CocoCurve,
  type CocoMetrics,
  type ConfusionMatrix,
  countDetections,
  createDetectionConfusion,
  encodeWindow,
  GeoLearnError,
  type IouOf,
  type MaskWindow,
  pasteMask,
  type PredictedObjects,
  type TruthObjects,
} from "@geolearn/core";
import type { ObjectBatch, ObjectData } from "@geolearn/data-prep";

import { readAhead } from "../../learner/read-ahead.ts";
import type { TaskEvaluation } from "../task.ts";
import type { FoundObjects, ObjectEvaluationStep } from "./graph.ts";

/** Scores from which a found object counts where a threshold is needed: in pictures and confusion matrices. */
export const SURE = 0.5;

/** COCO's twelve numbers, and what figures are drawn from. */
export interface ObjectMetrics extends CocoMetrics {
  /** Precision over recall of each class at an IoU of 0.5; null for a class without true objects. */
  readonly curves: readonly (CocoCurve | null)[];
  /**
   * Which classes are taken for which, at an IoU and scores from 0.5 on: rows are the truth, columns what was found; the last row is what was found where
   * nothing is, the last column what was missed.
   */
  readonly confusion: ConfusionMatrix;
}

/** Result of an evaluation, objects compared by boxes. Its loss is the mean over images. */
export interface ObjectEvaluation extends ObjectMetrics, TaskEvaluation {
  /** The same compared by masks; null where boxes are all that is asked for. */
  readonly masks: ObjectMetrics | null;
  /** Images compared. */
  readonly images: number;
}

/** Gathers all figures of one way to compare objects. */
class Comparison {
  private readonly coco: CocoEvaluation;
  private readonly confusion: ConfusionMatrix;

  constructor(
    { classes }: ObjectData,
    private readonly iou: IouOf,
  ) {
    this.coco = new CocoEvaluation({ classes, iou });
    this.confusion = createDetectionConfusion(classes.length);
  }

  add(truth: TruthObjects, predicted: PredictedObjects): void {
    this.coco.add(truth, predicted);
    countDetections(this.confusion, truth, predicted, { minScore: SURE, iou: this.iou });
  }

  metrics(): ObjectMetrics {
    return { ...this.coco.metrics(), curves: this.coco.curves(), confusion: this.confusion };
  }
}

/** Loss and metrics over the validation chips. Padding chips do not count in the metrics. */
export async function evaluateObjects(
  data: ObjectData,
  step: ObjectEvaluationStep,
  signal: AbortSignal | undefined,
): Promise<ObjectEvaluation> {
  const boxes = new Comparison(data, "boxes");
  const masks = data.task === "instanceSegmentation" ? new Comparison(data, "masks") : null;
  let [lossSum, images, known] = [0, 0, true];
  for await (const batch of readAhead(data.valid.read(signal && { signal }))) {
    signal?.throwIfAborted();
    const found = await step.run(batch);
    known &&= found.loss !== null;
    if (found.loss !== null && !Number.isFinite(found.loss)) {
      throw new GeoLearnError("LOSS_NOT_FINITE", `The validation loss is ${found.loss} on chips ${batch.names.join(", ")}.`, {
        hint: "Look at these chips; use a lower `lr`, or set `clipNorm`.",
        data: { chips: batch.names },
      });
    }
    lossSum += (found.loss ?? 0) * batch.real;
    images += batch.real;
    for (let image = 0; image < batch.real; image++) {
      const [truth, predicted] = [truthOf(batch, image), predictedOf(found, image)];
      boxes.add(truth, predicted);
      masks?.add({ ...truth, masks: encoded(trueMasks(data, batch, image), data) }, { ...predicted, masks: encoded(foundMasks(data, found, image), data) }); // prettier-ignore
    }
  }
  return { ...boxes.metrics(), masks: masks?.metrics() ?? null, loss: known && images > 0 ? lossSum / images : null, images };
}

type Chip = Pick<ObjectData, "chipWidth" | "chipHeight">;

const encoded = (masks: readonly (MaskWindow | null)[], { chipWidth, chipHeight }: Chip) =>
  masks.map((mask) => encodeWindow(mask, chipWidth, chipHeight));

/** The pixels of the true objects of an image inside their boxes. */
export function trueMasks({ chipWidth, chipHeight }: Chip, batch: ObjectBatch, image: number): (MaskWindow | null)[] {
  const { masks, boxes, counts, maxObjects } = batch;
  if (masks === undefined) return [];
  return Array.from({ length: counts[image]! }, (_, k) => {
    const slot = image * maxObjects + k;
    const [x0, y0, x1, y1] = boxes.subarray(4 * slot, 4 * slot + 4) as unknown as [number, number, number, number];
    const [left, top] = [Math.floor(x0), Math.floor(y0)];
    const [width, height] = [Math.ceil(x1) - left, Math.ceil(y1) - top];
    const bits = new Uint8Array(width * height);
    for (let row = 0; row < height; row++) {
      const at = slot * chipWidth * chipHeight + (top + row) * chipWidth + left;
      bits.set(masks.subarray(at, at + width), row * width);
    }
    return { left, top, width, height, bits };
  });
}

/** The pixels of the objects found on an image; null where an object has none. */
export function foundMasks({ chipWidth, chipHeight }: Chip, found: FoundObjects, image: number): (MaskWindow | null)[] {
  const { maskAt, detections } = found;
  if (maskAt === null) return [];
  const { boxes, labels } = predictedOf(found, image);
  return Array.from({ length: labels.length }, (_, k) => {
    const corners = [boxes[4 * k]!, boxes[4 * k + 1]!, boxes[4 * k + 2]!, boxes[4 * k + 3]!] as const;
    return pasteMask(maskAt(image * detections + k), corners, [0, 0, chipWidth, chipHeight]);
  });
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
