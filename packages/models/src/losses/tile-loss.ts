/** Losses of whole images: cross-entropy where an image has one class, binary cross-entropy where it may have several. */

import { GeoLearnError, showValue } from "@geolearn/core";
import { constant, logSoftmax } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

/** Which loss of whole images, plain JSON. */
export type TileLossSpec =
  | {
      readonly type: "crossEntropy";
      /** Weight of each class, in the order of the logits. @defaultValue 1 each */
      readonly classWeights?: readonly number[] | null;
      /** Share of an image's weight that is spread evenly over all classes, 0 to 1. @defaultValue 0 */
      readonly labelSmoothing?: number;
    }
  | {
      readonly type: "binaryCrossEntropy";
      /** Weight of each class, in the order of the logits. @defaultValue 1 each */
      readonly classWeights?: readonly number[] | null;
    };

/** The loss of each image, and its weight: the loss of many is the sum of the first over the sum of the second. */
export interface TileLosses {
  /** `[N]` */
  readonly losses: tf.Tensor1D;
  /** `[N]` */
  readonly weights: tf.Tensor1D;
}

/** Logits `[N, classes]` and truth (int32 `[N]`, -1 for an image that does not count; or 0 and 1 as float32 `[N, classes]`) to losses. */
export type TileLoss = (logits: tf.Tensor2D, truth: tf.Tensor) => TileLosses;

/**
 * The loss a specification describes.
 *
 * - `crossEntropy`: as PyTorch's `cross_entropy(weight=..., label_smoothing=...)`, which divides by the weights of the true classes.
 * - `binaryCrossEntropy`: as PyTorch's `binary_cross_entropy_with_logits(weight=...)`, the mean over images and classes.
 *
 * @throws INVALID_ARGUMENT for an unknown type or a number out of range
 *
 * @example
 * const loss = tileLoss({ type: "crossEntropy", labelSmoothing: 0.1 });
 * const { losses, weights } = loss(network.forward(images, { training: true }), classIndices);
 */
export function tileLoss(spec: TileLossSpec): TileLoss {
  const { classWeights = null } = spec;
  if (classWeights !== null && !classWeights.every((w) => Number.isFinite(w) && w >= 0))
    throw wrong("classWeights", classWeights, "numbers of at least 0");
  switch (spec.type) {
    case "crossEntropy": {
      const { labelSmoothing: share = 0 } = spec;
      if (!(share >= 0 && share < 1)) throw wrong("labelSmoothing", share, "a number from 0 to less than 1");
      return (logits, truth) => crossEntropies(logits, truth as tf.Tensor1D, weightsOf(classWeights, logits), share);
    }
    case "binaryCrossEntropy":
      return (logits, truth) => binaryCrossEntropies(logits, truth as tf.Tensor2D, weightsOf(classWeights, logits));
    default:
      throw wrong("type", (spec as { type?: unknown }).type, '"crossEntropy" or "binaryCrossEntropy"');
  }
}

/** The loss of all images together; 0 when none counts. */
export function meanTileLoss({ losses, weights }: TileLosses): tf.Scalar {
  return tf.div(tf.sum(losses), tf.maximum(tf.sum(weights), 1e-30));
}

function crossEntropies(logits: tf.Tensor2D, truth: tf.Tensor1D, classWeights: tf.Tensor | null, share: number): TileLosses {
  const classes = logits.shape[1];
  // Numbers that are no position of a class, -1 among them, have no plane.
  const hot = tf.oneHot(truth, classes, 1, 0, "float32") as tf.Tensor2D;
  const weighted = classWeights === null ? hot : tf.mul<tf.Tensor2D>(hot, classWeights);
  const counted = tf.sum(hot, 1, true);
  const spread = classWeights === null ? counted : tf.mul(counted, classWeights);
  const targets = share === 0 ? weighted : tf.add(tf.mul(weighted, 1 - share), tf.mul(spread, share / classes));
  return { losses: tf.neg(tf.sum<tf.Tensor1D>(tf.mul(targets, logSoftmax(logits)), 1)), weights: tf.sum<tf.Tensor1D>(weighted, 1) };
}

function binaryCrossEntropies(logits: tf.Tensor2D, truth: tf.Tensor2D, classWeights: tf.Tensor | null): TileLosses {
  const each = tf.sub(tf.softplus(logits), tf.mul(logits, truth));
  const losses = tf.mean<tf.Tensor1D>(classWeights === null ? each : tf.mul(each, classWeights), 1);
  return { losses, weights: tf.onesLike(losses) };
}

function weightsOf(classWeights: readonly number[] | null, logits: tf.Tensor2D): tf.Tensor | null {
  if (classWeights === null) return null;
  if (classWeights.length === logits.shape[1]) return constant(Float32Array.from(classWeights), [classWeights.length]);
  throw new GeoLearnError("INVALID_ARGUMENT", `The loss got ${classWeights.length} class weights for ${logits.shape[1]} classes.`, {
    hint: "Give one weight per class.",
  });
}

function wrong(field: string, value: unknown, expected: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `The loss got ${field} ${showValue(value)}, expected ${expected}.`, {
    hint: `Change ${field} of the loss.`,
    data: { field },
  });
}
