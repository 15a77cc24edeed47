/** Precision, recall and F1 from counts. */

/** Null where a figure has no meaning. */
export interface PrecisionRecall {
  /** TP / (TP + FP), the user's accuracy; null when nothing was predicted. */
  readonly precision: number | null;
  /** TP / (TP + FN), the producer's accuracy; null when there is nothing to find. */
  readonly recall: number | null;
  /** 2 TP / (2 TP + FP + FN), which is also the Dice coefficient; null when there is neither. */
  readonly f1: number | null;
}

/** The figures of `hits` right ones among `predicted` predictions and `truth` true ones. */
export function precisionRecall(hits: number, predicted: number, truth: number): PrecisionRecall {
  return { precision: share(hits, predicted), recall: share(hits, truth), f1: share(2 * hits, predicted + truth) };
}

/** A part of a whole, or null of nothing. */
export function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
