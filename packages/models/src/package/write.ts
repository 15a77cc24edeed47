/** Writing a model package. */

import { GeoLearnError, writeZip, type ZipInput } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import { createBlueprint, isBuiltIn } from "../network/architectures.ts";
import { checkWeights } from "../network/check-weights.ts";
import { ONNX_MODEL_TYPE } from "../onnx/spec.ts";
import { encodeSafetensors } from "../weights/safetensors.ts";
import { emdOf } from "./emd.ts";
import { checkManifest } from "./manifest-schema.ts";
import { checkNetworkOf } from "./read.ts";

/** What goes into a package. */
export interface ModelPackageContent {
  readonly manifest: ModelManifest;
  /** From `Network.weights()`. */
  readonly weights: ReadonlyMap<string, HostTensor>;
  /** The ONNX file that `manifest.graph` describes. */
  readonly onnx?: Uint8Array | null;
  /** PNG of some results, shown by ArcGIS and file managers. */
  readonly preview?: Uint8Array | null;
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Writes a `.dlpk`: a zip of an `.emd` (description), the weights as safetensors, the ONNX graph of a network that is not geolearn's own, and a
 * preview; `packageContent` puts it together. The same content gives the same bytes; `path` holds the whole former or the whole new package at any time.
 *
 * @throws INVALID_ARGUMENT for a manifest that contradicts itself; WEIGHTS_MISMATCH when the weights are not those of
 * the network the manifest describes; DISK_FULL, WRITE_FAILED
 *
 * @example
 * await writeModelPackage("buildings.dlpk", packageContent(network, manifest));
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
  const stem = fileStem(manifest.name);
  const files = networkFiles(manifest, stem, weights, onnx);
  if (preview !== null && !PNG_SIGNATURE.every((byte, i) => preview[i] === byte)) {
    throw new GeoLearnError("INVALID_ARGUMENT", "The preview is not a PNG image.", { hint: "Encode it with encodePng()." });
  }
  return [
    { name: `${stem}.emd`, data: emdOf(manifest, files[0]!.name, files[1]?.name ?? null), compress: true },
    ...files,
    ...(preview === null ? [] : [{ name: "ModelCharacteristics/show_results.png", data: preview, compress: false }]),
  ];
}

/** Weights, a graph, or both: the graph behind the weights. */
function networkFiles(
  manifest: ModelManifest,
  stem: string,
  weights: ModelPackageContent["weights"],
  onnx: Uint8Array | null,
): readonly ZipInput[] {
  const foreign = manifest.modelType === ONNX_MODEL_TYPE;
  const files: ZipInput[] = foreign ? [] : [{ name: `${stem}.safetensors`, data: encodeSafetensors(weights), compress: false }];
  if (manifest.graph === undefined) {
    if (!isBuiltIn(manifest.modelType)) throw missingGraph(manifest);
    checkNetworkOf(manifest, "The model", "INVALID_ARGUMENT");
    checkWeights(createBlueprint(manifest.modelType, manifest.config).parameters, weights, "The model");
    return files;
  }
  if (onnx === null) throw missingGraph(manifest);
  return [...files, { name: `${stem}.onnx`, data: onnx, compress: false }];
}

function missingGraph({ modelType }: ModelManifest): GeoLearnError {
  const hint = "Give `onnx` and the manifest's `graph`, as packageContent(network, manifest) does, or a `modelType` of geolearn's.";
  return new GeoLearnError("INVALID_ARGUMENT", `The model "${modelType}" is not built by geolearn, and its ONNX graph is missing.`, {
    hint,
  });
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
