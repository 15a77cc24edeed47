/** Sums over images. One pass over a million float32 numbers loses digits; row, column and batch in turn does not. */

import type * as tf from "@tensorflow/tfjs";

/** Sum over batch, height and width of `[N, H, W, C]`, one number per channel. */
export function sumPerChannel(x: tf.Tensor4D): tf.Tensor1D {
  return x.sum(2).sum(1).sum(0);
}

/** Sum over everything of `[N, H, W, C]`. */
export function sumAll(x: tf.Tensor4D): tf.Scalar {
  return sumPerChannel(x).sum();
}
