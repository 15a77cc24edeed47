/** From values wanted to an ONNX model: order, structure key, feeds. */

import type { OnnxGraph } from "../onnx/encode.ts";
import { withoutCopies } from "../lower/without-copies.ts";
import { Lowering, type LoweringTarget } from "../lower/lowering.ts";
import { GeoLearnError } from "@geolearn/core";
import type { Value } from "./value.ts";

/** The part of a recorded graph that some values need. */
export interface Plan {
  /** Values with no operation of their own, in the order of first use. */
  readonly leaves: readonly Value[];
  /** Operations, each after what it uses. */
  readonly operations: readonly Value[];
  readonly results: readonly Value[];
}

/** Collects what `results` need. Depth-first without recursion: recorded graphs are thousands deep. */
export function planOf(results: readonly Value[], isLeaf: (value: Value) => boolean): Plan {
  const leaves: Value[] = [];
  const operations: Value[] = [];
  const done = new Set<Value>();
  const stack: { value: Value; next: number }[] = [];
  for (const result of results) {
    stack.push({ value: result, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (done.has(top.value)) {
        stack.pop();
      } else if (isLeaf(top.value)) {
        done.add(top.value);
        leaves.push(top.value);
        stack.pop();
      } else if (top.next < top.value.inputs.length) {
        stack.push({ value: top.value.inputs[top.next++]!, next: 0 });
      } else {
        done.add(top.value);
        operations.push(top.value);
        stack.pop();
      }
    }
  }
  return { leaves, operations, results };
}

/** A key that is equal for plans of equal structure: operations, attributes, shapes and wiring, never values. */
export function structureKey(plan: Plan): string {
  const names = new Map<Value, string>();
  const parts: string[] = [];
  plan.leaves.forEach((value, i) => {
    names.set(value, `l${i}`);
    parts.push(`${value.dtype}${value.shape.join("x")}`);
  });
  plan.operations.forEach((value, i) => {
    names.set(value, `n${i}`);
    parts.push(
      `${value.op}${JSON.stringify(value.attributes)}(${value.inputs.map((input) => names.get(input)).join()})${value.dtype}${value.shape.join("x")}`,
    );
  });
  parts.push(plan.results.map((value) => names.get(value)).join());
  return parts.join(";");
}

/** How the leaves of a plan enter the graph: by name of an input, or with their values. */
export type LeafNaming = (value: Value, index: number) => string | null;

/**
 * Writes a plan as an ONNX graph. Leaves without a name are embedded with the values of `present(leaf)`; result i is called
 * `r{i}`, or what `nameResult` says.
 */
export function lowerPlan(
  plan: Plan,
  target: LoweringTarget,
  nameLeaf: LeafNaming,
  present: (value: Value) => Value = (value) => value,
  nameResult: (index: number) => string = (index) => `r${index}`,
): OnnxGraph {
  const lowering = new Lowering(target);
  plan.leaves.forEach((value, i) => {
    const name = nameLeaf(value, i);
    const { host } = present(value);
    if (name !== null) lowering.input(value, name);
    else if (host !== null) lowering.embed(value, host.data);
    else throw new GeoLearnError("ENGINE_FAILED", `leaf '${value.op}' [${value.shape.join(", ")}] has neither values nor a name`);
  });
  for (const value of plan.operations) lowering.lower(value);
  plan.results.forEach((value, i) => lowering.output(value, nameResult(i)));
  return withoutCopies(lowering.finish());
}
