/** Classifying the features of a layer by the pixels around them. */

import {
  type Crs,
  type Feature,
  type Features,
  type FeatureSource,
  type FeatureStream,
  GeoLearnError,
  metresPerUnit,
  openFeatures,
  parseLength,
  placeFeatures,
  type Raster,
  type RasterSource,
  checkOptions,
  type OptionRules,
  rules,
} from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import { sharedMemory } from "#platform";

import { COMPUTE_RULES, type ComputeOptions, computeOptions } from "../lanes/model-lanes.ts";
import { mapOrdered } from "../run/map-ordered.ts";
import { SCENE_RULES, type SceneOptions } from "../run/options.ts";
import { RangeWatch } from "../run/range-watch.ts";
import { fillRule, prepareScene } from "../run/setup.ts";
import { type ChipRule, readChip } from "./chip-pixels.ts";
import { fieldNames, verdictOf } from "./class-fields.ts";
import { type CutRule, featureWindow } from "./feature-window.ts";
import { type TileConfiguration, TileScorer } from "./tile-scorer.ts";

/** Options of {@link classifyObjects}. */
export interface ClassifyObjectsOptions
  extends Pick<SceneOptions, "signal" | "onProgress" | "onWarning" | "network" | "cellSize" | "bands">, ComputeOptions {
  /** How chips are cut: of the chip size around the feature's middle, or the feature's box resampled to it. @defaultValue as the model's training chips were, else "fixedSize" */
  readonly cropMode?: "fixedSize" | "boundingBox";
  /** With bounding boxes: how much more than the box is seen at each side, metres on the ground or `"N crs"`; points and lines need one. @defaultValue 0 */
  readonly buffer?: number | string;
  /** Names the fields `Class` and `Confidence`, as Esri's tools do, instead of `class` and `score`. @defaultValue false */
  readonly esriFields?: boolean;
}

const RULES: OptionRules<ClassifyObjectsOptions> = {
  ...COMPUTE_RULES,
  cropMode: rules.oneOf("fixedSize", "boundingBox"),
  buffer: rules.length,
  esriFields: rules.boolean,
  cellSize: SCENE_RULES.cellSize,
  bands: SCENE_RULES.bands,
  ...rules.network,
  ...rules.work,
};

/** How many features got what; complete when all were read. */
export interface ObjectCounts {
  /** Features read. */
  readonly features: number;
  /** Features without a class, because they lie outside the raster or where it has no valid pixel. */
  readonly outside: number;
  /** Features of each class, by name. */
  readonly classes: Readonly<Record<string, number>>;
}

/** Classified features, one after another. */
export interface ClassifiedStream extends FeatureStream {
  /** What was found so far. */
  counts(): ObjectCounts;
  /** Ends the model's threads and closes what was opened; `for await` over all features does it too. */
  close(): Promise<void>;
}

/** Classified features. */
export interface ClassifiedObjects extends Features {
  readonly counts: ObjectCounts;
}

/**
 * Classifies the features of a layer (polygons, points, lines, boxes) by the pixels around them. A chip is cut for each as the training chips of the
 * model were. The result is the same features, in the same order and reference system, with `class`, `value` and `score` (0 to 1) as fields; where
 * a model gives several classes they are joined by commas, the surest first, and the score is the greatest. Features outside the raster, or
 * where it has no valid pixel, keep null in these fields and are counted in a warning.
 *
 * @throws MODEL_CORRUPT, MODEL_FOREIGN, TASK_MISMATCH for the model; RASTER_NO_TRANSFORM; what reading throws; BANDS_MISMATCH, RESOLUTION_MISMATCH when
 * raster and model do not fit; CRS_MISSING; INVALID_ARGUMENT
 *
 * @example
 * const roofs = await classifyObjects("roofs.dlpk", "city.tif", "buildings.gpkg");
 * await writeFeatures(roofs, "roofs.gpkg");
 */
export async function classifyObjects(
  model: ModelPackage | string,
  raster: RasterSource,
  features: FeatureSource,
  options: ClassifyObjectsOptions = {},
): Promise<ClassifiedObjects> {
  const stream = await streamClassifiedObjects(model, raster, features, options);
  const all: Feature[] = [];
  for await (const feature of stream) all.push(feature);
  return { name: stream.name, crs: stream.crs, features: all, counts: stream.counts() };
}

/**
 * As {@link classifyObjects}, one feature after another, so that layers of any size need no more memory than some batches: to be read once.
 *
 * @throws as `classifyObjects`, partly while it is read
 *
 * @example
 * await writeFeatures(await streamClassifiedObjects("roofs.dlpk", "city.tif", "buildings.gpkg"), "roofs.gpkg");
 */
export async function streamClassifiedObjects(
  model: ModelPackage | string,
  source: RasterSource,
  features: FeatureSource,
  options: ClassifyObjectsOptions = {},
): Promise<ClassifiedStream> {
  const { stream, run, close } = await openClassification(model, source, features, options);
  return { name: stream.name, crs: stream.crs, [Symbol.asyncIterator]: () => run.features(close), counts: () => run.counts(), close };
}

/** A layer, a raster and a model that were opened and found to go together. */
export interface OpenedClassification {
  readonly stream: FeatureStream;
  readonly run: Classification;
  /** Ends the model's threads and closes the raster. */
  readonly close: () => Promise<void>;
}

/** @throws as {@link streamClassifiedObjects} before it is read */
export async function openClassification(
  model: ModelPackage | string,
  source: RasterSource,
  features: FeatureSource,
  options: ClassifyObjectsOptions,
): Promise<OpenedClassification> {
  checkOptions(options, RULES, "classifyObjects()");
  const { signal, onWarning } = options;
  const scorer = new TileScorer(model, computeOptions(options));
  try {
    const stream = await openFeatures(features, { ...(signal && { signal }), ...(onWarning && { onWarning }) });
    const setup = await prepareScene<TileConfiguration, TileScorer>(scorer, source, options, () => undefined);
    const close = async (): Promise<void> => {
      await scorer.dispose();
      await setup.close();
    };
    try {
      return { stream, run: new Classification(stream, scorer, setup, options), close };
    } catch (error) {
      await setup.close();
      throw error;
    }
  } catch (error) {
    await scorer.dispose();
    throw error;
  }
}

/** A batch of features. */
interface Chunk {
  readonly features: readonly Feature[];
  /** Place of each feature in the block; -1 for none. */
  readonly slots: readonly number[];
  readonly size: number;
  readonly pixels: Float32Array;
  readonly mask: Uint8Array;
}

/** Work that goes from features to classes. */
class Classification {
  readonly #stream: FeatureStream;
  readonly #scorer: TileScorer;
  readonly #raster: Raster;
  readonly #config: TileConfiguration;
  readonly #cut: CutRule;
  readonly #chip: ChipRule;
  readonly #blacken: boolean;
  readonly #options: ClassifyObjectsOptions;
  readonly #batchSize: number;
  readonly #counts: { features: number; outside: number; classes: Record<string, number> };
  #replaced = false;

  constructor(
    stream: FeatureStream,
    scorer: TileScorer,
    setup: Awaited<ReturnType<typeof prepareScene<TileConfiguration, TileScorer>>>,
    options: ClassifyObjectsOptions,
  ) {
    const { config, bands, scene, batchSize } = setup;
    const { raster } = scene;
    const { manifest, tileWidth: chipWidth, tileHeight: chipHeight } = config;
    this.#stream = stream;
    this.#scorer = scorer;
    this.#raster = raster;
    this.#config = config;
    this.#options = options;
    this.#batchSize = batchSize;
    this.#cut = cutRule(raster, options.cropMode ?? manifest.crop?.mode ?? "fixedSize", { chipWidth, chipHeight }, options.buffer);
    this.#chip = { bands, chipWidth, chipHeight, ...fillRule(config, bands.length, raster.nodata) };
    this.#blacken = manifest.crop?.blacken ?? false;
    this.#counts = { features: 0, outside: 0, classes: Object.fromEntries(config.classes.map(({ name }) => [name, 0])) };
  }

  counts(): ObjectCounts {
    return { ...this.#counts, classes: { ...this.#counts.classes } };
  }

  async *features(close: () => Promise<void>): AsyncGenerator<Feature> {
    const { signal, onWarning, onProgress, esriFields = false } = this.#options;
    const { classes, thresholds, statistics, bandNames = [], tileWidth, tileHeight } = this.#config;
    const watch = statistics === undefined ? null : new RangeWatch(statistics, bandNames);
    const area = tileWidth * tileHeight;
    const report = (): void => {
      const { features: done } = this.#counts;
      onProgress?.({ stage: "classify-objects", done, total: 0, unit: "features" });
    };
    try {
      onProgress?.({ stage: "classify-objects", done: 0, total: 0, unit: "features" });
      for await (const [{ features, slots, size, pixels, mask }, scores] of this.batches()) {
        watch?.look(pixels, mask, 0, size * area);
        for (const [i, feature] of features.entries()) {
          const slot = slots[i]!;
          const own = slot < 0 ? null : scores.subarray(slot * classes.length, (slot + 1) * classes.length);
          if (own?.every(Number.isFinite) === false) throw this.#notFinite(this.#counts.features);
          const { names, fields } = verdictOf(own, { classes, thresholds, esriFields });
          this.#counts.features++;
          if (own === null) this.#counts.outside++;
          for (const name of names) this.#counts.classes[name]!++;
          this.#warnOfReplaced(feature, fieldNames(esriFields));
          yield { ...feature, properties: { ...feature.properties, ...fields } };
        }
        signal?.throwIfAborted();
        report();
      }
      watch?.report(onWarning);
      const { features, outside } = this.#counts;
      report();
      if (outside > 0) {
        onWarning?.({
          code: "FEATURES_OUTSIDE",
          message: `${outside} of ${features} features of ${this.#stream.name} lie outside ${this.#raster.name}, or where it has no valid pixel; they have no class.`,
          hint: "Give a raster that covers them, or leave them out.",
        });
      }
    } finally {
      await close();
    }
  }

  /** Features by the batch, with the scores of those that have pixels. */
  batches(): AsyncGenerator<readonly [Chunk, Float32Array]> {
    const { concurrency = 1, tileWidth: width, tileHeight: height } = this.#config;
    const bands = this.#chip.bands.length;
    return mapOrdered(this.#chunks(), Math.max(1, concurrency), async ({ pixels, mask, size }) => {
      if (size === 0) return new Float32Array(0);
      return this.#scorer.score({ pixels, mask, size, height, width, bands }, this.#options.signal);
    });
  }

  /** Features by the batch, with the pixels of those that have any. */
  async *#chunks(): AsyncGenerator<Chunk> {
    const { bands, chipWidth, chipHeight } = this.#chip;
    const area = chipWidth * chipHeight;
    for await (const features of inGroups(this.#stream, this.#batchSize)) {
      const pixels = new Float32Array(sharedMemory(4 * features.length * area * bands.length));
      const mask = new Uint8Array(sharedMemory(features.length * area));
      const slots: number[] = [];
      let size = 0;
      for (const { geometry } of this.#placed(features)) {
        const window = featureWindow(geometry, this.#cut);
        const { signal } = this.#options;
        const out = { pixels, mask, index: size };
        const keep = this.#blacken ? geometry : null;
        const seen = window !== null && (await readChip(this.#raster, window, this.#chip, out, { keep, signal }));
        slots.push(seen ? size++ : -1);
      }
      const part = size * area;
      yield { features, slots, size, pixels: pixels.subarray(0, part * bands.length), mask: mask.subarray(0, part) };
    }
  }

  /** Features in the raster's system; one that has no place there has no geometry. */
  #placed(features: readonly Feature[]): readonly Feature[] {
    const { crs, transform, width, height } = this.#raster;
    const { name, crs: own } = this.#stream;
    if (crs === null) return features;
    const place = (list: readonly Feature[]): readonly Feature[] =>
      placeFeatures({ name, crs: own, features: list }, { crs, transform: transform!, width, height }).features;
    try {
      return place(features);
    } catch (error) {
      if (!GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) throw error;
      if (features.length === 1) return [{ ...features[0]!, geometry: null }];
      return features.flatMap((feature) => this.#placed([feature]));
    }
  }

  #warnOfReplaced({ properties }: Feature, names: readonly string[]): void {
    if (this.#replaced) return;
    const taken = names.filter((name) => Object.hasOwn(properties, name));
    if (taken.length === 0) return;
    this.#replaced = true;
    this.#options.onWarning?.({
      code: "FIELDS_REPLACED",
      message: `${this.#stream.name} has fields ${taken.map((name) => `"${name}"`).join(", ")} already; in the result they hold what the model says.`,
      hint: "Rename them first to keep them, or use `esriFields: true`, whose names are `Class` and `Confidence`.",
    });
  }

  #notFinite(index: number): GeoLearnError {
    return new GeoLearnError("ENGINE_FAILED", `The model ${this.#scorer.name} gave no finite score for feature ${index}.`, {
      hint: "The training may have diverged; values far outside the training range can do this too.",
      data: { index },
    });
  }
}

/** @throws RASTER_NO_TRANSFORM, CRS_MISSING, INVALID_ARGUMENT */
function cutRule(
  { name, transform, crs, width, height }: Raster,
  mode: CutRule["mode"],
  chip: Pick<CutRule, "chipWidth" | "chipHeight">,
  buffer: number | string | undefined,
): CutRule {
  if (transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${name} is not georeferenced, so features have no place on it.`, {
      hint: "Give the raster a transform, for example by a world file.",
    });
  }
  const length = buffer === undefined ? null : parseLength(buffer);
  if (length !== null && mode === "fixedSize") {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`buffer\` is ${String(buffer)}; it widens the boxes of features.`, {
      hint: 'The model sees chips of one size: leave `buffer` out, or use `cropMode: "boundingBox"`.',
      data: { field: "buffer", value: buffer },
    });
  }
  if (length !== null && length.unit === "m" && crs === null) {
    throw new GeoLearnError("CRS_MISSING", `${name} names no reference system, so metres on the ground are unknown.`, {
      hint: 'Give the buffer in units of the map, such as `buffer: "2 crs"`.',
    });
  }
  return { mode, ...chip, transform, width, height, margin: (x, y) => marginOf(length, transform, crs, x, y) };
}

function marginOf(
  length: ReturnType<typeof parseLength> | null,
  [a, b, , d, e]: CutRule["transform"],
  crs: Crs | null,
  x: number,
  y: number,
): { readonly x: number; readonly y: number } {
  if (length === null || length.value === 0) return { x: 0, y: 0 };
  const ground = length.unit === "m" ? metresPerUnit(crs!, x, y) : { x: 1, y: 1 };
  return {
    x: length.value / Math.hypot(a * ground.x, d * ground.y),
    y: length.value / Math.hypot(b * ground.x, e * ground.y),
  };
}

async function* inGroups(stream: AsyncIterable<Feature>, size: number): AsyncGenerator<readonly Feature[]> {
  let group: Feature[] = [];
  for await (const feature of stream) {
    group.push(feature);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
