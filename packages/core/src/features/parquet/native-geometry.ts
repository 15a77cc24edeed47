/** Geometry in columns of its own (GeoParquet 1.1, after GeoArrow): structs x, y, z in lists of lists. */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import { isRecord } from "../feature-value.ts";
import type { GeometryEncoding } from "./geo-metadata.ts";

/** The geometry of a record; an empty point gives null. @throws GEOMETRY_INVALID, FEATURES_CORRUPT; `where` names the feature */
export function nativeGeometry(value: unknown, encoding: Exclude<GeometryEncoding, "WKB">, where: string): Geometry | null {
  if (value === null || value === undefined) return null;
  const point = (item: unknown): Position => position(item, where);
  const line = (item: unknown): Position[] => list(item, where).map(point);
  const lines = (item: unknown): Position[][] => list(item, where).map(line);
  switch (encoding) {
    case "point":
      return isRecord(value) && Number.isNaN(number(value["x"])) && Number.isNaN(number(value["y"]))
        ? null
        : { type: "Point", coordinates: point(value) };
    case "linestring":
      return { type: "LineString", coordinates: line(value) };
    case "multipoint":
      return { type: "MultiPoint", coordinates: line(value) };
    case "polygon":
      return { type: "Polygon", coordinates: lines(value) };
    case "multilinestring":
      return { type: "MultiLineString", coordinates: lines(value) };
    case "multipolygon":
      return { type: "MultiPolygon", coordinates: list(value, where).map(lines) };
  }
}

function position(value: unknown, where: string): Position {
  if (!isRecord(value)) throw corrupt(where, "its geometry has no x and y");
  const [x, y, z] = [number(value["x"]), number(value["y"]), number(value["z"])];
  if (Number.isFinite(x) && Number.isFinite(y)) return Number.isFinite(z) ? [x, y, z] : [x, y];
  throw new GeoLearnError("GEOMETRY_INVALID", `${where}: a position must be two finite numbers, got [${x}, ${y}].`, {
    hint: "Repair the geometry (QGIS: Fix geometries; ArcGIS: Repair Geometry) or leave the feature out.",
    data: { where },
  });
}

function number(value: unknown): number {
  return typeof value === "number" ? value : NaN;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw corrupt(where, "its geometry is no list");
}
