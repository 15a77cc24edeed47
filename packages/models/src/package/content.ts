/** From a trained network to what its package holds. */

import { GeoLearnError } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";
import type { AnyNetwork, Network } from "../network.ts";
import { isBuiltIn } from "../network/architectures.ts";
import { ONNX_INPUT, ONNX_OUTPUT, type OnnxExport, type ToOnnxOptions } from "../onnx/exported.ts";
import { toOnnx } from "../onnx/to-onnx.ts";
import type { ModelPackageContent } from "./write.ts";

/**
 * Manifest and weights of a network; with a network of a user's own also the ONNX graph from pixels to scores, so that whoever has the package can
 * run it without the user's code. `startEngine` must have finished.
 *
 * @throws KERNEL_MISSING or INVALID_ARGUMENT for a network that cannot be written as ONNX
 *
 * @example
 * await writeModelPackage("roads.dlpk", packageContent(network, manifest));
 */
export function packageContent(network: AnyNetwork, manifest: ModelManifest): ModelPackageContent {
  const weights = network.weights();
  if (isBuiltIn(network.modelType) || network.task !== "pixelClassification") return { manifest, weights };
  const { exported, batch } = freest(network, manifest);
  const { stride, margin } = network;
  const channels = manifest.classes.length;
  const output = { kind: "pixels", name: ONNX_OUTPUT, layout: "NCHW", values: "scores", channels, enlarge: 1 } as const;
  const graph = { input: ONNX_INPUT, layout: "NCHW", offset: null, divisor: null, batch, stride, margin, output } as const;
  return { manifest: { ...manifest, graph }, weights, onnx: exported.bytes };
}

/** Some networks are another graph at another size or number of images: they are written for the chip, or for one image. */
function freest(network: Network, manifest: ModelManifest): { readonly exported: OnnxExport; readonly batch: number | null } {
  const ways: readonly ToOnnxOptions[] = [
    { size: "free", batch: "free" },
    { size: "chip", batch: "free" },
  ];
  for (const way of ways) {
    try {
      return { exported: toOnnx(network, manifest, way), batch: null };
    } catch (error) {
      if (!GeoLearnError.is(error, "INVALID_ARGUMENT")) throw error;
    }
  }
  return { exported: toOnnx(network, manifest, { size: "chip", batch: 1 }), batch: 1 };
}
