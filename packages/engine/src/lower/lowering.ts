/**
 * From recorded values to ONNX nodes. Tensors of rank 4 are kept channels-first where an operation likes it (`[N, H, W, C]` for
 * tfjs, `[N, C, H, W]` in memory); conversions are written once per value, only where they are needed.
 */

import { GeoLearnError } from "@geolearn/core";
import type { Value } from "../graph/value.ts";
import type { AttributeValue, ElementType, OnnxGraph, OnnxInitializer, OnnxNode, OnnxPort } from "../onnx/encode.ts";
import type { TensorData } from "../types.ts";

/** How a value lies in memory. */
export type Layout = "natural" | "channelsFirst";

/** Where a lowered value is found. */
export interface Lowered {
  readonly name: string;
  readonly layout: Layout;
}

/** Writes the nodes of one operation. */
export type LoweringRule = (graph: Lowering, value: Value) => Lowered;

const MICROSOFT = "com.microsoft";
const NCHWC = "com.microsoft.nchwc";

/** Version of ONNX's operators that is written. */
export const OPSET = 18;

/** What graphs are written for. */
export interface LoweringTarget {
  readonly rules: ReadonlyMap<string, LoweringRule>;
  /** Channels in a block of ONNX Runtime's blocked layout on this processor; 0 when it has none. */
  readonly block: number;
  /** Whether the device runs ONNX Runtime's own operators; what it does not run would be copied to the CPU and back. */
  readonly fused: boolean;
  /**
   * For files that others read: no size of a batch or an image in constants where there is another way to say it.
   * @defaultValue false
   */
  readonly portable?: boolean;
}

/** Contents of an ONNX graph under construction. */
export class Lowering {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: OnnxInitializer[] = [];
  private readonly initializerNames = new Map<string, string>();
  private readonly inputs: OnnxPort[] = [];
  private readonly outputs: OnnxPort[] = [];
  private readonly lowered = new Map<Value, Lowered>();
  private readonly derived = new Map<string, string>();
  private counter = 0;

  private readonly constants = new Set<Value>();

  constructor(private readonly target: LoweringTarget) {}

  /** Channels in a block of the blocked layout, 0 for none. */
  get block(): number {
    return this.target.block;
  }

  /** Whether graphs are to be read by others; see {@link LoweringTarget}. */
  get portable(): boolean {
    return this.target.portable === true;
  }

  /** True when the values are written into the graph: ONNX Runtime then chooses layouts itself. */
  isConstant(value: Value): boolean {
    return this.constants.has(value);
  }

  private fresh(): string {
    return `t${this.counter++}`;
  }

  /** Adds a node with one output and returns its name. */
  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}, domain = ""): string {
    return this.ops(type, inputs, attributes, 1, domain)[0]!;
  }

  /** Whether ONNX Runtime's own operators run on the device. */
  get fused(): boolean {
    return this.target.fused;
  }

  /** Product of matrices in the last two axes; `transA` and `transB` are the ranks of those to be transposed first. */
  product(a: string, b: string, { transA = 0, transB = 0 }: { readonly transA?: number; readonly transB?: number } = {}): string {
    if (transA === 0 && transB === 0) return this.op("MatMul", [a, b]);
    if (this.fused) return this.op("FusedMatMul", [a, b], { transA: Math.sign(transA), transB: Math.sign(transB) }, MICROSOFT);
    return this.op("MatMul", [this.turned(a, transA), this.turned(b, transB)]);
  }

  /** The last two of `rank` axes exchanged; unchanged for rank 0. */
  private turned(name: string, rank: number): string {
    if (rank === 0) return name;
    const axes = Array.from({ length: rank }, (_, axis) => axis);
    return this.op("Transpose", [name], { perm: [...axes.slice(0, -2), rank - 1, rank - 2] });
  }

  /** Adds a node of the blocked operators of ONNX Runtime's CPU provider. */
  blocked(type: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.op(type, inputs, attributes, NCHWC);
  }

  /** Adds a node with several outputs. */
  ops(type: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>>, count: number, domain = ""): string[] {
    const outputs = Array.from({ length: count }, () => this.fresh());
    this.nodes.push({ name: `${type}_${outputs[0]}`, type, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** Makes a name once per key: conversions and copies that several operations share. */
  shared(key: string, make: () => string): string {
    const former = this.derived.get(key);
    if (former !== undefined) return former;
    const name = make();
    this.derived.set(key, name);
    return name;
  }

  /** A constant of 64-bit integers (shapes, axes, pads). */
  ints(values: readonly number[]): string {
    return this.constant("int64", [values.length], new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer));
  }

  /** A constant of floats; a scalar unless dims are given. */
  floats(values: readonly number[], dims: readonly number[] = []): string {
    return this.constant("float32", dims, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A constant of 32-bit integers; a scalar unless dims are given. */
  int32(values: readonly number[], dims: readonly number[] = []): string {
    return this.constant("int32", dims, new Uint8Array(Int32Array.from(values).buffer));
  }

  /** A constant tensor; equal small ones are written once. */
  constant(type: ElementType, dims: readonly number[], bytes: Uint8Array): string {
    const key = bytes.length <= 256 ? `${type} ${dims.join("x")} ${bytes.join()}` : null;
    const former = key === null ? undefined : this.initializerNames.get(key);
    if (former !== undefined) return former;
    const name = this.fresh();
    this.initializers.push({ name, type, dims, bytes });
    if (key !== null) this.initializerNames.set(key, name);
    return name;
  }

  /** Declares an input of the graph. */
  input(value: Value, name: string, layout: Layout = "natural"): void {
    this.inputs.push({ name, type: value.dtype, dims: inMemory(value.shape, layout) });
    this.lowered.set(value, { name, layout });
  }

  /** Writes values into the graph, under a name of their own if one is given. */
  embed(value: Value, data: TensorData, name?: string): void {
    this.constants.add(value);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (name !== undefined) this.initializers.push({ name, type: value.dtype, dims: value.shape, bytes });
    this.lowered.set(value, { name: name ?? this.constant(value.dtype, value.shape, bytes), layout: "natural" });
  }

  /** Declares an output of the graph. */
  output(value: Value, name: string, layout: Layout = "natural"): void {
    const source = layout === "natural" ? this.natural(value) : this.channelsFirst(value);
    this.nodes.push({ name: `Output_${name}`, type: "Identity", domain: "", inputs: [source], outputs: [name], attributes: {} });
    this.outputs.push({ name, type: value.dtype, dims: inMemory(value.shape, layout) });
  }

  /** Lowers a value whose inputs are lowered. */
  lower(value: Value): void {
    const rule = this.target.rules.get(value.op);
    if (rule === undefined) {
      throw new GeoLearnError("KERNEL_MISSING", `no lowering for the recorded operation '${value.op}'`, { data: { op: value.op } });
    }
    this.lowered.set(value, rule(this, value));
  }

  /** Where a value is. */
  where(value: Value): Lowered {
    const found = this.lowered.get(value);
    if (found === undefined) throw new GeoLearnError("ENGINE_FAILED", `value '${value.op}' was used before it was lowered`);
    return found;
  }

  /** Name of the value in tfjs's order of axes. */
  natural(value: Value): string {
    const { name, layout } = this.where(value);
    if (layout === "natural") return name;
    return this.shared(`natural ${name}`, () => this.permute(name, value.shape, "natural"));
  }

  /** Name of the value of rank 4 with channels first. */
  channelsFirst(value: Value): string {
    const { name, layout } = this.where(value);
    if (layout === "channelsFirst") return name;
    return this.shared(`first ${name}`, () => this.permute(name, value.shape, "channelsFirst"));
  }

  /** Changes the layout; `shape` is the natural one. Without channels or without pixels, the memory is the same. */
  private permute(name: string, shape: readonly number[], to: Layout): string {
    const [n, h, w, c] = shape as [number, number, number, number];
    const target = to === "natural" ? [n, h, w, c] : [n, c, h, w];
    if (!this.portable && (c === 1 || h * w === 1)) return this.reshape(name, target);
    return this.op("Transpose", [name], { perm: to === "natural" ? [0, 2, 3, 1] : [0, 3, 1, 2] });
  }

  /** Another shape on the same memory. */
  reshape(name: string, shape: readonly number[]): string {
    return this.op("Reshape", [name, this.ints(shape)]);
  }

  /** Elements from `begin` to `end` along the axes. */
  slice(name: string, axes: readonly number[], begin: readonly number[], end: readonly number[], steps?: readonly number[]): string {
    return this.op("Slice", [name, this.ints(begin), this.ints(end), this.ints(axes), this.ints(steps ?? axes.map(() => 1))]);
  }

  /** The finished graph. */
  finish(): OnnxGraph {
    return {
      nodes: this.nodes,
      initializers: this.initializers,
      inputs: this.inputs,
      outputs: this.outputs,
      opsets: this.portable ? { "": OPSET } : { "": OPSET, [MICROSOFT]: 1, [NCHWC]: 1 },
    };
  }
}

/** The order of sides in memory. */
function inMemory(shape: readonly number[], layout: Layout): readonly number[] {
  const [n, h, w, c] = shape as [number, number, number, number];
  return layout === "natural" ? shape : [n, c, h, w];
}
