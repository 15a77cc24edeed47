/**
 * Writes ONNX models: the few messages of onnx.proto3 that a computation graph needs, in protobuf's wire format.
 * Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */

/** Element types of ONNX tensors that the engine writes. */
export const ELEMENT_TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11, uint32: 12, uint64: 13 } as const;

/** Name of an ONNX element type. */
export type ElementType = keyof typeof ELEMENT_TYPES;

/** A float attribute; plain numbers are written as integers. */
export interface FloatAttribute {
  readonly float: number;
}

/** A list of floats as an attribute. */
export interface FloatsAttribute {
  readonly floats: readonly number[];
}

/** Values an attribute of a node may have; a graph is what a loop repeats. */
export type AttributeValue = number | string | readonly number[] | FloatAttribute | FloatsAttribute | OnnxGraph;

/** A node of an ONNX graph. */
export interface OnnxNode {
  readonly name: string;
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A constant tensor of an ONNX graph, bytes little-endian and row-major. */
export interface OnnxInitializer {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

/** An input or output of an ONNX graph. */
export interface OnnxPort {
  readonly name: string;
  readonly type: ElementType;
  /** A name stands for a side that is free. */
  readonly dims: readonly (number | string)[];
  /** The numbers come in some shape of as many; `dims` is what they stand for. */
  readonly anyShape?: boolean;
}

/** A computation graph, ready to be written. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Versions of the operator sets by domain (`""` is ONNX itself). */
  readonly opsets: Readonly<Record<string, number>>;
  /** Name of the graph, for people. */
  readonly name?: string;
  /** Free text of the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const IR_VERSION = 9;

const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_STRING = 3;
const ATTRIBUTE_GRAPH = 5;
const ATTRIBUTE_FLOATS = 6;
const ATTRIBUTE_INTS = 7;

/** Collects the chunks of one message; lengths are known only when a message is complete, so messages nest by value. */
export class MessageWriter {
  readonly chunks: Uint8Array[] = [];
  length = 0;

  private push(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  private key(field: number, wire: number): void {
    this.varint(BigInt(field * 8 + wire));
  }

  private varint(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.push(Uint8Array.from(bytes));
  }

  integer(field: number, value: number): this {
    this.key(field, VARINT);
    this.varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.key(field, FIXED32);
    this.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.key(field, LENGTH_DELIMITED);
    this.varint(BigInt(value.length));
    this.push(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Fields that are written already. */
  copy(fields: Uint8Array): this {
    this.push(fields);
    return this;
  }

  message(field: number, write: (inner: MessageWriter) => void): this {
    const inner = new MessageWriter();
    write(inner);
    this.key(field, LENGTH_DELIMITED);
    this.varint(BigInt(inner.length));
    for (const chunk of inner.chunks) this.push(chunk);
    return this;
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

function writeAttribute(out: MessageWriter, name: string, value: AttributeValue): void {
  out.text(1, name);
  if (typeof value === "number") out.integer(3, value).integer(20, ATTRIBUTE_INT);
  else if (typeof value === "string") out.text(4, value).integer(20, ATTRIBUTE_STRING);
  else if ("float" in value) out.float(2, value.float).integer(20, ATTRIBUTE_FLOAT);
  else if ("nodes" in value) out.message(6, (inner) => writeGraph(inner, value, name)).integer(20, ATTRIBUTE_GRAPH);
  else if ("floats" in value) {
    for (const item of value.floats) out.float(7, item);
    out.integer(20, ATTRIBUTE_FLOATS);
  } else {
    for (const item of value) out.integer(8, item);
    out.integer(20, ATTRIBUTE_INTS);
  }
}

/** Fields of a `NodeProto`. */
export function writeNode(out: MessageWriter, node: OnnxNode): void {
  for (const name of node.inputs) out.text(1, name);
  for (const name of node.outputs) out.text(2, name);
  out.text(3, node.name).text(4, node.type);
  for (const [name, value] of Object.entries(node.attributes)) out.message(5, (inner) => writeAttribute(inner, name, value));
  if (node.domain !== "") out.text(7, node.domain);
}

/** Fields of a `ValueInfoProto`. */
export function writePort(out: MessageWriter, port: OnnxPort): void {
  out.text(1, port.name).message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.integer(1, ELEMENT_TYPES[port.type]);
      if (port.anyShape === true) return;
      tensor.message(2, (shape) => {
        for (const dim of port.dims) shape.message(1, (inner) => (typeof dim === "number" ? inner.integer(1, dim) : inner.text(2, dim)));
      });
    }),
  );
}

/** Fields of a `TensorProto`. */
export function writeInitializer(out: MessageWriter, tensor: OnnxInitializer): void {
  for (const dim of tensor.dims) out.integer(1, dim);
  out.integer(2, ELEMENT_TYPES[tensor.type]).text(8, tensor.name).bytes(9, tensor.bytes);
}

function writeGraph(out: MessageWriter, graph: OnnxGraph, name: string): void {
  for (const node of graph.nodes) out.message(1, (inner) => writeNode(inner, node));
  out.text(2, name);
  for (const tensor of graph.initializers) out.message(5, (inner) => writeInitializer(inner, tensor));
  for (const port of graph.inputs) out.message(11, (inner) => writePort(inner, port));
  for (const port of graph.outputs) out.message(12, (inner) => writePort(inner, port));
}

/** The bytes of an ONNX model file that holds this graph. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const model = new MessageWriter();
  model.integer(1, IR_VERSION).text(2, "geolearn");
  model.message(7, (out) => writeGraph(out, graph, graph.name ?? "graph"));
  for (const [domain, version] of Object.entries(graph.opsets)) {
    model.message(8, (out) => {
      if (domain !== "") out.text(1, domain);
      out.integer(2, version);
    });
  }
  for (const [key, value] of Object.entries(graph.metadata ?? {})) model.message(14, (out) => out.text(1, key).text(2, value));
  return model.finish();
}
