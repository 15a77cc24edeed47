/** Average precision: the area under the curve of precision over recall as the score's threshold falls. */

import { GeoLearnError } from "../errors.ts";

/**
 * How the curve is summed up. Both take for each recall the best precision reached there or beyond. `"allPoints"` is the area under
 * it (PASCAL VOC since 2010), `"elevenPoints"` the mean at recalls 0, 0.1, ... 1 (VOC 2007).
 */
export type ApMethod = "allPoints" | "elevenPoints";

/**
 * Average precision of detections in the order of their scores, best first.
 *
 * @param hits - 1 for each detection that found an object, 0 for each that did not
 * @param positives - how many objects there were to find
 * @returns 0 to 1, or null when there was nothing to find
 * @throws INVALID_ARGUMENT for more hits than objects
 * @example
 * averagePrecision([1, 0, 1], 2); // (1 + 2/3) / 2
 */
export function averagePrecision(hits: ArrayLike<number>, positives: number, method: ApMethod = "allPoints"): number | null {
  const { precision, recall } = precisionRecallCurve(hits, positives);
  if (positives === 0) return null;
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i]!, precision[i + 1]!);
  let sum = 0;
  if (method === "elevenPoints") {
    for (let tenth = 0, at = 0; tenth <= 10; tenth++) {
      while (at < recall.length && recall[at]! < tenth / 10) at += 1;
      sum += precision[at] ?? 0;
    }
    return sum / 11;
  }
  for (let i = 0; i < recall.length; i++) sum += (recall[i]! - (i === 0 ? 0 : recall[i - 1]!)) * precision[i]!;
  return sum;
}

/**
 * Precision and recall after each detection, best score first.
 *
 * @throws INVALID_ARGUMENT for more hits than objects
 */
export function precisionRecallCurve(hits: ArrayLike<number>, positives: number): { precision: Float64Array; recall: Float64Array } {
  const precision = new Float64Array(hits.length);
  const recall = new Float64Array(hits.length);
  let found = 0;
  for (let i = 0; i < hits.length; i++) {
    if (hits[i] !== 0) found += 1;
    precision[i] = found / (i + 1);
    recall[i] = positives === 0 ? 0 : found / positives;
  }
  if (found > positives) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${found} detections found an object, but there were only ${positives} objects.`, {
      hint: "Count each object once: further detections of it are no hits.",
    });
  }
  return { precision, recall };
}
