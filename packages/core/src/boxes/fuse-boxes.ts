/**
 * Weighted box fusion (Solovyev, Wang and Gabruseva 2021, arXiv:1910.13302): what several networks, or several views of one
 * scene, found is averaged rather than thrown away.
 */

import { GeoLearnError } from "../errors.ts";
import { type BoxArray, boxArea, boxIou, checkBoxes, checkPerBox, descendingOrder } from "./boxes.ts";

/** Boxes with scores and classes. */
export interface ScoredBoxes {
  readonly boxes: BoxArray;
  /** 0 to 1. */
  readonly scores: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** Options of {@link fuseBoxes}. */
export interface FuseBoxesOptions {
  /** A box joins the fused box it overlaps most when their IoU is above this. @defaultValue 0.55 */
  readonly minIou?: number;
  /** Boxes with a lower score are left out beforehand. @defaultValue 0 */
  readonly minScore?: number;
  /** Trust in each source. @defaultValue 1 each */
  readonly weights?: readonly number[];
  /** The score of a fused box: `mean` lowers it where only some sources found the object, `max` does not. @defaultValue "mean" */
  readonly score?: "mean" | "max";
}

/** A fused box while it grows. */
interface Cluster {
  readonly label: number;
  /** Boxes in it. */
  count: number;
  /** Sum of the boxes' weighted scores, and the greatest of them. */
  sum: number;
  max: number;
  /** Corners times weighted scores, summed. */
  readonly corners: Float64Array;
}

/**
 * Fuses the boxes of several sources. From the best weighted score down, a box joins the fused box of its class that it overlaps
 * most, or starts one; a fused box is the mean of its boxes, weighted by their scores. With `score: "mean"` its score is the mean
 * of theirs times `min(boxes, sources) / sum of weights`. The result is sorted by score; boxes without area are left out. The same
 * as `weighted_boxes_fusion` of the Python package ensemble-boxes (`avg` and `max`), for coordinates of any range; of equal scores
 * the earlier box comes first.
 *
 * @throws INVALID_ARGUMENT for boxes, scores or weights that are not what they should be
 * @example
 * fuseBoxes([fromFirstNetwork, fromSecondNetwork], { weights: [2, 1] });
 */
export function fuseBoxes(
  sources: readonly ScoredBoxes[],
  { minIou = 0.55, minScore = 0, weights = sources.map(() => 1), score = "mean" }: FuseBoxesOptions = {},
): { boxes: Float64Array; scores: Float64Array; labels: Int32Array } {
  const { boxes, scores, labels } = gather(sources, weights, minScore);
  // One row of `fused` for each cluster, so that overlaps are looked up in one flat array.
  const fused = new Float64Array(boxes.length);
  const clusters: Cluster[] = [];
  const byLabel = new Map<number, number[]>();
  for (const i of descendingOrder(scores)) {
    const label = labels[i]!;
    let ofLabel = byLabel.get(label);
    if (ofLabel === undefined) byLabel.set(label, (ofLabel = []));
    let best = -1;
    let bestIou = minIou;
    for (const c of ofLabel) {
      const iou = boxIou(fused, c, boxes, i);
      if (iou > bestIou) [best, bestIou] = [c, iou];
    }
    if (best === -1) {
      best = clusters.length;
      clusters.push({ label, count: 0, sum: 0, max: 0, corners: new Float64Array(4) });
      ofLabel.push(best);
    }
    join(clusters[best]!, boxes, i, scores[i]!);
    const { sum, count, corners } = clusters[best]!;
    // scores of 0 give no mean: the first box stands
    if (sum > 0) for (let k = 0; k < 4; k++) fused[4 * best + k] = corners[k]! / sum;
    else if (count === 1) fused.set(boxes.subarray(4 * i, 4 * i + 4), 4 * best);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const heaviest = Math.max(...weights);
  const values = clusters.map(({ count, sum, max }) =>
    score === "max" ? max / heaviest : ((sum / count) * Math.min(sources.length, count)) / total,
  );
  const order = descendingOrder(values);
  return {
    boxes: Float64Array.from([...order].flatMap((c) => [...fused.subarray(4 * c, 4 * c + 4)])),
    scores: Float64Array.from(order, (c) => values[c]!),
    labels: Int32Array.from(order, (c) => clusters[c]!.label),
  };
}

function join(cluster: Cluster, boxes: BoxArray, i: number, score: number): void {
  cluster.count += 1;
  cluster.sum += score;
  cluster.max = Math.max(cluster.max, score);
  for (let k = 0; k < 4; k++) cluster.corners[k]! += score * boxes[4 * i + k]!;
}

/** All boxes worth fusing, scores already weighted. */
function gather(
  sources: readonly ScoredBoxes[],
  weights: readonly number[],
  minScore: number,
): { boxes: Float64Array; scores: number[]; labels: number[] } {
  if (weights.length !== sources.length || !weights.every((weight) => weight > 0 && Number.isFinite(weight))) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`weights\` are [${weights.join(", ")}] for ${sources.length} sources.`, {
      hint: "Give one number above 0 for each source.",
    });
  }
  const corners: number[] = [];
  const scores: number[] = [];
  const labels: number[] = [];
  for (const [s, source] of sources.entries()) {
    const count = checkBoxes(source.boxes);
    checkPerBox("scores", source.scores, count);
    checkPerBox("labels", source.labels, count);
    for (let i = 0; i < count; i++) {
      const score = source.scores[i]!;
      if (score < 0) throw new GeoLearnError("INVALID_ARGUMENT", `Box ${i} has the score ${score}; fusion needs scores from 0 to 1.`);
      if (score < minScore || boxArea(source.boxes, i) === 0) continue;
      corners.push(...source.boxes.subarray(4 * i, 4 * i + 4));
      scores.push(score * weights[s]!);
      labels.push(source.labels[i]!);
    }
  }
  return { boxes: Float64Array.from(corners), scores, labels };
}
