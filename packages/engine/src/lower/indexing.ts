/** Picking and placing by index, as ONNX nodes. */

import { GeoLearnError } from "@geolearn/core";
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

const gather: LoweringRule = (graph, value) => {
  const [x, indices] = value.inputs as [Value, Value];
  const { axis, batchDims } = value.attributes as { axis: number; batchDims: number };
  if (batchDims === 0) return natural(graph.op("Gather", [graph.natural(x), graph.natural(indices)], { axis }));
  // Batched: flatten to [batch * length, rest] and add each batch's offset to its indices.
  if (axis !== batchDims)
    throw new GeoLearnError("KERNEL_MISSING", `GatherV2 with axis ${axis} and batchDims ${batchDims}; the engine has axis = batchDims`);
  const batch = sizeOf(x.shape.slice(0, axis));
  const length = x.shape[axis]!;
  const each = sizeOf(indices.shape) / batch;
  const offsets = graph.int32(Array.from({ length: batch }, (_, i) => i * length), [batch, 1]); // prettier-ignore
  const places = graph.op("Add", [graph.reshape(graph.natural(indices), [batch, each]), offsets]);
  const rows = graph.op("Gather", [graph.reshape(graph.natural(x), [batch * length, ...x.shape.slice(axis + 1)]), places], { axis: 0 });
  return natural(graph.reshape(rows, value.shape));
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

/** Rows added at their segment's place; ids outside are refused by ONNX Runtime. */
const unsortedSegmentSum: LoweringRule = (graph, value) => {
  const [x, ids] = value.inputs as [Value, Value];
  const places = graph.reshape(graph.natural(ids), [...ids.shape, 1]);
  return natural(graph.op("ScatterND", [zeros(graph, value), toInt64(graph, places), graph.natural(x)], { reduction: "add" }));
};

function topK(graph: Lowering, value: Value): string[] {
  const x = graph.natural(value.inputs[0]!);
  const k = value.attributes["k"] as number;
  return graph.shared(`topk ${x} ${k}`, () => graph.ops("TopK", [x, graph.ints([k])], { axis: -1 }, 2).join(" ")).split(" ");
}

/** Indexing rules by recorded operation. */
export const indexingRules: Readonly<Record<string, LoweringRule>> = {
  OneHot: oneHot,
  GatherV2: gather,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
  TopKValues: (graph, value) => natural(topK(graph, value)[0]!),
  TopKIndices: (graph, value) => natural(graph.op("Cast", [topK(graph, value)[1]!], { to: ELEMENT_TYPES.int32 })),
};
