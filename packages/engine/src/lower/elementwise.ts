/** Elementwise operations as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import { operands } from "./broadcast.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

/** Names of the operands, in one layout, to the name of the result. */
type Formula = (graph: Lowering, names: readonly string[], value: Value) => string;

const STEEP = { float: 3e38 };

const same =
  (type: string): Formula =>
  (graph, names) =>
    graph.op(type, names);

/** 1 where x > 0, else 0, in one pass. */
export function positive(graph: Lowering, name: string): string {
  return graph.op("HardSigmoid", [name], { alpha: STEEP, beta: { float: 0 } });
}

/** e^x - 1 without cancellation near 0: tanh(x / 2) (e^x + 1). */
const expm1: Formula = (graph, [x]) => {
  const half = graph.op("Tanh", [graph.op("Mul", [x!, graph.floats([0.5])])]);
  return graph.op("Mul", [half, graph.op("Add", [graph.op("Exp", [x!]), graph.floats([1])])]);
};

/** log(1 + x) without cancellation near 0: 2 artanh(x / (2 + x)) there. */
const log1p: Formula = (graph, [x]) => {
  const near = graph.op("Less", [graph.op("Abs", [x!]), graph.floats([0.5])]);
  const ratio = graph.op("Div", [x!, graph.op("Add", [x!, graph.floats([2])])]);
  const small = graph.op("Mul", [graph.op("Atanh", [ratio]), graph.floats([2])]);
  return graph.op("Where", [near, small, graph.op("Log", [graph.op("Add", [x!, graph.floats([1])])])]);
};

const clip =
  (low: number, high: number): Formula =>
  (graph, [x]) =>
    graph.op("Clip", [x!, graph.floats([low]), graph.floats([high])]);

const not = (graph: Lowering, name: string): string => graph.op("Not", [name]);

/** Integers: the quotient of ONNX truncates, tfjs's goes down. */
function integerFloorDiv(graph: Lowering, a: string, b: string): string {
  const quotient = graph.op("Div", [a, b]);
  const rest = graph.op("Sub", [a, graph.op("Mul", [quotient, b])]);
  const zero = graph.int32([0]);
  const oneNegative = graph.op("Xor", [graph.op("Less", [rest, zero]), graph.op("Less", [b, zero])]);
  const correct = graph.op("And", [not(graph, graph.op("Equal", [rest, zero])), oneNegative]);
  return graph.op("Sub", [quotient, graph.op("Cast", [correct], { to: ELEMENT_TYPES.int32 })]);
}

const floorDiv: Formula = (graph, [a, b], value) =>
  value.dtype === "int32" ? integerFloorDiv(graph, a!, b!) : graph.op("Floor", [graph.op("Div", [a!, b!])]);

const modulo: Formula = (graph, [a, b], value) => {
  if (value.dtype === "int32") return graph.op("Mod", [a!, b!]);
  return graph.op("Sub", [a!, graph.op("Mul", [graph.op("Floor", [graph.op("Div", [a!, b!])]), b!])]);
};

/** Angle of (x, y): the arc tangent of y / x, half a turn further where x is negative. */
const atan2: Formula = (graph, [y, x]) => {
  const zero = graph.floats([0]);
  const quotient = graph.op("Atan", [graph.op("Div", [y!, x!])]);
  const halfTurn = graph.op("Where", [graph.op("Less", [y!, zero]), graph.floats([-Math.PI]), graph.floats([Math.PI])]);
  const behind = graph.op("Where", [graph.op("Less", [x!, zero]), halfTurn, zero]);
  const upright = graph.op("Mul", [graph.op("Sign", [y!]), graph.floats([Math.PI / 2])]);
  return graph.op("Where", [graph.op("Equal", [x!, zero]), upright, graph.op("Add", [quotient, behind])]);
};

const FORMULAS: Readonly<Record<string, Formula>> = {
  Abs: same("Abs"),
  Acos: same("Acos"),
  Acosh: same("Acosh"),
  Asin: same("Asin"),
  Asinh: same("Asinh"),
  Atan: same("Atan"),
  Atanh: same("Atanh"),
  Ceil: same("Ceil"),
  Cos: same("Cos"),
  Cosh: same("Cosh"),
  Elu: same("Elu"),
  Erf: same("Erf"),
  Exp: same("Exp"),
  Expm1: expm1,
  Floor: same("Floor"),
  Log: same("Log"),
  Log1p: log1p,
  Neg: same("Neg"),
  Reciprocal: same("Reciprocal"),
  Relu: same("Relu"),
  Relu6: clip(0, 6),
  Round: same("Round"),
  Rsqrt: (graph, [x]) => graph.op("Reciprocal", [graph.op("Sqrt", [x!])]),
  Selu: same("Selu"),
  Sigmoid: same("Sigmoid"),
  Sign: same("Sign"),
  Sin: same("Sin"),
  Sinh: same("Sinh"),
  Softplus: same("Softplus"),
  Sqrt: same("Sqrt"),
  Square: (graph, [x]) => graph.op("Mul", [x!, x!]),
  Tan: same("Tan"),
  Tanh: same("Tanh"),
  IsNan: same("IsNaN"),
  IsInf: same("IsInf"),
  IsFinite: (graph, [x]) => not(graph, graph.op("Or", [graph.op("IsNaN", [x!]), graph.op("IsInf", [x!])])),
  LogicalNot: same("Not"),
  Add: same("Add"),
  Sub: same("Sub"),
  Multiply: same("Mul"),
  RealDiv: same("Div"),
  Maximum: same("Max"),
  Minimum: same("Min"),
  Pow: same("Pow"),
  SquaredDifference: (graph, names) => {
    const difference = graph.op("Sub", names);
    return graph.op("Mul", [difference, difference]);
  },
  FloorDiv: floorDiv,
  Mod: modulo,
  Atan2: atan2,
  Prelu: same("PRelu"),
  // dy * (y > 0 ? 1 : y + 1) = dy * (min(y, 0) + 1)
  EluGrad: (graph, [dy, y]) => graph.op("Mul", [dy!, graph.op("Add", [graph.op("Min", [y!, graph.floats([0])]), graph.floats([1])])]),
  Equal: same("Equal"),
  NotEqual: (graph, names) => not(graph, graph.op("Equal", names)),
  Greater: same("Greater"),
  GreaterEqual: same("GreaterOrEqual"),
  Less: same("Less"),
  LessEqual: same("LessOrEqual"),
  LogicalAnd: same("And"),
  LogicalOr: same("Or"),
  LogicalXor: same("Xor"),
  BitwiseAnd: same("BitwiseAnd"),
  AddN: same("Sum"),
  Select: same("Where"),
  Cast: (graph, [x], value) => graph.op("Cast", [x!], { to: ELEMENT_TYPES[value.dtype] }),
  Step: (graph, [x], value) => {
    const alpha = value.attributes["alpha"] as number;
    const step = positive(graph, x!);
    if (alpha === 0) return step;
    return graph.op("Add", [graph.op("Mul", [step, graph.floats([1 - alpha])]), graph.floats([alpha])]);
  },
  LeakyRelu: (graph, [x], value) => graph.op("LeakyRelu", [x!], { alpha: { float: value.attributes["alpha"] as number } }),
  ClipByValue: (graph, [x], value) => {
    const bounds = [value.attributes["min"] as number, value.attributes["max"] as number];
    const [low, high] = bounds.map((bound) => (value.dtype === "int32" ? graph.int32([bound]) : graph.floats([bound])));
    return graph.op("Clip", [x!, low!, high!]);
  },
  // dy where the output of a ReLU is positive
  ReluGrad: (graph, [dy, y]) => graph.op("Mul", [dy!, positive(graph, y!)]),
};

const elementwise =
  (formula: Formula): LoweringRule =>
  (graph, value): Lowered => {
    const { names, layout } = operands(graph, value);
    return { name: formula(graph, names, value), layout };
  };

/** Elementwise rules by recorded operation. */
export const elementwiseRules: Readonly<Record<string, LoweringRule>> = Object.fromEntries(
  Object.entries(FORMULAS).map(([op, formula]) => [op, elementwise(formula)]),
);
