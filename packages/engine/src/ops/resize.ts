/** Larger and smaller images. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";

/** Repeats each pixel `factor` times in both directions (torch's `interpolate(mode="nearest")` for whole factors). */
export function upsampleNearest(x: tf.Tensor4D, factor: number): tf.Tensor4D {
  if (!Number.isInteger(factor) || factor < 1)
    throw new GeoLearnError("INVALID_ARGUMENT", `upsampleNearest: factor is ${factor}; expected a whole number of at least 1`);
  const [n, h, w, c] = x.shape;
  const repeat = tf.customGrad((input) => ({
    value: emit("UpsampleNearest", [input as tf.Tensor], { factor }, [n, h * factor, w * factor, c]),
    gradFunc: (dy: tf.Tensor) => emit("UpsampleNearestGrad", [dy], { factor }, [n, h, w, c]),
  }));
  return repeat(x) as tf.Tensor4D;
}

/**
 * Bilinear resize to `[height, width]` with half-pixel centres (torch's `align_corners=False`, no antialias). It is two small matrix
 * products, and so is its gradient.
 */
export function resizeBilinear(x: tf.Tensor4D, size: readonly [number, number]): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const [height, width] = size;
  if (!(Number.isInteger(height) && Number.isInteger(width) && height >= 1 && width >= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `resizeBilinear: size is [${size.join(", ")}]; expected whole numbers of at least 1`);
  }
  const attributes = { alignCorners: false, halfPixelCenters: true };
  const resize = tf.customGrad((input) => ({
    value: emit("ResizeBilinear", [input as tf.Tensor], attributes, [n, height, width, c]),
    gradFunc: (dy: tf.Tensor) => emit("ResizeBilinearGrad", [dy], attributes, [n, h, w, c]),
  }));
  return resize(x) as tf.Tensor4D;
}
