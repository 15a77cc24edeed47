/** Where objects may be: the best boxes of the proposal network, without those that overlap a better one. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { anchorBoxes, type Grid, pyramidGrids } from "../detection/anchors.ts";
import { centredAnchors, decodeBoxes } from "../detection/boxes.ts";
import { detached } from "../detection/detached.ts";
import { suppress } from "../detection/suppress.ts";
import type { ResolvedFasterRCNNConfig } from "./config.ts";
import type { RcnnOutputs } from "./outputs.ts";

/** Overlap from which the worse of two proposals of a level is left out. */
const OVERLAP = 0.7;
/** Sides below this, in pixels, are none. */
const SMALLEST = 1e-3;

/** Anchors of each level for images of a size. */
export function anchorLevels({ anchors }: ResolvedFasterRCNNConfig, image: Grid): readonly Float32Array[] {
  return pyramidGrids(image, 4).map((grid, i) =>
    anchorBoxes({ sides: [Math.trunc(anchors.sizes[i]!)], ratios: anchors.ratios }, grid, image),
  );
}

/** Proposals `[N, P, 4]`, the likeliest first, the rest 0, as torchvision's `RegionProposalNetwork` finds them. No gradient passes. */
export function proposalsOf(
  { objectness, deltas, image, context }: Pick<RcnnOutputs, "objectness" | "deltas" | "image" | "context">,
  config: ResolvedFasterRCNNConfig,
): tf.Tensor3D {
  const use = context.training ? 0 : 1;
  return detached(() => {
    const anchors = anchorLevels(config, image);
    const levels = objectness.map((level, i) => bestOf(level, deltas[i]!, anchors[i]!, config.candidates[use], i));
    const all = <K extends "told" | "centre" | "size" | "scores" | "levels">(key: K): tf.Tensor => tf.concat(levels.map((level) => level[key]), 1); // prettier-ignore
    const boxes = decodeBoxes(all("told") as tf.Tensor3D, { centre: all("centre"), size: all("size") }, image);
    const scores = tf.where(largeEnough(boxes, SMALLEST), tf.sigmoid(all("scores")), NEVER) as tf.Tensor2D;
    const options = { minScore: NEVER / 2, nmsOverlap: OVERLAP, maxDetections: config.proposals[use] };
    return suppress({ boxes, scores, classIndices: all("levels") as tf.Tensor2D }, options, image).boxes;
  });
}

/** Score of what must not be chosen. */
export const NEVER = -1;

/** Whether both sides of boxes `[N, boxes, 4]` are at least so long. */
export function largeEnough(boxes: tf.Tensor3D, side: number): tf.Tensor2D {
  const [n, count] = boxes.shape;
  const sides = tf.sub(tf.slice(boxes, [0, 0, 2], [n, count, 2]), tf.slice(boxes, [0, 0, 0], [n, count, 2]));
  return tf.all(tf.greaterEqual(sides, side), 2);
}

/** The best anchors of a level. */
function bestOf(objectness: tf.Tensor2D, deltas: tf.Tensor3D, anchors: Float32Array, most: number, level: number) {
  const [n, count] = objectness.shape;
  const kept = Math.min(most, count);
  const { values, indices } = tf.topk(objectness, kept, true);
  const { centre, size } = centredAnchors(anchors);
  return {
    told: tf.gather(deltas, indices, 1, 1),
    centre: tf.gather(centre, indices),
    size: tf.gather(size, indices),
    scores: values,
    levels: constant(new Int32Array(n * kept).fill(level), [n, kept]),
  };
}
