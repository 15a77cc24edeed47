/** The second stage: features of boxes out of the pyramid, and what the heads say of them. */

import { pyramidRoiAlign } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { RcnnOutputs } from "./outputs.ts";

/** A box of this side belongs to the map at a 16th of the image (Lin et al. 2017, equation 1). */
const CANONICAL_SIDE = 224;
const CANONICAL_LEVEL = 4;

/** Maps of a pyramid, the finest first, each of half the sides of the one before; and how the pass runs in which boxes are cut out of them. */
export type Pyramid = Pick<RcnnOutputs, "maps" | "image" | "context">;

/** Features `[N * R, bins, bins, channels]` of boxes `[N, R, 4]`, each out of the map that fits its size: torchvision's `MultiScaleRoIAlign`. */
export function featuresOf({ maps, image }: Pick<Pyramid, "maps" | "image">, boxes: tf.Tensor3D, bins: number): tf.Tensor4D {
  const scales = maps.map((map) => map.shape[1] / image.height);
  return pyramidRoiAlign(maps, boxes, levelsOf(boxes, scales), { size: [bins, bins], scales, samplingRatio: 2, aligned: false });
}

/** Which map fits a box, int32 `[N, R]`; a box without area belongs to the finest. */
function levelsOf(boxes: tf.Tensor3D, scales: readonly number[]): tf.Tensor2D {
  const finest = -Math.log2(scales[0]!);
  const [n, count] = boxes.shape;
  const side = (i: number): tf.Tensor => tf.reshape(tf.slice(boxes, [0, 0, i], [n, count, 1]), [n, count]);
  const area = tf.mul(tf.sub(side(2), side(0)), tf.sub(side(3), side(1)));
  const length = tf.sqrt(tf.maximum(area, 1e-6));
  const level = tf.floor(tf.add(tf.div(tf.log(tf.div(length, CANONICAL_SIDE)), Math.LN2), CANONICAL_LEVEL + 1e-6));
  return tf.cast(tf.clipByValue(tf.sub(level, finest), 0, scales.length - 1), "int32") as tf.Tensor2D;
}

/** Of each row `[R, classes, ...]` the entry of its class `[R]`: `[R, ...]`. */
export function ofClass(x: tf.Tensor, classes: tf.Tensor1D): tf.Tensor {
  const [rows, , ...rest] = x.shape;
  return tf.reshape(tf.gather(x, tf.reshape(classes, [rows!, 1]), 1, 1), [rows!, ...rest]);
}

/** Mask logits `[R, 28, 28, classes]` as `[R, classes, 28 * 28]`, so that a class is a row. */
export function masksByClass(logits: tf.Tensor4D): tf.Tensor3D {
  const [rows, height, width, classes] = logits.shape;
  return tf.reshape(tf.transpose(logits, [0, 3, 1, 2]), [rows, classes, height * width]);
}
