/** What a GeoParquet says of its geometry: the JSON under the key `geo` (geoparquet.org, versions 1.0 and 1.1). */

import type { Crs } from "../../crs/crs.ts";
import { crsFromProjJson } from "../../crs/from-projjson.ts";
import { parseCrs } from "../../crs/parse.ts";
import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import { isRecord } from "../feature-value.ts";

/** Encodings of geometry. */
export const ENCODINGS = ["WKB", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"] as const;
export type GeometryEncoding = (typeof ENCODINGS)[number];

/** The primary geometry of a file. */
export interface GeoMetadata {
  readonly column: string;
  readonly encoding: GeometryEncoding;
  readonly crs: () => Crs | null;
  /** Columns of the features' boxes, xmin, ymin, xmax, ymax, where there are any. */
  readonly covering: readonly (readonly string[])[] | null;
  /** Edges run along the ellipsoid and not straight in the coordinates. */
  readonly spherical: boolean;
  /** Further columns with geometry. */
  readonly others: readonly string[];
}

/** @throws UNSUPPORTED_FORMAT for a Parquet file without geometry, FEATURES_CORRUPT */
export function parseGeoMetadata(text: string | undefined, name: string): GeoMetadata {
  if (text === undefined) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a Parquet file without geometry: it has no metadata "geo".`, {
      hint: "Write a GeoParquet, for example in Python\n  geopandas.GeoDataFrame(frame, geometry=..., crs=...).to_parquet(path)",
    });
  }
  const geo = parsed(text, name);
  const version = typeof geo["version"] === "string" ? geo["version"] : "";
  if (!/^[01]\./.test(version)) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${name} is a GeoParquet of version "${version.slice(0, 20)}"; versions 1.0 and 1.1 are read.`,
      {
        hint: "Write it as GeoParquet 1.1.",
      },
    );
  }
  const columns = geo["columns"];
  const column = geo["primary_column"];
  if (!isRecord(columns) || typeof column !== "string") throw corrupt(name, 'its metadata "geo" names no geometry');
  const about = Object.hasOwn(columns, column) ? columns[column] : undefined;
  if (!isRecord(about)) throw corrupt(name, `its metadata "geo" does not describe the column "${column}"`);
  return {
    column,
    encoding: encodingOf(about["encoding"], name),
    crs: () => crsOf(about["crs"]),
    covering: coveringOf(about["covering"]),
    spherical: about["edges"] === "spherical",
    others: Object.keys(columns).filter((other) => other !== column),
  };
}

function parsed(text: string, name: string): Record<string, unknown> {
  try {
    const geo: unknown = JSON.parse(text);
    if (isRecord(geo)) return geo;
  } catch {
    // said below
  }
  throw corrupt(name, 'its metadata "geo" is no JSON object');
}

function encodingOf(value: unknown, name: string): GeometryEncoding {
  const encoding = ENCODINGS.find((known) => known === value);
  if (encoding !== undefined) return encoding;
  throw new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${name} encodes geometry as "${String(value).slice(0, 40)}"; ${ENCODINGS.join(", ")} are read.`,
    {
      hint: "Write it with the encoding WKB.",
    },
  );
}

/** Without a word on it, longitude and latitude in WGS 84; null means that nobody knows. */
function crsOf(value: unknown): Crs | null {
  if (value === undefined) return parseCrs(4326);
  if (value === null) return null;
  // WKT 2 before version 0.4
  return typeof value === "string" ? parseCrs(value) : crsFromProjJson(value);
}

function coveringOf(value: unknown): GeoMetadata["covering"] {
  const bbox = isRecord(value) ? value["bbox"] : undefined;
  if (!isRecord(bbox)) return null;
  const paths = ["xmin", "ymin", "xmax", "ymax"].map((side) => bbox[side]);
  const valid = paths.every((path) => Array.isArray(path) && path.length === 2 && path.every((part) => typeof part === "string"));
  return valid ? (paths as string[][]) : null;
}
