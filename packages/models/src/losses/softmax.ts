/** Probabilities and their logarithms, both safe for logits of any size. */

import * as tf from "@tensorflow/tfjs";

/** Softmax over the channels of `[N, H, W, C]` and its logarithm. */
export function softmaxAndLog(logits: tf.Tensor4D): { readonly probabilities: tf.Tensor4D; readonly logarithms: tf.Tensor4D } {
  const shifted = logits.sub(logits.max(3, true)) as tf.Tensor4D;
  const exponentials = tf.exp(shifted);
  const total = exponentials.sum(3, true);
  return { probabilities: exponentials.div(total) as tf.Tensor4D, logarithms: shifted.sub(tf.log(total)) as tf.Tensor4D };
}

/** `numerator / denominator`, 0 where the denominator is 0 (and then the numerator is, too). */
export function safeDivide(numerator: tf.Scalar, denominator: tf.Scalar): tf.Scalar {
  return numerator.div(tf.maximum(denominator, 1e-30));
}
