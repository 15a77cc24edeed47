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
  const newName = (name: string): string => renamed.get(name) ?? name;
  return { ...graph, nodes: nodes.map((node) => ({ ...node, inputs: node.inputs.map(newName), outputs: node.outputs.map(newName) })) };
}

const isCopy = (node: OnnxNode): boolean => node.type === "Identity" && node.name.startsWith("Output_");
