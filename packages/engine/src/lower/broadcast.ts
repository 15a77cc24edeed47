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
  if (!first) return { names: value.inputs.map((input) => scalarOf(graph, input, value) ?? graph.natural(input)), layout: "natural" };
  return { names: value.inputs.map((input) => channelsFirstOperand(graph, input, value)), layout: "channelsFirst" };
}

/** A filled tensor need not exist when it meets a full-size one. */
function scalarOf(graph: Lowering, input: Value, result: Value): string | null {
  if (
    input.op !== "Fill" ||
    sizeOf(input.shape) <= 1 ||
    !result.inputs.some((other) => other.op !== "Fill" && sizeOf(other.shape) === sizeOf(result.shape))
  )
    return null;
  const fill = input.attributes["value"] as number;
  if (input.dtype === "float32") return graph.floats([fill]);
  return input.dtype === "int32" ? graph.int32([fill]) : null;
}

/** A tensor of lower rank lines up with the last axes, so it becomes `[1.., C]` and then channels first. */
function channelsFirstOperand(graph: Lowering, value: Value, result: Value): string {
  const scalar = scalarOf(graph, value, result);
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
