/** Reading a model package: in memory, checked, nothing executed. */

import { GeoLearnError, type ErrorCode } from "@geolearn/core";
import { type HostTensor, parseOnnxModel } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import { checkWeights } from "../network/check-weights.ts";
import { createBlueprint } from "../network/architectures.ts";
import { refuseOtherClasses } from "../onnx/class-count.ts";
import { ONNX_MODEL_TYPE } from "../onnx/spec.ts";
import { parseSafetensors } from "../weights/safetensors.ts";
import { entryNamed, openPackage, type OpenedPackage } from "./archive.ts";
import { GRAPH_KEY, OWN_KEY } from "./emd.ts";
import { foreignError } from "./foreign.ts";
import { checkManifest, FORMAT_VERSION } from "./manifest-schema.ts";

/** A model package of geolearn, whole in memory. */
export interface ModelPackage {
  /** Path it was read from, or a word for bytes; for messages. */
  readonly source: string;
  readonly formatVersion: number;
  readonly manifest: ModelManifest;
  /** Weights by name; kernels of geolearn's networks as `[out, in, height, width]`. Empty for a network only known as an ONNX file. */
  readonly weights: ReadonlyMap<string, HostTensor>;
  /** The ONNX file that `manifest.graph` describes, or null where geolearn builds the network itself. */
  readonly onnx: Uint8Array | null;
  /** PNG of some results, if the package has one. */
  readonly preview: Uint8Array | null;
}

/**
 * Reads a `.dlpk` of geolearn and checks that description and weights belong together.
 *
 * @throws FILE_NOT_FOUND; MODEL_CORRUPT for a damaged or hostile archive, description or weight file; MODEL_FOREIGN for
 * a package another tool made (its weights are code there), with the way to bring it over; UNSUPPORTED_FORMAT for a
 * newer format version; WEIGHTS_MISMATCH; LIMIT_EXCEEDED
 *
 * @example
 * const { manifest } = await readModelPackage("buildings.dlpk");
 * manifest.classes.map((c) => c.name); // ["background", "building"]
 */
export async function readModelPackage(source: string | Uint8Array): Promise<ModelPackage> {
  const opened = await openPackage(source);
  const own = ownDescription(opened);
  if (own === null) throw foreignError(opened);
  const { manifest, formatVersion } = own;
  const foreign = manifest.modelType === ONNX_MODEL_TYPE;
  const weights: ModelPackage["weights"] = foreign ? new Map() : await readWeights(opened);
  refuseNotFinite(weights, opened.name);
  let onnx: Uint8Array | null = null;
  if (manifest.graph === undefined) {
    checkNetworkOf(manifest, opened.name, "MODEL_CORRUPT");
    checkWeights(createBlueprint(manifest.modelType, manifest.config).parameters, weights, opened.name);
  } else onnx = await readOnnxFile(opened, manifest, foreign ? "ModelFile" : GRAPH_KEY);
  return { source: opened.name, formatVersion, manifest, weights, onnx, preview: await readPreview(opened) };
}

/** Our own description in the `.emd`, or null when another tool wrote it. */
export function ownDescription(opened: OpenedPackage): { manifest: ModelManifest; formatVersion: number } | null {
  const own = opened.emd[OWN_KEY];
  if (own === undefined) return null;
  const version = typeof own === "object" && own !== null ? (own as Record<string, unknown>)["formatVersion"] : undefined;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) {
    throw new GeoLearnError("MODEL_CORRUPT", `${opened.name} gives no format version.`, { hint: "Save the model again with geolearn." });
  }
  if (version > FORMAT_VERSION) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${opened.name} has format version ${version}; this geolearn reads up to ${FORMAT_VERSION}.`,
      {
        hint: "Update geolearn, then open the model again.",
        data: { version, supported: FORMAT_VERSION },
      },
    );
  }
  const { formatVersion: _version, ...manifest } = own as Record<string, unknown>;
  return { manifest: checkManifest(manifest, opened.name), formatVersion: version };
}

/** The network the manifest describes exists and has as many bands and classes as the manifest lists. */
export function checkNetworkOf(manifest: ModelManifest, what: string, code: ErrorCode): void {
  let counts: { readonly bands: number; readonly classes: number };
  try {
    counts = createBlueprint(manifest.modelType, manifest.config);
  } catch (cause) {
    if (!GeoLearnError.is(cause, "INVALID_ARGUMENT")) throw cause;
    throw new GeoLearnError(code, `${what} describes no network that can be built: ${cause.message}`, {
      hint: cause.hint ?? "Save the model again.",
      cause,
    });
  }
  if (counts.bands !== manifest.bandIndices.length) {
    throw new GeoLearnError(code, `${what} lists ${manifest.bandIndices.length} bands, its network takes ${counts.bands}.`, {
      hint: "Save the model again with geolearn.",
    });
  }
  if (counts.classes !== manifest.classes.length) {
    throw new GeoLearnError(code, `${what} lists ${manifest.classes.length} classes, its network tells ${counts.classes} apart.`, {
      hint: "Save the model again with geolearn.",
    });
  }
}

async function readOnnxFile(opened: OpenedPackage, manifest: ModelManifest, key: string): Promise<Uint8Array> {
  const entry = fileOf(opened, key, "onnx");
  const bytes = await opened.archive.read(entry);
  refuseOtherClasses(manifest, parseOnnxModel(bytes, `${entry} in ${opened.name}`), "MODEL_CORRUPT");
  return bytes;
}

async function readWeights(opened: OpenedPackage): Promise<ReadonlyMap<string, HostTensor>> {
  const entry = fileOf(opened, "ModelFile", "safetensors");
  return parseSafetensors(await opened.archive.read(entry), `${entry} in ${opened.name}`).tensors;
}

/** The entry that holds weights or graph. */
function fileOf(opened: OpenedPackage, key: string, extension: "safetensors" | "onnx"): string {
  const file = opened.emd[key];
  const entry = typeof file === "string" && file.toLowerCase().endsWith(`.${extension}`) ? entryNamed(opened, file) : null;
  if (entry === null) {
    throw new GeoLearnError(
      "MODEL_CORRUPT",
      `${opened.name} names ${JSON.stringify(file)?.slice(0, 100)} as its ${extension === "onnx" ? "network" : "weights"}, which is no .${extension} file of the package.`,
      {
        hint: "Save the model again with geolearn.",
      },
    );
  }
  return entry;
}

/** A weight that is not a number would turn every map into one class without a word. */
function refuseNotFinite(weights: ReadonlyMap<string, HostTensor>, what: string): void {
  for (const [name, { data }] of weights) {
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i]!)) {
        throw new GeoLearnError("MODEL_CORRUPT", `${what}: weight "${name}" holds ${String(data[i])}.`, {
          hint: "The training diverged or the file was damaged; train or copy again.",
        });
      }
    }
  }
}

async function readPreview(opened: OpenedPackage): Promise<Uint8Array | null> {
  const name = `${opened.folder}ModelCharacteristics/show_results.png`;
  return opened.archive.has(name) ? opened.archive.read(name) : null;
}
