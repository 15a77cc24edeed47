/**
 * Batch norm, fused with its ReLU. The variance is that of centred values: mean of squares minus square of mean loses everything
 * in float32 once a channel's mean is large against its spread. Centred values are also what the backward pass needs, so
 * they are kept in place of x.
 */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";
import type { GradSaver } from "./grad-saver.ts";

/** Statistics and settings of a batch norm; PyTorch's defaults and conventions. */
export interface BatchNormOptions {
  /** Factor per channel, `[C]`. */
  readonly scale: tf.Tensor;
  /** Summand per channel, `[C]`. */
  readonly offset: tf.Tensor;
  /** Running mean, `[C]`; updated when training. */
  readonly mean: tf.Variable;
  /** Running unbiased variance, `[C]`; updated when training. */
  readonly variance: tf.Variable;
  /** Statistics of this batch (true) or running ones (false). */
  readonly training: boolean;
  /** Weight of the new statistics in the running ones, default 0.1. */
  readonly momentum?: number;
  /** Added to the variance, default 1e-5. */
  readonly epsilon?: number;
  /** Default `"none"`. */
  readonly activation?: "relu" | "none";
}

/**
 * Normalizes each channel of `[N, H, W, C]` (torch.nn.BatchNorm2d, ReLU optional). With `training`, the running statistics
 * are assigned: `running = (1 - momentum) * running + momentum * batch`, the variance unbiased.
 */
export function batchNorm(x: tf.Tensor4D, options: BatchNormOptions): tf.Tensor4D {
  const { scale, offset, mean, variance, training, momentum = 0.1, epsilon = 1e-5, activation = "none" } = options;
  const channels = x.shape[3];
  for (const [name, tensor] of Object.entries({ scale, offset, mean, variance })) {
    if (tensor.shape.join() !== `${channels}`) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `batchNorm: ${name} has shape [${tensor.shape.join(", ")}]; expected [${channels}] for x [${x.shape.join(", ")}]`,
      );
    }
  }
  if (!training) return normalizeByRunning(x, scale, offset, mean, variance, epsilon, activation);
  const count = x.shape[0] * x.shape[1] * x.shape[2];
  tf.tidy(() => {
    const batch = statistics(x, count);
    const unbiased = tf.mul(batch.variance, count / Math.max(1, count - 1));
    mean.assign(tf.add(tf.mul(mean, 1 - momentum), tf.mul(batch.mean, momentum)));
    variance.assign(tf.add(tf.mul(variance, 1 - momentum), tf.mul(unbiased, momentum)));
  });
  return normalizeByBatch(x, scale, offset, count, epsilon, activation === "relu");
}

interface Statistics {
  readonly mean: tf.Tensor;
  readonly centred: tf.Tensor;
  readonly variance: tf.Tensor;
}

/** Mean, centred values and biased variance per channel. Recorded once, however often it is asked for. */
function statistics(x: tf.Tensor, count: number): Statistics {
  const channels = x.shape[3]!;
  const mean = emit("ChannelMean", [x], {}, [channels]);
  const centred = emit("ChannelShift", [x, tf.neg(mean)], {}, x.shape);
  const variance = tf.div(emit("ChannelDot", [centred, centred], {}, [channels]), count);
  return { mean, centred, variance };
}

function normalizeByBatch(x: tf.Tensor4D, scale: tf.Tensor, offset: tf.Tensor, count: number, epsilon: number, relu: boolean): tf.Tensor4D {
  const normalize = tf.customGrad((...given) => {
    const [images, gamma, beta] = given as unknown as [tf.Tensor, tf.Tensor, tf.Tensor];
    const save = given[3] as unknown as GradSaver;
    const { centred, variance } = statistics(images, count);
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const normal = emit("ChannelScaleShift", [centred, tf.mul(gamma, inverse), beta], {}, images.shape);
    const value = relu ? emit("Relu", [normal], {}, images.shape) : normal;
    save([centred, inverse, gamma, value]);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => batchGradient(dy, saved, count, relu) };
  });
  return normalize(x, scale, offset) as tf.Tensor4D;
}

/** dx = scale * inverse * (g - mean(g) - centred * inverse^2 * mean(g * centred)), g being dy behind the ReLU. */
function batchGradient(dy: tf.Tensor, saved: readonly tf.Tensor[], count: number, relu: boolean): tf.Tensor[] {
  const [centred, inverse, gamma, value] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const channels = [centred.shape[3]!];
  const g = relu ? emit("ReluGrad", [dy, value], {}, dy.shape) : dy;
  const sum = emit("ChannelSum", [g], {}, channels);
  const dot = tf.mul(emit("ChannelDot", [g, centred], {}, channels), inverse);
  const factor = tf.mul(gamma, inverse);
  const slope = tf.div(tf.mul(tf.mul(factor, inverse), dot), -count);
  const shift = tf.div(tf.mul(factor, sum), -count);
  const rest = emit("ChannelScaleShift", [centred, slope, shift], {}, dy.shape);
  const dx = tf.add(emit("ChannelScale", [g, factor], {}, dy.shape), rest);
  return [dx, dot, sum];
}

function normalizeByRunning(
  x: tf.Tensor4D,
  scale: tf.Tensor,
  offset: tf.Tensor,
  mean: tf.Tensor,
  variance: tf.Tensor,
  epsilon: number,
  activation: "relu" | "none",
): tf.Tensor4D {
  const normal = tf.batchNorm4d(x, mean as tf.Tensor1D, variance as tf.Tensor1D, offset as tf.Tensor1D, scale as tf.Tensor1D, epsilon);
  return activation === "relu" ? tf.relu(normal) : normal;
}
