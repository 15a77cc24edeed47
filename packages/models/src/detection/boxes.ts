/** Boxes as a network tells them, relative to anchors: torchvision's `BoxCoder` (Ren et al. 2015, https://arxiv.org/abs/1506.01497). */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { Grid } from "./anchors.ts";

/** Largest growth of a side, as a logarithm: a side of 16 pixels to 1000. */
const LARGEST_GROWTH = Math.log(1000 / 16);

/** How much larger than they are a network tells shifts and growths. */
export interface BoxScale {
  readonly shift: number;
  readonly growth: number;
}

const PLAIN: BoxScale = { shift: 1, growth: 1 };

/** Centres and sides of boxes, each `[..., 2]`: x first. */
export interface CentredBoxes {
  readonly centre: tf.Tensor;
  readonly size: tf.Tensor;
}

/** Anchors `[anchors, 4]` as constants of the graph. */
export function centredAnchors(boxes: Float32Array): CentredBoxes {
  const count = boxes.length / 4;
  const [centre, size] = [new Float32Array(2 * count), new Float32Array(2 * count)];
  for (let i = 0; i < count; i++) {
    for (const axis of [0, 1]) {
      const low = boxes[4 * i + axis]!;
      const side = boxes[4 * i + axis + 2]! - low;
      size[2 * i + axis] = side;
      centre[2 * i + axis] = low + 0.5 * side;
    }
  }
  return { centre: constant(centre, [count, 2]), size: constant(size, [count, 2]) };
}

/** Centres and sides of boxes `[..., 4]` that the graph computes. */
export function centredBoxes(boxes: tf.Tensor3D): CentredBoxes {
  const [low, high] = halves(boxes);
  const size = tf.sub(high, low);
  return { centre: tf.add(low, tf.mul(size, 0.5)), size };
}

/** What a network should say of boxes `[N, anchors, 4]` (xmin, ymin, xmax, ymax): shift over the anchor's side, logarithm of growth. */
export function encodeBoxes(boxes: tf.Tensor3D, anchors: CentredBoxes, scale = PLAIN): tf.Tensor3D {
  const { centre, size } = centredBoxes(boxes);
  const shift = scaled(tf.div(tf.sub(centre, anchors.centre), anchors.size), scale.shift);
  return tf.concat([shift, scaled(tf.log(tf.div(size, anchors.size)), scale.growth)], -1) as tf.Tensor3D;
}

/** The boxes a network means, `[N, anchors, 4]`, within the image. */
export function decodeBoxes(told: tf.Tensor3D, anchors: CentredBoxes, image: Grid, scale = PLAIN): tf.Tensor3D {
  const [shift, growth] = halves(told);
  const centre = tf.add(tf.mul(scaled(shift, 1 / scale.shift), anchors.size), anchors.centre);
  const half = tf.mul(tf.mul(tf.exp(tf.minimum(scaled(growth, 1 / scale.growth), LARGEST_GROWTH)), anchors.size), 0.5);
  return withinImage(tf.concat([tf.sub(centre, half), tf.add(centre, half)], -1) as tf.Tensor3D, image);
}

/** Boxes whose borders lie so many sides of an anchor left of, above, right of and below its centre; `told` is `[N, anchors, 4]`. */
export function boxesAround(told: tf.Tensor3D, { centre, size }: CentredBoxes): tf.Tensor3D {
  const [before, behind] = halves(told);
  return tf.concat([tf.sub(centre, tf.mul(before, size)), tf.add(centre, tf.mul(behind, size))], -1) as tf.Tensor3D;
}

/** Boxes without what lies outside the image. */
export function withinImage(boxes: tf.Tensor3D, { height, width }: Grid): tf.Tensor3D {
  return tf.minimum(tf.maximum(boxes, 0), constant(Float32Array.of(width, height, width, height), [4])) as tf.Tensor3D;
}

const scaled = (x: tf.Tensor, factor: number): tf.Tensor => (factor === 1 ? x : tf.mul(x, factor));

/** The first two and the last two of four numbers. */
export function halves(x: tf.Tensor3D): readonly [tf.Tensor, tf.Tensor] {
  const [n, count] = x.shape;
  return [tf.slice(x, [0, 0, 0], [n, count, 2]), tf.slice(x, [0, 0, 2], [n, count, 2])];
}
