/** Non-maximum suppression: of boxes that lie on one another only the best stays. */

import Flatbush from "flatbush";

import { GeoLearnError } from "../errors.ts";
import { type BoxArray, boxIou, checkBoxes, checkPerBox, descendingOrder } from "./boxes.ts";

/** Options of {@link nms}. */
export interface NmsOptions {
  /** A box goes when its IoU with a better one that stays is above this, 0 to 1. */
  readonly maxOverlap: number;
  /** Class of each box; boxes of different classes leave each other alone. @defaultValue all are of one class */
  readonly labels?: ArrayLike<number>;
  /** Keep at most this many, the best ones. @defaultValue all */
  readonly limit?: number;
}

/** Below this many boxes of a class, comparing all pairs is faster than an index. */
const FEW = 64;

/**
 * Greedy non-maximum suppression. From the best score down, a box stays unless it overlaps one that stays by more than
 * `maxOverlap`; of equal scores the earlier box is better. Positions of the boxes that stay are given, best first. The
 * same as `torchvision.ops.nms` (`batched_nms` with labels) on float64 boxes; a spatial index makes a whole scene's
 * boxes cheap.
 *
 * @throws INVALID_ARGUMENT for boxes or scores that are not finite, lists of different lengths, a threshold outside 0 to 1
 * @example
 * const boxes = new Float64Array([0, 0, 10, 10, 1, 0, 11, 10, 50, 50, 60, 60]);
 * nms(boxes, [0.9, 0.8, 0.7], { maxOverlap: 0.5 }); // [0, 2]
 */
export function nms(boxes: BoxArray, scores: ArrayLike<number>, { maxOverlap, labels, limit = Infinity }: NmsOptions): Uint32Array {
  const count = checkBoxes(boxes);
  checkPerBox("scores", scores, count);
  if (labels !== undefined) checkPerBox("labels", labels, count);
  if (!(maxOverlap >= 0 && maxOverlap <= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`maxOverlap\` is ${maxOverlap}; expected an IoU from 0 to 1.`);
  }
  if (!(limit >= 0)) throw new GeoLearnError("INVALID_ARGUMENT", `\`limit\` is ${limit}; expected a number of boxes.`);
  const order = descendingOrder(scores);
  const gone = new Uint8Array(count);
  for (const members of groups(order, labels)) (members.length < FEW ? suppressPairs : suppressIndexed)(boxes, members, maxOverlap, gone);
  const kept = order.filter((i) => gone[i] === 0);
  return limit < kept.length ? kept.slice(0, limit) : kept;
}

/** Boxes of each class, best first. */
function groups(order: Uint32Array, labels: ArrayLike<number> | undefined): Iterable<ArrayLike<number>> {
  if (labels === undefined) return [order];
  const byLabel = new Map<number, number[]>();
  for (const i of order) {
    const members = byLabel.get(labels[i]!);
    if (members === undefined) byLabel.set(labels[i]!, [i]);
    else members.push(i);
  }
  return byLabel.values();
}

function suppressPairs(boxes: BoxArray, members: ArrayLike<number>, maxOverlap: number, gone: Uint8Array): void {
  for (let a = 0; a < members.length; a++) {
    const best = members[a]!;
    if (gone[best] === 1) continue;
    for (let b = a + 1; b < members.length; b++) {
      const other = members[b]!;
      if (gone[other] === 0 && boxIou(boxes, best, boxes, other) > maxOverlap) gone[other] = 1;
    }
  }
}

function suppressIndexed(boxes: BoxArray, members: ArrayLike<number>, maxOverlap: number, gone: Uint8Array): void {
  const index = new Flatbush(members.length);
  for (let a = 0; a < members.length; a++) {
    const k = 4 * members[a]!;
    index.add(boxes[k]!, boxes[k + 1]!, boxes[k + 2]!, boxes[k + 3]!);
  }
  index.finish();
  for (let a = 0; a < members.length; a++) {
    const best = members[a]!;
    if (gone[best] === 1) continue;
    const k = 4 * best;
    index.search(boxes[k]!, boxes[k + 1]!, boxes[k + 2]!, boxes[k + 3]!, (b) => {
      const other = members[b]!;
      if (b > a && gone[other] === 0 && boxIou(boxes, best, boxes, other) > maxOverlap) gone[other] = 1;
      return false; // all is done here; nothing to collect
    });
  }
}
