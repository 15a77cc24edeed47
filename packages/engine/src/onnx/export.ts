/**
 * A function of tensors as an ONNX file: for others with ONNX's own operators only, for this device with all that ONNX Runtime has. A
 * recording has fixed shapes; that the graph holds for others as well is shown by recording it twice, at different sizes, and comparing.
 */

import { GeoLearnError } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";
import { type Recorded, type TensorMap, record } from "../compile.ts";
import { runningEngine } from "../engine-state.ts";
import type { Value } from "../graph/value.ts";
import { Lowering, type LoweringTarget, OPSET } from "../lower/lowering.ts";
import { lowerings } from "../lower/table.ts";
import type { HostTensor, TensorSpec, TensorType } from "../types.ts";
import { readVariable } from "../variables.ts";
import { type OnnxGraph, type OnnxPort, encodeModel } from "./encode.ts";
import { withoutCopies } from "../lower/without-copies.ts";
import { tidyGraph } from "./tidy.ts";

/** A side that is to be free in the file: its name there, and two sizes to record at. */
export interface FreeSide {
  readonly name: string;
  readonly examples: readonly [number, number];
}

/** Shape and type of an input of an exported function. */
export interface ExportInput {
  readonly shape: readonly (number | FreeSide)[];
  readonly dtype: TensorType;
}

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  readonly inputs: Readonly<Record<string, ExportInput>>;
  /** Names the variables have in the file, where they are kept as initializers. @defaultValue none: constants without names */
  readonly names?: ReadonlyMap<tf.Variable, string>;
  /**
   * True for a file that others read: ONNX's own operators only. False for one that this device runs fastest, in this process, another
   * thread or later: the graph `compile` runs, with ONNX Runtime's own operators and layouts. @defaultValue true
   */
  readonly portable?: boolean;
  /** Images `[N, H, W, C]` of the function are `[N, C, H, W]` in the file. @defaultValue `portable` */
  readonly channelsFirst?: boolean;
  /** Name of the graph, for people. */
  readonly name?: string;
  /** The file's `metadata_props`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What was written. */
export interface ExportedOnnx {
  readonly bytes: Uint8Array;
  /** Version of ONNX's operators. */
  readonly opset: number;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

/**
 * Writes a function as an ONNX model. Convolution kernels become `[out, in, height, width]`; variables are written with their present
 * values. `startEngine` must have finished.
 *
 * @throws INVALID_ARGUMENT when the graph is another one at the other size, and so cannot have that side free, or when the function
 * assigns variables; KERNEL_MISSING for operations ONNX has no counterpart of; what `compile` throws
 * @example
 * const batch = { name: "batch", examples: [1, 2] } as const;
 * const { bytes } = exportOnnx(({ x }) => ({ y: tf.relu(x!) }), { inputs: { x: { shape: [batch, 8, 8, 3], dtype: "float32" } } });
 */
export function exportOnnx(fn: (inputs: TensorMap) => TensorMap, options: ExportOnnxOptions): ExportedOnnx {
  const { runner } = runningEngine();
  if (runner === null) {
    throw new GeoLearnError("ENGINE_FAILED", "exporting needs the recording engine; device tensorflow does not record", {
      hint: 'Start the engine with `device: "cpu"`.',
    });
  }
  const { portable = true } = options;
  const target = portable ? { rules: lowerings, block: 0, fused: false, portable } : runner.target;
  const values = new Map<tf.Variable, HostTensor>();
  const first = writtenAt(fn, options, target, 0, values);
  const free = Object.values(options.inputs).some(({ shape }) => shape.some((side) => typeof side !== "number"));
  const second = free ? writtenAt(fn, options, target, 1, values) : first;
  refuseDifference(first, second);
  const graph = { ...first, ...freePorts(first, second, options), ...optional(options) };
  const tidy = portable ? tidyGraph(graph, new Set(options.names?.values())) : withoutCopies(graph);
  return { bytes: encodeModel(tidy), opset: OPSET, inputs: graph.inputs, outputs: graph.outputs };
}

function optional({ name, metadata }: ExportOnnxOptions): Partial<OnnxGraph> {
  return { ...(name === undefined ? {} : { name }), ...(metadata === undefined ? {} : { metadata }) };
}

/** The graph at one of the example sizes. */
function writtenAt(
  fn: (inputs: TensorMap) => TensorMap,
  { inputs, names, portable = true, channelsFirst = portable }: ExportOnnxOptions,
  target: LoweringTarget,
  example: 0 | 1,
  values: Map<tf.Variable, HostTensor>,
): OnnxGraph {
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]): [string, TensorSpec] => [
      name,
      { shape: shape.map((side) => (typeof side === "number" ? side : side.examples[example])), dtype },
    ]),
  );
  const recorded = record(fn, { inputs: specs });
  const [assigned] = recorded.assigned;
  if (assigned !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `the function assigns ${assigned.variable.name}; a file cannot keep state`, {
      hint: "Export the forward pass without training.",
    });
  }
  const lowering = new Lowering(target);
  const layoutOf = (value: Value): "natural" | "channelsFirst" => (channelsFirst && value.shape.length === 4 ? "channelsFirst" : "natural");
  for (const leaf of recorded.plan.leaves) {
    const input = recorded.inputs.get(leaf);
    if (input !== undefined) lowering.input(leaf, input, layoutOf(leaf));
    else embed(lowering, leaf, recorded, values, names);
  }
  for (const value of recorded.plan.operations) lowering.lower(value);
  for (const { name, value } of recorded.outputs) lowering.output(value, name, layoutOf(value));
  const graph = lowering.finish();
  const own = graph.nodes.find(({ domain }) => domain !== "");
  if (portable && own !== undefined) {
    throw new GeoLearnError("KERNEL_MISSING", `${own.type} of ${own.domain} has no counterpart among ONNX's own operators`, {
      data: { operation: own.type },
    });
  }
  return graph;
}

function embed(
  lowering: Lowering,
  leaf: Value,
  { variables }: Recorded,
  values: Map<tf.Variable, HostTensor>,
  names: ExportOnnxOptions["names"],
): void {
  const variable = variables.get(leaf);
  if (variable === undefined) {
    lowering.embed(leaf, leaf.host!.data);
    return;
  }
  const held = values.get(variable) ?? readVariable(variable);
  values.set(variable, held);
  lowering.embed(leaf, held.data, names?.get(variable));
}

function refuseDifference(first: OnnxGraph, second: OnnxGraph): void {
  if (first === second) return;
  const other = first.nodes.findIndex((node, i) => JSON.stringify(node) !== JSON.stringify(second.nodes[i]));
  const constant = first.initializers.findIndex((tensor, i) => {
    const twin = second.initializers[i];
    return twin === undefined || twin.dims.join() !== tensor.dims.join() || !sameBytes(twin.bytes, tensor.bytes);
  });
  const user = first.nodes.find((node) => constant >= 0 && node.inputs.includes(first.initializers[constant]!.name));
  const found = other >= 0 ? first.nodes[other]! : user;
  if (found === undefined && first.nodes.length === second.nodes.length && first.initializers.length === second.initializers.length) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `the function cannot be exported with free sides: recorded at another size, its graph differs at ${found?.type ?? "its end"}`,
    { hint: "Give that side as a fixed number.", data: { operation: found?.type ?? null } },
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  // Weights are the same memory in both.
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length) return true;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Sides that differ between the two sizes get names: that of the input's side they equal, or one of their own. */
function freePorts(first: OnnxGraph, second: OnnxGraph, { inputs }: ExportOnnxOptions): Pick<OnnxGraph, "inputs" | "outputs"> {
  const known = Object.values(inputs).flatMap(({ shape }) => shape.filter((side) => typeof side !== "number"));
  const named = (port: OnnxPort, twin: OnnxPort): OnnxPort => ({
    ...port,
    dims: port.dims.map((side, axis) => {
      const otherSide = twin.dims[axis];
      if (side === otherSide) return side;
      const same = known.find(({ examples }) => examples[0] === side && examples[1] === otherSide);
      return same?.name ?? `${port.name}_${axis}`;
    }),
  });
  return {
    inputs: first.inputs.map((port, i) => named(port, second.inputs[i]!)),
    outputs: first.outputs.map((port, i) => named(port, second.outputs[i]!)),
  };
}
