/** Features from files, bytes, GeoJSON or memory. */

import { access } from "node:fs/promises";
import { dirname } from "node:path";

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import type { OnWarning } from "../progress.ts";
import { type ByteSource, fileSource, memorySource } from "./byte-source.ts";
import { isRecord } from "./feature-value.ts";
import type { Feature, FeatureStream, Features } from "./features.ts";
import { type FeatureFormat, formatOfBytes, formatOfPath } from "./formats.ts";
import { openGeoJsonLines } from "./geojson-lines.ts";
import { openGeoJson } from "./geojson-reader.ts";
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
  readonly signal?: AbortSignal;
  readonly onWarning?: OnWarning;
}

/**
 * Opens features to be read one after another: GeoJSON and newline-delimited GeoJSON are streamed from the file,
 * GeoPackage and Shapefile are read row by row. Iterating twice reads twice.
 *
 * @throws FILE_NOT_FOUND, UNSUPPORTED_FORMAT, FEATURES_CORRUPT, CRS_UNKNOWN; while reading also GEOMETRY_INVALID
 * @example
 * const stream = await openFeatures("buildings.gpkg", { layer: "footprints" });
 * for await (const feature of stream) console.log(feature.properties);
 */
export async function openFeatures(source: FeatureSource, options: FeatureReadOptions = {}): Promise<FeatureStream> {
  const crs = options.crs === undefined ? undefined : parseCrs(options.crs);
  if (isFeatures(source)) return { name: source.name, crs: crs ?? source.crs, [Symbol.asyncIterator]: () => each(source.features) };
  if (isStream(source))
    return crs === undefined ? source : { name: source.name, crs, [Symbol.asyncIterator]: () => source[Symbol.asyncIterator]() };
  const bytes = await byteSourceOf(source);
  const format = options.format ?? (bytes.path === null ? formatOfBytes(await bytes.all()) : formatOfPath(bytes.path));
  return watched(await openFormat(format, bytes, { ...options, crs }), options.signal);
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
  if (isFeatures(source) && options.crs === undefined) return source;
  const stream = await openFeatures(source, options);
  const features: Feature[] = [];
  for await (const feature of stream) features.push(feature);
  return { name: stream.name, crs: stream.crs, features };
}

interface FormatOptions {
  readonly layer?: string | number;
  readonly crs: Crs | undefined;
  readonly onWarning?: OnWarning;
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
    throw new GeoLearnError("FILE_NOT_FOUND", `There is no file ${path}.`, { hint: `Look into ${dirname(path)}.`, data: { path }, cause });
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
