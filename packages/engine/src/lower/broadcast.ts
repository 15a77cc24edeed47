/** Operands of elementwise operations in one layout. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import type { Layout, Lowering } from "./lowering.ts";

/** Operands that broadcast against each other, all in `layout`. */
export interface Operands {
  readonly names: readonly string[];
  readonly layout: Layout;
}

/** Brings the operands of `value` into one layout: channels first as soon as one full-size image already is. */
export function operands(graph: Lowering, value: Value): Operands {
  const first = value.shape.length === 4 && value.inputs.some((input) => graph.where(input).layout === "channelsFirst");
  if (!first) return { names: value.inputs.map((input) => scalarOf(graph, input) ?? graph.natural(input)), layout: "natural" };
  return { names: value.inputs.map((input) => channelsFirstOperand(graph, input)), layout: "channelsFirst" };
}

/** A filled tensor need not exist when it meets a full-size one. */
function scalarOf(graph: Lowering, value: Value): string | null {
  if (value.op !== "Fill" || sizeOf(value.shape) <= 1) return null;
  const fill = value.attributes["value"] as number;
  if (value.dtype === "float32") return graph.floats([fill]);
  return value.dtype === "int32" ? graph.int32([fill]) : null;
}

/** A tensor of lower rank lines up with the last axes, so it becomes `[1.., C]` and then channels first. */
function channelsFirstOperand(graph: Lowering, value: Value): string {
  const scalar = scalarOf(graph, value);
  if (scalar !== null) return scalar;
  const rank = value.shape.length;
  if (rank === 4) return graph.channelsFirst(value);
  const name = graph.natural(value);
  if (sizeOf(value.shape) === 1) return name;
  return graph.shared(`operand ${name}`, () => {
    if (rank === 1) return graph.reshape(name, [value.shape[0]!, 1, 1]);
    const padded = [...Array.from({ length: 4 - rank }, () => 1), ...value.shape];
    return graph.op("Transpose", [graph.reshape(name, padded)], { perm: [0, 3, 1, 2] });
  });
}

/** True when every operand has the full shape or is broadcast by ONNX as it is; a result needs expanding otherwise. */
export function reachesFullSize(value: Value): boolean {
  return (
    value.inputs.some((input) => input.op !== "Fill" && sizeOf(input.shape) === sizeOf(value.shape)) ||
    value.inputs.filter((input) => input.op !== "Fill").length > 1
  );
}
