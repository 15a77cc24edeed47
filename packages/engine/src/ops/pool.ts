/** Pooling with PyTorch's paddings. */

import * as tf from "@tensorflow/tfjs";
import { type Padding, windowGeometry } from "./conv2d.ts";
import { emit } from "./emit.ts";
import type { GradSaver } from "./grad-saver.ts";

/** How a pooling window moves. */
export interface PoolOptions {
  /** Default: the window's size. */
  readonly strides?: number | readonly [number, number];
  /** Default `"valid"`. */
  readonly pad?: Padding;
}

const both = (value: number | readonly [number, number]): readonly [number, number] => (typeof value === "number" ? [value, value] : value);

function geometryOf(x: tf.Tensor4D, size: number | readonly [number, number], { strides = size, pad = "valid" }: PoolOptions) {
  const kernel = both(size);
  const { out, ...geometry } = windowGeometry([x.shape[1], x.shape[2]], kernel, { strides, pad });
  return { shape: [x.shape[0], out[0], out[1], x.shape[3]], attributes: { kernel, strides: geometry.strides, pads: geometry.pads } };
}

/**
 * Greatest value of each window; the gradient goes to the first greatest one. Padding counts as minus infinity.
 *
 * @param size Side of the window, or `[height, width]`.
 */
export function maxPool(x: tf.Tensor4D, size: number | readonly [number, number], options: PoolOptions = {}): tf.Tensor4D {
  const { shape, attributes } = geometryOf(x, size, options);
  const pool = tf.customGrad((input, save) => {
    const images = input as tf.Tensor;
    const value = emit("MaxPool", [images], attributes, shape);
    (save as GradSaver)([images, value]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => emit("MaxPoolGrad", [dy, saved[0]!, saved[1]!], attributes, saved[0]!.shape),
    };
  });
  return pool(x) as tf.Tensor4D;
}

/** Mean of each window; padding is not counted. */
export function avgPool(x: tf.Tensor4D, size: number | readonly [number, number], options: PoolOptions = {}): tf.Tensor4D {
  const { shape, attributes } = geometryOf(x, size, options);
  const pool = tf.customGrad((input) => ({
    value: emit("AvgPool", [input as tf.Tensor], attributes, shape),
    gradFunc: (dy: tf.Tensor) => emit("AvgPoolGrad", [dy], attributes, x.shape),
  }));
  return pool(x) as tf.Tensor4D;
}
