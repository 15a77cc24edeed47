/** Probabilities and their logarithms, both safe for logits of any size. */

import * as tf from "@tensorflow/tfjs";

/** Softmax over the channels of `[N, H, W, C]` and its logarithm. */
export function softmaxAndLog(logits: tf.Tensor4D): { readonly probabilities: tf.Tensor4D; readonly logarithms: tf.Tensor4D } {
  const shifted = logits.sub<tf.Tensor4D>(logits.max(3, true));
  const exponentials = tf.exp(shifted);
  const total = exponentials.sum(3, true);
  return { probabilities: exponentials.div<tf.Tensor4D>(total), logarithms: shifted.sub<tf.Tensor4D>(tf.log(total)) };
}

/** `numerator / denominator`, 0 where the denominator is 0 (and then the numerator is, too). */
export function safeDivide(numerator: tf.Scalar, denominator: tf.Scalar): tf.Scalar {
  return numerator.div(tf.maximum(denominator, 1e-30));
}
