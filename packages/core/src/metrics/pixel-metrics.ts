/**
 * Accuracy of a classified map from its confusion matrix.
 *
 * Where a figure has no meaning it is `null`, never NaN and never a made-up 0 or 1:
 * - `iou` and `f1` of a class that is neither in the truth nor in the prediction;
 * - `precision` of a class that was never predicted, `recall` of one that is not in the truth;
 * - `kappa` when chance alone would agree everywhere (both sides are one and the same class);
 * - everything when no pixel was counted.
 * Means are taken over the classes whose figure is not null.
 */

import type { ClassDefinition } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import type { ConfusionMatrix } from "./confusion.ts";
import { cohenKappa } from "./kappa.ts";
import { type PrecisionRecall, precisionRecall, share } from "./precision-recall.ts";

/** Accuracy of one class. */
export interface ClassMetrics extends PrecisionRecall {
  readonly value: number;
  readonly name: string;
  /** Intersection over union: TP / (TP + FP + FN). */
  readonly iou: number | null;
  /** Pixels of the class in the truth. */
  readonly truthPixels: number;
  /** Pixels given the class. */
  readonly predictedPixels: number;
}

/** Accuracy of a map. */
export interface PixelMetrics {
  /** Share of pixels that are right, 0 to 1. */
  readonly pixelAccuracy: number | null;
  /** Mean of the classes' IoU. */
  readonly meanIou: number | null;
  /** Cohen's kappa: agreement beyond chance, at most 1. */
  readonly kappa: number | null;
  /** Pixels compared. */
  readonly pixels: number;
  /** In the order of the class list. */
  readonly classes: readonly ClassMetrics[];
}

/**
 * All metrics of a confusion matrix.
 *
 * @example
 * const matrix = createConfusionMatrix(classes.length);
 * countPixels(matrix, truth, predicted);
 * pixelMetrics(matrix, classes).meanIou;
 */
export function pixelMetrics(matrix: ConfusionMatrix, classes: readonly ClassDefinition[]): PixelMetrics {
  const { size, counts, unpredicted } = matrix;
  if (classes.length !== size) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A matrix of ${size} classes was described by ${classes.length} class definitions.`);
  }
  const truth = Float64Array.from(unpredicted);
  const predicted = new Float64Array(size);
  let right = 0;
  let pixels = 0;
  for (let t = 0; t < size; t++) {
    for (let p = 0; p < size; p++) {
      truth[t]! += counts[t * size + p]!;
      predicted[p]! += counts[t * size + p]!;
    }
    right += counts[t * size + t]!;
    pixels += truth[t]!;
  }
  const perClass = classes.map(({ value, name }, k): ClassMetrics => {
    const hits = counts[k * size + k]!;
    const union = truth[k]! + predicted[k]! - hits;
    return {
      value,
      name,
      iou: share(hits, union),
      ...precisionRecall(hits, predicted[k]!, truth[k]!),
      truthPixels: truth[k]!,
      predictedPixels: predicted[k]!,
    };
  });
  return {
    pixelAccuracy: share(right, pixels),
    meanIou: mean(perClass.map(({ iou }) => iou)),
    kappa: cohenKappa(matrix),
    pixels,
    classes: perClass,
  };
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
