/** How right a class raster is, pixel by pixel, against another raster or against labelled polygons. */

import {
  type ClassDefinition,
  type ConfusionMatrix,
  type Features,
  type NetworkOptions,
  type PixelMetrics,
  type Raster,
  type RasterSource,
  type Samples,
  type Window,
  GeoLearnError,
  type WorkOptions,
  createConfusionMatrix,
  isFeaturePath,
  openRaster,
  pixelMetrics,
  requireClassRaster,
  sameCrs,
  warpRaster,
  checkOptions,
  type OptionRules,
  rules,
} from "@geolearn/core";

import { readRegionMask } from "../run/region-mask.ts";
import { cutScene } from "../run/scene.ts";
import { type TruthRows, polygonTruth } from "./polygon-truth.ts";

/** Options of {@link pixelAccuracy}. */
export interface PixelAccuracyOptions extends WorkOptions, NetworkOptions {
  /** Polygons, or a path to some: only land inside is compared. With polygons as truth this says where unlabelled land is background. */
  readonly mask?: string | Features;
  /** Field of the true polygons that holds the class value or name. @defaultValue "classvalue" or "value" where there is one, else all are one class */
  readonly classField?: string;
  /** Classes, to name values and to list those that do not occur. @defaultValue the names the rasters carry */
  readonly classes?: readonly Pick<ClassDefinition, "value" | "name">[];
}

const RULES: OptionRules<PixelAccuracyOptions> = {
  mask: rules.polygons,
  classField: rules.text,
  classes: rules.listOf("classes with value and name", rules.fields("a class", { value: rules.whole(0), name: rules.text })),
  ...rules.network,
  ...rules.work,
};

/** Metrics and the counts they come from. */
export interface PixelAccuracy extends PixelMetrics {
  /** `matrix.counts[truth * size + predicted]`, in the order of `classes`. */
  readonly matrix: ConfusionMatrix;
}

/** True labels: a class raster, polygons, or the path of either. */
export type Truth = RasterSource | Features;

const ROWS = 512;
const ONE_BAND = "Give a raster whose single band holds class values.";

/**
 * Compares a class raster with the truth on the pixels of the prediction. Truth on another grid is seen on this one (nearest).
 * Pixels without truth (nodata, outside `mask`) are left out; pixels with truth but without a prediction count as wrong.
 *
 * Warns of polygons with fields that look like classes when no `classField` is given (`CLASS_FIELD_MISSING`).
 *
 * @throws INVALID_ARGUMENT for options and for a raster of several bands, LABELS_OUTSIDE for polygons none of which touches the map, RASTER_MISMATCH when
 *   the two do not meet, ALL_NODATA when no pixel can be compared; what reading throws
 * @example
 * const { meanIou } = await pixelAccuracy("map.tif", "buildings.geojson", { mask: "surveyed.gpkg" });
 */
export async function pixelAccuracy(predicted: RasterSource, truth: Truth, options: PixelAccuracyOptions = {}): Promise<PixelAccuracy> {
  checkOptions(options, RULES, "pixelAccuracy()");
  const { network = false } = options;
  const map = await openRaster(predicted, { network });
  try {
    requireClassRaster(map, ONE_BAND);
    const names = new Map<number, string>(map.classNames ?? []);
    for (const { value, name } of options.classes ?? []) names.set(value, name);
    const source = await openTruth(truth, map, names, options);
    try {
      const counts = await countPairs(map, source, options);
      return metricsOf(counts, names, map.name);
    } finally {
      await source.close();
    }
  } finally {
    await map.close();
  }
}

async function openTruth(
  truth: Truth,
  map: Raster,
  names: Map<number, string>,
  { classField, network = false, onWarning }: PixelAccuracyOptions,
): Promise<TruthRows> {
  if (isFeatures(truth) || (typeof truth === "string" && isFeaturePath(truth))) {
    return polygonTruth(truth, map, names, classField, onWarning);
  }
  const raster = await openRaster(truth, { network });
  try {
    requireClassRaster(raster, ONE_BAND);
  } catch (error) {
    await raster.close();
    throw error;
  }
  for (const [value, name] of raster.classNames ?? []) if (!names.has(value)) names.set(value, name);
  return rasterTruth(onGridOf(raster, map));
}

function isFeatures(truth: Truth): truth is Features {
  return typeof truth === "object" && truth !== null && "features" in truth;
}

function rasterTruth(raster: Raster): TruthRows {
  return {
    async read(window) {
      const { data, mask } = await raster.read(window, { bands: [0] });
      return { values: data, mask };
    },
    close: () => raster.close(),
  };
}

/** The truth on the grid of the map, itself when it already is. @throws RASTER_MISMATCH */
function onGridOf(truth: Raster, map: Raster): Raster {
  const { transform, crs, width, height } = map;
  const sameSystem = truth.crs === null || crs === null || sameCrs(truth.crs, crs);
  const sameGrid =
    truth.width === width &&
    truth.height === height &&
    (truth.transform === null || transform === null || closeTo(truth.transform, transform, width + height));
  if (sameSystem && sameGrid) return truth;
  if (transform === null || truth.transform === null) {
    throw new GeoLearnError(
      "RASTER_MISMATCH",
      `${map.name} has ${width} x ${height} pixels, ${truth.name} ${truth.width} x ${truth.height}, and one of them is not georeferenced.`,
      {
        hint: "Give both a georeference, or rasters of the same size.",
      },
    );
  }
  return warpRaster(truth, { crs: crs ?? truth.crs, transform, width, height, resampling: "nearest" });
}

/** Same grid to a thousandth of a pixel at its far corner. */
function closeTo(a: readonly number[], b: readonly number[], pixels: number): boolean {
  const size = Math.hypot(b[0]!, b[3]!);
  return a.every((value, i) => Math.abs(value - b[i]!) * (i === 2 || i === 5 ? 1 : pixels) < 1e-3 * size);
}

/** Counts of (truth, predicted) pairs; `null` stands for no prediction. */
class PairCounts {
  readonly pairs = new Map<number, Map<number | null, number>>();

  add(truth: Samples, truthMask: Uint8Array | null, predicted: Samples, mask: Uint8Array | null, inside: Uint8Array | null): void {
    for (let i = 0; i < truth.length; i++) {
      if ((inside !== null && inside[i] === 0) || (truthMask !== null && truthMask[i] === 0)) continue;
      const t = truth[i]!;
      const p = mask !== null && mask[i] === 0 ? null : predicted[i]!;
      let row = this.pairs.get(t);
      if (row === undefined) this.pairs.set(t, (row = new Map()));
      row.set(p, (row.get(p) ?? 0) + 1);
    }
  }
}

async function countPairs(
  map: Raster,
  truth: TruthRows,
  { mask, signal, onProgress, onWarning }: PixelAccuracyOptions,
): Promise<PairCounts> {
  const scene = cutScene(map, undefined);
  const region = mask === undefined ? null : await readRegionMask(mask, scene, onWarning);
  const counts = new PairCounts();
  const { width, height } = map;
  for (let row = 0; row < height; row += ROWS) {
    signal?.throwIfAborted();
    onProgress?.({ stage: "accuracy", done: row, total: height, unit: "rows" });
    const window: Window = { col: 0, row, width, height: Math.min(ROWS, height - row) };
    const predicted = await map.read(window, { bands: [0], ...(signal === undefined ? {} : { signal }) });
    const { values, mask: known } = await truth.read(window);
    const inside = region === null ? null : new Uint8Array(width * window.height).fill(1);
    if (inside !== null) region!.apply(inside, row, window.height);
    counts.add(values, known, predicted.data, predicted.mask, inside);
  }
  onProgress?.({ stage: "accuracy", done: height, total: height, unit: "rows" });
  return counts;
}

function metricsOf({ pairs }: PairCounts, names: ReadonlyMap<number, string>, name: string): PixelAccuracy {
  if (pairs.size === 0) {
    throw new GeoLearnError("ALL_NODATA", `No pixel of ${name} has a true class to compare with.`, {
      hint: "Check that map, truth and mask lie in the same place.",
    });
  }
  const values = new Set(names.keys());
  for (const [truth, row] of pairs) for (const value of [truth, ...row.keys()]) if (value !== null) values.add(value);
  const sorted = [...values].sort((a, b) => a - b);
  const index = new Map(sorted.map((value, i) => [value, i]));
  const matrix = createConfusionMatrix(sorted.length);
  for (const [truth, row] of pairs) {
    const t = index.get(truth)!;
    for (const [predicted, count] of row) {
      if (predicted === null) matrix.unpredicted[t]! += count;
      else matrix.counts[t * sorted.length + index.get(predicted)!]! += count;
    }
  }
  const classes = sorted.map((value): ClassDefinition => ({ value, name: names.get(value) ?? String(value), color: [0, 0, 0] }));
  return { ...pixelMetrics(matrix, classes), matrix };
}
