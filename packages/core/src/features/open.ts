/** Features from files, bytes, GeoJSON or memory. */

import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import type { Bounds } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { checkOptions, type OptionRules } from "../options/check-options.ts";
import * as rules from "../options/rules.ts";
import type { OnWarning } from "../progress.ts";
import { showValue } from "../show-value.ts";
import { type ByteSource, fileSource, memorySource } from "./byte-source.ts";
import { boundsMeet, geometryBounds } from "./bounds.ts";
import { isRecord } from "./feature-value.ts";
import type { Feature, FeatureStream, Features } from "./features.ts";
import { type FeatureFormat, FORMAT_RULE, formatOfBytes, formatOfPath } from "./formats.ts";
import { openFlatGeobuf } from "./flatgeobuf/reader.ts";
import { openGeoJsonLines } from "./geojson-lines.ts";
import { openGeoJson } from "./geojson-reader.ts";
import { openGeoParquet } from "./parquet/reader.ts";
import { openShapefile } from "./shapefile-reader.ts";
import { openGeoPackage } from "./geopackage-reader.ts";

/** A path, the bytes of a file, GeoJSON as text or object, or features already read. */
export type FeatureSource = string | URL | Uint8Array | Features | FeatureStream | object;

/** Options of {@link openFeatures} and {@link readFeatures}. */
export interface FeatureReadOptions {
  /** Layer of a GeoPackage or Shapefile archive, by name or number; needed where there are several. */
  readonly layer?: string | number;
  /** The system the coordinates are in, whatever the file says or does not say. */
  readonly crs?: number | string | Crs;
  /** Format of bytes whose beginning does not tell, or of a file with an odd name. */
  readonly format?: FeatureFormat;
  /**
   * Only features whose boxes meet this one, `[xmin, ymin, xmax, ymax]` in the coordinates of the file; features without a
   * geometry are left out. The index of a FlatGeobuf finds them without reading the rest, and row groups of a GeoParquet that lie
   * elsewhere are skipped.
   */
  readonly bounds?: Bounds;
  readonly signal?: AbortSignal;
  readonly onWarning?: OnWarning;
}

/** A reference system and a box are looked at where they are read. */
const RULES: OptionRules<FeatureReadOptions> = {
  layer: rules.either(rules.text, rules.whole(0)),
  crs: rules.any,
  format: FORMAT_RULE,
  bounds: rules.any,
  signal: rules.work.signal,
  onWarning: rules.work.onWarning,
};

/**
 * Opens features to be read one after another: GeoJSON, newline-delimited GeoJSON, FlatGeobuf and GeoParquet are streamed
 * from the file, GeoPackage and Shapefile are read row by row. Iterating twice reads twice.
 *
 * Whole numbers beyond 2^53 come as text with all their digits from formats that hold 64 bits.
 *
 * @throws INVALID_ARGUMENT, FILE_NOT_FOUND, UNSUPPORTED_FORMAT, FEATURES_CORRUPT, CRS_UNKNOWN; while reading also GEOMETRY_INVALID
 * @example
 * const stream = await openFeatures("buildings.gpkg", { layer: "footprints" });
 * for await (const feature of stream) console.log(feature.properties);
 */
export async function openFeatures(source: FeatureSource, options: FeatureReadOptions = {}): Promise<FeatureStream> {
  checkOptions(options, RULES, "openFeatures()");
  if (source === undefined || source === null || source === "") {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `There are no features: got ${showValue(source)}; expected a path, GeoJSON, or features that were read.`,
      {
        hint: 'Give features, such as "buildings.gpkg".',
      },
    );
  }
  const crs = options.crs === undefined ? undefined : parseCrs(options.crs);
  if (options.bounds !== undefined) checkBounds(options.bounds);
  return within(watched(await open(source, { ...options, crs }), options.signal), options.bounds);
}

/**
 * Reads features into memory.
 *
 * @throws as {@link openFeatures}, and GEOMETRY_INVALID
 * @example
 * const buildings = await readFeatures("buildings.geojson");
 * buildings.crs?.epsg; // 4326 unless the file says otherwise
 */
export async function readFeatures(source: FeatureSource, options: FeatureReadOptions = {}): Promise<Features> {
  if (isFeatures(source) && options.crs === undefined && options.bounds === undefined) return source;
  const stream = await openFeatures(source, options);
  const features: Feature[] = [];
  for await (const feature of stream) features.push(feature);
  return { name: stream.name, crs: stream.crs, features };
}

type FormatOptions = Omit<FeatureReadOptions, "crs"> & { readonly crs: Crs | undefined };

async function open(source: FeatureSource, options: FormatOptions): Promise<FeatureStream> {
  const { crs } = options;
  if (isFeatures(source)) return { name: source.name, crs: crs ?? source.crs, [Symbol.asyncIterator]: () => each(source.features) };
  if (isStream(source))
    return crs === undefined ? source : { name: source.name, crs, [Symbol.asyncIterator]: () => source[Symbol.asyncIterator]() };
  const bytes = await byteSourceOf(source);
  const format = options.format ?? (bytes.path === null ? formatOfBytes(await bytes.all()) : formatOfPath(bytes.path));
  return openFormat(format, bytes, options);
}

function openFormat(format: FeatureFormat, source: ByteSource, options: FormatOptions): Promise<FeatureStream> | FeatureStream {
  switch (format) {
    case "geojson":
      return openGeoJson(source, options);
    case "geojsonl":
      return openGeoJsonLines(source, options);
    case "gpkg":
      return openGeoPackage(source, options);
    case "shp":
    case "shp-zip":
      return openShapefile(source, format, options);
    case "fgb":
      return openFlatGeobuf(source, options);
    case "parquet":
      return openGeoParquet(source, options);
  }
}

async function byteSourceOf(source: string | URL | Uint8Array | object): Promise<ByteSource> {
  if (source instanceof Uint8Array) return memorySource(source);
  if (source instanceof URL) return byteSourceOf(source.href);
  if (typeof source !== "string") return memorySource(new TextEncoder().encode(JSON.stringify(source)), "GeoJSON object");
  if (/^\s*[{[]/.test(source)) return memorySource(new TextEncoder().encode(source), "GeoJSON text");
  if (source.startsWith("file:")) return fileSource(new URL(source).pathname);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
    throw new GeoLearnError("NETWORK_NOT_ALLOWED", `${source}: features are read from files, not over the network.`, {
      hint: "Download the file first.",
    });
  }
  await refuseMissing(source);
  return fileSource(source);
}

async function refuseMissing(path: string): Promise<void> {
  try {
    await access(path);
  } catch (cause) {
    throw new GeoLearnError("FILE_NOT_FOUND", `There is no file ${path}.`, {
      hint: `Look into the folder "${dirname(resolve(path))}".`,
      data: { path },
      cause,
    });
  }
}

/** Features of ours, and not a GeoJSON FeatureCollection, which also has a list `features`. */
function isFeatures(value: unknown): value is Features {
  return isRecord(value) && Array.isArray(value["features"]) && value["type"] === undefined && "crs" in value;
}

function isStream(value: unknown): value is FeatureStream {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value && "crs" in value;
}

async function* each(features: readonly Feature[]): AsyncGenerator<Feature> {
  yield* features;
}

function watched(stream: FeatureStream, signal: AbortSignal | undefined): FeatureStream {
  if (signal === undefined) return stream;
  return {
    name: stream.name,
    crs: stream.crs,
    async *[Symbol.asyncIterator]() {
      for await (const feature of stream) {
        signal.throwIfAborted();
        yield feature;
      }
    },
  };
}

function within(stream: FeatureStream, bounds: Bounds | undefined): FeatureStream {
  if (bounds === undefined) return stream;
  return {
    name: stream.name,
    crs: stream.crs,
    async *[Symbol.asyncIterator]() {
      for await (const feature of stream) {
        const own = geometryBounds(feature.geometry);
        if (own !== null && boundsMeet(own, bounds)) yield feature;
      }
    },
  };
}

/** @throws INVALID_ARGUMENT */
function checkBounds(bounds: Bounds): void {
  const [xmin, ymin, xmax, ymax] = bounds;
  if (bounds.length === 4 && bounds.every(Number.isFinite) && xmin <= xmax && ymin <= ymax) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `The bounds are [${bounds.join(", ")}]; expected [xmin, ymin, xmax, ymax].`, {
    hint: "Give four finite numbers in the coordinates of the file, the smaller ones first.",
    data: { bounds },
  });
}
