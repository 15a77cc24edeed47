/** Kernels that move elements about without computing. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import { currentRecording } from "../graph/recording.ts";
import { leaf } from "../graph/value.ts";
import type { KernelCall, KernelTable } from "./register.ts";

function reshape({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const size = tf.util.sizeFromShape(x.shape);
  const shape = tf.util.inferFromImplicitShape(attributes["shape"] as number[], size);
  if (tf.util.sizeFromShape(shape) !== size) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `cannot reshape [${x.shape.join(", ")}] to [${shape.join(", ")}]: ${size} elements against ${tf.util.sizeFromShape(shape)}`,
    );
  }
  return reshaped(backend, x, shape);
}

function reshaped(backend: KernelCall["backend"], x: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  return shape.join() === x.shape.join() ? backend.alias(x, shape) : backend.emit("Reshape", [x], {}, shape, tensorType(x.dtype));
}

function expandDims({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["input"]!;
  const dim = attributes["dim"] as number;
  const shape = x.shape.slice();
  shape.splice(dim < 0 ? x.shape.length + dim + 1 : dim, 0, 1);
  return reshaped(backend, x, shape);
}

function transpose({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const perm = attributes["perm"] as number[];
  if (perm.every((axis, i) => axis === i)) return backend.alias(x, x.shape);
  return backend.emit("Transpose", [x], { perm: [...perm] }, perm.map((axis) => x.shape[axis]!), tensorType(x.dtype)); // prettier-ignore
}

function concat({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const all = Object.values(inputs);
  const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, all[0]!.shape);
  const shape = tf.backend_util.computeOutShape(all.map((x) => x.shape), axis!); // prettier-ignore
  const parts = all.filter((x) => tf.util.sizeFromShape(x.shape) > 0);
  if (parts.length === 1) return backend.alias(parts[0]!, parts[0]!.shape);
  return backend.emit("Concat", parts, { axis: axis! }, shape, tensorType(all[0]!.dtype));
}

function slice({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]! as tf.Tensor;
  const [begin, size] = tf.slice_util.parseSliceParams(x, attributes["begin"] as number[], attributes["size"] as number[]) as [
    number[],
    number[],
  ];
  return sliced(backend, x, begin, size);
}

function sliced(backend: KernelCall["backend"], x: tf.TensorInfo, begin: number[], size: number[]): tf.TensorInfo {
  if (size.join() === x.shape.join()) return backend.alias(x, x.shape);
  return (
    viewed(backend, x, begin, size) ?? backend.emit("Slice", [x], { begin: begin.slice(), size: size.slice() }, size, tensorType(x.dtype))
  );
}

/**
 * Outside a recording, rows of a tensor that has values are a view of them. Training loops cut their batches so; as an operation, each place of
 * a batch would be a graph of its own.
 */
function viewed(backend: KernelCall["backend"], x: tf.TensorInfo, begin: number[], size: number[]): tf.TensorInfo | null {
  if (currentRecording() !== null || x.shape.length === 0 || size.slice(1).join() !== x.shape.slice(1).join()) return null;
  const { host } = backend.valueBehind(x);
  if (host === null) return null;
  const row = tf.util.sizeFromShape(size.slice(1));
  const data = host.data.subarray(begin[0]! * row, (begin[0]! + size[0]!) * row);
  return { dataId: backend.store(leaf(data, size.slice(), tensorType(x.dtype))), shape: size, dtype: x.dtype };
}

function splitV({ inputs, attributes, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs["x"]!;
  const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, x.shape);
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attributes["numOrSizeSplits"] as number | number[], axis!);
  let start = 0;
  return sizes.map((length) => {
    const begin = x.shape.map((_, i) => (i === axis ? start : 0));
    start += length;
    return sliced(backend, x, begin, x.shape.map((side, i) => (i === axis ? length : side))); // prettier-ignore
  });
}

function unpack({ inputs, attributes, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs["value"]!;
  const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, x.shape);
  const rest = x.shape.filter((_, i) => i !== axis);
  return Array.from({ length: x.shape[axis!]! }, (_, at) => {
    const begin = x.shape.map((__, i) => (i === axis ? at : 0));
    const one = sliced(backend, x, begin, x.shape.map((side, i) => (i === axis ? 1 : side))); // prettier-ignore
    const out = reshaped(backend, one, rest);
    backend.disposeData(one.dataId);
    return out;
  });
}

function pack({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const all = Object.values(inputs);
  const first = all[0]!;
  const axis = tf.util.parseAxisParam(attributes["axis"] as number, [...first.shape, 1])[0]!;
  const one = first.shape.slice();
  one.splice(axis, 0, 1);
  const parts = all.map((x) => reshaped(backend, x, one));
  const shape = one.map((side, i) => (i === axis ? all.length : side));
  const out = parts.length === 1 ? backend.alias(parts[0]!, one) : backend.emit("Concat", parts, { axis }, shape, tensorType(first.dtype));
  for (const part of parts) backend.disposeData(part.dataId);
  return out;
}

function padV2({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const pads = attributes["paddings"] as [number, number][];
  const shape = x.shape.map((side, i) => side + pads[i]![0] + pads[i]![1]);
  if (pads.every(([before, after]) => before === 0 && after === 0)) return backend.alias(x, x.shape);
  return backend.emit(
    "PadV2",
    [x],
    {
      before: pads.map((p) => p[0]),
      after: pads.map((p) => p[1]),
      value: (attributes["constantValue"] as number | undefined) ?? 0,
      mode: "constant",
    },
    shape,
    tensorType(x.dtype),
  );
}

function mirrorPad({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const pads = attributes["paddings"] as [number, number][];
  const mode = attributes["mode"] as string;
  const shape = x.shape.map((side, i) => side + pads[i]![0] + pads[i]![1]);
  if (pads.every(([before, after]) => before === 0 && after === 0)) return backend.alias(x, x.shape);
  const settings = { before: pads.map((p) => p[0]), after: pads.map((p) => p[1]), mode };
  return backend.emit("MirrorPad", [x], settings, shape, tensorType(x.dtype));
}

function tile({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const reps = attributes["reps"] as number[];
  if (reps.every((times) => times === 1)) return backend.alias(x, x.shape);
  return backend.emit("Tile", [x], { reps: [...reps] }, x.shape.map((side, i) => side * reps[i]!), tensorType(x.dtype)); // prettier-ignore
}

function fill({ attributes, backend }: KernelCall): tf.TensorInfo {
  const value = attributes["value"] as number | boolean;
  const dtype = (attributes["dtype"] as string | undefined) ?? "float32";
  return backend.emit("Fill", [], { value: Number(value) }, attributes["shape"] as number[], tensorType(dtype));
}

function range({ attributes, backend }: KernelCall): tf.TensorInfo {
  const { start, stop, step, dtype } = attributes as { start: number; stop: number; step: number; dtype: string };
  const count = start === stop || (start < stop && step < 0) || (stop < start && step > 1) ? 0 : Math.abs(Math.ceil((stop - start) / step));
  return backend.emit("Range", [], { start, step }, [count], tensorType(dtype ?? "float32"));
}

function reverse({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const axes = tf.util.parseAxisParam(attributes["dims"] as number[], x.shape);
  return axes.length === 0 ? backend.alias(x, x.shape) : backend.emit("Reverse", [x], { axes: [...axes] }, x.shape, tensorType(x.dtype));
}

function stridedSlice({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const a = attributes as Record<string, number & number[]>;
  const info = tf.slice_util.sliceInfo(
    x.shape, a["begin"]!, a["end"]!, a["strides"]!, a["beginMask"]!, a["endMask"]!, a["ellipsisMask"]!, a["newAxisMask"]!, a["shrinkAxisMask"]!,
  ); // prettier-ignore
  if (info.isIdentity) return reshaped(backend, x, info.finalShape);
  if (tf.util.sizeFromShape(info.finalShape) === 0) return backend.emit("Fill", [], { value: 0 }, info.finalShape, tensorType(x.dtype));
  const lengths = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  const part = backend.emit(
    "StridedSlice",
    [x],
    { begin: info.begin.slice(), end: info.end.slice(), strides: info.strides.slice() },
    lengths,
    tensorType(x.dtype),
  );
  const out = reshaped(backend, part, info.finalShape);
  backend.disposeData(part.dataId);
  return out;
}

function broadcastTo({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  return backend.emit("BroadcastTo", [x], {}, attributes["shape"] as number[], tensorType(x.dtype));
}

function depthToSpace({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const block = attributes["blockSize"] as number;
  if (attributes["dataFormat"] !== "NHWC") throw new GeoLearnError("KERNEL_MISSING", "DepthToSpace with NCHW data; the engine has NHWC");
  const [n, h, w, c] = x.shape as [number, number, number, number];
  return backend.emit("DepthToSpace", [x], { block }, [n, h * block, w * block, c / (block * block)], tensorType(x.dtype));
}

/** Records a chain of operations; what lies between is released. */
function chain(
  backend: KernelCall["backend"],
  start: tf.TensorInfo,
  steps: readonly ((x: tf.TensorInfo) => tf.TensorInfo)[],
): tf.TensorInfo {
  let now = start;
  for (const step of steps) {
    const next = step(now);
    if (now !== start) backend.disposeData(now.dataId);
    now = next;
  }
  return now;
}

function spaceToBatch({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const block = attributes["blockShape"] as number[];
  const given = attributes["paddings"] as [number, number][];
  const paddings = x.shape.map((_, axis): [number, number] => given[axis - 1] ?? [0, 0]);
  if (x.shape.length > 0) paddings[0] = [0, 0];
  const product = block.reduce((a, b) => a * b, 1);
  const padded = x.shape.map((side, axis) => side + paddings[axis]![0] + paddings[axis]![1]);
  const split = tf.backend_util.getReshaped(padded, block, product, false);
  const perm = tf.backend_util.getPermuted(split.length, block.length, false);
  const flat = tf.backend_util.getReshapedPermuted(padded, block, product, false);
  const call = (now: tf.TensorInfo, more: Record<string, unknown>): KernelCall => ({ inputs: { x: now }, attributes: more, backend });
  return chain(backend, x, [
    (now) => padV2(call(now, { paddings, constantValue: 0 })),
    (now) => reshaped(backend, now, split),
    (now) => transpose(call(now, { perm })),
    (now) => reshaped(backend, now, flat),
  ]);
}

function batchToSpace({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const block = attributes["blockShape"] as number[];
  const crops = attributes["crops"] as number[][];
  const product = block.reduce((a, b) => a * b, 1);
  const split = tf.backend_util.getReshaped(x.shape, block, product);
  const perm = tf.backend_util.getPermuted(split.length, block.length);
  const flat = tf.backend_util.getReshapedPermuted(x.shape, block, product);
  const begin = tf.backend_util.getSliceBeginCoords(crops, block.length);
  const size = tf.backend_util.getSliceSize(flat, crops, block.length);
  const call = (now: tf.TensorInfo, more: Record<string, unknown>): KernelCall => ({ inputs: { x: now }, attributes: more, backend });
  return chain(backend, x, [
    (now) => reshaped(backend, now, split),
    (now) => transpose(call(now, { perm })),
    (now) => reshaped(backend, now, flat),
    (now) => slice(call(now, { begin, size })),
  ]);
}

function linSpace({ attributes, backend }: KernelCall): tf.TensorInfo {
  const { start, stop, num } = attributes as Record<"start" | "stop" | "num", number>;
  return backend.emit("Range", [], { start, step: num > 1 ? (stop - start) / (num - 1) : 0 }, [num], "float32");
}

/** The shape two shapes broadcast to, as tensors: ones give way, from the right. */
function broadcastArgs({ inputs, backend }: KernelCall): tf.TensorInfo {
  const shapes = [inputs["s0"]!, inputs["s1"]!];
  const rank = Math.max(...shapes.map((s) => s.shape[0]!));
  const padded = shapes.map((s) => {
    const before = rank - s.shape[0]!;
    return before === 0 ? s : backend.emit("PadV2", [s], { before: [before], after: [0], value: 1, mode: "constant" }, [rank], "int32");
  });
  const one = backend.emit("Fill", [], { value: 1 }, [], "int32");
  const isOne = backend.emit("Equal", [padded[0]!, one], {}, [rank], "bool");
  const out = backend.emit("Select", [isOne, padded[1]!, padded[0]!], {}, [rank], "int32");
  for (const part of [one, isOne, ...padded.filter((p) => !shapes.includes(p))]) backend.disposeData(part.dataId);
  return out;
}

/** Array kernels by tfjs's names. */
export const arrayKernels: KernelTable = {
  Reshape: reshape,
  ExpandDims: expandDims,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  SplitV: splitV,
  Unpack: unpack,
  Pack: pack,
  PadV2: padV2,
  MirrorPad: mirrorPad,
  Tile: tile,
  Fill: fill,
  Range: range,
  Reverse: reverse,
  StridedSlice: stridedSlice,
  BroadcastTo: broadcastTo,
  DepthToSpace: depthToSpace,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  LinSpace: linSpace,
  BroadcastArgs: broadcastArgs,
  Diag: ({ inputs, backend }) =>
    backend.emit("Diag", [inputs["x"]!], {}, [...inputs["x"]!.shape, ...inputs["x"]!.shape], tensorType(inputs["x"]!.dtype)),
};
