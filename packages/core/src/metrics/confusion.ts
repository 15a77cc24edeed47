/**
 * Confusion matrices of pixel classes. Counts are integers held in doubles, exact up to 2^53 pixels (a square of 95
 * million pixels a side), so that the order of counting and the number of workers never change a metric.
 */

import { GeoLearnError } from "../errors.ts";

/** How many pixels of each true class were given each class. */
export interface ConfusionMatrix {
  /** Number of classes. */
  readonly size: number;
  /** `counts[truth * size + predicted]`. */
  readonly counts: Float64Array;
  /** Pixels of each true class that were given no class (nodata in the prediction). They count as wrong. */
  readonly unpredicted: Float64Array;
}

/** An empty matrix of `size` classes. */
export function createConfusionMatrix(size: number): ConfusionMatrix {
  if (!Number.isInteger(size) || size < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A confusion matrix of ${size} classes was asked for; at least 1 is needed.`);
  }
  return { size, counts: new Float64Array(size * size), unpredicted: new Float64Array(size) };
}

/**
 * Adds pixels to a matrix, in place. Both sides are class indices (positions in the class list). A pixel whose truth is
 * no class (negative: ignored) is left out; one whose prediction is no class counts as unpredicted.
 *
 * @throws INVALID_ARGUMENT when the two sides differ in length; CLASS_UNKNOWN for an index of `size` or more.
 */
export function countPixels(matrix: ConfusionMatrix, truth: ArrayLike<number>, predicted: ArrayLike<number>): void {
  const { size, counts, unpredicted } = matrix;
  if (truth.length !== predicted.length) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${truth.length} true pixels were compared with ${predicted.length} predicted ones.`, {
      hint: "Both sides must cover the same pixels.",
    });
  }
  for (let i = 0; i < truth.length; i++) {
    const t = truth[i]!;
    if (t < 0) continue;
    const p = predicted[i]!;
    if (t >= size || p >= size) {
      throw new GeoLearnError("CLASS_UNKNOWN", `Pixel ${i} has class index ${Math.max(t, p)}; there are ${size} classes.`, {
        hint: "Map the values of both sides to positions in the same class list first.",
      });
    }
    if (p < 0) unpredicted[t]! += 1;
    else counts[t * size + p]! += 1;
  }
}

/** Adds `other` to `matrix`, in place. */
export function mergeConfusion(matrix: ConfusionMatrix, other: ConfusionMatrix): void {
  if (matrix.size !== other.size) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A matrix of ${other.size} classes was added to one of ${matrix.size}.`);
  }
  for (let i = 0; i < matrix.counts.length; i++) matrix.counts[i]! += other.counts[i]!;
  for (let i = 0; i < matrix.size; i++) matrix.unpredicted[i]! += other.unpredicted[i]!;
}
