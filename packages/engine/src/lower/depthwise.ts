/**
 * Depthwise convolutions in ONNX Runtime's blocked layout (`blocked.ts`), where they have kernels of their own: elsewhere every channel is a
 * product of matrices of one row. The filter gradient is one more such convolution: every channel of every image is a channel, the gradient is its
 * filter, strides and dilations are exchanged, and nothing is copied, because images and blocks of channels lie one after another anyway.
 */

import type { Value } from "../graph/value.ts";
import type { Lowering } from "./lowering.ts";

/** Geometry of a grouped convolution. */
export interface GroupedGeometry {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** `[top, left, bottom, right]` */
  readonly pads: readonly [number, number, number, number];
  readonly groups: number;
}

type Image = readonly [number, number, number, number];

const FURTHEST = -(2 ** 31);

/** Most products added one after another; longer sums lose digits. */
const RUN = 4096;

/** Whether a convolution in groups with this filter `[height, width, 1, C]` can be blocked. ReorderInput takes channels in fours. */
export function canBlockDepthwise(graph: Lowering, shape: readonly number[], { groups }: GroupedGeometry): boolean {
  return graph.block > 0 && shape[2] === 1 && shape[3] === groups && groups % 4 === 0;
}

const roundedUp = (graph: Lowering, channels: number): number => Math.ceil(channels / graph.block) * graph.block;

function blockedImage(graph: Lowering, x: Value): string {
  const name = graph.channelsFirst(x);
  return graph.shared(`blocked ${name}`, () => graph.blocked("ReorderInput", [name], { channels_last: 0 }));
}

/** `[C / b, height, width, b]`, said to be `[C, 1, height, width]`; filled up with zeros to whole blocks. */
function blockedFilter(graph: Lowering, filter: Value, turned: boolean): string {
  const [kh, kw, , channels] = filter.shape as unknown as Image;
  const whole = roundedUp(graph, channels);
  const name = graph.natural(filter);
  const placed = turned ? graph.slice(name, [0, 1], [-1, -1], [FURTHEST, FURTHEST], [-1, -1]) : name;
  const flat = graph.reshape(placed, [kh * kw, channels]);
  const filled = whole === channels ? flat : graph.op("Pad", [flat, graph.ints([0, 0, 0, whole - channels])]);
  const blocks = graph.reshape(filled, [kh * kw, whole / graph.block, graph.block]);
  return graph.reshape(graph.op("Transpose", [blocks], { perm: [1, 0, 2] }), [whole, 1, kh, kw]);
}

/** Name of the result, channels first. */
export function depthwiseForward(graph: Lowering, x: Value, filter: Value, bias: Value | undefined, geometry: GroupedGeometry): string {
  const { strides, dilations, pads, groups } = geometry;
  const whole = roundedUp(graph, groups);
  const settings = { kernel_shape: filter.shape.slice(0, 2), strides, dilations, pads, group: whole };
  const inputs = [blockedImage(graph, x), blockedFilter(graph, filter, false)];
  if (bias !== undefined) inputs.push(filledUp(graph, graph.natural(bias), groups, whole));
  return graph.blocked("ReorderOutput", [graph.blocked("Conv", inputs, settings)], { channels: groups, channels_last: 0 });
}

const filledUp = (graph: Lowering, vector: string, from: number, to: number): string =>
  from === to ? vector : graph.op("Pad", [vector, graph.ints([0, to - from])]);

/**
 * Gradient for x of `shape`, channels first: a convolution of dy, with zeros between its pixels where the stride is above 1. Null where the
 * padding does not allow it.
 */
export function depthwiseInputGrad(
  graph: Lowering,
  dy: Value,
  filter: Value,
  shape: readonly number[],
  geometry: GroupedGeometry,
): string | null {
  const { strides, dilations, pads, groups } = geometry;
  const [n, ho, wo] = dy.shape as unknown as Image;
  const whole = roundedUp(graph, groups);
  const kernel = filter.shape.slice(0, 2);
  const spread = [ho * strides[0], wo * strides[1]] as const;
  const before = [0, 1].map((i) => (kernel[i]! - 1) * dilations[i]! - pads[i]!);
  const after = [0, 1].map((i) => shape[i + 1]! + pads[i]! - spread[i]!);
  if ([...before, ...after].some((pad) => pad < 0)) return null;
  let image = blockedImage(graph, dy);
  if (strides[0] > 1 || strides[1] > 1) {
    const { block } = graph;
    const apart = graph.reshape(image, [(n * whole * ho) / block, 1, wo, block]);
    const zeros = graph.ints([0, 0, 0, 0, 0, strides[0] - 1, 0, block * (strides[1] - 1)]);
    image = graph.reshape(graph.op("Pad", [apart, zeros]), [n, whole, ...spread]);
  }
  const settings = { kernel_shape: kernel, strides: [1, 1], dilations, pads: [...before, ...after], group: whole };
  const out = graph.blocked("Conv", [image, blockedFilter(graph, filter, true)], settings);
  return graph.blocked("ReorderOutput", [out], { channels: groups, channels_last: 0 });
}

/** Gradient for the filter, `[height, width, 1, C]`, in strips of rows so that no sum becomes long. */
export function depthwiseFilterGrad(graph: Lowering, x: Value, dy: Value, kernel: readonly number[], geometry: GroupedGeometry): string {
  const { strides, dilations, pads, groups } = geometry;
  const { block } = graph;
  const [n, h, w] = x.shape as unknown as Image;
  const [, ho, wo] = dy.shape as unknown as Image;
  const [kh, kw] = kernel as readonly [number, number];
  const whole = roundedUp(graph, groups);
  const planes = (n * whole) / block;
  const [image, gradient] = [blockedImage(graph, x), blockedImage(graph, dy)];
  const right = (wo - 1) * strides[1] + (kw - 1) * dilations[1] + 1 - w - pads[1];
  const strip = Math.max(1, Math.floor(RUN / wo));
  const parts: string[] = [];
  for (let top = 0; top < ho; top += strip) {
    const bottom = Math.min(top + strip, ho);
    // Rows of x that these rows of dy meet, some of them in the padding.
    const from = top * strides[0] - pads[0];
    const to = (bottom - 1) * strides[0] + (kh - 1) * dilations[0] + 1 - pads[0];
    const [begin, end] = [Math.max(0, from), Math.min(h, to)];
    if (end <= begin) continue;
    const rows = rowsOf(graph, image, planes, [h, w], begin, end);
    const weights = rowsOf(graph, gradient, planes, [ho, wo], top, bottom);
    const settings = {
      kernel_shape: [bottom - top, wo],
      strides: dilations,
      dilations: strides,
      pads: [begin - from, pads[1], to - end, Math.max(0, right)],
      group: n * whole,
    };
    const inputs = [graph.reshape(rows, [1, n * whole, end - begin, w]), graph.reshape(weights, [n * whole, 1, bottom - top, wo])];
    const found = graph.blocked("Conv", inputs, settings);
    // Columns of x that no window meets give offsets that are not wanted.
    const columns = right >= 0 ? kw : Math.floor(-right / dilations[1]) + kw;
    const cells = graph.reshape(found, [n, whole / block, kh, columns, block]);
    parts.push(columns === kw ? cells : graph.slice(cells, [3], [0], [kw]));
  }
  if (parts.length === 0) return graph.op("Expand", [graph.floats([0]), graph.ints([kh, kw, 1, groups])]);
  const sum = parts.length === 1 ? parts[0]! : graph.op("Sum", parts);
  const total = n === 1 ? sum : graph.op("ReduceSum", [sum, graph.ints([0])], { keepdims: 1 });
  const ordered = graph.reshape(graph.op("Transpose", [total], { perm: [0, 2, 3, 1, 4] }), [kh, kw, 1, whole]);
  return whole === groups ? ordered : graph.slice(ordered, [3], [0], [groups]);
}

/** Some rows of all planes of blocked images. */
function rowsOf(graph: Lowering, name: string, planes: number, [h, w]: readonly [number, number], begin: number, end: number): string {
  if (begin === 0 && end === h) return name;
  return graph.slice(graph.reshape(name, [planes, h, w * graph.block]), [1], [begin], [end]);
}
