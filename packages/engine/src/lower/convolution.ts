/**
 * Convolutions as ONNX nodes. ONNX has no filter gradient; it is written as one more convolution, over the rows of all images
 * at once. Filters are `[height, width, in, out]` in tfjs and `[out, in, height, width]` in ONNX.
 */

import type { Value } from "../graph/value.ts";
import { blockedConvolution, paysBlocked } from "./blocked.ts";
import { correlate } from "./correlation.ts";
import { paysAsProduct, productFilterGradient, productForward, productInputGradient } from "./few-pixels.ts";
import { filterFromRows, oihwFilter, turnedFilter } from "./filters.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

interface Geometry {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
}

type Image = readonly [number, number, number, number];

const geometryOf = (value: Value): Geometry => value.attributes as unknown as Geometry;
const first = (name: string): Lowered => ({ name, layout: "channelsFirst" });
const natural = (name: string): Lowered => ({ name, layout: "natural" });

const conv2d: LoweringRule = (graph, value) => {
  const [x, filter, bias] = value.inputs as [Value, Value, Value?];
  const { strides, dilations, pads } = geometryOf(value);
  const [kh, kw] = filter.shape as unknown as Image;
  const settings = { kernel_shape: [kh, kw], strides, dilations, pads };
  const more = bias === undefined ? [] : [graph.natural(bias)];
  if (paysAsProduct(graph, filter, x.shape, value.shape)) {
    const product = productForward(graph, x, filter, value.shape, geometryOf(value));
    return natural(bias === undefined ? product : graph.op("Add", [product, ...more]));
  }
  if (paysBlocked(graph, filter, value.shape, filter.shape[2]!, filter.shape[3]!))
    return first(blockedConvolution(graph, x, filter, "forward", more, settings));
  const inputs = [graph.channelsFirst(x), oihwFilter(graph, filter), ...more];
  return first(graph.op("Conv", inputs, settings));
};

/** Rows and columns that a floor division left over; ConvTranspose adds them at the end. */
function leftOver(input: Image, output: Image, kernel: readonly number[], { strides, dilations, pads }: Geometry): number[] {
  return [0, 1].map(
    (i) => input[i + 1]! + pads[i]! + pads[i + 2]! - ((output[i + 1]! - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1),
  );
}

const conv2dInputGrad: LoweringRule = (graph, value) => {
  const [dy, filter] = value.inputs as [Value, Value];
  const geometry = geometryOf(value);
  const { strides, dilations, pads } = geometry;
  if (paysAsProduct(graph, filter, value.shape, dy.shape)) return natural(productInputGradient(graph, dy, filter, value.shape, geometry));
  const kernel = filter.shape.slice(0, 2);
  const spans = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const flippedPads = pads.map((pad, i) => spans[i % 2]! - pad);
  const rest = leftOver(value.shape as unknown as Image, dy.shape as unknown as Image, kernel, geometry);
  if (strides[0] === 1 && strides[1] === 1 && flippedPads.every((pad) => pad >= 0)) {
    const settings = { kernel_shape: kernel, strides: [1, 1], dilations, pads: flippedPads };
    if (paysBlocked(graph, filter, value.shape, filter.shape[3]!, filter.shape[2]!))
      return first(blockedConvolution(graph, dy, filter, "backward", [], settings));
    return first(graph.op("Conv", [graph.channelsFirst(dy), turnedFilter(graph, filter)], settings));
  }
  const inputs = [graph.channelsFirst(dy), oihwFilter(graph, filter)];
  return first(graph.op("ConvTranspose", inputs, { kernel_shape: kernel, strides, dilations, pads, output_padding: rest }));
};

/** x with its padding, cut to the rows and columns the windows really touch. */
function paddedRows(graph: Lowering, x: Value, rows: number, columns: number, pads: Geometry["pads"]): string {
  const [, h, w] = x.shape as unknown as Image;
  const name = graph.channelsFirst(x);
  const all = [pads[0], pads[1], rows - h - pads[0], columns - w - pads[1]];
  if (all.every((pad) => pad === 0)) return name;
  return graph.shared(`padded ${name} ${all.join()}`, () =>
    graph.op("Pad", [name, graph.ints([0, 0, all[0]!, all[1]!, 0, 0, all[2]!, all[3]!])]),
  );
}

const conv2dFilterGrad: LoweringRule = (graph, value) => {
  const [x, dy] = value.inputs as [Value, Value];
  const geometry = geometryOf(value);
  const [kh, kw] = value.shape as unknown as Image;
  const [sh, sw] = geometry.strides;
  if (paysAsProduct(graph, null, x.shape, dy.shape)) return natural(productFilterGradient(graph, x, dy, value.shape, geometry));
  if (kh === 1 && kw === 1 && geometry.pads.every((pad) => pad === 0)) return pointwiseFilterGrad(graph, value, x, dy, sh, sw);
  const steps = [...geometry.strides, ...geometry.dilations];
  if (graph.block > 0 && steps.every((step) => step === 1)) {
    const { block } = graph;
    const [channels, o] = [value.shape[2]!, value.shape[3]!];
    // The side with more channels makes the better filter: more of it is used per value of the other.
    if (o % block === 0 && (o >= channels || channels % block !== 0)) return filterGradByCorrelation(graph, value, x, dy);
    if (channels % block === 0) return filterGradByReverse(graph, value, x, dy);
  }
  return sh === 1 ? filterGradAtOnce(graph, value, x, dy) : filterGradByRows(graph, value, x, dy);
};

/** The padded x against dy. */
function filterGradByCorrelation(graph: Lowering, value: Value, x: Value, dy: Value): Lowered {
  const [kh, kw, channels] = value.shape as unknown as Image;
  const [, ho, wo] = dy.shape as unknown as Image;
  const image = paddedRows(graph, x, ho + kh - 1, wo + kw - 1, geometryOf(value).pads);
  return natural(correlate(graph, { image, imageChannels: channels, filter: dy, kernel: [kh, kw] }));
}

/** The padded dy against x: offsets come out in reverse, channels exchanged. */
function filterGradByReverse(graph: Lowering, value: Value, x: Value, dy: Value): Lowered {
  const [kh, kw, , o] = value.shape as unknown as Image;
  const [, h, w] = x.shape as unknown as Image;
  const [top, left] = geometryOf(value).pads;
  const image = paddedRows(graph, dy, h + kh - 1, w + kw - 1, [kh - 1 - top, kw - 1 - left, 0, 0]);
  const reversed = correlate(graph, { image, imageChannels: o, filter: x, kernel: [kh, kw] });
  const turned = graph.slice(reversed, [0, 1], [-1, -1], [-(2 ** 31), -(2 ** 31)], [-1, -1]);
  return natural(graph.op("Transpose", [turned], { perm: [0, 1, 3, 2] }));
}

/** 1 x 1: a product of matrices per image, summed. */
function pointwiseFilterGrad(graph: Lowering, value: Value, x: Value, dy: Value, sh: number, sw: number): Lowered {
  const [n, ho, wo, o] = dy.shape as unknown as Image;
  const channels = x.shape[3]!;
  const all = graph.channelsFirst(x);
  const used = sh === 1 && sw === 1 ? all : graph.slice(all, [2, 3], [0, 0], [(ho - 1) * sh + 1, (wo - 1) * sw + 1], [sh, sw]);
  const a = graph.reshape(used, [n, channels, ho * wo]);
  const b = graph.reshape(graph.channelsFirst(dy), [n, o, ho * wo]);
  const products = graph.product(a, b, { transB: 3 });
  const sum = n === 1 ? products : graph.op("ReduceSum", [products, graph.ints([0])], { keepdims: 0 });
  return natural(graph.reshape(sum, value.shape));
}

/** dy as a filter `[O, N, HO, WO]`. */
function gradientAsFilter(graph: Lowering, dy: Value): string {
  const [n, ho, wo, o] = dy.shape as unknown as Image;
  const name = graph.channelsFirst(dy);
  return n === 1 ? graph.reshape(name, [o, 1, ho, wo]) : graph.op("Transpose", [name], { perm: [1, 0, 2, 3] });
}

/**
 * kh copies of dy, copy i moved i * step rows down between zeros: `[kh * O, N, HO + (kh - 1) * step, WO]`. One gathering of whole rows
 * instead of a transposition, kh paddings and a concatenation.
 */
function loweredCopies(graph: Lowering, dy: Value, kh: number, step: number): string {
  const [n, ho, wo, o] = dy.shape as unknown as Image;
  const zeroRow = graph.floats(Array.from({ length: wo }, () => 0), [1, wo]); // prettier-ignore
  const rows = graph.op("Concat", [graph.reshape(graph.channelsFirst(dy), [n * o * ho, wo]), zeroRow], { axis: 0 });
  const height = ho + (kh - 1) * step;
  const indices = graph.shared(`copies ${n} ${o} ${ho} ${kh} ${step}`, () => {
    const table = new Int32Array(kh * o * n * height);
    let at = 0;
    for (let i = 0; i < kh; i++) {
      for (let channel = 0; channel < o; channel++) {
        for (let image = 0; image < n; image++) {
          for (let row = 0; row < height; row++) {
            const source = row - i * step;
            table[at++] = source >= 0 && source < ho ? (image * o + channel) * ho + source : n * o * ho;
          }
        }
      }
    }
    return graph.constant("int32", [kh * o, n, height], new Uint8Array(table.buffer));
  });
  return graph.op("Gather", [rows, indices], { axis: 0 });
}

/**
 * Stride 1 along rows: the images of a channel lie below one another, `[1, N, C * Hp, Wp]`. A filter as tall as one padded image steps from
 * channel to channel; k copies of dy, each a kernel row lower, give all kernel rows at once.
 */
function filterGradAtOnce(graph: Lowering, value: Value, x: Value, dy: Value): Lowered {
  const { strides, dilations, pads } = geometryOf(value);
  const [kh, kw, channels, o] = value.shape as unknown as Image;
  const [n, ho, wo] = dy.shape as unknown as Image;
  const rows = ho + (kh - 1) * dilations[0];
  const columns = (wo - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const tall = graph.reshape(paddedRows(graph, x, rows, columns, pads), [1, n, channels * rows, columns]);
  const stacked = kh === 1 ? gradientAsFilter(graph, dy) : loweredCopies(graph, dy, kh, dilations[0]);
  const out = graph.op("Conv", [tall, stacked], { kernel_shape: [rows, wo], strides: [rows, dilations[1]], dilations: [1, strides[1]] });
  return natural(filterFromRows(graph, out, [kh, kw, channels, o]));
}

/** Stride along rows: one convolution per kernel row, on the rows it meets. */
function filterGradByRows(graph: Lowering, value: Value, x: Value, dy: Value): Lowered {
  const { strides, dilations, pads } = geometryOf(value);
  const [kh, kw, channels, o] = value.shape as unknown as Image;
  const [n, ho, wo] = dy.shape as unknown as Image;
  const rows = (ho - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const columns = (wo - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const padded = paddedRows(graph, x, rows, columns, pads);
  const filter = gradientAsFilter(graph, dy);
  const parts = Array.from({ length: kh }, (_, ky) => {
    const start = ky * dilations[0];
    const met = graph.slice(padded, [2], [start], [start + (ho - 1) * strides[0] + 1], [strides[0]]);
    const tall = graph.reshape(met, [1, n, channels * ho, columns]);
    return graph.op("Conv", [tall, filter], { kernel_shape: [ho, wo], strides: [ho, dilations[1]], dilations: [1, strides[1]] });
  });
  const stacked = kh === 1 ? parts[0]! : graph.op("Concat", parts, { axis: 0 });
  return natural(filterFromRows(graph, stacked, [kh, kw, channels, o]));
}

/** Convolution rules by recorded operation. */
export const convolutionRules: Readonly<Record<string, LoweringRule>> = {
  Conv2D: conv2d,
  Conv2DInputGrad: conv2dInputGrad,
  Conv2DFilterGrad: conv2dFilterGrad,
};
