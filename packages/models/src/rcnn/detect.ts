/** From proposals to objects: torchvision's `postprocess_detections` and `maskrcnn_inference`. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { centredBoxes, decodeBoxes } from "../detection/boxes.ts";
import { suppress } from "../detection/suppress.ts";
import type { DecodeOptions, Detections } from "../network.ts";
import type { Layer } from "../network/layer.ts";
import { featuresOf, masksByClass, ofClass, type Pyramid } from "./heads.ts";
import { BOX_BINS, MASK_BINS, type RegionLayers } from "./layers.ts";
import { BOX_SCALE } from "./losses.ts";
import type { RcnnOutputs } from "./outputs.ts";
import { largeEnough, NEVER } from "./proposals.ts";

/** Sides below this, in pixels, are no object. */
const SMALLEST = 1e-2;

/** Every pair of proposal and class is a candidate; the best are left, class by class. */
export function detectBoxes(outputs: RcnnOutputs, layers: RegionLayers, options: Required<DecodeOptions>): Detections {
  const { proposals, image, context } = outputs;
  const [n, count] = proposals.shape;
  const { logits, told } = layers.boxes(featuresOf(outputs, proposals, BOX_BINS), context);
  const classes = logits.shape[1] - 1;
  const objects = <T extends tf.Tensor>(x: tf.Tensor): T => tf.slice(x, [0, 1], [n * count, classes]) as tf.Tensor as T;
  const { centre, size } = centredBoxes(proposals);
  const spread = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.tile(tf.expandDims(x, 2), [1, 1, classes, 1]), [n, count * classes, 2]);
  const deltas = tf.reshape(objects(tf.reshape(told, [n * count, classes + 1, 4])), [n, count * classes, 4]) as tf.Tensor3D;
  const boxes = decodeBoxes(deltas, { centre: spread(centre), size: spread(size) }, image, BOX_SCALE);
  const scores = tf.reshape(objects(tf.softmax(logits)), [n, count * classes]);
  const indices = Int32Array.from({ length: n * count * classes }, (_, i) => i % classes);
  return suppress(
    {
      boxes,
      scores: tf.where(largeEnough(boxes, SMALLEST), scores, NEVER) as tf.Tensor2D,
      classIndices: constant(indices, [n, count * classes]) as tf.Tensor2D,
    },
    options,
    image,
  );
}

/** Masks `[N, D, 28, 28]` of found objects: of the class they were found as. */
export function detectMasks(outputs: Pyramid, { boxes, scores, classIndices }: Detections, layer: Layer): tf.Tensor4D {
  const [n, count] = scores.shape;
  const logits = masksByClass(layer(featuresOf(outputs, boxes, MASK_BINS), outputs.context));
  const labels = tf.add(tf.reshape(classIndices, [n * count]), constant(1, [], "int32")) as tf.Tensor1D;
  const side = 2 * MASK_BINS;
  const there = tf.cast(tf.greater(scores, 0), "float32");
  return tf.mul(tf.reshape(tf.sigmoid(ofClass(logits, labels)), [n, count, side, side]), tf.reshape(there, [n, count, 1, 1]));
}
