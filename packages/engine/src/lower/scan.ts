/** Running products and running sums with factors, along one axis in logarithmically many steps. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

interface Scan {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

const FURTHEST = -(2 ** 31);

/** Elements as `[before, length, after]`, in the direction the product runs. */
function unfolded(graph: Lowering, value: Value, { axis, reverse }: Scan): { name: string; shape: [number, number, number] } {
  const shape: [number, number, number] = [sizeOf(value.shape.slice(0, axis)), value.shape[axis]!, sizeOf(value.shape.slice(axis + 1))];
  const name = graph.reshape(graph.natural(value), shape);
  return { name: reverse ? turned(graph, name) : name, shape };
}

const turned = (graph: Lowering, name: string): string => graph.slice(name, [1], [-1], [FURTHEST], [-1]);

function folded(graph: Lowering, name: string, value: Value, { reverse }: Scan): Lowered {
  return { name: graph.reshape(reverse ? turned(graph, name) : name, value.shape), layout: "natural" };
}

/** Moves elements `by` places to later ones; `filling` comes in. Negative: to earlier ones. */
function moved(graph: Lowering, name: string, length: number, by: number, filling: string): string {
  const kept = by > 0 ? graph.slice(name, [1], [0], [length - by]) : graph.slice(name, [1], [-by], [length]);
  return graph.op("Pad", [kept, graph.ints(by > 0 ? [0, by, 0, 0, 0, 0] : [0, 0, 0, 0, -by, 0]), filling]);
}

/** Product of each element and all before it. */
function runningProduct(graph: Lowering, name: string, length: number, one: string): string {
  let out = name;
  for (let step = 1; step < length; step *= 2) out = graph.op("Mul", [out, moved(graph, out, length, step, one)]);
  return out;
}

const oneOf = (graph: Lowering, value: Value): string => (value.dtype === "int32" ? graph.int32([1]) : graph.floats([1]));

const cumprod: LoweringRule = (graph, value) => {
  const scan = value.attributes as unknown as Scan;
  const one = oneOf(graph, value);
  const { name, shape } = unfolded(graph, value.inputs[0]!, scan);
  const product = runningProduct(graph, scan.exclusive ? moved(graph, name, shape[1], 1, one) : name, shape[1], one);
  return folded(graph, product, value, scan);
};

/**
 * The gradient of element j is the product of all before it times s_j, with s_j = dy_j + x_{j+1} s_{j+1} (dy moved by one for the exclusive
 * product). Nothing is divided, so zeros are no special case.
 */
const cumprodGrad: LoweringRule = (graph, value) => {
  const scan = value.attributes as unknown as Scan;
  const [zero, one] = [graph.floats([0]), graph.floats([1])];
  const { name: x, shape } = unfolded(graph, value.inputs[0]!, scan);
  const length = shape[1];
  const dy = unfolded(graph, value.inputs[1]!, scan).name;
  const before = runningProduct(graph, moved(graph, x, length, 1, one), length, one);
  let sum = scan.exclusive ? moved(graph, dy, length, -1, zero) : dy;
  let factor = moved(graph, x, length, -1, zero);
  for (let step = 1; step < length; step *= 2) {
    sum = graph.op("Add", [sum, graph.op("Mul", [factor, moved(graph, sum, length, -step, zero)])]);
    if (step * 2 < length) factor = graph.op("Mul", [factor, moved(graph, factor, length, -step, zero)]);
  }
  return folded(graph, graph.op("Mul", [before, sum]), value, scan);
};

/** Rules of running products by recorded operation. */
export const scanRules: Readonly<Record<string, LoweringRule>> = { Cumprod: cumprod, CumprodGrad: cumprodGrad };
