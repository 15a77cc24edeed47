/** What is in a `.dlpk`, whoever made it. */

import type { Task } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";
import { openPackage } from "./archive.ts";
import { foreignDescription, type ForeignClass } from "./foreign.ts";
import { ownDescription } from "./read.ts";

/** A model package told in words and numbers; plain JSON. */
export interface ModelDescription {
  /** `"geolearn"`: can be opened here. `"foreign"`: another tool's, see `fromOnnx`. */
  readonly origin: "geolearn" | "foreign";
  readonly name: string;
  readonly framework: string | null;
  readonly task: Task | null;
  /** Architecture, e.g. `"unet"`. */
  readonly modelType: string | null;
  readonly backbone: string | null;
  readonly classes: readonly ForeignClass[];
  /** Number of bands, or null when the description does not say. */
  readonly bands: number | null;
  readonly bandIndices: readonly number[] | null;
  readonly bandNames: readonly string[] | null;
  readonly chipWidth: number | null;
  readonly chipHeight: number | null;
  /** Ground size of a training pixel in metres, or null. */
  readonly resolution: number | null;
  /** Files of the archive and their inflated bytes. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Python the package would run elsewhere; named here, never run. */
  readonly inferenceFunction: string | null;
  /** The whole manifest of a package of geolearn; null for a foreign one. */
  readonly manifest: ModelManifest | null;
}

/**
 * Describes a model package without opening its weights: architecture, backbone, classes, bands and files, also of
 * packages that ArcGIS made.
 *
 * @throws FILE_NOT_FOUND, MODEL_CORRUPT, UNSUPPORTED_FORMAT for a newer format version
 *
 * @example
 * const { modelType, backbone, classes } = await describeModelPackage("usa-buildings.dlpk");
 */
export async function describeModelPackage(source: string | Uint8Array): Promise<ModelDescription> {
  const opened = await openPackage(source);
  const files = opened.archive.entries.map((entry) => ({ name: entry.name, bytes: entry.size }));
  const own = ownDescription(opened);
  if (own !== null) {
    const { manifest } = own;
    return {
      origin: "geolearn",
      name: manifest.name,
      framework: "GeoLearn",
      task: manifest.task,
      modelType: manifest.modelType,
      backbone: manifest.backbone,
      classes: manifest.classes,
      bands: manifest.bandIndices.length,
      bandIndices: manifest.bandIndices,
      bandNames: manifest.bandNames,
      chipWidth: manifest.chipWidth,
      chipHeight: manifest.chipHeight,
      resolution: manifest.resolution,
      files,
      inferenceFunction: null,
      manifest,
    };
  }
  const foreign = foreignDescription(opened);
  const name = opened.emd["ModelName"];
  return {
    origin: "foreign",
    name: typeof name === "string" && name !== "" ? name.slice(0, 200) : opened.stem,
    framework: foreign.framework,
    task: foreign.task,
    modelType: foreign.architecture,
    backbone: foreign.backbone,
    classes: foreign.classes,
    bands: foreign.bandIndices?.length ?? null,
    bandIndices: foreign.bandIndices,
    bandNames: null,
    chipWidth: foreign.chipWidth,
    chipHeight: foreign.chipHeight,
    resolution: null,
    files,
    inferenceFunction: foreign.inferenceFunction,
    manifest: null,
  };
}
