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

function tensorScatterUpdate({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { tensor, indices, updates } = inputs as Record<"tensor" | "indices" | "updates", tf.TensorInfo>;
  return backend.emit("ScatterUpdate", [tensor, indices, updates], {}, tensor.shape, tensorType(tensor.dtype));
}

/** Values at places of an array otherwise filled with the default; one value may stand for all places. */
function sparseToDense({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { sparseIndices, sparseValues, defaultValue } = inputs as Record<"sparseIndices" | "sparseValues" | "defaultValue", tf.TensorInfo>;
  const shape = attributes["outputShape"] as number[];
  const dtype = tensorType(sparseValues.dtype);
  const count = sparseIndices.shape.length === 0 ? 1 : sparseIndices.shape[0]!;
  const depth = sparseIndices.shape.length === 2 ? sparseIndices.shape[1]! : 1;
  const indices = backend.emit("Reshape", [sparseIndices], {}, [count, depth], "int32");
  const whole = backend.emit("BroadcastTo", [defaultValue], {}, shape, dtype);
  const values =
    sparseValues.shape.length === 0
      ? backend.emit("BroadcastTo", [sparseValues], {}, [count], dtype)
      : backend.alias(sparseValues, sparseValues.shape);
  const out = backend.emit("ScatterUpdate", [whole, indices, values], {}, shape, dtype);
  for (const part of [indices, whole, values]) backend.disposeData(part.dataId);
  return out;
}

function bincount({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { x, weights } = inputs as Record<"x" | "weights", tf.TensorInfo>;
  const shape = [...x.shape.slice(0, -1), attributes["size"] as number];
  const binary = attributes["binaryOutput"] === true;
  const given = tf.util.sizeFromShape(weights.shape) === 0 ? [x] : [x, weights];
  return backend.emit("Bincount", given, { binary }, shape, tensorType(weights.dtype));
}

const searchSorted =
  (side?: "left" | "right") =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const { sortedSequence, values } = inputs as Record<"sortedSequence" | "values", tf.TensorInfo>;
    return backend.emit("SearchSorted", [sortedSequence, values], { side: side ?? (attributes["side"] as string) }, values.shape, "int32");
  };

/** Indexing kernels by tfjs's names. */
export const indexingKernels: KernelTable = {
  OneHot: oneHot,
  GatherV2: gatherV2,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  UnsortedSegmentSum: unsortedSegmentSum,
  TopK: topK,
  TensorScatterUpdate: tensorScatterUpdate,
  SparseToDense: sparseToDense,
  Bincount: bincount,
  DenseBincount: bincount,
  SearchSorted: searchSorted(),
  LowerBound: searchSorted("left"),
  UpperBound: searchSorted("right"),
};
