/** Geometry as records of a .shp file. */

import type { Geometry, Position } from "geojson";

import type { Bounds } from "../affine.ts";
import { GeoLearnError } from "../errors.ts";
import { geometryBounds } from "./bounds.ts";
import { SHAPE } from "./shp-geometry.ts";
import { wound } from "./winding.ts";

/** The shape type a geometry takes, without Z. @throws GEOMETRY_INVALID for collections */
export function shapeTypeOf(geometry: Geometry, where: string): number {
  switch (geometry.type) {
    case "Point":
      return SHAPE.point;
    case "MultiPoint":
      return SHAPE.multiPoint;
    case "LineString":
    case "MultiLineString":
      return SHAPE.line;
    case "Polygon":
    case "MultiPolygon":
      return SHAPE.polygon;
    case "GeometryCollection":
      throw new GeoLearnError("GEOMETRY_INVALID", `${where} is a collection of geometries, which a Shapefile does not hold.`, {
        hint: "Write a GeoPackage (.gpkg).",
        data: { where },
      });
  }
}

/** Content of one record of the type `shape`, with heights when `z`. */
export function writeShape(geometry: Geometry | null, shape: number, z: boolean): Uint8Array {
  const bounds = geometryBounds(geometry);
  if (geometry === null || bounds === null) return new Uint8Array(4);
  if (geometry.type === "Point") return pointRecord(geometry.coordinates, z);
  const parts = shape === SHAPE.multiPoint ? [positionsOf(geometry)] : partsOf(geometry);
  return partsRecord(parts, bounds, shape, z);
}

function pointRecord([x, y, height]: Position, z: boolean): Uint8Array {
  const bytes = new Uint8Array(z ? 36 : 20);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, z ? SHAPE.point + 10 : SHAPE.point, true);
  view.setFloat64(4, x!, true);
  view.setFloat64(12, y!, true);
  if (z) view.setFloat64(20, height ?? 0, true);
  if (z) view.setFloat64(28, NO_MEASURE, true);
  return bytes;
}

/** "No data" of measures, which come with every Z. */
const NO_MEASURE = -1e39;

function partsRecord(parts: readonly (readonly Position[])[], [xmin, ymin, xmax, ymax]: Bounds, shape: number, z: boolean): Uint8Array {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const multiPoint = shape === SHAPE.multiPoint;
  const start = multiPoint ? 40 : 44 + 4 * parts.length;
  const bytes = new Uint8Array(start + 16 * count + (z ? 16 + 8 * count : 0));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, z ? shape + 10 : shape, true);
  for (const [index, value] of [xmin, ymin, xmax, ymax].entries()) view.setFloat64(4 + 8 * index, value, true);
  if (multiPoint) view.setInt32(36, count, true);
  else {
    view.setInt32(36, parts.length, true);
    view.setInt32(40, count, true);
  }
  let at = start;
  let index = 0;
  let lowest = Infinity;
  let highest = -Infinity;
  for (const [part, positions] of parts.entries()) {
    if (!multiPoint) view.setInt32(44 + 4 * part, index, true);
    for (const [x, y, height = 0] of positions) {
      view.setFloat64(at, x!, true);
      view.setFloat64(at + 8, y!, true);
      if (z) view.setFloat64(start + 16 * count + 16 + 8 * index, height, true);
      lowest = Math.min(lowest, height);
      highest = Math.max(highest, height);
      at += 16;
      index += 1;
    }
  }
  if (z) view.setFloat64(start + 16 * count, lowest, true);
  if (z) view.setFloat64(start + 16 * count + 8, highest, true);
  return bytes;
}

function positionsOf(geometry: Geometry): readonly Position[] {
  return geometry.type === "MultiPoint" ? geometry.coordinates : [];
}

/** Lines, or rings with shells clockwise and holes against it. */
function partsOf(geometry: Geometry): readonly (readonly Position[])[] {
  switch (geometry.type) {
    case "LineString":
      return [geometry.coordinates];
    case "MultiLineString":
      return geometry.coordinates;
    case "Polygon":
      return wound(geometry.coordinates, -1).map(closed);
    case "MultiPolygon":
      return geometry.coordinates.flatMap((rings) => wound(rings, -1).map(closed));
    default:
      return [];
  }
}

function closed(ring: Position[]): Position[] {
  const [first, last] = [ring[0], ring.at(-1)];
  return first === undefined || (first[0] === last![0] && first[1] === last![1]) ? ring : [...ring, first];
}
