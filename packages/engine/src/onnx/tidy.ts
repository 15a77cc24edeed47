/** Making a lowered graph readable: constants in the form they are used in, results under their own names, nodes named after layers. */

import { withoutCopies } from "../lower/without-copies.ts";
import type { ElementType, OnnxGraph, OnnxInitializer, OnnxNode } from "./encode.ts";

const BYTES: Readonly<Record<ElementType, number>> = {
  float32: 4,
  uint8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
  float64: 8,
  uint32: 4,
  uint64: 8,
};

/**
 * The same graph with reordered and reshaped constants computed, results renamed instead of copied, and constants nobody uses left out.
 * A named constant keeps its name in the form it is used in; `names` are those to keep.
 */
export function tidyGraph(graph: OnnxGraph, names: ReadonlySet<string>): OnnxGraph {
  return namedAfterLayers(withoutCopies(foldedConstants(graph, names)), names);
}

function foldedConstants(graph: OnnxGraph, names: ReadonlySet<string>): OnnxGraph {
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const renamed = new Map<string, string>();
  const nodes: OnnxNode[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => renamed.get(input) ?? input);
    const source = constants.get(inputs[0] ?? "");
    // A weight keeps its rank: another reader looks for it by name and shape.
    const keeps = node.type === "Reshape" && names.has(source?.name ?? "");
    const folded = source === undefined || keeps ? null : fold(node, source, constants.get(inputs[1] ?? ""));
    if (folded === null) {
      nodes.push({ ...node, inputs });
      continue;
    }
    // A weight used in one form only is kept in that form, under its name.
    const onlyUse = names.has(source!.name) && uses.get(node.inputs[0]!) === 1;
    const name = onlyUse ? source!.name : node.outputs[0]!;
    constants.set(name, { ...folded, name });
    renamed.set(node.outputs[0]!, name);
    uses.set(name, uses.get(node.outputs[0]!) ?? 0);
  }
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const initializers = [...constants.values()].filter((tensor) => used.has(tensor.name) || names.has(tensor.name));
  return { ...graph, nodes, initializers };
}

/** A constant behind a node that only reorders it; null when the node does more. */
function fold(node: OnnxNode, source: OnnxInitializer, shape: OnnxInitializer | undefined): OnnxInitializer | null {
  if (node.type === "Transpose") return transposed(source, node.attributes["perm"] as readonly number[]);
  if (node.type !== "Reshape" || shape === undefined) return null;
  const asked = [...new BigInt64Array(shape.bytes.slice().buffer)].map(Number);
  const size = source.dims.reduce((a, b) => a * b, 1);
  const given = asked.map((side, axis) => (side === 0 ? source.dims[axis]! : side));
  const rest = given.reduce((a, b) => (b < 0 ? a : a * b), 1);
  return { ...source, dims: given.map((side) => (side < 0 ? size / rest : side)) };
}

function transposed(source: OnnxInitializer, perm: readonly number[]): OnnxInitializer {
  const width = BYTES[source.type];
  const dims = perm.map((axis) => source.dims[axis]!);
  const strides = source.dims.map((_, axis) => source.dims.slice(axis + 1).reduce((a, b) => a * b, width));
  const bytes = new Uint8Array(source.bytes.length);
  const at = dims.map(() => 0);
  for (let to = 0; to < bytes.length; to += width) {
    let from = 0;
    for (let axis = 0; axis < dims.length; axis++) from += at[axis]! * strides[perm[axis]!]!;
    for (let byte = 0; byte < width; byte++) bytes[to + byte] = source.bytes[from + byte]!;
    for (let axis = dims.length - 1; axis >= 0 && ++at[axis]! === dims[axis]; axis--) at[axis] = 0;
  }
  return { ...source, dims, bytes };
}

/** `down.0.conv1.weight` makes `down.0.conv1`; other nodes are counted by type. */
function namedAfterLayers(graph: OnnxGraph, names: ReadonlySet<string>): OnnxGraph {
  const taken = new Map<string, number>();
  const unique = (name: string): string => {
    const count = taken.get(name) ?? 0;
    taken.set(name, count + 1);
    return count === 0 ? name : `${name}.${count}`;
  };
  const nodes = graph.nodes.map((node) => {
    const parameter = node.inputs.find((input) => names.has(input) && input.includes("."));
    return { ...node, name: unique(parameter === undefined ? node.type : parameter.slice(0, parameter.lastIndexOf("."))) };
  });
  return { ...graph, nodes };
}
