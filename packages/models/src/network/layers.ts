/** The operations networks are made of, on the engine's kernels, with PyTorch's conventions. */

import {
  adaptiveAvgPool,
  batchNorm,
  constant,
  conv2d,
  groupNorm,
  maxPool as poolMaximum,
  resizeBilinear,
  upsampleNearest,
} from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { Layer, LayerContext, VectorLayer } from "./layer.ts";

/** What is done to each number behind a norm or a convolution. */
export type Activation = "none" | "relu" | "relu6" | "swish" | "sigmoid" | "hardSwish" | "hardSigmoid";

/** How a convolution moves over its map. */
export interface ConvLayerOptions {
  readonly stride: number;
  readonly pad: number | readonly [number, number, number, number];
  readonly groups: number;
  /** Pixels from one tap of the kernel to the next. */
  readonly dilation: number;
  readonly bias: boolean;
}

/** Convolution; its parameters are `name.weight` and `name.bias`. */
export function convLayer(name: string, { stride, pad, groups, dilation, bias }: ConvLayerOptions): Layer {
  return (x, { value }) =>
    conv2d(x, value(`${name}.weight`) as unknown as tf.Tensor4D, {
      strides: stride,
      pad,
      groups,
      dilations: dilation,
      ...(bias ? { bias: value(`${name}.bias`) } : {}),
    });
}

/** Every output from every input; its parameters are `name.weight` and `name.bias`. */
export function linearLayer(name: string): VectorLayer {
  return (x, { value }) => tf.add(tf.matMul(x, value(`${name}.weight`) as unknown as tf.Tensor2D), value(`${name}.bias`));
}

/** What a batch norm adds to the variance, and the weight of a batch's statistics in the running ones. */
export interface BatchNormSettings {
  readonly epsilon: number;
  readonly momentum: number;
}

/** Batch norm and an activation. */
export function batchNormLayer(name: string, activation: Activation, { epsilon, momentum }: BatchNormSettings): Layer {
  return (x, { training, value }) => {
    const normed = batchNorm(x, {
      scale: value(`${name}.weight`),
      offset: value(`${name}.bias`),
      mean: value(`${name}.running_mean`),
      variance: value(`${name}.running_var`),
      training,
      epsilon,
      momentum,
      activation: activation === "relu" ? "relu" : "none",
    });
    return activation === "relu" ? normed : activate(normed, activation);
  };
}

/** Group norm and an activation. */
export function groupNormLayer(name: string, groups: number, activation: Activation): Layer {
  return (x, { value }) => {
    const fused = activation === "relu" ? "relu" : "none";
    const normed = groupNorm(x, { scale: value(`${name}.weight`), offset: value(`${name}.bias`), groups, activation: fused });
    return activation === "relu" ? normed : activate(normed, activation);
  };
}

/** An activation by name. */
export function activate(x: tf.Tensor4D, activation: Activation): tf.Tensor4D {
  switch (activation) {
    case "none":
      return x;
    case "relu":
      return tf.relu(x);
    case "relu6":
      return tf.relu6(x);
    case "swish":
      return tf.mul(x, tf.sigmoid(x));
    case "sigmoid":
      return tf.sigmoid(x);
    case "hardSwish":
      return tf.mul(x, activate(x, "hardSigmoid"));
    case "hardSigmoid":
      return tf.div(tf.relu6(tf.add(x, 3)), 6);
  }
}

/** Greatest value of each window; padding never wins. */
export function maxPool(
  x: tf.Tensor4D,
  { size, stride, pad }: { readonly size: number; readonly stride: number; readonly pad: number },
): tf.Tensor4D {
  return poolMaximum(x, size, { strides: stride, pad });
}

/** Twice the height and width; each pixel becomes four equal ones. */
export function doubleSize(x: tf.Tensor4D): tf.Tensor4D {
  return upsampleNearest(x, 2);
}

/** A map of the height and width of another, bilinear, the centres of the corner pixels on each other (PyTorch's `align_corners=True`). */
export function resizeByCorners(x: tf.Tensor4D, like: tf.Tensor4D): tf.Tensor4D {
  return resizeBilinear(x, [like.shape[1], like.shape[2]], { alignCorners: true, like });
}

/** Maps side by side. */
export function concatChannels(...maps: readonly tf.Tensor4D[]): tf.Tensor4D {
  return tf.concat([...maps], 3);
}

/**
 * In training, zeros a share of the numbers, or with `"channels"` of whole channels of an image, and scales the others by `1 / (1 - rate)`. It draws in the
 * graph, from the state the Learner seeds.
 */
export function dropoutLayer(
  rate: number,
  unit: "numbers" | "channels",
): <T extends tf.Tensor>(x: T, context: Pick<LayerContext, "training">) => T {
  if (rate === 0) return (x) => x;
  const each = unit === "channels" ? { noiseShape: [null, 1, 1, null] as unknown as number[] } : {};
  const layer = tf.layers.dropout({ rate, ...each });
  return (x, { training }) => (training ? (layer.call(x, { training }) as typeof x) : x);
}

/** Maps added. */
export function add(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  return tf.add(a, b);
}

/** A map times one factor per image and channel, `[N, 1, 1, C]`. */
export function multiply(x: tf.Tensor4D, factors: tf.Tensor4D): tf.Tensor4D {
  return tf.mul(x, factors);
}

/** The mean of each channel, `[N, 1, 1, C]`. */
export function globalMean(x: tf.Tensor4D): tf.Tensor4D {
  return tf.mean(x, [1, 2], true);
}

/** The means of `cells` times `cells` equal parts of a map, `[N, cells, cells, C]`. */
export function meanOfCells(x: tf.Tensor4D, cells: number): tf.Tensor4D {
  return cells === 1 ? globalMean(x) : adaptiveAvgPool(x, [cells, cells]);
}

/** `(x - mean) / std` per band; the numbers become part of the graph. A constant band (std 0) is only centred. */
export function normalizeBands(
  x: tf.Tensor4D,
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
): tf.Tensor4D {
  const centre = constant(Float32Array.from(mean), [mean.length]);
  const divisor = constant(
    Float32Array.from(std, (s) => (s === 0 ? 1 : s)),
    [std.length],
  );
  return x.sub(centre).div<tf.Tensor4D>(divisor);
}

/** The middle of a map, without `margin` pixels at each border. */
export function cutBorder(x: tf.Tensor4D, margin: number): tf.Tensor4D {
  if (margin === 0) return x;
  const [n, height, width, channels] = x.shape;
  return tf.slice4d(x, [0, margin, margin, 0], [n, height - 2 * margin, width - 2 * margin, channels]);
}
