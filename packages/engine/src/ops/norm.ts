/** The length of all gradients together. */

import * as tf from "@tensorflow/tfjs";

/** Square root of the sum of squares over all tensors. */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))))) as tf.Scalar);
}

/**
 * Scales gradients so that their global norm is at most `maxNorm` (torch.nn.utils.clip_grad_norm_).
 *
 * @returns The scaled gradients and the norm before.
 */
export function clipByGlobalNorm(
  gradients: readonly tf.Tensor[],
  maxNorm: number | tf.Tensor,
): { gradients: tf.Tensor[]; norm: tf.Scalar } {
  const norm = globalNorm(gradients);
  const factor = tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
  return { gradients: gradients.map((gradient) => tf.mul(gradient, factor)), norm };
}
