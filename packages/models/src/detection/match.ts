/** Which object an anchor stands for: torchvision's `Matcher` and `box_iou`, for all images of a batch inside the graph. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { ObjectTargets } from "../network.ts";

/** Overlaps (intersection over union) that decide. */
export interface MatchOptions {
  /** From here an anchor stands for the object it overlaps most. */
  readonly foreground: number;
  /** Below, it stands for background; in between it does not count. */
  readonly background: number;
}

/** What each anchor of each image stands for, all `[N, anchors]` but the boxes. */
export interface Matches {
  /** int32: position of the class; -1 without an object. */
  readonly classIndices: tf.Tensor2D;
  /** 1 where an anchor stands for an object. */
  readonly foreground: tf.Tensor2D;
  /** 1 where an anchor counts: it stands for an object or for background. */
  readonly counted: tf.Tensor2D;
  /** `[N, anchors, 4]`: the object's box; that of the anchor itself without an object. */
  readonly boxes: tf.Tensor3D;
}

/**
 * Matches anchors with the objects of their image. Of several objects an anchor overlaps equally, the first counts. Beside the anchors above the
 * limit, those that overlap an object more than all others do stand for what they overlap most, so that no object goes without one; an object no
 * anchor touches remains without (torchvision would match it with all of them). Slots that are empty or whose box has no area do not exist.
 */
export function matchAnchors(anchors: Float32Array, truth: ObjectTargets, { foreground, background }: MatchOptions): Matches {
  const count = anchors.length / 4;
  const boxes = existing(truth);
  const overlaps = overlapsOf(boxes, anchors);
  const best = tf.max(overlaps, 1);
  const which = tf.argMax(overlaps, 1) as tf.Tensor2D;
  const most = tf.max(overlaps, 2, true);
  const claimed = tf.any(tf.logicalAnd(tf.greaterEqual(overlaps, most), tf.greater(most, 0)), 1);
  const found = tf.logicalOr(tf.greaterEqual(best, foreground), claimed);
  const counted = tf.logicalOr(found, tf.less(best, background));
  const classes = tf.gather(truth.classIndices, which, 1, 1);
  const own = constant(anchors, [1, count, 4]);
  return {
    classIndices: tf.where(found, classes, tf.fill(classes.shape, -1, "int32")) as tf.Tensor2D,
    foreground: tf.cast(found, "float32") as tf.Tensor2D,
    counted: tf.cast(counted, "float32") as tf.Tensor2D,
    boxes: tf.where(tf.expandDims(found, 2), tf.gather(boxes, which, 1, 1), own) as tf.Tensor3D,
  };
}

/** Boxes with those that are none put at the origin, without area. */
function existing({ boxes, classIndices }: ObjectTargets): tf.Tensor3D {
  const [n, slots] = classIndices.shape;
  const low = tf.slice(boxes, [0, 0, 0], [n, slots, 2]);
  const high = tf.slice(boxes, [0, 0, 2], [n, slots, 2]);
  const area = tf.all(tf.greater(high, low), 2, true);
  const filled = tf.expandDims(tf.greaterEqual(classIndices, 0), 2);
  return tf.where(tf.logicalAnd(area, filled), boxes, tf.zerosLike(boxes));
}

/** Intersection over union `[N, objects, anchors]`. */
function overlapsOf(boxes: tf.Tensor3D, anchors: Float32Array): tf.Tensor3D {
  const count = anchors.length / 4;
  const column = (i: number): tf.Tensor =>
    constant(
      Float32Array.from({ length: count }, (_, a) => anchors[4 * a + i]!),
      [1, 1, count],
    );
  const areas = Float32Array.from({ length: count }, (_, a) => {
    const [left, top, right, bottom] = anchors.subarray(4 * a, 4 * a + 4) as unknown as [number, number, number, number];
    return Math.fround(right - left) * Math.fround(bottom - top);
  });
  const [n, objects] = boxes.shape;
  const side = (i: number): tf.Tensor => tf.slice(boxes, [0, 0, i], [n, objects, 1]);
  const [left, top, right, bottom] = [side(0), side(1), side(2), side(3)];
  const along = (low: tf.Tensor, high: tf.Tensor, axis: 0 | 1): tf.Tensor =>
    tf.relu(tf.sub(tf.minimum(high, column(axis + 2)), tf.maximum(low, column(axis))));
  const common = tf.mul(along(left, right, 0), along(top, bottom, 1));
  const area = tf.mul(tf.sub(right, left), tf.sub(bottom, top));
  return tf.div(common, tf.sub(tf.add(area, constant(areas, [1, 1, count])), common)) as tf.Tensor3D;
}
