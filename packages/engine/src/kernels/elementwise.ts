/** Kernels that work element by element. */

import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import type { TensorType } from "../types.ts";
import type { Kernel, KernelCall, KernelTable } from "./register.ts";

const UNARY = [
  "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Expm1", "Floor", "Log", "Log1p", "Neg",
  "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Sqrt", "Square", "Tan", "Tanh",
  "ZerosLike", "OnesLike",
]; // prettier-ignore
const TESTS = ["IsNan", "IsInf", "IsFinite", "LogicalNot"];
const BINARY = [
  "Add",
  "Sub",
  "Multiply",
  "RealDiv",
  "Maximum",
  "Minimum",
  "Pow",
  "SquaredDifference",
  "FloorDiv",
  "Mod",
  "Prelu",
  "EluGrad",
  "Atan2",
  "BitwiseAnd",
];
const COMPARISONS = ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "LogicalXor"];

const unary =
  (op: string, dtype?: TensorType): Kernel =>
  ({ inputs, backend }) => {
    const x = inputs["x"]!;
    return backend.emit(op, [x], {}, x.shape, dtype ?? tensorType(x.dtype));
  };

const binary =
  (op: string, dtype?: TensorType): Kernel =>
  ({ inputs, backend }) => {
    const a = (inputs["a"] ?? inputs["x"] ?? inputs["dy"])!;
    const b = (inputs["b"] ?? inputs["alpha"] ?? inputs["y"])!;
    const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    return backend.emit(op, [a, b], {}, shape, dtype ?? tensorType(tf.upcastType(a.dtype, b.dtype)));
  };

function cast({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const dtype = tensorType(attributes["dtype"] as string);
  return x.dtype === dtype ? backend.alias(x, x.shape) : backend.emit("Cast", [x], {}, x.shape, dtype);
}

function addN({ inputs, backend }: KernelCall): tf.TensorInfo {
  const terms = Object.values(inputs);
  const first = terms[0]!;
  return backend.emit("AddN", terms, {}, first.shape, tensorType(first.dtype));
}

function select({ inputs, backend }: KernelCall): tf.TensorInfo {
  const condition = inputs["condition"]!;
  const t = inputs["t"]!;
  const e = inputs["e"]!;
  const shape = tf.backend_util.assertAndGetBroadcastShape(tf.backend_util.assertAndGetBroadcastShape(condition.shape, t.shape), e.shape);
  return backend.emit("Select", [condition, t, e], {}, shape, tensorType(tf.upcastType(t.dtype, e.dtype)));
}

/** Elementwise kernels by tfjs's names. */
export const elementwiseKernels: KernelTable = {
  ...Object.fromEntries(UNARY.map((op) => [op, unary(op)])),
  ...Object.fromEntries(TESTS.map((op) => [op, unary(op, "bool")])),
  ...Object.fromEntries(BINARY.map((op) => [op, binary(op)])),
  ...Object.fromEntries(COMPARISONS.map((op) => [op, binary(op, "bool")])),
  Cast: cast,
  AddN: addN,
  Select: select,
  Identity: ({ inputs, backend }) => backend.alias(inputs["x"]!, inputs["x"]!.shape),
  Step: ({ inputs, attributes, backend }) =>
    backend.emit("Step", [inputs["x"]!], { alpha: (attributes["alpha"] as number | undefined) ?? 0 }, inputs["x"]!.shape, "float32"),
  LeakyRelu: ({ inputs, attributes, backend }) =>
    backend.emit("LeakyRelu", [inputs["x"]!], { alpha: attributes["alpha"] as number }, inputs["x"]!.shape, "float32"),
  ClipByValue: ({ inputs, attributes, backend }) =>
    backend.emit(
      "ClipByValue",
      [inputs["x"]!],
      { min: attributes["clipValueMin"] as number, max: attributes["clipValueMax"] as number },
      inputs["x"]!.shape,
      tensorType(inputs["x"]!.dtype),
    ),
};
