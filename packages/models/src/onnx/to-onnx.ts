/** A trained network as an ONNX file, for QGIS, PyTorch, browsers and everything else that runs ONNX. */

import { GeoLearnError } from "@geolearn/core";
import { type ExportInput, type FreeSide, exportOnnx } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { ModelManifest } from "../manifest.ts";
import type { Network } from "../network.ts";
import { checkChipSize } from "../network/chip-size.ts";
import { deepnessMetadata } from "./deepness.ts";
import { OWN_METADATA_KEY, ownMetadata } from "./own-metadata.ts";
import { type StacItem, stacItem } from "./stac.ts";

/** Options of {@link toOnnx}. */
export interface ToOnnxOptions {
  /**
   * `"free"`: any height and width that are multiples of the network's stride. `"chip"`: fixed to the chip size, which QGIS Deepness and
   * other readers without support for free sizes need. @defaultValue "free"
   */
  readonly size?: "free" | "chip";
  /** Images per run; `"free"` for any number. @defaultValue "free" */
  readonly batch?: "free" | number;
  /** `"scores"`: softmax, 0 to 1 and 1 in all. `"logits"`: what the network gives before it. @defaultValue "scores" */
  readonly output?: "scores" | "logits";
}

/** An ONNX file, not yet written. */
export interface OnnxExport {
  readonly bytes: Uint8Array;
  /** Version of ONNX's operators; only ONNX's own are used. */
  readonly opset: number;
  /** `[batch, bands, height, width]`; a name stands for a free side. */
  readonly inputShape: readonly (number | string)[];
  /** `[batch, classes, height, width]`; smaller than the input by twice the network's margin. */
  readonly outputShape: readonly (number | string)[];
  /** The STAC item of the Machine Learning Model extension that describes the file, lying at `href`. */
  stac(href: string): StacItem;
}

/** Name of the file's only input. */
export const ONNX_INPUT = "input";
/** Name of the file's only output. */
export const ONNX_OUTPUT = "output";

/**
 * Writes a network as an ONNX model of standard operators. The input `input` takes raw pixel values as float32 `[batch, bands, height,
 * width]`, normalization is part of the graph; the output `output` is a score per class, float32 `[batch, classes, height, width]`. Weights are
 * initializers under the network's parameter names. The manifest goes along: in geolearn's own key, in those of QGIS Deepness,
 * and as STAC. `startEngine` must have finished.
 *
 * @throws INVALID_ARGUMENT for a batch that is no whole number, for logits of a network that has none, or when the network is another one at other sizes: then `size: "chip"`
 * @example
 * const { bytes } = toOnnx(loadNetwork(pkg), pkg.manifest);
 */
export function toOnnx(
  network: Network,
  manifest: ModelManifest,
  { size = "free", batch = "free", output = "scores" }: ToOnnxOptions = {},
): OnnxExport {
  if (output === "logits" && network.ownDecoder) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The ${network.modelType} network decodes its outputs itself and has no logits to write.`, {
      hint: 'Use `output: "scores"`.',
      data: { field: "output" },
    });
  }
  const input: ExportInput = { shape: inputShape(network, manifest, size, batch), dtype: "float32" };
  const parameters = network.weights();
  const { bytes, opset, inputs, outputs } = exportOnnx(
    ({ [ONNX_INPUT]: images }) => {
      const outputs = network.forward(images as tf.Tensor4D, { training: false });
      return { [ONNX_OUTPUT]: output === "scores" ? network.decode(outputs) : (outputs as tf.Tensor) };
    },
    {
      inputs: { [ONNX_INPUT]: input },
      names: new Map(network.parameters.map(({ name, variable }) => [variable, name])),
      name: manifest.name,
      metadata: {
        ...deepnessMetadata(manifest),
        [OWN_METADATA_KEY]: ownMetadata(manifest, { values: output, margin: network.margin, stride: network.stride }),
      },
    },
  );
  const shapes = { inputShape: inputs[0]!.dims, outputShape: outputs[0]!.dims };
  const count = [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes, opset, ...shapes, stac: (href) => stacItem(manifest, { href, parameters: count, ...shapes }) };
}

function inputShape(network: Network, manifest: ModelManifest, size: "free" | "chip", batch: "free" | number): ExportInput["shape"] {
  if (batch !== "free" && !(Number.isInteger(batch) && batch >= 1 && batch <= 65536)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`batch\` is ${batch}; expected "free" or a whole number from 1.`);
  }
  const images = batch === "free" ? free("batch", 1, 2) : batch;
  const bands = manifest.bandIndices.length;
  if (size === "chip") {
    checkChipSize(network, manifest.chipWidth, manifest.chipHeight);
    return [images, manifest.chipHeight, manifest.chipWidth, bands];
  }
  const { stride, margin } = network;
  // Any two sizes would do, as long as something is left of the smallest map and of the image within the margin.
  const least = Math.max(2, Math.ceil((2 * margin + 1) / stride)) * stride;
  return [images, free("height", least, least + stride), free("width", least + 2 * stride, least), bands];
}

const free = (name: string, first: number, second: number): FreeSide => ({ name, examples: [first, second] });
