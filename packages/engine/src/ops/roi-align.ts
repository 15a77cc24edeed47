/** Features of boxes, cut out of feature maps. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";
import type { GradSaver } from "./grad-saver.ts";

/** How features are cut out. */
export interface RoiAlignOptions {
  /** `[height, width]` of the result, in bins. */
  readonly size: readonly [number, number];
  /** Pixels of the feature map per unit of the boxes, e.g. 1 / 16; default 1. */
  readonly scale?: number;
  /** Samples per bin along each axis, at least 1; default 2. */
  readonly samplingRatio?: number;
  /** Pixel centres at half coordinates (default), or torchvision's former convention. */
  readonly aligned?: boolean;
}

/**
 * RoIAlign (torchvision.ops.roi_align): each bin is the mean of samples read linearly from the feature map, with a gradient for the features.
 *
 * @param features `[N, H, W, C]`
 * @param boxes `[R, 4]` as xmin, ymin, xmax, ymax.
 * @param images `[R]` int32: which of the N images a box lies in.
 * @returns `[R, height, width, C]`
 */
export function roiAlign(features: tf.Tensor4D, boxes: tf.Tensor2D, images: tf.Tensor1D, options: RoiAlignOptions): tf.Tensor4D {
  const { size, scale = 1, samplingRatio = 2, aligned = true } = options;
  const count = boxes.shape[0];
  if (boxes.shape[1] !== 4 || images.dtype !== "int32" || images.shape.join() !== `${count}`) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `roiAlign: boxes are [${boxes.shape.join(", ")}], images ${images.dtype} [${images.shape.join(", ")}]; expected [R, 4] and int32 [R]`,
    );
  }
  if (![...size, samplingRatio].every((number) => Number.isInteger(number) && number >= 1)) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `roiAlign: size is [${size.join(", ")}], samplingRatio ${samplingRatio}; expected whole numbers of at least 1`,
    );
  }
  const settings = { size: [...size], scale, samples: samplingRatio, aligned };
  const align = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    (save as GradSaver)([boxes, images]);
    return {
      value: emit("RoiAlign", [x, boxes, images], settings, [count, size[0], size[1], x.shape[3]!]),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => emit("RoiAlignGrad", [dy, saved[0]!, saved[1]!], settings, features.shape),
    };
  });
  return align(features) as tf.Tensor4D;
}
