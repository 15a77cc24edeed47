/** Features to files. */

import { access } from "node:fs/promises";
import { basename, extname } from "node:path";

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { checkOptions, type OptionRules } from "../options/check-options.ts";
import * as rules from "../options/rules.ts";
import type { OnWarning } from "../progress.ts";
import type { Feature, Features, FeatureStream } from "./features.ts";
import { type FeatureFormat, FORMAT_RULE, formatOfPath } from "./formats.ts";
import { writeFlatGeobuf } from "./flatgeobuf/writer.ts";
import { geoJsonWithoutCrs, writeGeoJson } from "./geojson-writer.ts";
import { writeGeoParquet } from "./parquet/writer.ts";
import { writeShapefile, writeZippedShapefile } from "./shapefile-writer.ts";
import { writeGeoPackage } from "./geopackage-writer.ts";

/** Options of {@link writeFeatures}. */
export interface FeatureWriteOptions {
  /** The system the coordinates are in; taken from {@link Features} and streams where it is left out. */
  readonly crs?: number | string | Crs | null;
  /** Name of the layer in a GeoPackage or FlatGeobuf. @defaultValue the file name without its extension */
  readonly layer?: string;
  /** GeoJSON: keep the coordinates and name their system in a `crs` member instead of going to WGS 84. @defaultValue false */
  readonly keepCrs?: boolean;
  /** GeoJSON: digits behind the point. @defaultValue 7 for degrees, 4 for metres */
  readonly decimals?: number;
  /**
   * FlatGeobuf: write the spatial index. Features then stand along a Hilbert curve and not in the order given, which matters
   * where later features lie on earlier ones. A file with a feature that has no position gets none. @defaultValue true
   */
  readonly spatialIndex?: boolean;
  /** Format of a file with an odd name. */
  readonly format?: FeatureFormat;
  /** Replace a file that is there. @defaultValue true */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  readonly onWarning?: OnWarning;
}

/** Rules for {@link FeatureWriteOptions}; a reference system is looked at where it is read. */
export const FEATURE_WRITE_RULES: OptionRules<FeatureWriteOptions> = {
  crs: rules.any,
  layer: rules.text,
  keepCrs: rules.boolean,
  decimals: rules.whole(0, 17),
  spatialIndex: rules.boolean,
  format: FORMAT_RULE,
  overwrite: rules.boolean,
  signal: rules.work.signal,
  onWarning: rules.work.onWarning,
};

/**
 * Refuses what {@link writeFeatures} would refuse for the file's name and the reference system alone, before long work.
 *
 * @throws UNSUPPORTED_FORMAT, CRS_MISSING
 */
export function checkFeaturePath(path: string, crs: Crs | null): void {
  const format = formatOfPath(path, "write");
  if (crs === null && (format === "geojson" || format === "geojsonl")) throw geoJsonWithoutCrs(path);
}

/**
 * Writes features in the format of the file's name (.geojson, .geojsonl, .gpkg, .fgb, .parquet, .shp, .zip for a zipped
 * Shapefile) and returns how many. The file appears under its name only when it is whole; on an error or an abort nothing is left.
 *
 * @throws INVALID_ARGUMENT, CRS_MISSING, UNSUPPORTED_FORMAT, OUTPUT_EXISTS, DISK_FULL, WRITE_FAILED; the errors of the features' source
 * @example
 * await writeFeatures(footprints, "footprints.gpkg", { crs: 32633 });
 */
export async function writeFeatures(
  features: Features | FeatureStream | Iterable<Feature> | AsyncIterable<Feature>,
  path: string,
  options: FeatureWriteOptions = {},
): Promise<number> {
  checkOptions(options, FEATURE_WRITE_RULES, "writeFeatures()");
  const { keepCrs = false, signal } = options;
  const format = options.format ?? formatOfPath(path, "write");
  const crs = crsOf(features, options.crs);
  await refuseExisting(path, options.overwrite ?? true);
  signal?.throwIfAborted();
  const stream = iterate(features);
  switch (format) {
    case "geojson":
    case "geojsonl": {
      const degrees = !keepCrs || crs === null || crs.geographic;
      return writeGeoJson(stream, path, {
        crs,
        keepCrs,
        decimals: options.decimals ?? (degrees ? 7 : 4),
        lines: format === "geojsonl",
        signal,
      });
    }
    case "gpkg":
      return writeGeoPackage(stream, path, { crs, layer: options.layer ?? basename(path, extname(path)), signal });
    case "fgb": {
      const layer = options.layer ?? basename(path, extname(path));
      return writeFlatGeobuf(stream, path, { crs, layer, spatialIndex: options.spatialIndex ?? true, signal });
    }
    case "parquet":
      return writeGeoParquet(stream, path, { crs, signal });
    case "shp":
      return writeShapefile(stream, path, { crs, signal, onWarning: options.onWarning });
    case "shp-zip":
      return writeZippedShapefile(stream, path, { crs, signal, onWarning: options.onWarning });
  }
}

function crsOf(features: object, given: number | string | Crs | null | undefined): Crs | null {
  if (given === null) return null;
  if (given !== undefined) return parseCrs(given);
  if ("crs" in features) return features.crs as Crs | null;
  return null;
}

async function refuseExisting(path: string, overwrite: boolean): Promise<void> {
  if (overwrite) return;
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists)
    throw new GeoLearnError("OUTPUT_EXISTS", `${path} is already there.`, {
      hint: "Choose another name, or `overwrite: true`.",
      data: { path },
    });
}

async function* iterate(features: Features | FeatureStream | Iterable<Feature> | AsyncIterable<Feature>): AsyncGenerator<Feature> {
  if ("features" in features) yield* features.features;
  else yield* features;
}
