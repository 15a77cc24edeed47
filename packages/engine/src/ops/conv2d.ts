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
  /** Channels are split into so many groups that do not see each other; divides in and out. Default 1. */
  readonly groups?: number;
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
 * 2-D convolution (cross-correlation) of `[N, H, W, in]` with a filter `[height, width, in / groups, out]`, as
 * torch.nn.functional.conv2d computes it, with gradients for x, filter and bias at any stride, dilation and padding.
 *
 * @throws INVALID_ARGUMENT when channels or groups do not fit, or the window does not.
 */
export function conv2d(x: tf.Tensor4D, filter: tf.Tensor4D, options: Conv2dOptions = {}): tf.Tensor4D {
  const { bias, groups = 1 } = options;
  checkChannels(x, filter, groups);
  const [n, height, width] = x.shape;
  const [kh, kw, , outChannels] = filter.shape;
  const { out, ...geometry } = windowGeometry([height, width], [kh, kw], options);
  const shape = [n, out[0], out[1], outChannels];
  const { strides, dilations, pads } = geometry;
  const attributes = { strides, dilations, pads, ...(groups === 1 ? {} : { groups }) };
  const names = groups === 1 ? PLAIN : GROUPED;
  const convolve = tf.customGrad((...given: (tf.Tensor | GradSaver)[]) => {
    const save = given.pop() as GradSaver;
    const [images, weights] = given as [tf.Tensor, tf.Tensor];
    save([images, weights]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      const gradients = [emit(names.input, [dy, b], attributes, a.shape), emit(names.filter, [a, dy], attributes, b.shape)];
      return bias === undefined ? gradients : [...gradients, tf.sum(dy, [0, 1, 2])];
    };
    return { value: emit(names.forward, given as tf.Tensor[], attributes, shape), gradFunc };
  });
  return (bias === undefined ? convolve(x, filter) : convolve(x, filter, bias)) as tf.Tensor4D;
}

const PLAIN = { forward: "Conv2D", input: "Conv2DInputGrad", filter: "Conv2DFilterGrad" } as const;
const GROUPED = { forward: "GroupedConv", input: "GroupedInputGrad", filter: "GroupedFilterGrad" } as const;

function checkChannels(x: tf.Tensor4D, filter: tf.Tensor4D, groups: number): void {
  const channels = x.shape[3];
  const [, , each, out] = filter.shape;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0 || out % groups !== 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", `conv2d: ${groups} groups do not divide ${channels} channels in and ${out} out`);
  }
  if (channels === each * groups) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `conv2d: x has ${channels} channels, the filter [${filter.shape.join(", ")}] takes ${each * groups}${groups === 1 ? "" : ` in ${groups} groups`}`,
  );
}

/**
 * Depthwise convolution of `[N, H, W, C]` with a filter `[height, width, C, multiplier]`, as tf.depthwiseConv2d computes it, with
 * gradients at any stride, dilation and padding. Channel c gives channels c * multiplier to c * multiplier + multiplier - 1.
 */
export function depthwiseConv2d(x: tf.Tensor4D, filter: tf.Tensor4D, options: Omit<Conv2dOptions, "groups"> = {}): tf.Tensor4D {
  const [kh, kw, channels, multiplier] = filter.shape;
  return conv2d(x, tf.reshape(filter, [kh, kw, 1, channels * multiplier]), { ...options, groups: channels });
}

/** How a transposed convolution spreads. */
export interface Conv2dTransposeOptions extends Omit<Conv2dOptions, "pad" | "groups"> {
  /** Default `"valid"`: rows and columns cut off the full result. */
  readonly pad?: Exclude<Padding, "same">;
  /** Rows and columns added at the end, `[height, width]`; default 0. */
  readonly outputPadding?: number | readonly [number, number];
}

/**
 * Transposed 2-D convolution of `[N, H, W, in]` with a filter `[height, width, out, in]` (tfjs's order), as torch.nn.functional.conv_transpose2d
 * computes it, with gradients for x, filter and bias: the input gradient of a convolution that would map the result to x.
 */
export function conv2dTranspose(x: tf.Tensor4D, filter: tf.Tensor4D, options: Conv2dTransposeOptions = {}): tf.Tensor4D {
  const { bias, pad = "valid", outputPadding = 0 } = options;
  const [n, height, width, channels] = x.shape;
  const [kh, kw, outChannels, inChannels] = filter.shape;
  if (channels !== inChannels) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `conv2dTranspose: x has ${channels} channels, the filter [${filter.shape.join(", ")}] takes ${inChannels}`,
    );
  }
  const strides = both(options.strides ?? 1);
  const dilations = both(options.dilations ?? 1);
  const pads = padsOf(pad, [], [], strides, dilations);
  const more = both(outputPadding);
  const sides = [height, width].map(
    (side, i) => (side - 1) * strides[i]! + ([kh, kw][i]! - 1) * dilations[i]! + 1 + more[i]! - pads[i]! - pads[i + 2]!,
  );
  // Rows added at the end are first of all rows not cut off there; what remains must not make room for another window.
  const behind = more.map((rows, i) => Math.max(0, pads[i + 2]! - rows));
  const remaining = more.map((rows, i) => Math.max(0, rows - pads[i + 2]!));
  if (sides.some((side) => side < 1) || remaining.some((rows, i) => more[i]! < 0 || rows >= strides[i]!)) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `conv2dTranspose: ${height} x ${width} pixels with strides ${strides.join(", ")}, padding ${pads.join(", ")} and output padding ${more.join(", ")} give ${sides.join(" x ")}`,
      { hint: "Output padding must be smaller than the stride; padding must leave something over." },
    );
  }
  const attributes = { strides: [...strides], dilations: [...dilations], pads: [pads[0]!, pads[1]!, ...behind] };
  const spread = tf.customGrad((...given: (tf.Tensor | GradSaver)[]) => {
    const save = given.pop() as GradSaver;
    const [images, weights] = given as [tf.Tensor, tf.Tensor];
    save([images, weights]);
    const gradFunc = (ddx: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      return [emit("Conv2D", [ddx, b], attributes, a.shape), emit("Conv2DFilterGrad", [ddx, a], attributes, b.shape)];
    };
    return { value: emit("Conv2DInputGrad", [images, weights], attributes, [n, ...sides, outChannels]), gradFunc };
  });
  const out = spread(x, filter) as tf.Tensor4D;
  return bias === undefined ? out : tf.add(out, bias);
}
