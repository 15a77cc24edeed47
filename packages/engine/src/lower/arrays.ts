/** Moving elements about, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import type { Layout, Lowered, Lowering, LoweringRule } from "./lowering.ts";

const CHANNELS_FIRST = [0, 3, 1, 2];
const FURTHEST = -(2 ** 31);

/** Per-axis settings in the order of memory. */
const inOrder = (values: readonly number[], layout: Layout): number[] =>
  layout === "natural" ? [...values] : CHANNELS_FIRST.map((axis) => values[axis]!);

const axisIn = (axis: number, layout: Layout): number => (layout === "natural" ? axis : CHANNELS_FIRST.indexOf(axis));

const single = (value: Value): Value => value.inputs[0]!;

const reshape: LoweringRule = (graph, value) => {
  const x = single(value);
  return { name: graph.reshape(graph.natural(x), graph.portable ? relativeShape(x.shape, value.shape) : value.shape), layout: "natural" };
};

/** A shape that says as little as possible: 0 takes a leading side from the input, -1 is what is left. */
function relativeShape(from: readonly number[], to: readonly number[]): number[] {
  const kept = to.findIndex((side, axis) => side !== from[axis]);
  return kept < 0 ? to.map(() => 0) : to.map((side, axis) => (axis < kept ? 0 : axis === kept ? -1 : side));
}

const CHANNELS_LAST = [0, 2, 3, 1];

/** Between the two layouts an order of axes is only another name for the same memory. */
const transpose: LoweringRule = (graph, value) => {
  const x = single(value);
  const perm = value.attributes["perm"] as readonly number[];
  const { name, layout } = graph.where(x);
  if (layout === "channelsFirst" && perm.join() === CHANNELS_FIRST.join()) return { name, layout: "natural" };
  if (layout === "natural" && perm.join() === CHANNELS_LAST.join()) return { name, layout: "channelsFirst" };
  return { name: graph.op("Transpose", [graph.natural(x)], { perm }), layout: "natural" };
};

const concat: LoweringRule = (graph, value) => {
  const axis = value.attributes["axis"] as number;
  const layout =
    value.shape.length === 4 && value.inputs.some((input) => graph.where(input).layout === "channelsFirst") ? "channelsFirst" : "natural";
  const names = value.inputs.map((input) => (layout === "natural" ? graph.natural(input) : graph.channelsFirst(input)));
  return { name: graph.op("Concat", names, { axis: axisIn(axis, layout) }), layout };
};

/** Only axes that are really cut. */
function cut(
  graph: Lowering,
  { name, layout }: Lowered,
  shape: readonly number[],
  begin: readonly number[],
  end: readonly number[],
  steps: readonly number[],
): Lowered {
  const axes = shape.map((_, axis) => axis).filter((axis) => begin[axis] !== 0 || end[axis] !== shape[axis] || steps[axis] !== 1);
  if (axes.length === 0) return { name, layout };
  const pick = (values: readonly number[]): number[] => axes.map((axis) => values[axis]!);
  // Counted from the far side, an end does not depend on the size.
  const stops = graph.portable ? end.map((stop, axis) => (steps[axis]! > 0 && stop < shape[axis]! ? stop - shape[axis]! : stop)) : end;
  return { name: graph.slice(name, axes.map((axis) => axisIn(axis, layout)), pick(begin), pick(stops), pick(steps)), layout }; // prettier-ignore
}

const slice: LoweringRule = (graph, value) => {
  const x = single(value);
  const begin = value.attributes["begin"] as readonly number[];
  const size = value.attributes["size"] as readonly number[];
  return cut(graph, graph.where(x), x.shape, begin, begin.map((start, i) => start + size[i]!), x.shape.map(() => 1)); // prettier-ignore
};

const stridedSlice: LoweringRule = (graph, value) => {
  const x = single(value);
  const strides = value.attributes["strides"] as readonly number[];
  const end = (value.attributes["end"] as readonly number[]).map((stop, i) => (strides[i]! < 0 && stop < 0 ? FURTHEST : stop));
  return cut(graph, graph.where(x), x.shape, value.attributes["begin"] as readonly number[], end, strides);
};

const reverse: LoweringRule = (graph, value) => {
  const { name, layout } = graph.where(single(value));
  const axes = (value.attributes["axes"] as readonly number[]).map((axis) => axisIn(axis, layout));
  const all = (number: number): number[] => axes.map(() => number);
  return { name: graph.slice(name, axes, all(-1), all(FURTHEST), all(-1)), layout };
};

const pad: LoweringRule = (graph, value) => {
  const { name, layout } = graph.where(single(value));
  const before = inOrder(value.attributes["before"] as readonly number[], layout);
  const after = inOrder(value.attributes["after"] as readonly number[], layout);
  const fill = value.attributes["value"] as number;
  const constant = value.dtype === "int32" ? graph.int32([fill]) : graph.floats([fill]);
  const inputs = [
    name,
    graph.ints([...before, ...after]),
    ...(value.attributes["mode"] === "constant" && value.dtype !== "bool" ? [constant] : []),
  ];
  return { name: graph.op("Pad", inputs, { mode: value.attributes["mode"] as string }), layout };
};

const tile: LoweringRule = (graph, value) => {
  const { name, layout } = graph.where(single(value));
  return { name: graph.op("Tile", [name, graph.ints(inOrder(value.attributes["reps"] as readonly number[], layout))]), layout };
};

const fill: LoweringRule = (graph, value) => filled(graph, value, value.attributes["value"] as number);

function filled(graph: Lowering, value: Value, number: number): Lowered {
  const shape = value.shape;
  const bytes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[value.dtype].of(number).buffer;
  const scalar = graph.constant(value.dtype, [], new Uint8Array(bytes));
  return { name: shape.length === 0 ? scalar : graph.op("Expand", [scalar, graph.ints(shape)]), layout: "natural" };
}

const range: LoweringRule = (graph, value) => {
  const { start, step } = value.attributes as { start: number; step: number };
  const numbers = Array.from({ length: value.shape[0]! }, (_, i) => start + i * step);
  const name = value.dtype === "int32" ? graph.int32(numbers, value.shape) : graph.floats(numbers, value.shape);
  return { name, layout: "natural" };
};

const broadcastTo: LoweringRule = (graph, value) => ({
  name: graph.op("Expand", [graph.natural(single(value)), graph.ints(value.shape)]),
  layout: "natural",
});

const depthToSpace: LoweringRule = (graph, value) => ({
  name: graph.op("DepthToSpace", [graph.channelsFirst(single(value))], { blocksize: value.attributes["block"] as number, mode: "DCR" }),
  layout: "channelsFirst",
});

/** Array rules by recorded operation. */
export const arrayRules: Readonly<Record<string, LoweringRule>> = {
  Reshape: reshape,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  PadV2: pad,
  Tile: tile,
  Fill: fill,
  Range: range,
  BroadcastTo: broadcastTo,
  DepthToSpace: depthToSpace,
  ZerosLike: (graph, value) => filled(graph, value, 0),
  OnesLike: (graph, value) => filled(graph, value, 1),
};
