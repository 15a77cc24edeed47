/**
 * Sums and their kin. ONNX Runtime adds long runs of float32 one after another (a mean over 2^20 equal values is off by 1e-3), so
 * sums go axis by axis, and an axis longer than {@link RUN} is folded first.
 */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

/** Longest run added in one go. */
const RUN = 256;
/** Most numbers of two axes added in one go; with {@link RUN} the sums of two long axes would lose digits that one after the other keeps. */
const SHORT_RUN = 64;

const CHANNELS_FIRST_AXIS = [0, 2, 3, 1];

/** Sum along one axis, kept with length 1. `shape` is that of `name` in memory. */
function sumAxis(graph: Lowering, name: string, shape: readonly number[], axis: number): string {
  const length = shape[axis]!;
  if (length === 1) return name;
  if (length <= RUN) return graph.op("ReduceSum", [name, graph.ints([axis])], { keepdims: 1 });
  const rows = Math.floor(length / RUN);
  const folded = rows * RUN;
  const outer = shape.slice(0, axis);
  const inner = shape.slice(axis + 1);
  const main = folded === length ? name : graph.slice(name, [axis], [0], [folded]);
  const sums = graph.op("ReduceSum", [graph.reshape(main, [...outer, rows, RUN, ...inner]), graph.ints([axis + 1])], { keepdims: 0 });
  const total = sumAxis(graph, sums, [...outer, rows, ...inner], axis);
  if (folded === length) return total;
  const rest = graph.op("ReduceSum", [graph.slice(name, [axis], [folded], [length]), graph.ints([axis])], { keepdims: 1 });
  return graph.op("Add", [total, rest]);
}

/** Sum along several axes, kept with length 1, innermost first; short neighbours go at once. */
export function sumAxes(graph: Lowering, name: string, shape: readonly number[], axes: readonly number[]): string {
  let out = name;
  const now = shape.slice();
  const left = [...axes].sort((a, b) => a - b);
  while (left.length > 0) {
    const axis = left.pop()!;
    const outer = left.at(-1);
    const together = outer === axis - 1 ? now[outer]! * now[axis]! : 0;
    if (together > 1 && together <= SHORT_RUN) {
      now[outer!] = together;
      now[axis] = 1;
      out = graph.reshape(out, now);
    } else {
      out = sumAxis(graph, out, now, axis);
      now[axis] = 1;
    }
  }
  return out;
}

/** The same without a size in it: no folding, so long axes lose digits. Rows and columns still go one after the other. */
function axisByAxis(graph: Lowering, type: string, name: string, axes: readonly number[]): string {
  const inner = [...axes].sort((a, b) => b - a);
  return inner.reduce((out, axis) => graph.op(type, [out, graph.ints([axis])], { keepdims: 1 }), name);
}

function inMemory(shape: readonly number[]): number[] {
  return [shape[0]!, shape[3]!, shape[1]!, shape[2]!];
}

type Reducer = (graph: Lowering, name: string, shape: readonly number[], axes: readonly number[]) => string;

/** Reduces in the layout the value has; the result keeps it if its rank stays 4. */
function reduceWith(graph: Lowering, value: Value, reducer: Reducer): Lowered {
  const [x] = value.inputs as [Value];
  const axes = value.attributes["axes"] as readonly number[];
  const keepDims = value.attributes["keepDims"] === true;
  const { name, layout } = graph.where(x);
  if (axes.length === 0) return { name, layout };
  const first = layout === "channelsFirst";
  const reduced = reducer(graph, name, first ? inMemory(x.shape) : x.shape, first ? axes.map((axis) => CHANNELS_FIRST_AXIS[axis]!) : axes);
  const squeeze = (full: string): string =>
    graph.portable ? graph.op("Squeeze", [full, graph.ints(axes)]) : graph.reshape(full, value.shape);
  if (!first) return { name: keepDims ? reduced : squeeze(reduced), layout };
  if (keepDims) return { name: reduced, layout };
  const kept = x.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
  const sameMemory = !graph.portable && (kept[3] === 1 || kept[1]! * kept[2]! === 1);
  return { name: squeeze(sameMemory ? reduced : graph.op("Transpose", [reduced], { perm: [0, 2, 3, 1] })), layout: "natural" };
}

const sum: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  return reduceWith(graph, value, (g, name, shape, axes) => {
    const numbers = x.dtype === "bool" ? g.op("Cast", [name], { to: ELEMENT_TYPES.int32 }) : name;
    return g.portable ? axisByAxis(g, "ReduceSum", numbers, axes) : sumAxes(g, numbers, shape, axes);
  });
};

const mean: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  const count = (value.attributes["axes"] as readonly number[]).reduce((product, axis) => product * x.shape[axis]!, 1);
  return reduceWith(graph, value, (g, name, shape, axes) => {
    const floats = x.dtype === "float32" ? name : g.op("Cast", [name], { to: ELEMENT_TYPES.float32 });
    if (g.portable) return axisByAxis(g, "ReduceMean", floats, axes);
    return g.op("Mul", [sumAxes(g, floats, shape, axes), g.floats([1 / count])]);
  });
};

const other =
  (type: string): LoweringRule =>
  (graph, value) =>
    reduceWith(graph, value, (g, name, _, axes) => g.op(type, [name, g.ints(axes)], { keepdims: 1 }));

/** ONNX Runtime passes over a NaN as if it were not there; here it is the result. */
const extreme =
  (type: string): LoweringRule =>
  (graph, value) =>
    reduceWith(graph, value, (g, name, _, axes) => {
      const found = g.op(type, [name, g.ints(axes)], { keepdims: 1 });
      if (value.dtype !== "float32") return found;
      const isNaN = g.op("Cast", [g.op("IsNaN", [name])], { to: ELEMENT_TYPES.float32 });
      const any = g.op("Cast", [g.op("ReduceMax", [isNaN, g.ints(axes)], { keepdims: 1 })], { to: ELEMENT_TYPES.bool });
      return g.op("Where", [any, g.floats([Number.NaN]), found]);
    });

const logical =
  (type: string): LoweringRule =>
  (graph, value) =>
    reduceWith(graph, value, (g, name, _, axes) => {
      const numbers = g.op("Cast", [name], { to: ELEMENT_TYPES.int32 });
      return g.op("Cast", [g.op(type, [numbers, g.ints(axes)], { keepdims: 1 })], { to: ELEMENT_TYPES.bool });
    });

/** Greatest finite float32. */
const GREATEST = 3.4028234663852886e38;

/**
 * ONNX Runtime passes over a NaN as if it were not there. As in PyTorch it is the extreme one here, the first of several: numbers are kept from
 * infinity and NaN takes its place. (An infinity and the greatest finite number count as equal.)
 */
function ranked(graph: Lowering, name: string, type: "ArgMax" | "ArgMin"): string {
  const finite = graph.op("Clip", [name, graph.floats([-GREATEST]), graph.floats([GREATEST])]);
  return graph.op("Where", [graph.op("IsNaN", [name]), graph.floats([type === "ArgMax" ? Infinity : -Infinity]), finite]);
}

const argument =
  (type: "ArgMax" | "ArgMin"): LoweringRule =>
  (graph, value) => {
    const [x] = value.inputs as [Value];
    const { name, layout } = graph.where(x);
    const axis = value.attributes["axis"] as number;
    // Only over channels does the rest keep its order.
    const first = layout === "channelsFirst" && axis === 3;
    const numbers = first ? name : graph.natural(x);
    const compared = x.dtype === "float32" && !graph.portable ? ranked(graph, numbers, type) : numbers;
    const found = graph.op(type, [compared], { axis: first ? 1 : axis, keepdims: 0 });
    return { name: graph.op("Cast", [found], { to: ELEMENT_TYPES.int32 }), layout: "natural" };
  };

/** Written out, safe for large values. */
function softmaxOver(graph: Lowering, name: string, axis: number, logarithm: boolean): string {
  const shifted = graph.op("Sub", [name, graph.op("ReduceMax", [name, graph.ints([axis])], { keepdims: 1 })]);
  const powers = graph.op("Exp", [shifted]);
  const sum = graph.op("ReduceSum", [powers, graph.ints([axis])], { keepdims: 1 });
  return logarithm ? graph.op("Sub", [shifted, graph.op("Log", [sum])]) : graph.op("Div", [powers, sum]);
}

const softmax =
  (type: string): LoweringRule =>
  (graph, value) => {
    const [x] = value.inputs as [Value];
    const { name, layout } = graph.where(x);
    // Over channels that come first ONNX Runtime would transpose there and back; WebGPU has no LogSoftmax.
    if (layout === "channelsFirst") return { name: softmaxOver(graph, name, 1, type === "LogSoftmax"), layout };
    if (type === "LogSoftmax" && !graph.fused) return { name: softmaxOver(graph, name, x.shape.length - 1, true), layout };
    return { name: graph.op(type, [name], { axis: -1 }), layout };
  };

const cumsum: LoweringRule = (graph, value) => {
  const { axis, exclusive, reverse } = value.attributes as { axis: number; exclusive: boolean; reverse: boolean };
  const at = graph.constant("int32", [], new Uint8Array(Int32Array.of(axis).buffer));
  return {
    name: graph.op("CumSum", [graph.natural(value.inputs[0]!), at], { exclusive: +exclusive, reverse: +reverse }),
    layout: "natural",
  };
};

/** Number of pixels of all images. */
export function pixelsOf(value: Value): number {
  return sizeOf(value.shape) / value.shape[3]!;
}

/** Reduction rules by recorded operation. */
export const reductionRules: Readonly<Record<string, LoweringRule>> = {
  Sum: sum,
  Mean: mean,
  Max: extreme("ReduceMax"),
  Min: extreme("ReduceMin"),
  Prod: other("ReduceProd"),
  All: logical("ReduceMin"),
  Any: logical("ReduceMax"),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  Softmax: softmax("Softmax"),
  LogSoftmax: softmax("LogSoftmax"),
  Cumsum: cumsum,
};
