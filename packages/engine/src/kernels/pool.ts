/** Pooling and its gradients, and batch norm with given statistics. */

import * as tf from "@tensorflow/tfjs";
import type { Attributes } from "../graph/value.ts";
import { endPad } from "./geometry.ts";
import type { KernelCall, KernelTable } from "./register.ts";

function infoOf(shape: readonly number[], attributes: KernelCall["attributes"]): { outShape: number[]; recorded: Attributes } {
  const info = tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    attributes["filterSize"] as number | [number, number],
    attributes["strides"] as number | [number, number],
    1,
    attributes["pad"] as "same" | "valid" | number,
    attributes["dimRoundingMode"] as "floor" | "round" | "ceil" | undefined,
  );
  const { top, left } = info.padInfo;
  const bottom = endPad(info.inHeight, info.outHeight, info.strideHeight, info.effectiveFilterHeight, top);
  const right = endPad(info.inWidth, info.outWidth, info.strideWidth, info.effectiveFilterWidth, left);
  return {
    outShape: info.outShape,
    recorded: {
      kernel: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      pads: [top, left, bottom, right],
    },
  };
}

const forward =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const { outShape, recorded } = infoOf(inputs["x"]!.shape, attributes);
    return backend.emit(op, [inputs["x"]!], recorded, outShape, "float32");
  };

/** Also the place of each maximum: tfjs counts `(row * width + column) * channels + channel`, from each image's start unless told otherwise. */
function maxPoolWithArgmax({ inputs, attributes, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs["x"]!;
  const { outShape, recorded } = infoOf(x.shape, attributes);
  const places = { ...recorded, wholeBatch: attributes["includeBatchInIndex"] === true };
  return [backend.emit("MaxPool", [x], recorded, outShape, "float32"), backend.emit("MaxPoolPlaces", [x], places, outShape, "int32")];
}

function maxPoolGrad({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["input"]!;
  return backend.emit("MaxPoolGrad", [inputs["dy"]!, x, inputs["output"]!], infoOf(x.shape, attributes).recorded, x.shape, "float32");
}

function avgPoolGrad({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["input"]!;
  return backend.emit("AvgPoolGrad", [inputs["dy"]!], infoOf(x.shape, attributes).recorded, x.shape, "float32");
}

function fusedBatchNorm(call: KernelCall): tf.TensorInfo {
  const { inputs, attributes, backend } = call;
  const x = inputs["x"]!;
  const { mean, variance, offset, scale } = inputs as Record<string, tf.TensorInfo | undefined>;
  const given = [x, mean!, variance!, ...(offset ? [offset] : []), ...(scale ? [scale] : [])];
  if (x.shape.length !== 4 || given.slice(1).some((each) => each.shape.length !== 1)) return normalizeByBroadcast(call);
  const settings = { epsilon: attributes["varianceEpsilon"] as number, hasOffset: !!offset, hasScale: !!scale };
  return backend.emit("FusedBatchNorm", given, settings, x.shape, "float32");
}

/** (x - mean) * scale / sqrt(variance + epsilon) + offset, statistics of any shape that broadcasts: layer norms come this way. */
function normalizeByBroadcast({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { mean, variance, offset, scale } = inputs as Record<string, tf.TensorInfo | undefined>;
  const between: tf.TensorInfo[] = [];
  const note = (op: string, of: tf.TensorInfo[]): tf.TensorInfo => {
    const shape = of.map(({ shape: each }) => each).reduce((a, b) => tf.backend_util.assertAndGetBroadcastShape(a, b));
    between.push(backend.emit(op, of, {}, shape, "float32"));
    return between.at(-1)!;
  };
  const epsilon = backend.emit("Fill", [], { value: attributes["varianceEpsilon"] as number }, [], "float32");
  between.push(epsilon);
  const inverse = note("Rsqrt", [note("Add", [variance!, epsilon])]);
  const factor = scale ? note("Multiply", [inverse, scale]) : inverse;
  const scaled = note("Multiply", [note("Sub", [inputs["x"]!, mean!]), factor]);
  const out = offset ? note("Add", [scaled, offset]) : scaled;
  for (const part of between) if (part !== out) backend.disposeData(part.dataId);
  return out;
}

/** Pooling kernels by tfjs's names. */
export const poolKernels: KernelTable = {
  MaxPool: forward("MaxPool"),
  AvgPool: forward("AvgPool"),
  MaxPoolGrad: maxPoolGrad,
  MaxPoolWithArgmax: maxPoolWithArgmax,
  AvgPoolGrad: avgPoolGrad,
  FusedBatchNorm: fusedBatchNorm,
};
