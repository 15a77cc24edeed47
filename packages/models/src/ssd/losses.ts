/** What a SingleShotDetector learns from, as torchvision's `SSD.compute_loss`. */

import { constant, softmaxCrossEntropy } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { centredAnchors, encodeBoxes } from "../detection/boxes.ts";
import { smoothSum } from "../detection/losses.ts";
import { matchEach } from "../detection/match.ts";
import type { ObjectTargets } from "../network.ts";
import { defaultBoxes } from "./anchors.ts";
import type { ResolvedSSDConfig } from "./config.ts";
import type { SSDOutputs } from "./outputs.ts";

/** Overlap from which an anchor stands for an object. */
const FOREGROUND = 0.5;
/** Anchors of background that are learnt from, for each that stands for an object. */
const NEGATIVES = 3;
/** How much larger than they are the network tells shifts and growths. */
export const BOX_SCALE = { shift: 10, growth: 5 };

/**
 * Cross-entropy of the anchors that stand for an object and of the three times as many of background that are most mistaken for one, and smooth absolute
 * differences of boxes; both over the number of anchors of the batch that stand for an object.
 */
export function ssdLosses(
  { logits, boxes, grids, image }: SSDOutputs,
  truth: ObjectTargets,
  config: ResolvedSSDConfig,
): Readonly<Record<"classification" | "boxes", tf.Scalar>> {
  const anchors = defaultBoxes(config, grids, image);
  const matches = matchEach(anchors, truth, FOREGROUND);
  const { foreground } = matches;
  const share = tf.div(1, tf.maximum(tf.sum(foreground), 1));

  const all = tf.concat(logits as tf.Tensor3D[], 1);
  const [n, count] = foreground.shape;
  const labels = tf.reshape(tf.add(matches.classIndices, constant(1, [], "int32")), [n * count]);
  const rows = softmaxCrossEntropy(tf.reshape(all, [n * count, config.classes + 1]), labels, { reduction: "none" });
  const entropy = tf.reshape(rows, [n, count]);
  const positive = tf.mul(entropy, foreground);
  // A loss is never below 0: what stands for an object comes behind all background.
  const background = tf.sub(tf.sub(entropy, positive), foreground) as tf.Tensor2D;
  const { values } = tf.topk(background, count, true);
  const objects = tf.sum(foreground, 1, true);
  const room = tf.minimum(tf.mul(objects, NEGATIVES), tf.sub(count, objects));
  const ranks = constant(Float32Array.from({ length: count }, (_, i) => i), [1, count]); // prettier-ignore
  const hard = tf.mul(values, tf.cast(tf.less(ranks, room), "float32"));

  const difference = tf.sub(tf.concat(boxes as tf.Tensor3D[], 1), encodeBoxes(matches.boxes, centredAnchors(anchors), BOX_SCALE));
  return {
    classification: tf.mul(tf.add(tf.sum(positive), tf.sum(hard)), share) as tf.Scalar,
    boxes: smoothSum(difference, tf.expandDims(tf.mul(foreground, share), 2), 1),
  };
}
