/** Writing a model package. */

import { GeoLearnError, writeZip, type ZipInput } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import { createBlueprint } from "../network/registry.ts";
import { checkWeights } from "../network/check-weights.ts";
import { ONNX_MODEL_TYPE, checkOnnxConfig } from "../onnx/spec.ts";
import { encodeSafetensors } from "../weights/safetensors.ts";
import { emdOf } from "./emd.ts";
import { checkManifest } from "./manifest-schema.ts";
import { checkNetworkOf } from "./read.ts";

/** What goes into a package. */
export interface ModelPackageContent {
  readonly manifest: ModelManifest;
  /** From `Network.weights()`. */
  readonly weights: ReadonlyMap<string, HostTensor>;
  /** The ONNX file, for a manifest with `modelType` "onnx"; `weights` are empty then. */
  readonly onnx?: Uint8Array | null;
  /** PNG of some results, shown by ArcGIS and file managers. */
  readonly preview?: Uint8Array | null;
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Writes a `.dlpk`: a zip of an `.emd` (description), the weights as safetensors, and a preview. The same content gives
 * the same bytes; `path` holds the whole former or the whole new package at any time.
 *
 * @throws INVALID_ARGUMENT for a manifest that contradicts itself; WEIGHTS_MISMATCH when the weights are not those of
 * the network the manifest describes; DISK_FULL, WRITE_FAILED
 *
 * @example
 * await writeModelPackage("buildings.dlpk", { manifest, weights: network.weights() });
 */
export async function writeModelPackage(path: string, content: ModelPackageContent): Promise<void> {
  const entries = packageEntries(content);
  await writeZip(path, entries);
}

/** The bytes of a package, for those who send it on instead of saving it. */
export async function encodeModelPackage(content: ModelPackageContent): Promise<Uint8Array> {
  return writeZip(null, packageEntries(content));
}

function packageEntries({ manifest: given, weights, onnx = null, preview = null }: ModelPackageContent): ZipInput[] {
  const manifest = checkManifest(given, "The model", "INVALID_ARGUMENT");
  const network = networkFile(manifest, weights, onnx);
  if (preview !== null && !PNG_SIGNATURE.every((byte, i) => preview[i] === byte)) {
    throw new GeoLearnError("INVALID_ARGUMENT", "The preview is not a PNG image.", { hint: "Encode it with encodePng()." });
  }
  const stem = fileStem(manifest.name);
  return [
    { name: `${stem}.emd`, data: emdOf(manifest, `${stem}.${network.extension}`), compress: true },
    { name: `${stem}.${network.extension}`, data: network.data, compress: false },
    ...(preview === null ? [] : [{ name: "ModelCharacteristics/show_results.png", data: preview, compress: false }]),
  ];
}

/** Weights, or a whole network. */
function networkFile(
  manifest: ModelManifest,
  weights: ModelPackageContent["weights"],
  onnx: Uint8Array | null,
): { extension: string; data: Uint8Array } {
  if (manifest.modelType === ONNX_MODEL_TYPE) {
    checkOnnxConfig(manifest.config, "The model", "INVALID_ARGUMENT");
    if (onnx === null)
      throw new GeoLearnError("INVALID_ARGUMENT", "The model is an ONNX network, and its file is missing.", { hint: "Give `onnx`." });
    return { extension: "onnx", data: onnx };
  }
  checkNetworkOf(manifest, "The model", "INVALID_ARGUMENT");
  checkWeights(createBlueprint(manifest.modelType, manifest.config).parameters, weights, "The model");
  return { extension: "safetensors", data: encodeSafetensors(weights) };
}

/** A name any file system takes. */
function fileStem(name: string): string {
  const stem = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._ -]/gu, "_")
    .replace(/^[. ]+|[. ]+$/g, "")
    .slice(0, 80);
  return stem === "" ? "model" : stem;
}
