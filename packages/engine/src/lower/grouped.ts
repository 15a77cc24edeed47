/**
 * Convolutions in groups as ONNX nodes; a depthwise one has a group per channel. Filters are `[height, width, in / groups, out]`.
 */

import type { Value } from "../graph/value.ts";
import { type GroupedGeometry, canBlockDepthwise, depthwiseFilterGrad, depthwiseForward, depthwiseInputGrad } from "./depthwise.ts";
import { oihwFilter } from "./filters.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

type Image = readonly [number, number, number, number];

const geometryOf = (value: Value): GroupedGeometry => value.attributes as unknown as GroupedGeometry;
const first = (name: string): Lowered => ({ name, layout: "channelsFirst" });
const FURTHEST = -(2 ** 31);

const forward: LoweringRule = (graph, value) => {
  const [x, filter, bias] = value.inputs as [Value, Value, Value?];
  const geometry = geometryOf(value);
  // With constant filters ONNX Runtime chooses the layout itself.
  if (canBlockDepthwise(graph, filter.shape, geometry) && !graph.isConstant(filter))
    return first(depthwiseForward(graph, x, filter, bias, geometry));
  const { strides, dilations, pads, groups } = geometry;
  const settings = { kernel_shape: filter.shape.slice(0, 2), strides, dilations, pads, group: groups };
  const more = bias === undefined ? [] : [graph.natural(bias)];
  return first(graph.op("Conv", [graph.channelsFirst(x), oihwFilter(graph, filter), ...more], settings));
};

/** At stride 1 a convolution with the filter turned by half, in and out of each group exchanged. */
function turnedFilter(graph: Lowering, filter: Value, groups: number): string {
  const [kh, kw, each, out] = filter.shape as unknown as Image;
  const name = graph.natural(filter);
  return graph.shared(`turned ${name} ${groups}`, () => {
    const split = graph.reshape(name, [kh, kw, each, groups, out / groups]);
    const swapped = graph.reshape(graph.op("Transpose", [split], { perm: [3, 2, 4, 0, 1] }), [groups * each, out / groups, kh, kw]);
    return kh * kw === 1 ? swapped : graph.slice(swapped, [2, 3], [-1, -1], [FURTHEST, FURTHEST], [-1, -1]);
  });
}

const inputGrad: LoweringRule = (graph, value) => {
  const [dy, filter] = value.inputs as [Value, Value];
  const geometry = geometryOf(value);
  const blocked = canBlockDepthwise(graph, filter.shape, geometry) ? depthwiseInputGrad(graph, dy, filter, value.shape, geometry) : null;
  if (blocked !== null) return first(blocked);
  const { strides, dilations, pads, groups } = geometry;
  const kernel = filter.shape.slice(0, 2);
  const spans = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const turnedPads = pads.map((pad, i) => spans[i % 2]! - pad);
  const source = graph.channelsFirst(dy);
  if (strides[0] === 1 && strides[1] === 1 && turnedPads.every((pad) => pad >= 0)) {
    const settings = { kernel_shape: kernel, strides: [1, 1], dilations, pads: turnedPads, group: groups };
    return first(graph.op("Conv", [source, turnedFilter(graph, filter, groups)], settings));
  }
  // Rows and columns that a floor division left over are added at the end.
  const rest = [0, 1].map((i) => value.shape[i + 1]! + pads[i]! + pads[i + 2]! - ((dy.shape[i + 1]! - 1) * strides[i]! + spans[i]! + 1));
  const settings = { kernel_shape: kernel, strides, dilations, pads, output_padding: rest, group: groups };
  return first(graph.op("ConvTranspose", [source, oihwFilter(graph, filter)], settings));
};

/** x with its padding, cut to the rows and columns the windows really touch. */
function paddedRows(graph: Lowering, x: Value, rows: number, columns: number, pads: GroupedGeometry["pads"]): string {
  const [, h, w] = x.shape as unknown as Image;
  const name = graph.channelsFirst(x);
  const all = [pads[0], pads[1], rows - h - pads[0], columns - w - pads[1]];
  if (all.every((pad) => pad === 0)) return name;
  return graph.shared(`padded ${name} ${all.join()}`, () =>
    graph.op("Pad", [name, graph.ints([0, 0, all[0]!, all[1]!, 0, 0, all[2]!, all[3]!])]),
  );
}

/** Channels of a group from which products of matrices are faster than a convolution with filters as large as images. */
const WORTH_PRODUCTS = 4;

/**
 * A product of matrices per image, group and row of the kernel: the columns' offsets lie beside the channels, `[kernel width * in / groups,
 * pixels]` against `[out / groups, pixels]`.
 */
function filterGradByProducts(graph: Lowering, image: string, value: Value, dy: Value, geometry: GroupedGeometry): string {
  const { strides, dilations, groups } = geometry;
  const [kh, kw, each, out] = value.shape as unknown as Image;
  const [n, ho, wo] = dy.shape as unknown as Image;
  const rows = (ho - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const shifted = Array.from({ length: kw }, (_, at) => {
    const columns = graph.slice(image, [3], [at * dilations[1]], [at * dilations[1] + (wo - 1) * strides[1] + 1], [strides[1]]);
    return graph.reshape(columns, [n, groups, each, rows, wo]);
  });
  const beside = kw === 1 ? shifted[0]! : graph.op("Concat", shifted, { axis: 2 });
  const weights = graph.reshape(graph.channelsFirst(dy), [n * groups, out / groups, ho * wo]);
  const found = Array.from({ length: kh }, (_, at) => {
    const [from, to] = [at * dilations[0], at * dilations[0] + (ho - 1) * strides[0] + 1];
    const pixels = graph.reshape(graph.slice(beside, [3], [from], [to], [strides[0]]), [n * groups, kw * each, ho * wo]);
    const products = graph.reshape(graph.product(pixels, weights, { transB: 3 }), [n, groups * kw, each, out / groups]);
    return n === 1 ? products : graph.op("ReduceSum", [products, graph.ints([0])], { keepdims: 1 });
  });
  const all = graph.reshape(kh === 1 ? found[0]! : graph.op("Concat", found, { axis: 0 }), [kh, groups, kw, each, out / groups]);
  return graph.reshape(graph.op("Transpose", [all], { perm: [0, 2, 3, 1, 4] }), value.shape);
}

/**
 * One convolution in as many groups, images being the channels of each group: x as `[in / groups, groups * N, ...]` against dy as
 * `[out, N, ...]`, strides and dilations exchanged.
 */
const filterGrad: LoweringRule = (graph, value) => {
  const [x, dy] = value.inputs as [Value, Value];
  const geometry = geometryOf(value);
  if (canBlockDepthwise(graph, value.shape, geometry))
    return { name: depthwiseFilterGrad(graph, x, dy, value.shape, geometry), layout: "natural" };
  const { strides, dilations, pads, groups } = geometry;
  const [kh, kw, each, out] = value.shape as unknown as Image;
  const [n, ho, wo] = dy.shape as unknown as Image;
  const rows = (ho - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const columns = (wo - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const whole = paddedRows(graph, x, rows, columns, pads);
  if (each >= WORTH_PRODUCTS) return { name: filterGradByProducts(graph, whole, value, dy, geometry), layout: "natural" };
  const padded = graph.reshape(whole, [n, groups, each, rows, columns]);
  const image = graph.reshape(graph.op("Transpose", [padded], { perm: [2, 1, 0, 3, 4] }), [each, groups * n, rows, columns]);
  const source = graph.channelsFirst(dy);
  const filter = n === 1 ? graph.reshape(source, [out, 1, ho, wo]) : graph.op("Transpose", [source], { perm: [1, 0, 2, 3] });
  const settings = { kernel_shape: [ho, wo], strides: dilations, dilations: strides, group: groups };
  const found = graph.op("Conv", [image, filter], settings);
  return { name: graph.op("Transpose", [found], { perm: [2, 3, 0, 1] }), layout: "natural" };
};

/** Rules of grouped convolutions by recorded operation. */
export const groupedRules: Readonly<Record<string, LoweringRule>> = {
  GroupedConv: forward,
  GroupedInputGrad: inputGrad,
  GroupedFilterGrad: filterGrad,
};
