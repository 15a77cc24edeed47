/**
 * Reads ONNX models of strangers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the whole file is walked, subgraphs and functions
 * included, before anything else sees it. What protobuf would merge silently is refused, so that no other reader finds more in the file.
 */

import { GeoLearnError } from "@geolearn/core";
import { type OnnxTensor, checkedSize, elementTypeName, parseTensor } from "./tensor.ts";
import { MessageReader, clip, corrupt } from "./wire.ts";

/** An input or output of a graph. */
export interface OnnxValueInfo {
  readonly name: string;
  /** ONNX's word for the number type; null when it is no tensor (a sequence, a map). */
  readonly type: string | null;
  /** A number for a fixed side, a name or null for one that is free; null as a whole when the file does not say. */
  readonly dims: readonly (number | string | null)[] | null;
}

/** A setting of a node. */
export type OnnxAttribute =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "numbers"; readonly value: readonly number[] }
  | { readonly kind: "text"; readonly value: string | null }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "other" };

/** One operation of a graph. */
export interface OnnxNodeInfo {
  readonly name: string;
  readonly type: string;
  readonly domain: string;
  /** Names of values; `""` for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  /** Graphs inside the node (branches, loop bodies). */
  readonly subgraphs: readonly OnnxGraphInfo[];
}

/** A graph of operations. */
export interface OnnxGraphInfo {
  readonly name: string;
  readonly nodes: readonly OnnxNodeInfo[];
  readonly initializers: readonly OnnxTensor[];
  /** What must be fed: inputs that have no initializer. */
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
}

/** A function that nodes of the model may call like an operator. */
export interface OnnxFunctionInfo {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly nodes: readonly OnnxNodeInfo[];
}

/** What an ONNX file says. */
export interface OnnxModel {
  /** Path it was read from, or a word for bytes; for messages. */
  readonly source: string;
  readonly irVersion: number;
  readonly producer: string;
  /** Versions of the operator sets by domain; `""` is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraphInfo;
  readonly functions: readonly OnnxFunctionInfo[];
  /** The file, all tensors inside. */
  readonly bytes: Uint8Array;
}

const MAX_FILE_BYTES = 2 ** 31 - 1;
const MAX_NODES = 500_000;
const MAX_TENSORS = 500_000;
const MAX_DEPTH = 16;
const MAX_METADATA_BYTES = 16 * 1024 * 1024;
/** Sides of a graph's inputs and outputs: far above any image. */
const MAX_SIDE = 2 ** 31;

/** Counts what is read, over all graphs of the file. */
interface Budget {
  nodes: number;
  tensors: number;
}

/**
 * Decodes an ONNX model and checks that every message, tensor and shape is sound in itself; how they belong together is judged by
 * `checkModel`.
 *
 * @throws MODEL_CORRUPT, LIMIT_EXCEEDED, UNSUPPORTED_FORMAT
 */
export function decodeModel(bytes: Uint8Array, source: string): OnnxModel {
  if (bytes.length > MAX_FILE_BYTES) throw limit(source, `has ${bytes.length} bytes; at most ${MAX_FILE_BYTES} are read`);
  const message = new MessageReader(source, bytes);
  const budget: Budget = { nodes: 0, tensors: 0 };
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  const functions: OnnxFunctionInfo[] = [];
  let irVersion = 0;
  let producer = "";
  let graph: OnnxGraphInfo | null = null;
  while (message.next()) {
    switch (message.field) {
      case 1:
        irVersion = message.integer();
        break;
      case 2:
        producer = message.text();
        break;
      case 7:
        if (graph !== null) throw corrupt(source, "has two graphs");
        graph = readGraph(message.message(), budget, 0);
        break;
      case 8:
        readOpset(message.message(), opsets);
        break;
      case 14:
        readText(message.message(), metadata);
        break;
      case 20:
        throw unsupported(source, "contains training information", "Export the network for inference.");
      case 25:
        functions.push(readFunction(message.message(), budget));
        break;
    }
  }
  if (graph === null || irVersion < 1) throw corrupt(source, "is no ONNX model: it has no graph");
  return { source, irVersion, producer, opsets, metadata, graph, functions, bytes };
}

function readGraph(message: MessageReader, budget: Budget, depth: number): OnnxGraphInfo {
  const { file } = message;
  if (depth > MAX_DEPTH) throw limit(file, `nests graphs deeper than ${MAX_DEPTH}`);
  const nodes: OnnxNodeInfo[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  let name = "";
  while (message.next()) {
    switch (message.field) {
      case 1:
        nodes.push(readNode(message.message(), budget, depth));
        break;
      case 2:
        name = message.text();
        break;
      case 5:
        initializers.push(readTensor(message.message(), budget));
        break;
      case 11:
        inputs.push(readValueInfo(message.message()));
        break;
      case 12:
        outputs.push(readValueInfo(message.message()));
        break;
      case 13:
        readValueInfo(message.message());
        break;
      case 15:
        throw unsupported(file, "has sparse tensors", "Export the network with dense weights.");
    }
  }
  const constant = new Set(initializers.map((tensor) => tensor.name));
  return { name, nodes, initializers, inputs: inputs.filter((input) => !constant.has(input.name)), outputs };
}

function readTensor(message: MessageReader, budget: Budget): OnnxTensor {
  if (++budget.tensors > MAX_TENSORS) throw limit(message.file, `has more than ${MAX_TENSORS} tensors`);
  return parseTensor(message);
}

function readNode(message: MessageReader, budget: Budget, depth: number): OnnxNodeInfo {
  const { file } = message;
  if (++budget.nodes > MAX_NODES) throw limit(file, `has more than ${MAX_NODES} nodes`);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  const subgraphs: OnnxGraphInfo[] = [];
  let name = "";
  let type = "";
  let domain = "";
  while (message.next()) {
    switch (message.field) {
      case 1:
        inputs.push(message.text());
        break;
      case 2:
        outputs.push(message.text());
        break;
      case 3:
        name = message.text();
        break;
      case 4:
        type = message.text();
        break;
      case 5: {
        const [key, value] = readAttribute(message.message(), budget, depth, subgraphs);
        if (attributes.has(key)) throw corrupt(file, `gives node "${clip(name)}" the attribute "${clip(key)}" twice`);
        attributes.set(key, value);
        break;
      }
      case 7:
        domain = plainDomain(message.text());
        break;
    }
  }
  return { name, type, domain, inputs, outputs, attributes, subgraphs };
}

function readAttribute(
  message: MessageReader,
  budget: Budget,
  depth: number,
  subgraphs: OnnxGraphInfo[],
): [name: string, value: OnnxAttribute] {
  const { file } = message;
  const numbers: number[] = [];
  let name = "";
  let value: OnnxAttribute = { kind: "other" };
  let messages = 0;
  while (message.next()) {
    switch (message.field) {
      case 1:
        name = message.text();
        break;
      case 2:
        value = { kind: "number", value: message.float() };
        break;
      case 3:
        value = { kind: "number", value: message.integer() };
        break;
      case 4:
        value = { kind: "text", value: textOf(message.raw()) };
        break;
      case 5:
        if (messages++ > 0) throw corrupt(file, `has attribute "${clip(name)}" with two values`);
        value = { kind: "tensor", value: readTensor(message.message(), budget) };
        break;
      case 6:
        if (messages++ > 0) throw corrupt(file, `has attribute "${clip(name)}" with two values`);
        subgraphs.push(readGraph(message.message(), budget, depth + 1));
        break;
      case 7:
        message.floats(numbers);
        value = { kind: "numbers", value: numbers };
        break;
      case 8:
        message.integers(numbers);
        value = { kind: "numbers", value: numbers };
        break;
      case 10:
        readTensor(message.message(), budget);
        break;
      case 11:
        subgraphs.push(readGraph(message.message(), budget, depth + 1));
        break;
      case 22:
      case 23:
        throw unsupported(file, "has sparse tensors", "Export the network with dense weights.");
    }
  }
  return [name, value];
}

function readFunction(message: MessageReader, budget: Budget): OnnxFunctionInfo {
  const nodes: OnnxNodeInfo[] = [];
  let name = "";
  let domain = "";
  let overload = "";
  while (message.next()) {
    switch (message.field) {
      case 1:
        name = message.text();
        break;
      case 7:
        nodes.push(readNode(message.message(), budget, 0));
        break;
      case 10:
        domain = plainDomain(message.text());
        break;
      case 11:
        readAttribute(message.message(), budget, 0, []);
        break;
      case 13:
        overload = message.text();
        break;
    }
  }
  return { name, domain, overload, nodes };
}

function readValueInfo(message: MessageReader): OnnxValueInfo {
  const { file } = message;
  let name = "";
  let found: Omit<OnnxValueInfo, "name"> | null = null;
  while (message.next()) {
    if (message.field === 1) name = message.text();
    else if (message.field === 2) {
      if (found !== null) throw corrupt(file, `gives "${clip(name)}" two types`);
      found = readType(message.message());
    }
  }
  const { type, dims } = found ?? { type: null, dims: null };
  const fixed = (dims ?? []).filter((side) => typeof side === "number");
  checkedSize(file, `"${clip(name)}"`, fixed);
  return { name, type, dims };
}

/** A `TypeProto`: only tensors are told apart. */
function readType(message: MessageReader): Omit<OnnxValueInfo, "name"> {
  const { file } = message;
  let result: Omit<OnnxValueInfo, "name"> | null = null;
  while (message.next()) {
    if (message.field !== 1) continue;
    if (result !== null) throw corrupt(file, "gives a value two types");
    const tensor = message.message();
    let type: string | null = null;
    let dims: (number | string | null)[] | null = null;
    while (tensor.next()) {
      if (tensor.field === 1) type = elementTypeName(tensor.integer());
      else if (tensor.field === 2) {
        if (dims !== null) throw corrupt(file, "gives a value two shapes");
        dims = readShape(tensor.message());
      }
    }
    result = { type, dims };
  }
  return result ?? { type: null, dims: null };
}

function readShape(message: MessageReader): (number | string | null)[] {
  const dims: (number | string | null)[] = [];
  while (message.next()) {
    if (message.field !== 1) continue;
    const dim = message.message();
    let side: number | string | null = null;
    while (dim.next()) {
      if (dim.field === 1) side = dim.integer();
      else if (dim.field === 2) side = dim.text();
    }
    if (typeof side === "number" && side > MAX_SIDE) throw limit(message.file, `declares a side of ${side}`);
    // Some exporters write -1 or 0 for "any".
    dims.push(side === "" || (typeof side === "number" && side <= 0) ? null : side);
  }
  return dims;
}

function readOpset(message: MessageReader, into: Map<string, number>): void {
  let domain = "";
  let version = 0;
  while (message.next()) {
    if (message.field === 1) domain = plainDomain(message.text());
    else if (message.field === 2) version = message.integer();
  }
  into.set(domain, version);
}

function readText(message: MessageReader, into: Map<string, string>): void {
  let key = "";
  let value = "";
  while (message.next()) {
    if (message.field === 1) key = message.text();
    else if (message.field === 2) value = message.text(MAX_METADATA_BYTES);
  }
  into.set(key, value);
}

/** `ai.onnx` is the long name of ONNX's own domain. */
const plainDomain = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

/** Text of an attribute; null for bytes that are none. */
function textOf(bytes: Uint8Array): string | null {
  if (bytes.length > 1 << 20) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function limit(file: string, what: string): GeoLearnError {
  return new GeoLearnError("LIMIT_EXCEEDED", `${file} ${what}.`, { hint: "The file is damaged, or was made to exhaust memory." });
}

function unsupported(file: string, what: string, hint: string): GeoLearnError {
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${file} ${what}, which geolearn does not read.`, { hint });
}
