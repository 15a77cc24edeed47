/**
 * A graph that runs another one several times: ONNX's `Loop`. State passes from one run to the next inside ONNX Runtime, which
 * otherwise copies every piece of it out and in again.
 */

import type { OnnxGraph, OnnxNode, OnnxPort } from "../onnx/encode.ts";

/** State of the body that changes from run to run. */
export interface CarriedState {
  /** Name under which the body reads it, and the body's result that replaces it. */
  readonly read: string;
  readonly written: string;
  readonly port: Omit<OnnxPort, "name">;
}

/** How a body is repeated. */
export interface LoopParts {
  readonly body: OnnxGraph;
  /** Inputs of the body that are new in each run. */
  readonly inputs: readonly string[];
  readonly carried: readonly CarriedState[];
  /** Results of the body that are collected. */
  readonly collected: readonly string[];
}

/** Name of the int32 input that says how often the body runs. */
export const RUNS = "runs";
/** Name of the free first side of what is stacked. */
const STACK = "stack";
const node = (type: string, inputs: readonly string[], outputs: readonly string[], attributes: OnnxNode["attributes"] = {}): OnnxNode => ({
  name: `${type}_${outputs[0]!}`,
  type,
  domain: "",
  inputs,
  outputs,
  attributes,
});

/** Name of an input of the loop: values of all runs, one after another, or state before the first one. */
export const loopInput = (name: string): string => `all_${name}`;

/**
 * The looping graph. Its inputs are `runs`, `all_<input>` with the runs as first side, `all_<state>` for carried state, and what the body reads
 * without changing it under the same name. Its results are `r0`, `r1`...: what is collected, stacked, then the last state.
 */
export function loopGraph({ body, inputs, carried, collected }: LoopParts): OnnxGraph {
  const port = (name: string): OnnxPort => body.inputs.find((one) => one.name === name)!;
  const own = new Set([...inputs, ...carried.map(({ read }) => read)]);
  const resultPort = (name: string): OnnxPort => body.outputs.find((one) => one.name === name)!;
  const inner: OnnxGraph = {
    opsets: body.opsets,
    initializers: body.initializers,
    inputs: [
      { name: "run", type: "int64", dims: [] },
      { name: "go_on", type: "bool", dims: [] },
      ...carried.map(({ read, port: { type, dims } }) => ({ name: read, type, dims })),
    ],
    nodes: [
      ...inputs.map((name) => node("Gather", [loopInput(name), "run"], [name], { axis: 0 })),
      node("Identity", ["go_on"], ["goes_on"]),
      ...body.nodes,
    ],
    outputs: [
      { name: "goes_on", type: "bool", dims: [] },
      ...carried.map(({ written }) => resultPort(written)),
      ...collected.map(resultPort),
    ],
  };
  const results = [...carried.map((_, i) => `r${collected.length + i}`), ...collected.map((_, i) => `r${i}`)];
  const trips = node("Cast", [RUNS], ["trips"], { to: 7 });
  const loop = node("Loop", ["trips", "", ...carried.map(({ read }) => loopInput(read))], results, { body: inner });
  return {
    opsets: body.opsets,
    initializers: [],
    inputs: [
      { name: RUNS, type: "int32", dims: [] },
      ...inputs.map((name) => ({ name: loopInput(name), type: port(name).type, dims: [STACK, ...port(name).dims] })),
      ...carried.map(({ read, port: { type, dims } }) => ({ name: loopInput(read), type, dims })),
      ...body.inputs.filter(({ name }) => !own.has(name)),
    ],
    nodes: [trips, loop],
    outputs: [
      ...collected.map((name, i) => ({ name: `r${i}`, type: resultPort(name).type, dims: [STACK, ...resultPort(name).dims] })),
      ...carried.map(({ port: { type, dims } }, i) => ({ name: `r${collected.length + i}`, type, dims })),
    ],
  };
}
