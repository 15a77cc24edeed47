/** Which boxes the mask head learns from: those of the objects themselves, so that they are known before the network has said anything. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { existing } from "../detection/match.ts";
import type { ObjectTargets } from "../network.ts";
import type { TrainingRois } from "../rcnn/losses.ts";
import { sampleBalanced } from "../rcnn/samples.ts";

/** Of draws of one step; a Mask R-CNN has two. */
const OBJECT_DRAW = 3;

/** Boxes of objects of each image; where there are more than `count`, the seed decides which. */
export function objectRois(truth: ObjectTargets, count: number, seed: tf.Scalar): Omit<TrainingRois, "wanted"> {
  const boxes = existing(truth);
  const [n, slots] = truth.classIndices.shape;
  const corner = (at: number): tf.Tensor => tf.slice(boxes, [0, 0, at], [n, slots, 2]);
  const positives = tf.cast(tf.all(tf.greater(corner(2), corner(0)), 2), "float32") as tf.Tensor2D;
  const drawn = sampleBalanced({ positives, negatives: tf.zerosLike(positives) }, { count, share: 1, seed, id: OBJECT_DRAW });
  const { positiveRoom } = drawn;
  const first = <T extends tf.Tensor>(x: T): T => tf.slice(x, [0, 0], [n, positiveRoom]) as T;
  const [indices, weights] = [first(drawn.indices), first(drawn.weights)];
  const counts = tf.expandDims(tf.greater(weights, 0), 2);
  const pixel = constant(Float32Array.of(0, 0, 1, 1), [1, 1, 4]);
  const labels = tf.add(tf.gather(truth.classIndices, indices, 1, 1), constant(1, [], "int32"));
  return {
    boxes: tf.where(counts, tf.gather(boxes, indices, 1, 1), pixel) as tf.Tensor3D,
    ...{ weights, labels: labels as tf.Tensor2D, slots: indices, positiveRoom },
  };
}
