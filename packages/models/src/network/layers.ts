/** The operations networks are made of, on the engine's kernels, with PyTorch's conventions. */

import { batchNorm, constant, conv2d, groupNorm, maxPool as poolMaximum, upsampleNearest } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { Layer } from "./layer.ts";

/** Convolution whose border is half the kernel on every side; its parameters are `name.weight` and `name.bias`. */
export function convLayer(
  name: string,
  { size, stride, bias }: { readonly size: number; readonly stride: number; readonly bias: boolean },
): Layer {
  const pad = (size - 1) / 2;
  return (x, { value }) =>
    conv2d(x, value(`${name}.weight`) as unknown as tf.Tensor4D, {
      strides: stride,
      pad,
      ...(bias ? { bias: value(`${name}.bias`) } : {}),
    });
}

/** Batch norm, then ReLU if asked for. Running statistics follow the batch's with weight 0.1. */
export function batchNormLayer(name: string, rectified: boolean): Layer {
  return (x, { training, value }) =>
    batchNorm(x, {
      scale: value(`${name}.weight`),
      offset: value(`${name}.bias`),
      mean: value(`${name}.running_mean`),
      variance: value(`${name}.running_var`),
      training,
      activation: rectified ? "relu" : "none",
    });
}

/** Group norm, then ReLU if asked for. */
export function groupNormLayer(name: string, groups: number, rectified: boolean): Layer {
  return (x, { value }) =>
    groupNorm(x, { scale: value(`${name}.weight`), offset: value(`${name}.bias`), groups, activation: rectified ? "relu" : "none" });
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

/** Maps side by side. */
export function concatChannels(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  return tf.concat([a, b], 3);
}

/** Maps added. */
export function add(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  return tf.add(a, b);
}

/** max(x, 0). */
export function relu(x: tf.Tensor4D): tf.Tensor4D {
  return tf.relu(x);
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
