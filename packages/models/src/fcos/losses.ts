/** What an FCOS learns from: torchvision's losses of classes, boxes and centre-ness. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { joined } from "../detection/anchors.ts";
import { boxesAround, centredAnchors, halves } from "../detection/boxes.ts";
import { focalSum, giouSum, logisticSum } from "../detection/losses.ts";
import type { ObjectTargets } from "../network.ts";
import type { ResolvedFCOSConfig } from "./config.ts";
import type { FcosOutputs } from "./outputs.ts";
import { cellLevels, matchPoints } from "./points.ts";

/** Each part is a sum over the batch, divided by the points of the batch that stand for an object. */
export function pointLosses(
  { logits, boxes, centreness, image }: FcosOutputs,
  truth: ObjectTargets,
  { classes, objectSizes }: ResolvedFCOSConfig,
): Readonly<Record<"classification" | "boxes" | "centreness", tf.Scalar>> {
  const levels = cellLevels(image);
  const matches = matchPoints(levels, truth, objectSizes);
  const [n] = matches.foreground.shape;
  const share = tf.reshape(tf.div(1, tf.maximum(tf.sum(matches.foreground), 1)), [1, 1, 1]) as tf.Tensor3D;
  const classNumbers = constant(Int32Array.from({ length: classes }, (_, k) => k), [1, 1, classes]); // prettier-ignore
  let first = 0;
  const ofClasses = logits.map((level) => {
    const count = level.shape[1];
    const own = tf.expandDims(tf.slice(matches.classIndices, [0, first], [n, count]), 2);
    first += count;
    return focalSum(level, tf.cast(tf.equal(own, classNumbers), "float32") as tf.Tensor3D, share);
  });
  const cells = centredAnchors(joined(levels));
  const weights = tf.mul<tf.Tensor3D>(tf.expandDims(matches.foreground, 2), share);
  return {
    classification: tf.addN(ofClasses),
    boxes: giouSum(boxesAround(tf.concat(boxes as tf.Tensor3D[], 1), cells), matches.boxes, weights),
    centreness: logisticSum(tf.concat(centreness as tf.Tensor3D[], 1), centrenessOf(matches.boxes, cells.centre), weights),
  };
}

/** How near to the middle of boxes `[N, points, 4]` points are, `[N, points, 1]`: 1 in the middle, 0 at a border. */
function centrenessOf(boxes: tf.Tensor3D, points: tf.Tensor): tf.Tensor3D {
  const [low, high] = halves(boxes);
  const [before, behind] = [tf.sub(points, low), tf.sub(high, points)];
  const balance = tf.div(tf.minimum(before, behind), tf.maximum(before, behind));
  const [n, count] = balance.shape as [number, number, number];
  const along = (axis: 0 | 1): tf.Tensor => tf.slice(balance, [0, 0, axis], [n, count, 1]);
  return tf.sqrt(tf.mul(along(0), along(1))) as tf.Tensor3D;
}
