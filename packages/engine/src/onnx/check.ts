/** Do the parts of an ONNX model belong together? Judged before ONNX Runtime sees the file. */

import { GeoLearnError } from "@geolearn/core";
import type { OnnxFunctionInfo, OnnxGraphInfo, OnnxModel, OnnxNodeInfo } from "./decode.ts";
import { MAX_ELEMENTS, type OnnxTensor, checkedSize } from "./tensor.ts";
import { clip, corrupt } from "./wire.ts";

/** Nodes a model may have once its functions are written out. */
const MAX_EXPANDED = 2_000_000;
/** Times a tensor may be repeated, enlarged or padded along one axis by constants. */
const MAX_FACTOR = 65_536;

/**
 * Checks wiring: every value is made once and before (or beside) its use, nothing depends on itself, functions do not call themselves, no
 * constant asks for a tensor that cannot be meant, and no tensor but an initializer of the main graph lies in another file.
 *
 * @throws MODEL_CORRUPT, LIMIT_EXCEEDED
 */
export function checkModel(model: OnnxModel): void {
  const { source, graph, functions } = model;
  checkGraph(source, graph, null);
  for (const { nodes } of functions) checkNodes(source, nodes, new Map());
  checkFunctions(source, model);
}

/** Names a graph may use: its own and those of the graphs around it. */
interface Scope {
  readonly names: ReadonlySet<string>;
  readonly outer: Scope | null;
}

function sees(scope: Scope, name: string): boolean {
  for (let at: Scope | null = scope; at !== null; at = at.outer) if (at.names.has(name)) return true;
  return false;
}

function checkGraph(source: string, graph: OnnxGraphInfo, outer: Scope | null): void {
  const constants = new Map<string, OnnxTensor>();
  const known = new Set<string>();
  for (const tensor of graph.initializers) {
    if (outer !== null && tensor.external !== null) throw outside(source, tensor.name);
    if (known.has(tensor.name)) throw corrupt(source, `has two tensors "${clip(tensor.name)}"`);
    known.add(tensor.name);
    constants.set(tensor.name, tensor);
  }
  for (const { name } of graph.inputs) {
    if (known.has(name)) throw corrupt(source, `has two inputs "${clip(name)}"`);
    known.add(name);
  }
  const producers = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) {
      if (output === "") continue;
      if (known.has(output) || producers.has(output)) throw corrupt(source, `makes the value "${clip(output)}" twice`);
      producers.set(output, i);
    }
  });
  const scope = { names: new Set([...known, ...producers.keys()]), outer };
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input !== "" && !sees(scope, input)) throw corrupt(source, `uses the value "${clip(input)}", which nothing makes`);
    }
  }
  for (const { name } of graph.outputs) {
    if (!sees(scope, name)) throw corrupt(source, `promises the output "${clip(name)}", which nothing makes`);
  }
  refuseCycles(source, graph.nodes, producers);
  checkNodes(source, graph.nodes, constants);
  for (const node of graph.nodes) for (const inner of node.subgraphs) checkGraph(source, inner, scope);
}

/** Kahn's algorithm: what is left over when nothing more can be computed depends on itself. */
function refuseCycles(source: string, nodes: readonly OnnxNodeInfo[], producers: ReadonlyMap<string, number>): void {
  const waiting = nodes.map(() => 0);
  const users: number[][] = nodes.map(() => []);
  nodes.forEach((node, i) => {
    for (const name of usedBy(node)) {
      const from = producers.get(name);
      if (from === undefined) continue;
      users[from]!.push(i);
      waiting[i]!++;
    }
  });
  const ready = nodes.flatMap((_, i) => (waiting[i] === 0 ? [i] : []));
  let done = 0;
  for (let i = ready.pop(); i !== undefined; i = ready.pop()) {
    done++;
    for (const user of users[i]!) if (--waiting[user]! === 0) ready.push(user);
  }
  if (done < nodes.length) {
    const left = nodes.findIndex((_, i) => waiting[i]! > 0);
    throw corrupt(source, `goes in a circle: "${clip(nodes[left]!.name || nodes[left]!.type)}" depends on itself`);
  }
}

/** Names a node reads, those its subgraphs take from outside included. */
function usedBy(node: OnnxNodeInfo): Set<string> {
  const names = new Set(node.inputs);
  for (const graph of node.subgraphs) for (const inner of graph.nodes) for (const name of usedBy(inner)) names.add(name);
  return names;
}

function checkNodes(source: string, nodes: readonly OnnxNodeInfo[], initializers: ReadonlyMap<string, OnnxTensor>): void {
  const constants = new Map(initializers);
  for (const node of nodes) {
    for (const attribute of node.attributes.values()) {
      if (attribute.kind !== "tensor") continue;
      if (attribute.value.external !== null) throw outside(source, attribute.value.name);
      if (node.type === "Constant" && node.outputs[0] !== undefined) constants.set(node.outputs[0], attribute.value);
    }
  }
  for (const node of nodes) checkConstantShape(source, node, constants);
}

/** Which input of an operator says how large its result is, and how. */
const SHAPE_INPUTS: Readonly<Record<string, readonly { readonly input: number; readonly says: "shape" | "factors" | "pads" }[]>> = {
  ConstantOfShape: [{ input: 0, says: "shape" }],
  Expand: [{ input: 1, says: "shape" }],
  Reshape: [{ input: 1, says: "shape" }],
  Tile: [{ input: 1, says: "factors" }],
  Upsample: [{ input: 1, says: "factors" }],
  Resize: [
    { input: 2, says: "factors" },
    { input: 3, says: "shape" },
  ],
  Pad: [{ input: 1, says: "pads" }],
  OneHot: [{ input: 1, says: "factors" }],
};

/** What a constant asks for can be known before anything runs; a shape computed from the image cannot. */
function checkConstantShape(source: string, node: OnnxNodeInfo, constants: ReadonlyMap<string, OnnxTensor>): void {
  if (node.domain !== "") return;
  const what = `the result of "${clip(node.name || node.type)}"`;
  for (const { input, says } of SHAPE_INPUTS[node.type] ?? []) {
    const tensor = constants.get(node.inputs[input] ?? "");
    if (tensor === undefined || tensor.external !== null || tensor.dims.reduce((a, b) => a * b, 1) > 64) continue;
    const values = [...tensor.read().data];
    if (says === "shape")
      checkedSize(source, what, values.filter((side) => side > 0)); // prettier-ignore
    else if (values.some((value) => value > MAX_FACTOR)) throw huge(source, what, values);
  }
  const shape = node.attributes.get("shape");
  if (/^Random|^EyeLike$/.test(node.type) && shape?.kind === "numbers") checkedSize(source, what, shape.value);
  if (node.type === "Range") {
    const [start, stop, step] = node.inputs.map((name) => constants.get(name)?.read().data[0]);
    if (start !== undefined && stop !== undefined && step !== undefined && (stop - start) / step > MAX_ELEMENTS)
      throw huge(source, what, [start, stop, step]);
  }
}

/** Functions may call each other, but not in a circle, and not so often that writing them out would never end. */
function checkFunctions(source: string, { graph, functions }: OnnxModel): void {
  const byName = new Map<string, OnnxFunctionInfo>();
  for (const fn of functions) {
    // Overloads of one name are counted together: no file can hide behind them.
    const former = byName.get(keyOf(fn.domain, fn.name));
    byName.set(keyOf(fn.domain, fn.name), former === undefined ? fn : { ...fn, nodes: [...former.nodes, ...fn.nodes] });
  }
  if (byName.size === 0) return;
  const sizes = new Map<OnnxFunctionInfo, number>();
  const open = new Set<OnnxFunctionInfo>();
  const expandedNodes = (nodes: readonly OnnxNodeInfo[]): number => {
    let sum = 0;
    for (const node of nodes) {
      const called = byName.get(keyOf(node.domain, node.type));
      sum += called === undefined ? 1 : sizeOf(called);
      for (const inner of node.subgraphs) sum += expandedNodes(inner.nodes);
      if (sum > MAX_EXPANDED)
        throw new GeoLearnError("LIMIT_EXCEEDED", `${source} has functions that write out to more than ${MAX_EXPANDED} nodes.`, {
          hint: "The file was made to exhaust memory; export the network without functions.",
        });
    }
    return sum;
  };
  const sizeOf = (fn: OnnxFunctionInfo): number => {
    const known = sizes.get(fn);
    if (known !== undefined) return known;
    if (open.has(fn)) throw corrupt(source, `has a function "${clip(fn.name)}" that calls itself`);
    if (open.size > 100) throw corrupt(source, "has functions that call each other more than 100 deep");
    open.add(fn);
    const size = expandedNodes(fn.nodes);
    open.delete(fn);
    sizes.set(fn, size);
    return size;
  };
  for (const fn of byName.values()) sizeOf(fn);
  expandedNodes(graph.nodes);
}

const keyOf = (domain: string, name: string): string => `${domain} ${name}`;

function outside(source: string, name: string): GeoLearnError {
  return corrupt(source, `keeps the tensor "${clip(name)}" of an inner graph in another file`);
}

function huge(source: string, what: string, values: readonly number[]): GeoLearnError {
  return new GeoLearnError("LIMIT_EXCEEDED", `${source} asks for ${what} by [${values.slice(0, 8).join(", ")}], which cannot be meant.`, {
    hint: "The file is damaged, or was made to exhaust memory.",
  });
}
