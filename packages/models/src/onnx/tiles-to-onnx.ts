/** A network that classifies whole images as an ONNX file. */

import { exportOnnx } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { ModelManifest } from "../manifest.ts";
import type { TileNetwork } from "../network.ts";
import { ONNX_INPUT, ONNX_OUTPUT, type OnnxExport, shapesOf, type ToOnnxOptions } from "./exported.ts";
import { inputShape } from "./input-shape.ts";
import { OWN_METADATA_KEY, ownMetadata } from "./own-metadata.ts";
import { stacItem } from "./stac.ts";

/** Encoders halve an image five times: the sizes that are tried are multiples of this, the graph takes any other too. */
const TRIED_STRIDE = 32;

/** Writes a network with a score, or a logit, for each class and image; see `toOnnx`. */
export function tilesToOnnx(
  network: TileNetwork,
  manifest: ModelManifest,
  { size = "free", batch = "free", output = "scores" }: ToOnnxOptions,
): OnnxExport {
  const rule = { modelType: network.modelType, stride: size === "free" ? TRIED_STRIDE : network.stride };
  const { bytes, opset, inputs, outputs } = exportOnnx(
    ({ [ONNX_INPUT]: images }) => {
      const logits = network.forward(images as tf.Tensor4D, { training: false });
      return { [ONNX_OUTPUT]: output === "scores" ? network.decode(logits) : logits };
    },
    {
      inputs: { [ONNX_INPUT]: { shape: inputShape(rule, manifest, { size, batch }), dtype: "float32" } },
      names: new Map(network.parameters.map(({ name, variable }) => [variable, name])),
      name: manifest.name,
      metadata: { [OWN_METADATA_KEY]: ownMetadata(manifest, { values: output, margin: 0, stride: network.stride }) },
    },
  );
  const shapes = shapesOf({ inputs, outputs });
  const count = [...network.weights().values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes, opset, ...shapes, stac: (href) => stacItem(manifest, { href, parameters: count, ...shapes }) };
}
