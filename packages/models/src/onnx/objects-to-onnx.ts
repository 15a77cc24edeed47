/** A network that finds objects as an ONNX file, with the outputs of torchvision's detectors; masks stay grids over the boxes. */

import { exportOnnx } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { ModelManifest } from "../manifest.ts";
import type { ObjectNetwork } from "../network.ts";
import { ONNX_INPUT, type OnnxExport, shapesOf, type ToOnnxOptions } from "./exported.ts";
import { OWN_METADATA_KEY, ownMetadata } from "./own-metadata.ts";
import { stacItem } from "./stac.ts";

/**
 * Writes a network with its decoder for chips of the manifest's size; see `toOnnx`, which checks the options. Anchors are constants of the graph, and boxes are suppressed image
 * by image, so neither size nor batch can be free.
 */
export function objectsToOnnx(
  network: ObjectNetwork,
  manifest: ModelManifest,
  { batch: images, minScore, nmsOverlap, maxDetections }: ToOnnxOptions,
): OnnxExport {
  const batch = typeof images === "number" ? images : 1;
  const { chipHeight, chipWidth, bandIndices } = manifest;
  const chosen = { minScore, nmsOverlap, maxDetections };
  const options = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const { bytes, opset, inputs, outputs } = exportOnnx(
    ({ [ONNX_INPUT]: images }) => {
      const { boxes, scores, classIndices, masks } = network.decode(network.forward(images as tf.Tensor4D, { training: false }), options);
      const single = (x: tf.Tensor): tf.Tensor => (batch === 1 ? tf.squeeze(x, [0]) : x);
      const found = { boxes: single(boxes), labels: single(classIndices), scores: single(scores) };
      if (masks === undefined) return found;
      // A tensor of four sides is written as an image, channels first: [N, objects, side, side] again.
      return { ...found, masks: batch === 1 ? single(masks) : tf.transpose(masks, [0, 2, 3, 1]) };
    },
    {
      inputs: { [ONNX_INPUT]: { shape: [batch, chipHeight, chipWidth, bandIndices.length], dtype: "float32" } },
      names: new Map(network.parameters.map(({ name, variable }) => [variable, name])),
      name: manifest.name,
      metadata: { [OWN_METADATA_KEY]: ownMetadata(manifest, { values: "scores", margin: 0, stride: network.stride }) },
    },
  );
  const shapes = shapesOf({ inputs, outputs });
  const count = [...network.weights().values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes, opset, ...shapes, stac: (href) => stacItem(manifest, { href, parameters: count, ...shapes }) };
}
