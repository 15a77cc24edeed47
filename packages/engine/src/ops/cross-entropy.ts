/** Cross-entropy over classes. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";
import type { GradSaver } from "./grad-saver.ts";

/** Which targets count, and how much. */
export interface CrossEntropyOptions {
  /** Weight per class, `[classes]`. */
  readonly weights?: tf.Tensor;
  /** Target value that does not count; any target outside 0..classes-1 does not count either. */
  readonly ignoreIndex?: number;
  /** `"mean"` (default) divides by the weights of the targets that count, `"none"` gives one loss per target. */
  readonly reduction?: "mean" | "sum" | "none";
}

/** Logarithm of softmax over the last axis; safe for large logits. */
export function logSoftmax<T extends tf.Tensor>(logits: T): T {
  const compute = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const value = emit("LogSoftmax", [x], {}, x.shape);
    (save as GradSaver)([value]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.sub(dy, tf.mul(tf.sum(dy, -1, true), tf.exp(saved[0]!))),
    };
  });
  return compute(logits) as T;
}

/**
 * Cross-entropy of `[..., classes]` logits with int32 targets `[...]` (torch.nn.functional.cross_entropy: weights, ignore_index). If no
 * target counts, the mean is 0 rather than NaN.
 */
export function softmaxCrossEntropy(logits: tf.Tensor, targets: tf.Tensor, options: CrossEntropyOptions = {}): tf.Tensor {
  const { weights, ignoreIndex, reduction = "mean" } = options;
  const classes = logits.shape.at(-1)!;
  if (targets.dtype !== "int32" || targets.shape.join() !== logits.shape.slice(0, -1).join()) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `targets are ${targets.dtype} [${targets.shape.join(", ")}]; expected int32 [${logits.shape.slice(0, -1).join(", ")}]`,
    );
  }
  if (weights !== undefined && weights.shape.join() !== `${classes}`) {
    throw new GeoLearnError("INVALID_ARGUMENT", `class weights have shape [${weights.shape.join(", ")}]; expected [${classes}]`);
  }
  // A target outside 0..classes-1 has no one-hot entry, so it weighs nothing.
  let hot = tf.oneHot(targets as tf.Tensor1D, classes, 1, 0, "float32");
  if (ignoreIndex !== undefined && ignoreIndex >= 0 && ignoreIndex < classes) {
    hot = tf.mul(hot, tf.expandDims(tf.cast(tf.notEqual(targets, ignoreIndex), "float32"), -1));
  }
  const weighted = weights === undefined ? hot : tf.mul(hot, weights);
  const losses = weightedLosses(logits, weighted);
  if (reduction === "none") return tf.squeeze(losses, [-1]);
  const total = tf.sum(losses);
  if (reduction === "sum") return total;
  const weight = tf.sum(weighted);
  return tf.div(total, tf.where(tf.greater(weight, 0), weight, tf.onesLike(weight)));
}

/**
 * -sum(weighted * logSoftmax(logits)) over classes, the last axis kept. With s the sum of a target's weights, the gradient is
 * dy * (s * softmax - weighted).
 */
function weightedLosses(logits: tf.Tensor, weighted: tf.Tensor): tf.Tensor {
  const compute = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const logarithms = emit("LogSoftmax", [x], {}, x.shape);
    (save as GradSaver)([logarithms, weighted]);
    return {
      value: tf.neg(tf.sum(tf.mul(weighted, logarithms), -1, true)),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [log, w] = saved as [tf.Tensor, tf.Tensor];
        return tf.mul(dy, tf.sub(tf.mul(tf.exp(log), tf.sum(w, -1, true)), w));
      },
    };
  });
  return compute(logits);
}
