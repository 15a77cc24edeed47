/** Finding objects on a scene of any size. */

import {
  type Affine,
  type Feature,
  type Features,
  GeoLearnError,
  type RasterSource,
  checkOptions,
  type OptionRules,
  rules,
} from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import type { Detection, DetectionConfiguration, DetectionFunction } from "../inference-function.ts";
import { COMPUTE_RULES, type ComputeOptions, computeOptions } from "../lanes/model-lanes.ts";
import { type Batch, type BatchEntry, readBatches } from "../run/batches.ts";
import { mapOrdered } from "../run/map-ordered.ts";
import { SCENE_RULES, type SceneOptions } from "../run/options.ts";
import { RangeWatch } from "../run/range-watch.ts";
import { prepareScene, type SceneSetup } from "../run/setup.ts";
import { detectViews } from "./detect-views.ts";
import type { Sighting } from "./detection.ts";
import { mergeSightings } from "./merge-sightings.ts";
import { objectDetector } from "./object-detector.ts";
import { objectFeature, type ObjectFeatureOptions } from "./object-features.ts";
import { sightingsOf } from "./sightings.ts";

/** Options of {@link detectObjects}; `device`, `threads` and `workers` are for models, a function has chosen its own. */
export interface DetectOptions extends SceneOptions, Omit<ComputeOptions, "batchSize"> {
  /** Objects with a lower score are left out, 0 to 1. @defaultValue 0.5 */
  readonly minScore?: number;
  /** Of two objects of a class that overlap by more than this IoU only the better one stays, 0 to 1. @defaultValue 0.5 */
  readonly nmsOverlap?: number;
  /** Objects a window can have at most, for models: more cost time. @defaultValue 300 */
  readonly maxDetections?: number;
  /** Leaves out what a window's border cuts, instead of putting the pieces together: for objects smaller than `overlap`. @defaultValue false */
  readonly excludeEdge?: boolean;
  /** Straightens outlines within this tolerance, metres on the ground or `"N crs"`; for detectors that outline. @defaultValue 0 */
  readonly simplify?: number | string;
  /** Names the fields `Class` and `Confidence`, as Esri's tools do, instead of `class` and `score`. @defaultValue false */
  readonly esriFields?: boolean;
}

const RULES: OptionRules<DetectOptions> = {
  ...SCENE_RULES,
  ...COMPUTE_RULES,
  minScore: rules.share,
  nmsOverlap: rules.share,
  maxDetections: rules.whole(),
  excludeEdge: rules.boolean,
  simplify: rules.length,
  esriFields: rules.boolean,
};

/** A model: the path of a package, a package, or anything that finds objects in blocks. */
export type DetectModel = string | ModelPackage | DetectionFunction;

/** Objects found on a scene. */
export interface DetectedObjects extends Features {
  /** Windows of the scene. */
  readonly windows: number;
  readonly seconds: number;
  readonly megapixelsPerSecond: number;
}

/**
 * Finds the objects of a scene of any size, each once: what neighbouring windows saw of one object is put together, also where it is
 * longer than their overlap or than a window, and objects that touch stay apart. Features have boxes, or outlines where the detector
 * gives them, in the scene's reference system, with `class`, `value`, `score` (0 to 1) and `area` (square metres on the ground; square
 * units of the system where none is named), the surest first. A function is not disposed. Memory: some 300 bytes for each object a
 * window saw, and its mask.
 *
 * @throws MODEL_CORRUPT, MODEL_FOREIGN, TASK_MISMATCH for the model; RASTER_NO_TRANSFORM; what reading throws; BANDS_MISMATCH,
 * RESOLUTION_MISMATCH when scene and model do not fit; INVALID_ARGUMENT
 * @example
 * const trees = await detectObjects("trees.dlpk", "forest.tif", { minScore: 0.4 });
 * await writeFeatures("trees.gpkg", trees);
 */
export async function detectObjects(model: DetectModel, raster: RasterSource, options: DetectOptions = {}): Promise<DetectedObjects> {
  return withDetector(model, options, (fn) => detect(fn, raster, options));
}

/** Does something with the function a model is, which is disposed afterwards, or with a function, which is not. */
export async function withDetector<T>(model: DetectModel, options: DetectOptions, work: (fn: DetectionFunction) => Promise<T>): Promise<T> {
  checkOptions(options, RULES, "detectObjects()");
  if (typeof model === "object" && "detect" in model) return work(model);
  const { minScore, nmsOverlap } = rulesOf(options);
  const maxDetections = options.maxDetections ?? MOST_DETECTIONS;
  const fn = objectDetector(model, { ...computeOptions(options), minScore, nmsOverlap, maxDetections });
  try {
    return await work(fn);
  } finally {
    await fn.dispose();
  }
}

/** More than fit side by side into a window of common size. */
const MOST_DETECTIONS = 300;

interface Rules {
  readonly minScore: number;
  readonly nmsOverlap: number;
  readonly excludeEdge: boolean;
}

function rulesOf({ minScore = 0.5, nmsOverlap = 0.5, excludeEdge = false }: DetectOptions): Rules {
  return { minScore, nmsOverlap, excludeEdge };
}

/** A scene on which objects are to be found. */
export interface DetectionSetup extends SceneSetup<DetectionConfiguration, DetectionFunction> {
  readonly transform: Affine;
  readonly rules: Rules;
}

/** Opens the scene and asks the function what it wants. @throws RASTER_NO_TRANSFORM; what `prepareScene` throws */
export async function prepareDetection(fn: DetectionFunction, raster: RasterSource, options: DetectOptions): Promise<DetectionSetup> {
  const rules = rulesOf(options);
  options.signal?.throwIfAborted();
  const setup = await prepareScene<DetectionConfiguration, DetectionFunction>(fn, raster, options, checkClasses);
  const { transform, scene } = setup;
  if (transform !== null) return { ...setup, transform, rules };
  await setup.close();
  throw new GeoLearnError("RASTER_NO_TRANSFORM", `${scene.raster.name} is not georeferenced; what is found on it would have no place.`, {
    hint: "Give the raster a transform, for example by a world file.",
  });
}

/** What the options say of features. */
export function featureOptions({ transform, crs, config }: DetectionSetup, options: DetectOptions): ObjectFeatureOptions {
  const { simplify = 0, esriFields = false } = options;
  return { transform, crs, classes: config.classes, simplify, esriFields };
}

async function detect(fn: DetectionFunction, raster: RasterSource, options: DetectOptions): Promise<DetectedObjects> {
  const started = performance.now();
  const setup = await prepareDetection(fn, raster, options);
  try {
    const { plan, scene, crs, rules } = setup;
    const objects = mergeSightings(plan, await look(setup, options), { nmsOverlap: rules.nmsOverlap });
    const described = featureOptions(setup, options);
    const features: Feature[] = [];
    for (const object of objects) {
      options.signal?.throwIfAborted();
      const feature = await objectFeature(object, described);
      if (feature !== null) features.push(feature);
    }
    const seconds = (performance.now() - started) / 1000;
    return {
      ...{ name: scene.raster.name, crs, features, windows: plan.rows.length * plan.columns.length, seconds },
      megapixelsPerSecond: (plan.width * plan.height) / 1e6 / seconds,
    };
  } finally {
    await setup.close();
  }
}

/** Objects of each image of a batch. */
export type BlockDetections = readonly (readonly Detection[])[];

/** Finds the objects of a batch's block. */
export async function detectBlock({ fn, tta, rules }: DetectionSetup, { block }: Batch, signal?: AbortSignal): Promise<BlockDetections> {
  if (block.size === 0) return [];
  const images = tta ? await detectViews(fn, block, rules.nmsOverlap, signal) : await fn.detect(block, signal);
  if (images.length === block.size) return images;
  throw new GeoLearnError("INVALID_ARGUMENT", `The function ${fn.name} gave objects of ${images.length} blocks for ${block.size}.`, {
    hint: "detect() must give a list for each block.",
  });
}

/** What a window of a batch shows; `full` where it may show more than was asked for. */
export function windowSightings(
  { plan, config, fn, rules }: DetectionSetup,
  { row, column, slot, rows }: BatchEntry,
  images: BlockDetections,
): { readonly window: number; readonly sightings: Sighting[]; readonly full: boolean } {
  const { classes, maxDetections = Infinity } = config;
  const detections = slot < 0 ? [] : images[slot]!;
  if (detections.some(({ classIndex }) => classes[classIndex] === undefined)) throw unknownClass(fn.name, classes.length);
  const window = row * plan.columns.length + column;
  const sightings = sightingsOf(plan, window, detections, { row: plan.rows[row]!, valid: rows.valid }, rules);
  return { window, sightings, full: detections.length >= maxDetections };
}

/** What every window shows, by its position in the plan. */
async function look(setup: DetectionSetup, { signal, onProgress, onWarning }: DetectOptions): Promise<Sighting[][]> {
  const { plan, config } = setup;
  const { statistics, concurrency = 1, maxDetections = Infinity } = config;
  const watch = statistics === undefined ? null : new RangeWatch(statistics, config.bandNames ?? []);
  const total = plan.rows.length * plan.columns.length;
  const seen = Array.from({ length: total }, (): Sighting[] => []);
  const batches = readBatches({
    ...{ plan, reader: setup.createReader(), bands: setup.bands.length, outputBands: 0, batchSize: setup.batchSize, firstRow: 0 },
    ...{ region: setup.region, watch, flags: false, signal },
  });
  let [done, full] = [0, 0];
  onProgress?.({ stage: "detect-objects", done, total, unit: "windows" });
  const found = mapOrdered(batches, Math.max(1, concurrency), (batch) => detectBlock(setup, batch, signal));
  for await (const [{ entries, recycle }, images] of found) {
    for (const entry of entries) {
      const shown = windowSightings(setup, entry, images);
      seen[shown.window] = shown.sightings;
      if (shown.full) full++;
      done++;
    }
    recycle();
    signal?.throwIfAborted();
    onProgress?.({ stage: "detect-objects", done, total, unit: "windows" });
  }
  watch?.report(onWarning);
  if (full > 0) {
    onWarning?.({
      code: "OBJECTS_LEFT_OUT",
      message: `${full} of ${total} windows show as many objects as were asked for at most (${maxDetections}); others there are missing.`,
      hint: "Give a higher `maxDetections`, or a higher `minScore`.",
    });
  }
  return seen;
}

function checkClasses({ classes }: DetectionConfiguration, name: string): void {
  if (classes.length > 0) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `The function ${name} names no classes.`, { hint: "Give at least one class." });
}

function unknownClass(name: string, classes: number): GeoLearnError {
  return new GeoLearnError("CLASS_UNKNOWN", `The function ${name} found an object of a class beyond its ${classes}.`, {
    hint: "Let `classIndex` be a position in the classes of its configuration.",
  });
}
