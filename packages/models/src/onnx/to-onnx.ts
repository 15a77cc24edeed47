/** A trained network as an ONNX file, for QGIS, PyTorch, browsers and everything else that runs ONNX. */

import { checkOptions, GeoLearnError } from "@geolearn/core";
import { type ExportInput, exportOnnx } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { ModelManifest } from "../manifest.ts";
import type { AnyNetwork, Network } from "../network.ts";
import { checkToOnnx, TO_ONNX_RULES } from "./check-options.ts";
import { deepnessMetadata } from "./deepness.ts";
import { ONNX_INPUT, ONNX_OUTPUT, type OnnxExport, shapesOf, type ToOnnxOptions } from "./exported.ts";
import { inputShape } from "./input-shape.ts";
import { objectsToOnnx } from "./objects-to-onnx.ts";
import { OWN_METADATA_KEY, ownMetadata } from "./own-metadata.ts";
import { stacItem } from "./stac.ts";
import { tilesToOnnx } from "./tiles-to-onnx.ts";

/**
 * Writes a network as an ONNX model of standard operators. The input `input` takes raw pixel values as float32 `[batch, bands, height,
 * width]`, normalization is part of the graph; the output `output` is a score per class, float32 `[batch, classes, height, width]`. Weights are
 * initializers under the network's parameter names. The manifest goes along: in geolearn's own key, in those of QGIS Deepness,
 * and as STAC. `startEngine` must have finished.
 *
 * A network that finds objects is written with its decoder. Its outputs are those of torchvision's detectors: `boxes` `[objects, 4]` (xmin, ymin, xmax,
 * ymax in pixels), int32 `labels` (position among the manifest's classes) and `scores`, the best first, with a side for images in front when
 * `batch` is more than 1. There is room for `maxDetections`; what is left over has score 0.
 *
 * A network that classifies whole images gives one score per class and image: `output` is float32 `[batch, classes]`.
 *
 * @throws INVALID_ARGUMENT for options that there are not, for those the network cannot be written with, or when the network is another one at other sizes: then `size: "chip"`;
 * CHIP_SIZE_NOT_DIVISIBLE for a chip size the network does not take
 * @example
 * const { bytes } = toOnnx(loadNetwork(pkg), pkg.manifest);
 */
export function toOnnx(network: AnyNetwork, manifest: ModelManifest, options: ToOnnxOptions = {}): OnnxExport {
  checkOptions(options, TO_ONNX_RULES, "toOnnx()");
  checkToOnnx(network, manifest, options);
  if (network.task === "pixelClassification") return pixelsToOnnx(network, manifest, options);
  return network.task === "objectClassification" ? tilesToOnnx(network, manifest, options) : objectsToOnnx(network, manifest, options);
}

function pixelsToOnnx(
  network: Network,
  manifest: ModelManifest,
  { size = "free", batch = "free", output = "scores" }: ToOnnxOptions,
): OnnxExport {
  if (output === "logits" && network.ownDecoder) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The ${network.modelType} network decodes its outputs itself and has no logits to write.`, {
      hint: 'Use `output: "scores"`.',
      data: { field: "output" },
    });
  }
  const input: ExportInput = { shape: inputShape(network, manifest, { size, batch }), dtype: "float32" };
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
  const shapes = shapesOf({ inputs, outputs });
  const count = [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes, opset, ...shapes, stac: (href) => stacItem(manifest, { href, parameters: count, ...shapes }) };
}
