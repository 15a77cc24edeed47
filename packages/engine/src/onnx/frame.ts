/**
 * A frame around an image model of others: pixels `[N, H, W, C]` as they are in, scores `[N, H, W, classes]` out. Reordering, normalization
 * and activation become nodes of the graph, so that they run where the model runs.
 */

import { GeoLearnError } from "@geolearn/core";
import type { OnnxModel, OnnxValueInfo } from "./decode.ts";
import {
  type AttributeValue,
  MessageWriter,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxPort,
  writeInitializer,
  writeNode,
  writePort,
} from "./encode.ts";
import { parseOnnxModel } from "./parse.ts";
import { MessageReader } from "./wire.ts";

/** Order of the sides of an image in a model. */
export type ImageLayout = "NCHW" | "NHWC" | "CHW" | "HWC";

/** How pixels become the model's input. */
export interface InputFrame {
  readonly name: string;
  readonly layout: ImageLayout;
  /** Images, height, width and channels of every run. */
  readonly shape: readonly [n: number, h: number, w: number, c: number];
  /** Subtracted from each channel, before it is divided. */
  readonly offset?: readonly number[] | undefined;
  readonly divisor?: readonly number[] | undefined;
}

/** How the model's output becomes scores. */
export interface OutputFrame {
  readonly name: string;
  /** `NHW` has no channels: one number per pixel. */
  readonly layout: "NCHW" | "NHWC" | "NHW";
  /** What the numbers are: logits before softmax (before the logistic function when there is one per pixel), scores, or numbers of classes. */
  readonly values: "logits" | "scores" | "classes";
  readonly classes: number;
  /** Channels of the output; 1 when only the second of two classes is told. */
  readonly channels: number;
  /** Times the result is enlarged, bilinearly, before anything else. @defaultValue 1 */
  readonly enlarge?: number;
}

/** Name of the framed model's only input. */
export const FRAMED_INPUT = "geolearn.pixels";
/** Name of the framed model's only output. */
export const FRAMED_OUTPUT = "geolearn.scores";

/** Numbers of ONNX's types a network may take its pixels in. */
const INPUT_TYPES: Readonly<Record<string, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};
const FLOAT32 = 1;
const INT64 = 7;
/** Oldest operators the frame can be written in. */
const OLDEST_OPSET = 9;
const OLDEST_RESIZE = 11;

/**
 * Writes the frame around a model. Without `output` the model's own outputs stay as they are.
 *
 * @throws UNSUPPORTED_FORMAT for a model with operators older than version 9 or an input that cannot hold pixels; INVALID_ARGUMENT for names the
 * model does not have
 */
export function frameOnnxModel(model: OnnxModel, input: InputFrame, output: OutputFrame | null): OnnxModel {
  const { source, graph } = model;
  const opset = model.opsets.get("") ?? 0;
  if (opset < OLDEST_OPSET) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${source} is written in version ${opset} of ONNX's operators; ${OLDEST_OPSET} is the oldest read.`,
      {
        hint: "Export the network with opset 17 or later.",
      },
    );
  }
  const before = new FrameWriter(`${FRAMED_INPUT}.`);
  inputNodes(before, input, typeOf(model, find(model, graph.inputs, input.name, "input")));
  const after = new FrameWriter(`${FRAMED_OUTPUT}.`);
  if (output !== null) {
    find(model, graph.outputs, output.name, "output");
    if ((output.enlarge ?? 1) > 1 && opset < OLDEST_RESIZE) {
      throw new GeoLearnError(
        "UNSUPPORTED_FORMAT",
        `${source} must be enlarged, which takes ONNX's operators in version ${OLDEST_RESIZE}; it has ${opset}.`,
        {
          hint: "Export the network with opset 17 or later.",
        },
      );
    }
    outputNodes(after, output);
  }
  const ports: { inputs: OnnxPort[]; outputs: OnnxPort[] | null } = {
    inputs: [{ name: FRAMED_INPUT, type: "float32", dims: input.shape }],
    outputs: output && [{ name: FRAMED_OUTPUT, type: "float32", dims: [input.shape[0], "rows", "columns", output.classes] }],
  };
  return parseOnnxModel(rewritten(model, before, after, ports), source);
}

function find(model: OnnxModel, list: readonly OnnxValueInfo[], name: string, what: string): OnnxValueInfo {
  const found = list.find((info) => info.name === name);
  if (found !== undefined) return found;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `${model.source} has no ${what} "${name}"; it has ${list.map((info) => `"${info.name}"`).join(", ")}.`,
    {
      hint: `Give one of these names as \`${what}\`.`,
    },
  );
}

function typeOf({ source }: OnnxModel, { name, type }: OnnxValueInfo): number {
  const code = INPUT_TYPES[type ?? ""];
  if (code !== undefined) return code;
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `${source} takes ${type ?? "no tensor"} as "${name}"; pixels are numbers.`, {
    hint: "Export the network so that it takes a tensor of float32.",
  });
}

/** Nodes and constants, each with a name of its own. */
class FrameWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];

  constructor(private readonly prefix: string) {}

  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    const output = `${this.prefix}${this.nodes.length}`;
    this.nodes.push({ name: output, type, domain: "", inputs, outputs: [output], attributes });
    return output;
  }

  floats(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant("float32", dims, new Uint8Array(Float32Array.from(values).buffer));
  }

  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant("int64", dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  private constant(type: "float32" | "int64", dims: readonly number[], bytes: Uint8Array): string {
    const name = `${this.prefix}c${this.initializers.length}`;
    this.initializers.push({ name, type, dims, bytes });
    return name;
  }

  /** Gives the last value made another name. */
  call(name: string): void {
    const last = this.nodes.pop()!;
    this.nodes.push({ ...last, outputs: [name] });
  }
}

function inputNodes(write: FrameWriter, { name, layout, shape, offset, divisor }: InputFrame, type: number): void {
  const [n, h, w, c] = shape;
  let x = FRAMED_INPUT;
  if (layout === "NCHW" || layout === "CHW") x = write.op("Transpose", [x], { perm: [0, 3, 1, 2] });
  const perChannel = layout === "NCHW" || layout === "CHW" ? [c, 1, 1] : [c];
  if (offset !== undefined) x = write.op("Sub", [x, write.floats(offset, perChannel)]);
  if (divisor !== undefined) x = write.op("Div", [x, write.floats(divisor, perChannel)]);
  if (layout === "CHW") x = write.op("Reshape", [x, write.ints([c, h, w])]);
  else if (layout === "HWC") x = write.op("Reshape", [x, write.ints([h, w, c])]);
  if (type !== FLOAT32) x = write.op("Cast", [x], { to: type });
  if (x === FRAMED_INPUT) write.op("Reshape", [x, write.ints([n, h, w, c])]);
  write.call(name);
}

function outputNodes(write: FrameWriter, { name, layout, values, classes, channels, enlarge = 1 }: OutputFrame): void {
  let y = name;
  if (values === "classes") y = write.op("Cast", [y], { to: INT64 });
  else y = write.op("Cast", [y], { to: FLOAT32 });
  if (enlarge > 1) y = enlarged(write, y, layout, values, enlarge);
  if (layout === "NCHW") y = write.op("Transpose", [y], { perm: [0, 2, 3, 1] });
  if (values === "classes") {
    // Without channels: 0 copies a side.
    if (layout !== "NHW") y = write.op("Reshape", [y, write.ints([0, 0, -1])]);
    write.op("OneHot", [y, write.ints([classes], []), write.floats([0, 1])], { axis: 3 });
  } else if (channels === 1 && classes === 2) {
    if (layout === "NHW") y = write.op("Reshape", [y, write.ints([0, 0, -1, 1])]);
    if (values === "logits") y = write.op("Sigmoid", [y]);
    write.op("Concat", [write.op("Sub", [write.floats([1]), y]), y], { axis: 3 });
  } else if (values === "logits") write.op("Softmax", [y], { axis: 3 });
  write.call(FRAMED_OUTPUT);
}

/** Larger by a whole factor: numbers of classes are repeated, others interpolated between pixel centres. */
function enlarged(write: FrameWriter, y: string, layout: OutputFrame["layout"], values: OutputFrame["values"], factor: number): string {
  const scales = { NCHW: [1, 1, factor, factor], NHWC: [1, factor, factor, 1], NHW: [1, factor, factor] }[layout];
  const settings: Record<string, AttributeValue> =
    values === "classes"
      ? { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }
      : { mode: "linear", coordinate_transformation_mode: "half_pixel" };
  return write.op("Resize", [y, "", write.floats(scales)], settings);
}

/** The model with other inputs and outputs; what is between them is copied byte by byte. */
function rewritten(
  { bytes, source, graph }: OnnxModel,
  before: FrameWriter,
  after: FrameWriter,
  { inputs, outputs }: { readonly inputs: readonly OnnxPort[]; readonly outputs: readonly OnnxPort[] | null },
): Uint8Array {
  const fed = new Set(graph.inputs.map((info) => info.name));
  const out = new MessageWriter();
  const message = new MessageReader(source, bytes);
  while (message.next()) {
    if (message.field !== 7) {
      out.copy(message.fieldBytes());
      continue;
    }
    const old = message.message();
    out.message(7, (inner) => {
      for (const node of before.nodes) inner.message(1, (at) => writeNode(at, node));
      while (old.next()) {
        // Inputs that are constants stay, as old versions of ONNX want it.
        const replaced = old.field === 11 ? fed.has(nameOf(old.peek())) : old.field === 12 && outputs !== null;
        if (!replaced) inner.copy(old.fieldBytes());
      }
      for (const node of after.nodes) inner.message(1, (at) => writeNode(at, node));
      for (const tensor of [...before.initializers, ...after.initializers]) inner.message(5, (at) => writeInitializer(at, tensor));
      for (const port of inputs) inner.message(11, (at) => writePort(at, port));
      for (const port of outputs ?? []) inner.message(12, (at) => writePort(at, port));
    });
  }
  return out.finish();
}

function nameOf(info: MessageReader): string {
  let name = "";
  while (info.next()) if (info.field === 1) name = info.text();
  return name;
}
