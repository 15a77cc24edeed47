/** Convolution with gradients for any stride, dilation and padding. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { emit } from "./emit.ts";
import type { GradSaver } from "./grad-saver.ts";

/** `"same"` as in tfjs, `"valid"`, one number for all sides, or `[top, left, bottom, right]`. */
export type Padding = "same" | "valid" | number | readonly [number, number, number, number];

/** How a filter moves. */
export interface Conv2dOptions {
  /** Default 1. */
  readonly strides?: number | readonly [number, number];
  /** Default `"same"`. */
  readonly pad?: Padding;
  /** Default 1. */
  readonly dilations?: number | readonly [number, number];
  /** Added per output channel, `[outChannels]`. */
  readonly bias?: tf.Tensor;
}

interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

const both = (value: number | readonly [number, number]): readonly [number, number] => (typeof value === "number" ? [value, value] : value);

/** Rows or columns added in front and behind. */
function padsOf(
  pad: Padding,
  sides: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): number[] {
  if (typeof pad === "number") return [pad, pad, pad, pad];
  if (pad === "valid") return [0, 0, 0, 0];
  if (pad !== "same") return [...pad];
  const [height, width] = [0, 1].map((i) => {
    const total = Math.max(0, (Math.ceil(sides[i]! / strides[i]!) - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - sides[i]!);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  }) as [[number, number], [number, number]];
  return [height[0], width[0], height[1], width[1]];
}

/** Pads and output sides of a window that moves over an image. */
export function windowGeometry(
  sides: readonly [number, number],
  kernel: readonly [number, number],
  options: {
    readonly strides?: number | readonly [number, number];
    readonly pad?: Padding;
    readonly dilations?: number | readonly [number, number];
  },
): Geometry & { readonly out: readonly [number, number] } {
  const strides = both(options.strides ?? 1);
  const dilations = both(options.dilations ?? 1);
  const pads = padsOf(options.pad ?? "same", sides, kernel, strides, dilations);
  const out = [0, 1].map((i) => {
    const span = (kernel[i]! - 1) * dilations[i]! + 1;
    const side = Math.floor((sides[i]! + pads[i]! + pads[i + 2]! - span) / strides[i]!) + 1;
    if (side >= 1) return side;
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `a window of ${span} does not fit into ${sides[i]!} pixels with padding ${pads[i]!} and ${pads[i + 2]!}`,
    );
  }) as [number, number];
  return { strides, dilations, pads, out };
}

/**
 * 2-D convolution (cross-correlation) of `[N, H, W, in]` with a filter `[height, width, in, out]`, as torch.nn.functional.conv2d and
 * tf.conv2d compute it, with gradients for x, filter and bias at any stride, dilation and padding.
 *
 * @throws INVALID_ARGUMENT when channels differ or the window does not fit.
 */
export function conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, options: Conv2dOptions = {}): tf.Tensor4D {
  const [n, height, width, channels] = x.shape;
  const [kh, kw, inChannels, outChannels] = filter.shape;
  if (channels !== inChannels) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `conv2d: x has ${channels} channels, the filter [${filter.shape.join(", ")}] takes ${inChannels}`,
    );
  }
  const { out, ...geometry } = windowGeometry([height, width], [kh, kw], options);
  const shape = [n, out[0], out[1], outChannels];
  const attributes = { strides: geometry.strides, dilations: geometry.dilations, pads: geometry.pads };
  const { bias } = options;
  const convolve = tf.customGrad((...given: (tf.Tensor | GradSaver)[]) => {
    const save = given.pop() as GradSaver;
    const [images, weights] = given as [tf.Tensor, tf.Tensor];
    save([images, weights]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      const gradients = [emit("Conv2DInputGrad", [dy, b], attributes, a.shape), emit("Conv2DFilterGrad", [a, dy], attributes, b.shape)];
      return bias === undefined ? gradients : [...gradients, tf.sum(dy, [0, 1, 2])];
    };
    return { value: emit("Conv2D", given as tf.Tensor[], attributes, shape), gradFunc };
  });
  return (bias === undefined ? convolve(x, filter) : convolve(x, filter, bias)) as tf.Tensor4D;
}
