/** Kernels that reduce axes. */

import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import type { TensorType } from "../types.ts";
import type { Kernel, KernelTable } from "./register.ts";

const reduce =
  (op: string): Kernel =>
  ({ inputs, attributes, backend }) => {
    const x = inputs["x"]!;
    const axes = tf.util.parseAxisParam((attributes["axis"] ?? attributes["reductionIndices"]) as number | number[], x.shape);
    const keepDims = attributes["keepDims"] === true;
    const [kept] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const shape = keepDims ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept;
    const summed: TensorType = x.dtype === "bool" && (op === "Sum" || op === "Prod") ? "int32" : tensorType(x.dtype);
    return backend.emit(op, [x], { axes: [...axes].sort((a, b) => a - b), keepDims }, shape, op === "Mean" ? "float32" : summed);
  };

const argument =
  (op: string): Kernel =>
  ({ inputs, attributes, backend }) => {
    const x = inputs["x"]!;
    const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, x.shape);
    const shape = x.shape.filter((_, i) => i !== axis);
    return backend.emit(op, [x], { axis: axis! }, shape, "int32");
  };

const softmax =
  (op: string, input: string): Kernel =>
  ({ inputs, backend }) => {
    const x = inputs[input]!;
    return backend.emit(op, [x], {}, x.shape, "float32");
  };

const running =
  (op: string): Kernel =>
  ({ inputs, attributes, backend }) => {
    const x = inputs["x"]!;
    const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, x.shape);
    const settings = { axis: axis!, exclusive: attributes["exclusive"] === true, reverse: attributes["reverse"] === true };
    return backend.emit(op, [x], settings, x.shape, tensorType(x.dtype));
  };

/** Reductions by tfjs's names. */
export const reductionKernels: KernelTable = {
  ...Object.fromEntries(["Sum", "Mean", "Max", "Min", "Prod", "All", "Any"].map((op) => [op, reduce(op)])),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  Softmax: softmax("Softmax", "logits"),
  LogSoftmax: softmax("LogSoftmax", "logits"),
  Cumsum: running("Cumsum"),
  Cumprod: running("Cumprod"),
};
