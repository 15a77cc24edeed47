/** From many overlapping boxes to the objects of an image: non-maximum suppression by class, of fixed size, inside the graph. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { DecodeOptions, Detections } from "../network.ts";
import type { Grid } from "./anchors.ts";

/** Boxes that may be objects, of each image. */
export interface Candidates {
  /** `[N, candidates, 4]` within the image. */
  readonly boxes: tf.Tensor3D;
  /** `[N, candidates]` */
  readonly scores: tf.Tensor2D;
  /** int32 `[N, candidates]` */
  readonly classIndices: tf.Tensor2D;
}

/**
 * The best candidates of each image, without those that overlap a better one of their class. Boxes of other classes are moved apart first, as
 * torchvision does, so that one suppression serves all classes. Of equal scores the earlier candidate counts as the better one.
 */
export function suppress(
  { boxes, scores, classIndices }: Candidates,
  { minScore, nmsOverlap, maxDetections }: Required<DecodeOptions>,
  { height, width }: Grid,
): Detections {
  const [n, count] = scores.shape;
  const kept = Math.min(maxDetections, count);
  const apart = tf.mul(tf.cast(classIndices, "float32"), Math.max(height, width) + 1);
  const moved = tf.add(boxes, tf.expandDims(apart, 2));
  const positions = constant(Int32Array.from({ length: kept }, (_, i) => i));
  const rowOf = <T extends tf.Tensor>(x: tf.Tensor, i: number): T => tf.squeeze(tf.slice(x, [i], [1]), [0]) as T;
  const images = Array.from({ length: n }, (_, i) => {
    const { selectedIndices, validOutputs } = tf.image.nonMaxSuppressionPadded(
      rowOf<tf.Tensor2D>(moved, i),
      rowOf<tf.Tensor1D>(scores, i),
      kept,
      nmsOverlap,
      minScore,
      true,
    ) as { selectedIndices: tf.Tensor1D; validOutputs: tf.Scalar };
    const there = tf.less(positions, validOutputs);
    const number = tf.cast(there, "float32");
    return {
      boxes: tf.mul(tf.gather(rowOf(boxes, i), selectedIndices), tf.expandDims(number, 1)),
      scores: tf.mul(tf.gather(rowOf(scores, i), selectedIndices), number),
      classIndices: tf.mul(tf.gather(rowOf(classIndices, i), selectedIndices), tf.cast(there, "int32")),
    };
  });
  const all = <K extends keyof Candidates>(key: K): tf.Tensor => {
    const stacked = tf.stack(images.map((image) => image[key]));
    const rest = stacked.shape.slice(2).map((): [number, number] => [0, 0]);
    return kept === maxDetections ? stacked : tf.pad(stacked, [[0, 0], [0, maxDetections - kept], ...rest]);
  };
  return {
    boxes: all("boxes") as tf.Tensor3D,
    scores: all("scores") as tf.Tensor2D,
    classIndices: all("classIndices") as tf.Tensor2D,
  };
}
