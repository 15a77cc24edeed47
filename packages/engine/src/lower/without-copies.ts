/** Results straight from the nodes that make them. */

import type { OnnxGraph, OnnxNode } from "../onnx/encode.ts";

/** Results of a lowered graph are copies of values; where a node makes the value, it gets the result's name instead. */
export function withoutCopies(graph: OnnxGraph): OnnxGraph {
  const made = new Set(graph.nodes.flatMap((node) => (isCopy(node) ? [] : node.outputs)));
  const renamed = new Map<string, string>();
  const nodes = graph.nodes.filter((node) => {
    const [source] = node.inputs;
    if (!isCopy(node) || !made.has(source!) || renamed.has(source!)) return true;
    renamed.set(source!, node.outputs[0]!);
    return false;
  });
  return withNames({ ...graph, nodes }, renamed);
}

/**
 * Results in whatever shape they were made, for a reader who knows theirs: ONNX Runtime reshapes in place inside of a graph, but copies what
 * leaves it.
 */
export function withoutShapes(graph: OnnxGraph): OnnxGraph {
  const uses = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)])
    uses.set(name, (uses.get(name) ?? 0) + 1);
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const results = new Set(graph.outputs.map(({ name }) => name));
  const renamed = new Map<string, string>();
  const nodes = graph.nodes.filter(({ type, inputs: [source], outputs: [result] }) => {
    const last = type === "Reshape" && results.has(result!) && uses.get(result!) === 1;
    if (!last || !made.has(source!) || uses.get(source!) !== 1) return true;
    renamed.set(source!, result!);
    return false;
  });
  const free = new Set(renamed.values());
  const outputs = graph.outputs.map((port) => (free.has(port.name) ? { ...port, anyShape: true } : port));
  return withNames({ ...graph, nodes, outputs }, renamed);
}

function withNames(graph: OnnxGraph, names: ReadonlyMap<string, string>): OnnxGraph {
  const newName = (name: string): string => names.get(name) ?? name;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(newName), outputs: node.outputs.map(newName) })),
  };
}

const isCopy = (node: OnnxNode): boolean => node.type === "Identity" && node.name.startsWith("Output_");
