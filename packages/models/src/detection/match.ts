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
  /** int32: the slot of the object it overlaps most. */
  readonly slots: tf.Tensor2D;
  /** `[N, anchors, 4]`: the object's box; that of the anchor itself without an object. */
  readonly boxes: tf.Tensor3D;
}

/**
 * Matches anchors with the objects of their image. Of several objects an anchor overlaps equally, the first counts. Beside the anchors above the
 * limit, those that overlap an object more than all others do stand for what they overlap most, so that no object goes without one; an object no
 * anchor touches remains without (torchvision would match it with all of them). Slots that are empty or whose box has no area do not exist.
 */
export function matchAnchors(anchors: Float32Array, truth: ObjectTargets, options: MatchOptions): Matches {
  const boxes = existing(truth);
  const overlaps = overlapsOf(boxes, sidesOfAnchors(anchors));
  const most = tf.max(overlaps, 2, true);
  const claimed = tf.any(tf.logicalAnd(tf.greaterEqual(overlaps, most), tf.greater(most, 0)), 1);
  return decided({ overlaps, boxes, own: constant(anchors, [1, anchors.length / 4, 4]), claimed }, truth, options);
}

/** Matches boxes `[N, boxes, 4]`, others in each image, with the objects of their image. An object may go without one. */
export function matchBoxes(own: tf.Tensor3D, truth: ObjectTargets, options: MatchOptions): Matches {
  const boxes = existing(truth);
  return decided({ overlaps: overlapsOf(boxes, sidesOfBoxes(own)), boxes, own, claimed: null }, truth, options);
}

/**
 * Matches each object with the anchor it overlaps most, whatever else that anchor overlaps (of several objects with the same one, the last has it), and all
 * other anchors with the object they overlap most, from a limit: torchvision's `SSDMatcher`. Every anchor counts. An object no anchor touches goes without
 * one (torchvision would give it the first anchor). Slots that are empty or whose box has no area do not exist.
 */
export function matchEach(anchors: Float32Array, truth: ObjectTargets, limit: number): Matches {
  const boxes = existing(truth);
  const overlaps = overlapsOf(boxes, sidesOfAnchors(anchors));
  const [, objects, count] = overlaps.shape;
  const numbers = (length: number, first: number): Int32Array => Int32Array.from({ length }, (_, i) => first + i);
  const nearest = tf.equal(tf.expandDims(tf.argMax(overlaps, 2), 2), constant(numbers(count, 0), [1, 1, count]));
  const claims = tf.cast(tf.logicalAnd(nearest, tf.greater(overlaps, 0)), "int32");
  const claimed = tf.max(tf.mul(claims, constant(numbers(objects, 1), [1, objects, 1])), 1);
  const owner = { slots: tf.sub(claimed, constant(1, [], "int32")), claimed: tf.greater(claimed, 0) };
  return decided({ overlaps, boxes, own: constant(anchors, [1, count, 4]), ...owner }, truth, { foreground: limit, background: limit });
}

interface Compared {
  /** `[N, objects, anchors]` */
  readonly overlaps: tf.Tensor3D;
  /** `[N, objects, 4]` */
  readonly boxes: tf.Tensor3D;
  /** `[N or 1, anchors, 4]` */
  readonly own: tf.Tensor;
  /** Anchors that stand for an object whatever their overlap. */
  readonly claimed: tf.Tensor | null;
  /** int32 `[N, anchors]`: the objects of those. @defaultValue what they overlap most */
  readonly slots?: tf.Tensor;
}

function decided(
  { overlaps, boxes, own, claimed, slots: claiming }: Compared,
  truth: ObjectTargets,
  { foreground, background }: MatchOptions,
): Matches {
  const best = tf.max(overlaps, 1);
  const most = tf.argMax(overlaps, 1) as tf.Tensor2D;
  const slots = claiming === undefined ? most : (tf.where(claimed!, claiming, most) as tf.Tensor2D);
  const near = tf.greaterEqual(best, foreground);
  const found = claimed === null ? near : tf.logicalOr(near, claimed);
  const counted = tf.logicalOr(found, tf.less(best, background));
  const classes = tf.gather(truth.classIndices, slots, 1, 1);
  return {
    classIndices: tf.where(found, classes, tf.fill(classes.shape, -1, "int32")) as tf.Tensor2D,
    foreground: tf.cast(found, "float32") as tf.Tensor2D,
    counted: tf.cast(counted, "float32") as tf.Tensor2D,
    slots,
    boxes: tf.where(tf.expandDims(found, 2), tf.gather(boxes, slots, 1, 1), own) as tf.Tensor3D,
  };
}

/** Boxes of the objects `[N, objects, 4]` with those that are none put at the origin, without area. */
export function existing({ boxes, classIndices }: ObjectTargets): tf.Tensor3D {
  const [n, slots] = classIndices.shape;
  const low = tf.slice(boxes, [0, 0, 0], [n, slots, 2]);
  const high = tf.slice(boxes, [0, 0, 2], [n, slots, 2]);
  const area = tf.all(tf.greater(high, low), 2, true);
  const filled = tf.expandDims(tf.greaterEqual(classIndices, 0), 2);
  return tf.where(tf.logicalAnd(area, filled), boxes, tf.zerosLike(boxes));
}

/** Borders and areas of boxes, each `[N or 1, 1, boxes]`. */
interface Sides {
  readonly low: readonly [x: tf.Tensor, y: tf.Tensor];
  readonly high: readonly [x: tf.Tensor, y: tf.Tensor];
  readonly area: tf.Tensor;
}

function sidesOfAnchors(anchors: Float32Array): Sides {
  const count = anchors.length / 4;
  const numbers = (of: (anchor: Float32Array) => number): tf.Tensor =>
    constant(
      Float32Array.from({ length: count }, (_, a) => of(anchors.subarray(4 * a, 4 * a + 4))),
      [1, 1, count],
    );
  const column = (i: number): tf.Tensor => numbers((anchor) => anchor[i]!);
  const area = numbers((anchor) => Math.fround(anchor[2]! - anchor[0]!) * Math.fround(anchor[3]! - anchor[1]!));
  return { low: [column(0), column(1)], high: [column(2), column(3)], area };
}

function sidesOfBoxes(boxes: tf.Tensor3D): Sides {
  const [n, count] = boxes.shape;
  const column = (i: number): tf.Tensor => tf.reshape(tf.slice(boxes, [0, 0, i], [n, count, 1]), [n, 1, count]);
  const [left, top, right, bottom] = [column(0), column(1), column(2), column(3)];
  return { low: [left, top], high: [right, bottom], area: tf.mul(tf.sub(right, left), tf.sub(bottom, top)) };
}

/** Intersection over union `[N, objects, anchors]`; 0 where neither has an area. */
function overlapsOf(boxes: tf.Tensor3D, anchors: Sides): tf.Tensor3D {
  const [n, objects] = boxes.shape;
  const side = (i: number): tf.Tensor => tf.slice(boxes, [0, 0, i], [n, objects, 1]);
  const [left, top, right, bottom] = [side(0), side(1), side(2), side(3)];
  const along = (low: tf.Tensor, high: tf.Tensor, axis: 0 | 1): tf.Tensor =>
    tf.relu(tf.sub(tf.minimum(high, anchors.high[axis]), tf.maximum(low, anchors.low[axis])));
  const common = tf.mul(along(left, right, 0), along(top, bottom, 1));
  const area = tf.mul(tf.sub(right, left), tf.sub(bottom, top));
  return tf.div(common, tf.maximum(tf.sub(tf.add(area, anchors.area), common), SMALLEST)) as tf.Tensor3D;
}

/** Least area two boxes have together, so that two without any do not give 0 / 0. */
const SMALLEST = 1e-12;
