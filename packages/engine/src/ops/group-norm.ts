/** Group norm: statistics per image and group of channels, so that small batches train. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";

/** Settings of a group norm; PyTorch's defaults. */
export interface GroupNormOptions {
  /** Factor per channel, `[C]`. */
  readonly scale: tf.Tensor;
  /** Summand per channel, `[C]`. */
  readonly offset: tf.Tensor;
  /** Number of groups; divides C. */
  readonly groups: number;
  /** Added to the variance, default 1e-5. */
  readonly epsilon?: number;
  /** Default `"none"`. */
  readonly activation?: "relu" | "none";
}

/** Normalizes each group of channels of each image of `[N, H, W, C]` (torch.nn.GroupNorm), variance of centred values. */
export function groupNorm(x: tf.Tensor4D, { scale, offset, groups, epsilon = 1e-5, activation = "none" }: GroupNormOptions): tf.Tensor4D {
  const [n, h, w, channels] = x.shape;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", `groupNorm: ${groups} groups do not divide ${channels} channels`);
  }
  const each = channels / groups;
  // Statistics are small: sums per image and channel first, then per group. The image itself is never reshaped.
  const perGroup = (perChannel: tf.Tensor): tf.Tensor => {
    const mean = tf.mean(tf.reshape(perChannel, [n, groups, each]), 2, true);
    return tf.reshape(tf.mul(mean, tf.ones([1, 1, each])), [n, 1, 1, channels]);
  };
  const centred = tf.sub(x, perGroup(tf.mean(x, [1, 2])));
  const variance = perGroup(tf.mean(tf.square(centred), [1, 2]));
  const factor = tf.mul(tf.rsqrt(tf.add(variance, epsilon)), scale);
  const normal = tf.add(tf.mul(centred, factor), offset) as tf.Tensor4D;
  if (normal.shape.join() !== [n, h, w, channels].join())
    throw new GeoLearnError("INVALID_ARGUMENT", "groupNorm: scale and offset must be vectors of the channels");
  return activation === "relu" ? tf.relu(normal) : normal;
}
