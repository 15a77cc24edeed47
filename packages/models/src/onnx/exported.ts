/** What is asked of an export to ONNX, and what comes of it. */

import type { ExportedOnnx, OnnxValueInfo } from "@geolearn/engine";

import type { DecodeOptions } from "../network.ts";
import type { StacItem } from "./stac.ts";

/** Options of `toOnnx`. Those of {@link DecodeOptions} are for networks that find objects. */
export interface ToOnnxOptions extends DecodeOptions {
  /**
   * `"free"`: any height and width that are multiples of the network's stride. `"chip"`: fixed to the chip size, which QGIS Deepness and
   * other readers without support for free sizes need. @defaultValue "free"; networks that find objects are always fixed
   */
  readonly size?: "free" | "chip";
  /** Images per run; `"free"` for any number. @defaultValue "free"; 1 for networks that find objects, which need a number */
  readonly batch?: "free" | number;
  /** `"scores"`: softmax, 0 to 1 and 1 in all; where an image may have several classes, the logistic function of each. `"logits"`: what the network gives before it. @defaultValue "scores" */
  readonly output?: "scores" | "logits";
}

/** One output of an ONNX file. */
export interface OnnxOutput {
  readonly name: string;
  /** Type of its numbers, such as `"float32"`. */
  readonly type: string;
  /** A name stands for a free side. */
  readonly shape: readonly (number | string)[];
}

/** An ONNX file, not yet written. */
export interface OnnxExport {
  readonly bytes: Uint8Array;
  /** Version of ONNX's operators; only ONNX's own are used. */
  readonly opset: number;
  /** `[batch, bands, height, width]`; a name stands for a free side. */
  readonly inputShape: readonly (number | string)[];
  /**
   * `[batch, classes, height, width]`, smaller than the input by twice the network's margin; `[batch, classes]` of a network that classifies whole
   * images; the shape of `boxes` of one that finds objects.
   */
  readonly outputShape: readonly (number | string)[];
  /** Every output of the file, in its order. */
  readonly outputs: readonly OnnxOutput[];
  /** The STAC item of the Machine Learning Model extension that describes the file, lying at `href`. */
  stac(href: string): StacItem;
}

/** What {@link OnnxExport} tells of a graph's input and outputs. */
export function shapesOf({
  inputs,
  outputs,
}: Pick<ExportedOnnx, "inputs" | "outputs">): Pick<OnnxExport, "inputShape" | "outputShape" | "outputs"> {
  return {
    inputShape: inputs[0]!.dims,
    outputShape: outputs[0]!.dims,
    outputs: outputs.map(({ name, type, dims }) => ({ name, type, shape: dims })),
  };
}

/** An input or output as a file tells it; "?" stands for what it does not say. */
export function portOf({ name, type, dims }: OnnxValueInfo): OnnxOutput {
  return { name, type: type ?? "?", shape: (dims ?? []).map((side) => side ?? "?") };
}

/** Name of the file's only input. */
export const ONNX_INPUT = "input";
/** Name of the only output of a network of pixel classification, or of one that classifies whole images. */
export const ONNX_OUTPUT = "output";
