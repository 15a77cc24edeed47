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
  /**
   * Samples per bin along each axis, at least 1; default 2. `"adaptive"`: as many as a bin has pixels, rounded up (torchvision's -1), which has no
   * gradient.
   */
  readonly samplingRatio?: number | "adaptive";
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
  checkBins("roiAlign", size, samplingRatio);
  const settings = { size: [...size], scale, samples: samplingRatio === "adaptive" ? 0 : samplingRatio, aligned };
  const align = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    (save as GradSaver)([boxes, images]);
    return {
      value: emit("RoiAlign", [x, boxes, images], settings, [count, size[0], size[1], x.shape[3]!]),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        if (settings.samples === 0) throw new GeoLearnError("INVALID_ARGUMENT", "roiAlign has no gradient when samplingRatio is adaptive");
        return emit("RoiAlignGrad", [dy, saved[0]!, saved[1]!], settings, features.shape);
      },
    };
  });
  return align(features) as tf.Tensor4D;
}

/** How features are cut out of a pyramid. */
export interface PyramidRoiAlignOptions extends Omit<RoiAlignOptions, "scale" | "samplingRatio"> {
  /** Pixels of each map per unit of the boxes. */
  readonly scales: readonly number[];
  /** Samples per bin along each axis, at least 1; default 2. */
  readonly samplingRatio?: number;
}

/**
 * RoIAlign of a feature pyramid (torchvision.ops.MultiScaleRoIAlign): each box is cut out of the map it is assigned to, and of no other, with a
 * gradient for the maps. As many boxes lie in every image.
 *
 * @param maps `[N, H, W, C]` each, of any sizes.
 * @param boxes `[N, R, 4]` as xmin, ymin, xmax, ymax.
 * @param levels `[N, R]` int32: which of the maps, from 0.
 * @returns `[N * R, height, width, C]`
 *
 * @example
 * const features = pyramidRoiAlign([p2, p3], boxes, levels, { size: [7, 7], scales: [1 / 4, 1 / 8], aligned: false });
 */
export function pyramidRoiAlign(
  maps: readonly tf.Tensor4D[],
  boxes: tf.Tensor3D,
  levels: tf.Tensor2D,
  options: PyramidRoiAlignOptions,
): tf.Tensor4D {
  const { size, scales, samplingRatio = 2, aligned = true } = options;
  const [images, each] = boxes.shape;
  if (boxes.shape[2] !== 4 || levels.dtype !== "int32" || levels.shape.join() !== `${images},${each}`) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `pyramidRoiAlign: boxes are [${boxes.shape.join(", ")}], levels ${levels.dtype} [${levels.shape.join(", ")}]; expected [N, R, 4] and int32 [N, R]`,
    );
  }
  const channels = maps[0]?.shape[3];
  if (maps.length === 0 || maps.length !== scales.length || maps.some(({ shape }) => shape[0] !== images || shape[3] !== channels)) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `pyramidRoiAlign: maps are ${maps.map(({ shape }) => `[${shape.join(", ")}]`).join(", ")}; expected ${scales.length} of ${images} images, as many as scales, with equal channels`,
    );
  }
  checkBins("pyramidRoiAlign", size, samplingRatio);
  const common = { size: [...size], samples: samplingRatio, aligned };
  const [flat, owners] = [tf.reshape(boxes, [images * each, 4]), tf.reshape(levels, [images * each])];
  const align = tf.customGrad((...given: (tf.Tensor | GradSaver)[]) => {
    (given.pop() as GradSaver)([flat, owners]);
    return {
      value: emit(
        "PyramidRoiAlign",
        [flat, owners, ...(given as tf.Tensor[])],
        { ...common, scales: [...scales] },
        [images * each, size[0], size[1], channels!],
      ), // prettier-ignore
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
        maps.map(({ shape }, level) =>
          emit("PyramidRoiAlignGrad", [dy, saved[0]!, saved[1]!], { ...common, scale: scales[level]!, level }, shape),
        ),
    };
  });
  return align(...(maps as tf.Tensor[])) as tf.Tensor4D;
}

function checkBins(name: string, size: readonly number[], samplingRatio: number | "adaptive"): void {
  const numbers = samplingRatio === "adaptive" ? size : [...size, samplingRatio];
  if (numbers.every((number) => Number.isInteger(number) && number >= 1)) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `${name}: size is [${size.join(", ")}], samplingRatio ${samplingRatio}; expected whole numbers of at least 1`,
  );
}
