/** Which file is which format, by its name or its first bytes, and the way out for those that are not read. */

import { extname } from "node:path";

import { GeoLearnError } from "../errors.ts";
import type { OptionRule } from "../options/check-options.ts";
import { oneOf } from "../options/rules.ts";

/** Vector formats that are read and written. */
export type FeatureFormat = "geojson" | "geojsonl" | "gpkg" | "fgb" | "parquet" | "shp" | "shp-zip";

/** What the `format` of an option may be. */
export const FORMAT_RULE: OptionRule = oneOf("geojson", "geojsonl", "gpkg", "fgb", "parquet", "shp", "shp-zip");

const BY_EXTENSION: Readonly<Record<string, FeatureFormat>> = {
  ".geojson": "geojson",
  ".json": "geojson",
  ".geojsonl": "geojsonl",
  ".geojsonseq": "geojsonl",
  ".geojsons": "geojsonl",
  ".ndjson": "geojsonl",
  ".jsonl": "geojsonl",
  ".gpkg": "gpkg",
  ".fgb": "fgb",
  ".parquet": "parquet",
  ".geoparquet": "parquet",
  ".shp": "shp",
  ".zip": "shp-zip",
};

const ELSEWHERE: Readonly<Record<string, string>> = {
  ".gdb":
    "a file geodatabase: export the layer first, for example\n  ogr2ogr out.gpkg in.gdb layer\n  or in ArcGIS Pro: Export Features to a GeoPackage",
  ".kml": "KML: convert it first, for example\n  ogr2ogr out.gpkg in.kml",
  ".kmz": "KML: convert it first, for example\n  ogr2ogr out.gpkg in.kmz",
  ".dxf": "a drawing: convert it first, for example\n  ogr2ogr -a_srs EPSG:<code> out.gpkg in.dxf",
  ".dwg": "a drawing: export it first, in ArcGIS Pro with CAD To Geodatabase and Export Features",
  ".gml": "GML: convert it first, for example\n  ogr2ogr out.gpkg in.gml",
  ".gpx": "GPX: convert it first, for example\n  ogr2ogr out.gpkg in.gpx",
  ".csv":
    "a table without geometry: make points of it first, for example\n  ogr2ogr -oo X_POSSIBLE_NAMES=x -oo Y_POSSIBLE_NAMES=y -a_srs EPSG:4326 out.gpkg in.csv",
  ".dbf": "the table of a Shapefile: name its .shp file",
  ".shx": "the index of a Shapefile: name its .shp file",
  ".prj": "the reference system of a Shapefile: name its .shp file",
};

/** True for the name of a file that holds features. */
export function isFeaturePath(path: string): boolean {
  return Object.hasOwn(BY_EXTENSION, extname(path).toLowerCase());
}

/** The format a file name promises. @throws UNSUPPORTED_FORMAT with a command that converts */
export function formatOfPath(path: string, use: "read" | "write" = "read"): FeatureFormat {
  const extension = extname(path.replace(/[/\\]+$/, "")).toLowerCase();
  const format = Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined;
  if (format !== undefined) return format;
  const elsewhere = Object.hasOwn(ELSEWHERE, extension) ? ELSEWHERE[extension] : undefined;
  const hint = elsewhere ?? "convert it first, for example\n  ogr2ogr out.gpkg in" + extension;
  throw new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${path} has the extension "${extension}"; .geojson, .geojsonl, .gpkg, .fgb, .parquet, .shp and .zip (Shapefile) are read and written.`,
    {
      hint:
        use === "write"
          ? `Write a GeoPackage and convert it, for example\n  ogr2ogr out${extension} out.gpkg`
          : `This is ${elsewhere === undefined ? "no vector format known here: " : ""}${hint}`,
      data: { path, extension },
    },
  );
}

/** The format of bytes, by how they begin. @throws UNSUPPORTED_FORMAT */
export function formatOfBytes(bytes: Uint8Array): FeatureFormat {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  if (text.startsWith("SQLite format 3\0")) return "gpkg";
  if (/^fgb[^]fgb/.test(text)) return "fgb";
  if (text.startsWith("PAR1")) return "parquet";
  if (text.startsWith("PK\u0003\u0004")) return "shp-zip";
  const start = text.replace(/^ï»¿/, "").trimStart();
  if (start.startsWith("\u001e")) return "geojsonl";
  if (start.startsWith("{")) return isLineDelimited(bytes) ? "geojsonl" : "geojson";
  throw new GeoLearnError("UNSUPPORTED_FORMAT", "The bytes are no GeoJSON, GeoPackage, FlatGeobuf, GeoParquet or zipped Shapefile.", {
    hint: "Convert the data to GeoPackage first: ogr2ogr out.gpkg in",
  });
}

/** One whole JSON object on the first line and another behind it. */
function isLineDelimited(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(10);
  if (end < 0 || end > 1 << 24) return false;
  const rest = new TextDecoder().decode(bytes.subarray(end + 1, end + 256)).trimStart();
  if (!rest.startsWith("{")) return false;
  try {
    JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    return true;
  } catch {
    return false;
  }
}
