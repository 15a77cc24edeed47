/** Kernels that pick or place elements by index. */

import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import type { KernelCall, KernelTable } from "./register.ts";

function oneHot({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const indices = inputs["indices"]!;
  const { depth, onValue, offValue, dtype } = attributes as { depth: number; onValue: number; offValue: number; dtype: string };
  return backend.emit("OneHot", [indices], { depth, on: onValue, off: offValue }, [...indices.shape, depth], tensorType(dtype ?? "int32"));
}

function gatherV2({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const indices = inputs["indices"]!;
  const axis = tf.util.parseAxisParam(attributes["axis"] as number, x.shape)[0]!;
  const batchDims = (attributes["batchDims"] as number | undefined) ?? 0;
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  return backend.emit("GatherV2", [x, indices], { axis, batchDims }, shape, tensorType(x.dtype));
}

function gatherNd({ inputs, backend }: KernelCall): tf.TensorInfo {
  const params = inputs["params"]!;
  const indices = inputs["indices"]!;
  const depth = indices.shape.at(-1)!;
  return backend.emit(
    "GatherNd",
    [params, indices],
    {},
    [...indices.shape.slice(0, -1), ...params.shape.slice(depth)],
    tensorType(params.dtype),
  );
}

function scatterNd({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const updates = inputs["updates"]!;
  return backend.emit("ScatterNd", [inputs["indices"]!, updates], {}, attributes["shape"] as number[], tensorType(updates.dtype));
}

function unsortedSegmentSum({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const ids = inputs["segmentIds"]!;
  const shape = [attributes["numSegments"] as number, ...x.shape.slice(ids.shape.length)];
  return backend.emit("UnsortedSegmentSum", [x, ids], {}, shape, tensorType(x.dtype));
}

function topK({ inputs, attributes, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs["x"]!;
  const k = attributes["k"] as number;
  const shape = [...x.shape.slice(0, -1), k];
  return [backend.emit("TopKValues", [x], { k }, shape, tensorType(x.dtype)), backend.emit("TopKIndices", [x], { k }, shape, "int32")];
}

/** Indexing kernels by tfjs's names. */
export const indexingKernels: KernelTable = {
  OneHot: oneHot,
  GatherV2: gatherV2,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
  TopK: topK,
};
