/** Classifying photos that know where they were taken. */

import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

import {
  type Feature,
  type Features,
  GeoLearnError,
  type OnWarning,
  openRaster,
  parseCrs,
  type WorkOptions,
  checkOptions,
  type OptionRules,
  rules,
} from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import { sharedMemory } from "#platform";

import { COMPUTE_RULES, type ComputeOptions, computeOptions } from "../lanes/model-lanes.ts";
import { mapOrdered } from "../run/map-ordered.ts";
import { sceneInfo } from "../run/scene.ts";
import { fillRule } from "../run/setup.ts";
import { readChip } from "./chip-pixels.ts";
import { verdictOf } from "./class-fields.ts";
import type { ObjectCounts } from "./classify-objects.ts";
import { type PhotoPosition, photoPosition } from "./photo-position.ts";
import { TileScorer } from "./tile-scorer.ts";

/** Options of {@link classifyPhotos}. */
export interface ClassifyPhotosOptions extends WorkOptions, ComputeOptions {
  /** Names the fields `Class` and `Confidence`, as Esri's tools do, instead of `class` and `score`. @defaultValue false */
  readonly esriFields?: boolean;
}

const RULES: OptionRules<ClassifyPhotosOptions> = { ...COMPUTE_RULES, esriFields: rules.boolean, ...rules.work };

/** Photos as points. */
export interface ClassifiedPhotos extends Features {
  readonly counts: ObjectCounts;
  /** Photos that were left out because nothing tells where they were taken. */
  readonly skipped: readonly string[];
}

const PHOTO = /\.(jpe?g|png|tiff?)$/i;
/** Photos a warning names. */
const NAMED = 10;

/**
 * Classifies photos by what they show, and puts each on the map where it was taken. The result has a point for each in EPSG:4326 with `path`,
 * `class`, `value`, `score` (0 to 1) and `heading` (degrees clockwise from north, null when unknown), in the order of their names. A photo is
 * brought to the model's chip size as a whole, pixels as they are stored. Photos without a position are left out: a warning names them, and
 * `skipped` lists their paths. One that cannot be read is an error that names it.
 *
 * @param photos A folder, whose JPEG, PNG and TIFF files are taken, or paths
 * @throws FILE_NOT_FOUND; FEATURES_EMPTY when there is no photo, or none with a position; MODEL_CORRUPT, MODEL_FOREIGN, TASK_MISMATCH for the
 * model; RASTER_CORRUPT and the like for a photo; BANDS_MISMATCH
 *
 * @example
 * const facades = await classifyPhotos("facades.dlpk", "survey/photos");
 * await writeFeatures(facades, "facades.geojson");
 */
export async function classifyPhotos(
  model: ModelPackage | string,
  photos: string | readonly string[],
  options: ClassifyPhotosOptions = {},
): Promise<ClassifiedPhotos> {
  checkOptions(options, RULES, "classifyPhotos()");
  const { signal, onProgress, onWarning, esriFields = false } = options;
  const paths = typeof photos === "string" ? await photosIn(photos) : photos;
  if (paths.length === 0) throw noPhotos(photos);
  const scorer = new TileScorer(model, computeOptions(options));
  const features: Feature[] = [];
  const skipped: string[] = [];
  const counts = { features: 0, outside: 0, classes: {} as Record<string, number> };
  let done = 0;
  // Photos of one camera differ from the training data alike: said once.
  const told = new Set<string>();
  const warnOnce: OnWarning = (warning) => {
    if (told.has(warning.code)) return;
    told.add(warning.code);
    onWarning?.(warning);
  };
  const report = (): void => onProgress?.({ stage: "classify-photos", done, total: paths.length, unit: "photos" });
  try {
    await scorer.load();
    report();
    for await (const [path, found] of mapOrdered(each(paths), 2, (one) => classify(scorer, one, warnOnce, signal))) {
      signal?.throwIfAborted();
      done++;
      report();
      if (found === null) {
        skipped.push(path);
        continue;
      }
      const { position, scores, rule } = found;
      const { names, fields } = verdictOf(scores, { ...rule, esriFields });
      for (const { name } of rule.classes) counts.classes[name] ??= 0;
      for (const name of names) counts.classes[name]!++;
      counts.features++;
      features.push({
        geometry: { type: "Point", coordinates: [position.longitude, position.latitude] },
        properties: { path, ...fields, heading: position.heading },
      });
    }
  } finally {
    await scorer.dispose();
  }
  if (skipped.length > 0) {
    const shown = skipped.slice(0, NAMED).map((path) => basename(path));
    onWarning?.({
      code: "PHOTOS_WITHOUT_POSITION",
      message: `${skipped.length} of ${paths.length} photos tell no position and are left out: ${shown.join(", ")}${skipped.length > NAMED ? ` and ${skipped.length - NAMED} more` : ""}.`,
      hint: "Their EXIF data must hold latitude and longitude; some programs remove them when they send or resize a picture.",
    });
  }
  if (features.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `None of ${paths.length} photos tells where it was taken.`, {
      hint: "Give photos whose EXIF data hold latitude and longitude.",
    });
  }
  return { name: typeof photos === "string" ? photos : "photos", crs: parseCrs(4326), features, counts, skipped };
}

interface ClassifiedPhoto {
  readonly position: PhotoPosition;
  readonly scores: Float32Array;
  readonly rule: Pick<Parameters<typeof verdictOf>[1], "classes" | "thresholds">;
}

async function classify(
  scorer: TileScorer,
  path: string,
  onWarning: OnWarning,
  signal: AbortSignal | undefined,
): Promise<ClassifiedPhoto | null> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new GeoLearnError("FILE_NOT_FOUND", `The photo ${path} cannot be read: ${(cause as Error).message}`, { cause });
  });
  const position = await photoPosition(bytes);
  if (position === null) return null;
  try {
    return { position, ...(await scorePhoto(scorer, bytes, onWarning, signal)) };
  } catch (error) {
    if (!GeoLearnError.is(error)) throw error;
    throw new GeoLearnError(error.code, `${path}: ${error.message}`, {
      hint: error.hint ?? "Leave the photo out.",
      data: { ...error.data, path },
      cause: error,
    });
  }
}

async function scorePhoto(
  scorer: TileScorer,
  bytes: Uint8Array,
  onWarning: OnWarning,
  signal: AbortSignal | undefined,
): Promise<Omit<ClassifiedPhoto, "position">> {
  const photo = await openRaster(new Uint8Array(bytes), signal ? { signal } : {});
  try {
    const config = await scorer.configure({ ...sceneInfo(photo), resolution: null, bandsChosen: false });
    for (const warning of config.warnings ?? []) onWarning(warning);
    const { tileWidth: chipWidth, tileHeight: chipHeight, classes, thresholds } = config;
    const bands = config.bands as readonly number[];
    const pixels = new Float32Array(sharedMemory(4 * chipWidth * chipHeight * bands.length));
    const mask = new Uint8Array(sharedMemory(chipWidth * chipHeight));
    const whole = { col: 0, row: 0, width: photo.width, height: photo.height };
    const rule = { bands, chipWidth, chipHeight, ...fillRule(config, bands.length, photo.nodata) };
    await readChip(photo, whole, rule, { pixels, mask, index: 0 }, { signal });
    const scores = await scorer.score({ pixels, mask, size: 1, height: chipHeight, width: chipWidth, bands: bands.length }, signal);
    return { scores, rule: { classes, thresholds } };
  } finally {
    await photo.close();
  }
}

async function photosIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new GeoLearnError("FILE_NOT_FOUND", `The folder of photos ${folder} cannot be read: ${(cause as Error).message}`, {
      hint: "Name a folder with JPEG, PNG or TIFF photos.",
      cause,
    });
  });
  return names.filter((name) => PHOTO.test(name)).sort().map((name) => join(folder, name)); // prettier-ignore
}

async function* each(paths: readonly string[]): AsyncGenerator<string> {
  yield* paths;
}

function noPhotos(photos: string | readonly string[]): GeoLearnError {
  return new GeoLearnError("FEATURES_EMPTY", `${typeof photos === "string" ? photos : "The list"} holds no photo.`, {
    hint: "Give a folder with JPEG, PNG or TIFF photos, or their paths.",
  });
}
