/** Probabilities and their logarithms, both safe for logits of any size. */

import { logSoftmax } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

/** Softmax over the channels of `[N, H, W, C]` and its logarithm. */
export function softmaxAndLog(logits: tf.Tensor4D): { readonly probabilities: tf.Tensor4D; readonly logarithms: tf.Tensor4D } {
  const logarithms = logSoftmax(logits);
  return { probabilities: tf.exp(logarithms), logarithms };
}

/** `numerator / denominator`, 0 where the denominator is 0 (and then the numerator is, too). */
export function safeDivide(numerator: tf.Scalar, denominator: tf.Scalar): tf.Scalar {
  return numerator.div(tf.maximum(denominator, 1e-30));
}
