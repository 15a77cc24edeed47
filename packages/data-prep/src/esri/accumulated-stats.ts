/**
 * `esri_accumulated_stats.json`: what an export has counted so far. An export that appends to the folder goes on from it,
 * so the numbers are kept exactly (`BandStatsState` holds mean, sum of squared deviations and count).
 */

import type { BandStatistics } from "@geolearn/core";

import { cellSizeJson, corruptChips, type CellSize } from "./common.ts";
import { isObject, type JsonObject, numberOrNull, stringOrNull } from "./json.ts";

/** Running moments of one band: mean and sum of squared deviations over `count` valid samples. */
export interface BandMoments {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly m2: number;
  readonly count: number;
}

/** What the labels are: a class per pixel, or objects. */
export type LabelUnit = "pixels" | "features";

/** Pixels of one class over the chips, or areas of its objects in square units of the map. */
export interface ClassCounts {
  readonly value: number;
  readonly name: string;
  /** Chips with at least one pixel or object of the class. */
  readonly images: number;
  readonly sum: number;
  /** Fewest and most pixels in one chip, chips without the class included; or the smallest and largest object. */
  readonly min: number;
  readonly max: number;
  /** Chips, or objects, that were counted. */
  readonly count: number;
}

/** Everything in the file. */
export interface AccumulatedStats {
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly chips: number;
  /** Index the next appended chip may have. */
  readonly nextIndex: number;
  readonly metaDataMode: string;
  readonly unit: LabelUnit;
  readonly classes: readonly ClassCounts[];
  /** Classes per chip, or objects. */
  readonly perImage: { readonly min: number; readonly max: number; readonly sum: number };
  readonly minCellSize: CellSize | null;
  readonly maxCellSize: CellSize | null;
  readonly rasterCount: number;
  readonly sensorName: string;
  readonly bandNames: readonly string[];
  readonly bandMoments: readonly BandMoments[];
  /** The images of a later date; null where there are none. */
  readonly later: LaterStats | null;
}

/** What is counted of the images of a later date. */
export interface LaterStats {
  readonly rasterCount: number;
  readonly bandNames: readonly string[];
  readonly bandMoments: readonly BandMoments[];
}

/** Mean and deviation from running moments. */
export function momentsToStatistics(moments: BandMoments): BandStatistics {
  const { min, max, mean, m2, count } = moments;
  return { min, max, mean, std: count === 0 ? 0 : Math.sqrt(m2 / count), count };
}

/** Moments of two sets together (Chan, Golub and LeVeque's pairwise update). */
export function mergeMoments(a: BandMoments, b: BandMoments): BandMoments {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = b.mean - a.mean;
  return {
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    mean: a.mean + (delta * b.count) / count,
    m2: a.m2 + b.m2 + (delta * delta * a.count * b.count) / count,
    count,
  };
}

/** Moments of no sample at all. */
export const NO_MOMENTS: BandMoments = { min: 0, max: 0, mean: 0, m2: 0, count: 0 };

/** The file's JSON. */
export function accumulatedStatsJson(stats: AccumulatedStats): JsonObject {
  const { classes, unit } = stats;
  return {
    Version: 1,
    NumBands: stats.bands,
    TileSizeX: stats.width,
    TileSizeY: stats.height,
    NumClasses: classes.length,
    NumTiles: stats.chips,
    NumTilesAsDouble: stats.chips,
    NextTileIndex: stats.nextIndex,
    OutputFeatures: unit === "features",
    MetaDataMode: stats.metaDataMode,
    ...(stats.minCellSize === null ? {} : { MinCellSize: cellSizeJson(stats.minCellSize) }),
    ...(stats.maxCellSize === null ? {} : { MaxCellSize: cellSizeJson(stats.maxCellSize) }),
    Classes: classes.map(({ value, name }) => ({ ClassValue: value, ClassName: name })),
    ...(unit === "pixels" ? { ClassPixelStats: pixelStats(stats) } : { FeatureStats: featureStats(stats) }),
    InputRastersProps: { RasterCount: stats.rasterCount, SensorName: stats.sensorName, BandNames: [...stats.bandNames] },
    ...(stats.later === null ? {} : { InputRastersProps2: laterProps(stats.later, stats.sensorName) }),
    BandStatsState: stats.bandMoments.map(momentsJson),
    ...(stats.later === null ? {} : { BandStatsState2: stats.later.bandMoments.map(momentsJson) }),
  };
}

/** The rasters of the later date. */
export function laterProps({ rasterCount, bandNames }: Omit<LaterStats, "bandMoments">, sensorName: string): JsonObject {
  return { RasterCount: rasterCount, SensorName: sensorName, BandNames: [...bandNames] };
}

function momentsJson({ min, max, mean, m2, count }: BandMoments): JsonObject {
  return { Min: min, Max: max, Mean: 0, StdDev: 0, M1: mean, M2: m2, Num: count };
}

function pixelStats(stats: AccumulatedStats): JsonObject {
  const { classes } = stats;
  return {
    NumClasses: classes.length,
    NumImagesTotal: stats.chips,
    NumImagesPerClass: classes.map(({ images }) => images),
    NumPixelsPerClass: classes.map(({ sum }) => sum),
    NumClassesPerImage: perImageJson(stats),
    PixelsPerClass: classes.map(amountJson),
  };
}

function featureStats(stats: AccumulatedStats): JsonObject {
  const { classes } = stats;
  return {
    NumClasses: classes.length,
    NumImagesTotal: stats.chips,
    NumFeaturesTotal: classes.reduce((sum, { count }) => sum + count, 0),
    NumImagesPerClass: classes.map(({ images }) => images),
    NumFeaturesPerClass: classes.map(({ count }) => count),
    NumFeaturesPerImage: perImageJson(stats),
    FeatureAreaPerClass: classes.map(amountJson),
  };
}

function perImageJson({ perImage, chips }: AccumulatedStats): JsonObject {
  const { min, max, sum } = perImage;
  return { Min: min, Max: max, Mean: chips === 0 ? 0 : sum / chips, Sum: sum, Count: chips };
}

function amountJson({ min, max, sum, count }: ClassCounts): JsonObject {
  return { Min: min, Max: max, Mean: count === 0 ? 0 : sum / count, Sum: sum, Count: count };
}

/** Class names and mode of a file, as far as they can be told; never the counts. */
export function readAccumulatedClasses(json: JsonObject): { mode: string | null; classes: { value: number; name: string }[] } {
  const classes: { value: number; name: string }[] = [];
  for (const entry of Array.isArray(json["Classes"]) ? (json["Classes"] as unknown[]) : []) {
    if (!isObject(entry)) continue;
    const value = numberOrNull(entry["ClassValue"]);
    if (value !== null) classes.push({ value, name: stringOrNull(entry["ClassName"]) ?? String(value) });
  }
  return { mode: stringOrNull(json["MetaDataMode"]), classes };
}

/** Where the counts stand. */
const KEYS = {
  pixels: { block: "ClassPixelStats", perImage: "NumClassesPerImage", perClass: "PixelsPerClass" },
  features: { block: "FeatureStats", perImage: "NumFeaturesPerImage", perClass: "FeatureAreaPerClass" },
} as const;

/**
 * The state an appending export goes on from.
 *
 * @throws CHIPS_CORRUPT when the counts are missing or do not fit together
 */
export function parseAccumulatedStats(json: JsonObject, path: string): AccumulatedStats {
  const unit: LabelUnit = isObject(json["FeatureStats"]) ? "features" : "pixels";
  const keys = KEYS[unit];
  const block = json[keys.block];
  const counts = isObject(block) ? block : {};
  const spread = counts[keys.perImage];
  const perImage = isObject(spread) ? spread : {};
  const { mode, classes } = readAccumulatedClasses(json);
  const images = numbers(counts["NumImagesPerClass"]);
  const perClass = Array.isArray(counts[keys.perClass]) ? (counts[keys.perClass] as unknown[]).filter(isObject) : [];
  const props = isObject(json["InputRastersProps"]) ? json["InputRastersProps"] : {};
  const moments = parseMoments(json["BandStatsState"]);
  const chips = whole(json["NumTiles"], "NumTiles", path);
  if (images.length !== classes.length || perClass.length !== classes.length) {
    throw corruptChips(path, `it counts ${images.length} and ${perClass.length} classes for a list of ${classes.length}`);
  }
  const bands = whole(json["NumBands"], "NumBands", path);
  if (moments.length !== bands) throw corruptChips(path, `BandStatsState has ${moments.length} entries for ${bands} bands`);
  return {
    bands,
    width: whole(json["TileSizeX"], "TileSizeX", path),
    height: whole(json["TileSizeY"], "TileSizeY", path),
    chips,
    nextIndex: numberOrNull(json["NextTileIndex"]) ?? chips,
    metaDataMode: mode ?? "",
    unit,
    classes: classes.map(({ value, name }, i) => ({
      value,
      name,
      images: images[i]!,
      sum: numberOrNull(perClass[i]!["Sum"]) ?? 0,
      min: numberOrNull(perClass[i]!["Min"]) ?? 0,
      max: numberOrNull(perClass[i]!["Max"]) ?? 0,
      count: numberOrNull(perClass[i]!["Count"]) ?? chips,
    })),
    perImage: {
      min: numberOrNull(perImage["Min"]) ?? 0,
      max: numberOrNull(perImage["Max"]) ?? 0,
      sum: numberOrNull(perImage["Sum"]) ?? 0,
    },
    minCellSize: cellSize(json["MinCellSize"]),
    maxCellSize: cellSize(json["MaxCellSize"]),
    rasterCount: numberOrNull(props["RasterCount"]) ?? 0,
    sensorName: stringOrNull(props["SensorName"]) ?? "Undefined",
    bandNames: Array.isArray(props["BandNames"]) ? (props["BandNames"] as unknown[]).map(String) : [],
    bandMoments: moments,
    later: parseLater(json, path),
  };
}

function parseLater(json: JsonObject, path: string): LaterStats | null {
  const props = json["InputRastersProps2"];
  if (!isObject(props)) return null;
  const bandNames = Array.isArray(props["BandNames"]) ? (props["BandNames"] as unknown[]).map(String) : [];
  const bandMoments = parseMoments(json["BandStatsState2"]);
  if (bandMoments.length !== bandNames.length) {
    throw corruptChips(path, `BandStatsState2 has ${bandMoments.length} entries for ${bandNames.length} bands`);
  }
  return { rasterCount: numberOrNull(props["RasterCount"]) ?? 0, bandNames, bandMoments };
}

function parseMoments(value: unknown): BandMoments[] {
  const entries = Array.isArray(value) ? (value as unknown[]).filter(isObject) : [];
  return entries.map((entry) => ({
    min: numberOrNull(entry["Min"]) ?? 0,
    max: numberOrNull(entry["Max"]) ?? 0,
    mean: numberOrNull(entry["M1"]) ?? 0,
    m2: numberOrNull(entry["M2"]) ?? 0,
    count: numberOrNull(entry["Num"]) ?? 0,
  }));
}

function cellSize(value: unknown): CellSize | null {
  if (!isObject(value)) return null;
  const x = numberOrNull(value["x"]);
  const y = numberOrNull(value["y"]);
  const reference = isObject(value["spatialReference"]) ? value["spatialReference"] : {};
  if (x === null || y === null) return null;
  return { x, y, wkid: numberOrNull(reference["latestWkid"]) ?? numberOrNull(reference["wkid"]) };
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? (value as unknown[]).map((entry) => numberOrNull(entry) ?? 0) : [];
}

function whole(value: unknown, key: string, path: string): number {
  const number = numberOrNull(value);
  if (number === null || !Number.isInteger(number) || number < 0) throw corruptChips(path, `${key} is not a count`);
  return number;
}
