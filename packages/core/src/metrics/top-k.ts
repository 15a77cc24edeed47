/** Top-k accuracy of whole-chip classification. */

import { GeoLearnError } from "../errors.ts";

/**
 * Share of samples whose true class is among the `k` classes of greatest score; with `k` 1 the plain accuracy. Of equal scores the
 * class of lower index comes first, as it does for the prediction itself. Samples with a negative truth are left out.
 *
 * @param scores - scores or logits, `classCount` a sample, one sample after another
 * @param truth - class index of each sample
 * @returns 0 to 1, or null without samples
 * @throws INVALID_ARGUMENT for scores that are not finite or do not fit the truth; CLASS_UNKNOWN
 * @example
 * topKAccuracy([0.7, 0.2, 0.1, 0.1, 0.5, 0.4], [1, 2], 3, 2); // 1: both are second
 */
export function topKAccuracy(scores: ArrayLike<number>, truth: ArrayLike<number>, classCount: number, k: number): number | null {
  if (!Number.isInteger(k) || k < 1 || !Number.isInteger(classCount) || k > classCount) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The best ${k} of ${classCount} classes were asked for; expected at least 1 and at most all.`,
    );
  }
  if (scores.length !== truth.length * classCount) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${scores.length} scores were given for ${truth.length} samples of ${classCount} classes.`,
      {
        hint: "Give the scores of all classes, one sample after another.",
      },
    );
  }
  let [right, samples] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const t = truth[i]!;
    if (t < 0) continue;
    if (!(t < classCount)) throw new GeoLearnError("CLASS_UNKNOWN", `Sample ${i} has class index ${t}; there are ${classCount} classes.`);
    const own = scores[i * classCount + t]!;
    let before = 0;
    for (let c = 0; c < classCount; c++) {
      const other = scores[i * classCount + c]!;
      if (!Number.isFinite(other))
        throw new GeoLearnError("INVALID_ARGUMENT", `Sample ${i} has the score ${other} for class ${c}; expected a finite number.`);
      if (other > own || (other === own && c < t)) before += 1;
    }
    if (before < k) right += 1;
    samples += 1;
  }
  return samples === 0 ? null : right / samples;
}
