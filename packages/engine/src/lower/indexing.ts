/** Picking and placing by index, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

const natural = (name: string): Lowered => ({ name, layout: "natural" });
const toInt64 = (graph: Lowering, name: string): string => graph.op("Cast", [name], { to: ELEMENT_TYPES.int64 });

/**
 * Indices compared with 0..depth-1: an index outside gives zeros everywhere, where ONNX's OneHot would count negative ones
 * from the end.
 */
const oneHot: LoweringRule = (graph, value) => {
  const [indices] = value.inputs as [Value];
  const { depth, on, off } = value.attributes as { depth: number; on: number; off: number };
  const classes = Array.from({ length: depth }, (_, i) => i);
  const image = value.shape.length === 4;
  const [n, h, w] = value.shape as unknown as [number, number, number];
  const shape = image ? [n, 1, h, w] : [...indices.shape, 1];
  const equal = graph.op("Equal", [graph.reshape(graph.natural(indices), shape), graph.int32(classes, image ? [depth, 1, 1] : [depth])]);
  const hot = graph.op("Cast", [equal], { to: ELEMENT_TYPES[value.dtype] });
  const layout = image ? "channelsFirst" : "natural";
  if (on === 1 && off === 0) return { name: hot, layout };
  const number = (x: number): string => (value.dtype === "int32" ? graph.int32([x]) : graph.floats([x]));
  return { name: graph.op("Add", [graph.op("Mul", [hot, number(on - off)]), number(off)]), layout };
};

interface Gathering {
  readonly axis: number;
  readonly batchDims: number;
}

/** Sides of `[batch, outer, length, inner]`, the axis picked from being third. */
function partsOf(shape: readonly number[], { axis, batchDims }: Gathering): [number, number, number, number] {
  return [sizeOf(shape.slice(0, batchDims)), sizeOf(shape.slice(batchDims, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
}

/** Numbers of rows of `[batch * length, ...]` picked in each batch, `[batch, each]`. */
function rowsPicked(graph: Lowering, indices: Value, batch: number, length: number): string {
  const each = sizeOf(indices.shape) / batch;
  const name = graph.reshape(graph.natural(indices), [batch, each]);
  if (batch === 1) return name;
  return graph.op("Add", [name, graph.int32(Array.from({ length: batch }, (_, i) => i * length), [batch, 1])]); // prettier-ignore
}

const gather: LoweringRule = (graph, value) => {
  const [x, indices] = value.inputs as [Value, Value];
  const how = value.attributes as unknown as Gathering;
  if (how.batchDims === 0) return natural(graph.op("Gather", [graph.natural(x), graph.natural(indices)], { axis: how.axis }));
  const [batch, outer, length, inner] = partsOf(x.shape, how);
  const each = sizeOf(indices.shape) / batch;
  const split = graph.reshape(graph.natural(x), [batch, outer, length, inner]);
  const ordered = outer === 1 ? split : graph.op("Transpose", [split], { perm: [0, 2, 1, 3] });
  const rows = graph.op("Gather", [graph.reshape(ordered, [batch * length, outer, inner]), rowsPicked(graph, indices, batch, length)], {
    axis: 0,
  });
  const back = outer === 1 ? rows : graph.op("Transpose", [graph.reshape(rows, [batch, each, outer, inner])], { perm: [0, 2, 1, 3] });
  return natural(graph.reshape(back, value.shape));
};

/** Every picked row gives its gradient back to where it came from. */
const gatherGrad: LoweringRule = (graph, value) => {
  const [dy, indices] = value.inputs as [Value, Value];
  const how = value.attributes as unknown as Gathering;
  const [batch, outer, length, inner] = partsOf(value.shape, how);
  const each = sizeOf(indices.shape) / batch;
  const split = graph.reshape(graph.natural(dy), [batch, outer, each, inner]);
  const ordered = outer === 1 ? split : graph.op("Transpose", [split], { perm: [0, 2, 1, 3] });
  const places = graph.reshape(rowsPicked(graph, indices, batch, length), [batch * each, 1]);
  const zero = graph.op("Expand", [graph.floats([0]), graph.ints([batch * length, outer, inner])]);
  const rows = graph.reshape(ordered, [batch * each, outer, inner]);
  const sums = graph.op("ScatterND", [zero, toInt64(graph, places), rows], { reduction: "add" });
  const back = outer === 1 ? sums : graph.op("Transpose", [graph.reshape(sums, [batch, length, outer, inner])], { perm: [0, 2, 1, 3] });
  return natural(graph.reshape(back, value.shape));
};

const gatherNd: LoweringRule = (graph, value) => {
  const [params, indices] = value.inputs as [Value, Value];
  return natural(graph.op("GatherND", [graph.natural(params), toInt64(graph, graph.natural(indices))]));
};

function zeros(graph: Lowering, value: Value): string {
  const scalar = value.dtype === "int32" ? graph.int32([0]) : graph.floats([0]);
  return graph.op("Expand", [scalar, graph.ints(value.shape)]);
}

const scatterNd: LoweringRule = (graph, value) => {
  const [indices, updates] = value.inputs as [Value, Value];
  return natural(
    graph.op("ScatterND", [zeros(graph, value), toInt64(graph, graph.natural(indices)), graph.natural(updates)], { reduction: "add" }),
  );
};

/** Replaces what the indices name; of several updates of a place the last one holds. */
const scatterUpdate: LoweringRule = (graph, value) => {
  const [tensor, indices, updates] = value.inputs as [Value, Value, Value];
  return natural(graph.op("ScatterND", [graph.natural(tensor), toInt64(graph, graph.natural(indices)), graph.natural(updates)]));
};

/** Rows added at their segment's place; ids outside 0..segments - 1 go into a row that is cut off. */
const unsortedSegmentSum: LoweringRule = (graph, value) => {
  const [x, ids] = value.inputs as [Value, Value];
  const [segments, ...rest] = value.shape as [number, ...number[]];
  const name = graph.natural(ids);
  const outside = graph.op("Or", [graph.op("Less", [name, graph.int32([0])]), graph.op("GreaterOrEqual", [name, graph.int32([segments])])]);
  const places = graph.reshape(graph.op("Where", [outside, graph.int32([segments]), name]), [...ids.shape, 1]);
  const scalar = value.dtype === "int32" ? graph.int32([0]) : graph.floats([0]);
  const zero = graph.op("Expand", [scalar, graph.ints([segments + 1, ...rest])]);
  const sums = graph.op("ScatterND", [zero, toInt64(graph, places), graph.natural(x)], { reduction: "add" });
  return natural(graph.slice(sums, [0], [0], [segments]));
};

/** Gradients of the greatest values, put back along the last axis. */
const topKGrad: LoweringRule = (graph, value) => {
  const [dy, indices] = value.inputs as [Value, Value];
  const settings = { axis: value.shape.length - 1, reduction: "add" };
  return natural(graph.op("ScatterElements", [zeros(graph, value), graph.natural(indices), graph.natural(dy)], settings));
};

/** A square matrix with the values on its diagonal: each followed by as many zeros as it takes to the next. */
const diag: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  const size = sizeOf(x.shape);
  const apart = graph.op("Pad", [graph.reshape(graph.natural(x), [size, 1]), graph.ints([0, 0, 0, size]), zeroOf(graph, value)]);
  return natural(graph.reshape(graph.slice(graph.reshape(apart, [size * (size + 1)]), [0], [0], [size * size]), value.shape));
};

const zeroOf = (graph: Lowering, value: Value): string => (value.dtype === "int32" ? graph.int32([0]) : graph.floats([0]));

function topK(graph: Lowering, value: Value): string[] {
  const x = graph.natural(value.inputs[0]!);
  const k = value.attributes["k"] as number;
  return graph.shared(`topk ${x} ${k}`, () => graph.ops("TopK", [x, graph.ints([k])], { axis: -1 }, 2).join(" ")).split(" ");
}

/** Indexing rules by recorded operation. */
export const indexingRules: Readonly<Record<string, LoweringRule>> = {
  OneHot: oneHot,
  GatherV2: gather,
  GatherGrad: gatherGrad,
  ScatterUpdate: scatterUpdate,
  TopKGrad: topKGrad,
  Diag: diag,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
  TopKValues: (graph, value) => natural(topK(graph, value)[0]!),
  TopKIndices: (graph, value) => natural(graph.op("Cast", [topK(graph, value)[1]!], { to: ELEMENT_TYPES.int32 })),
};
