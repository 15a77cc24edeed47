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

/** How {@link resizeBilinear} places pixels. */
export interface ResizeBilinearOptions {
  /**
   * False: pixels are areas, and the borders of both images lie on each other (torch's `align_corners=False`, no antialias). True: pixels are
   * points, and the corner pixels' centres lie on each other (`align_corners=True`). @defaultValue false
   */
  readonly alignCorners?: boolean;
  /** A map of the new size. An ONNX file then follows its size, whatever image it is given. @defaultValue none */
  readonly like?: tf.Tensor4D;
}

/** Bilinear resize to `[height, width]`, as torch's `interpolate`. It is two small matrix products, and so is its gradient. */
export function resizeBilinear(
  x: tf.Tensor4D,
  size: readonly [number, number],
  { alignCorners = false, like }: ResizeBilinearOptions = {},
): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const [height, width] = wholeSides("resizeBilinear", size);
  if (like !== undefined && (like.shape[1] !== height || like.shape[2] !== width)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `resizeBilinear: size is [${size.join(", ")}], like is [${like.shape.join(", ")}]`);
  }
  const more = like === undefined ? [] : [like];
  const attributes = { alignCorners, halfPixelCenters: !alignCorners };
  const resize = tf.customGrad((input) => ({
    value: emit("ResizeBilinear", [input as tf.Tensor, ...more], attributes, [n, height, width, c]),
    gradFunc: (dy: tf.Tensor) => emit("ResizeBilinearGrad", [dy], attributes, [n, h, w, c]),
  }));
  return resize(x) as tf.Tensor4D;
}

/**
 * Means over a grid of `[height, width]` cells that cover the image, whatever its size (torch's `AdaptiveAvgPool2d`): cell `i` of `n` takes the rows
 * from `floor(i * H / n)` up to `ceil((i + 1) * H / n)`, and columns alike. It is two small matrix products, and so is its gradient.
 */
export function adaptiveAvgPool(x: tf.Tensor4D, size: readonly [number, number]): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const [height, width] = wholeSides("adaptiveAvgPool", size);
  const pool = tf.customGrad((input) => ({
    value: emit("AdaptiveAvgPool", [input as tf.Tensor], {}, [n, height, width, c]),
    gradFunc: (dy: tf.Tensor) => emit("AdaptiveAvgPoolGrad", [dy], {}, [n, h, w, c]),
  }));
  return pool(x) as tf.Tensor4D;
}

function wholeSides(operation: string, size: readonly [number, number]): readonly [number, number] {
  if (size.every((side) => Number.isInteger(side) && side >= 1)) return size;
  throw new GeoLearnError("INVALID_ARGUMENT", `${operation}: size is [${size.join(", ")}]; expected whole numbers of at least 1`);
}
