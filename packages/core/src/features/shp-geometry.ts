/** Records of a .shp file (Esri's whitepaper of July 1998) and the geometry they mean. */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../errors.ts";
import { ringArea } from "./winding.ts";

/** Shape types; +10 with Z, +20 with M. */
export const SHAPE = { null: 0, point: 1, line: 3, polygon: 5, multiPoint: 8, multiPatch: 31 } as const;

/** Reads the content of one record. @throws FEATURES_CORRUPT, GEOMETRY_INVALID, UNSUPPORTED_FORMAT */
export function readShape(bytes: Uint8Array, where: string): Geometry | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) return corrupt(where, "its record ends early");
  const type = view.getInt32(0, true);
  const z = type >= 11 && type <= 18;
  switch (type % 10) {
    case SHAPE.null:
      return null;
    case SHAPE.point:
      if (type === SHAPE.multiPatch) break;
      return { type: "Point", coordinates: pointAt(view, z, where) };
    case SHAPE.multiPoint:
      return { type: "MultiPoint", coordinates: points(view, 40, count(view, 36, 16, 40, where), z, where) };
    case SHAPE.line: {
      const lines = parts(view, z, where);
      return lines.length === 1 ? { type: "LineString", coordinates: lines[0]! } : { type: "MultiLineString", coordinates: lines };
    }
    case SHAPE.polygon: {
      const polygons = polygonsFromRings(parts(view, z, where).filter((ring) => ring.length >= 3));
      if (polygons.length === 0) return null;
      return polygons.length === 1 ? { type: "Polygon", coordinates: polygons[0]! } : { type: "MultiPolygon", coordinates: polygons };
    }
  }
  throw new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${where}: shape type ${type}${type === SHAPE.multiPatch ? " (multipatch)" : ""} is not read.`,
    {
      hint: "Convert it to polygons first (ArcGIS: Multipatch Footprint).",
      data: { where, type },
    },
  );
}

function pointAt(view: DataView, z: boolean, where: string): Position {
  if (view.byteLength < (z ? 28 : 20)) return corrupt(where, "its point ends early");
  return position(view.getFloat64(4, true), view.getFloat64(12, true), z ? view.getFloat64(20, true) : NaN, where);
}

/** Lines or rings: a box, two counts, the first point of each part, then the points. */
function parts(view: DataView, z: boolean, where: string): Position[][] {
  const partCount = count(view, 36, 4, 44, where);
  const start = 44 + 4 * partCount;
  const pointCount = count(view, 40, 16, start, where);
  const all = points(view, start, pointCount, z, where);
  const lines: Position[][] = [];
  for (let part = 0; part < partCount; part += 1) {
    const first = view.getInt32(44 + 4 * part, true);
    const end = part + 1 < partCount ? view.getInt32(48 + 4 * part, true) : pointCount;
    if (first < 0 || end < first || end > pointCount)
      return corrupt(where, `its part ${part} runs from ${first} to ${end} of ${pointCount} points`);
    if (end > first) lines.push(all.slice(first, end));
  }
  return lines;
}

/** A count that the rest of the record can hold. */
function count(view: DataView, at: number, bytesEach: number, start: number, where: string): number {
  if (view.byteLength < start) return corrupt(where, "its record ends early");
  const value = view.getInt32(at, true);
  if (value < 0 || value * bytesEach > view.byteLength - start) return corrupt(where, `it claims ${value} parts or points but ends early`);
  return value;
}

function points(view: DataView, start: number, length: number, z: boolean, where: string): Position[] {
  const heights = start + 16 * length + 16; // behind the range of the heights
  const withZ = z && view.byteLength >= heights + 8 * length;
  const made: Position[] = new Array<Position>(length);
  for (let i = 0; i < length; i += 1) {
    const at = start + 16 * i;
    made[i] = position(
      view.getFloat64(at, true),
      view.getFloat64(at + 8, true),
      withZ ? view.getFloat64(heights + 8 * i, true) : NaN,
      where,
    );
  }
  return made;
}

function position(x: number, y: number, z: number, where: string): Position {
  // values below -1e38 mean "no data" there
  if (!Number.isFinite(x) || !Number.isFinite(y) || x < -1e38 || y < -1e38) {
    throw new GeoLearnError("GEOMETRY_INVALID", `${where}: a position must be two finite numbers, got [${x}, ${y}].`, {
      hint: "Repair the geometry (QGIS: Fix geometries; ArcGIS: Repair Geometry) or leave the feature out.",
      data: { where },
    });
  }
  return Number.isFinite(z) && z > -1e38 ? [x, y, z] : [x, y];
}

/** Shells run clockwise there and holes against it; a hole belongs to the smallest shell around it. */
function polygonsFromRings(rings: readonly Position[][]): Position[][][] {
  if (rings.length === 1) return [[closed(rings[0]!)]];
  const areas = rings.map(ringArea);
  const shells = rings.map((ring, index) => ({ ring, area: -areas[index]! })).filter(({ area }) => area > 0);
  const polygons = new Map<Position[], Position[][]>(shells.map(({ ring }) => [ring, [closed(ring)]]));
  for (const [index, ring] of rings.entries()) {
    if (areas[index]! < 0) continue;
    const around = shells.filter((shell) => shell.area >= areas[index]! && contains(shell.ring, ring));
    const shell = around.reduce<(typeof shells)[number] | null>((best, one) => (best === null || one.area < best.area ? one : best), null);
    if (shell === null) polygons.set(ring, [closed(ring)]);
    else polygons.get(shell.ring)!.push(closed(ring));
  }
  return [...polygons.values()];
}

function closed(ring: Position[]): Position[] {
  const [first, last] = [ring[0]!, ring.at(-1)!];
  return first[0] === last[0] && first[1] === last[1] ? ring : [...ring, first];
}

/** True when `inner` lies in `outer`, by its first vertex that is not on the border. */
function contains(outer: readonly Position[], inner: readonly Position[]): boolean {
  for (const [x, y] of inner) {
    const side = sideOf(outer, x!, y!);
    if (side !== 0) return side > 0;
  }
  return true; // the same ring
}

/** 1 inside, -1 outside, 0 on the border. */
function sideOf(ring: readonly Position[], x: number, y: number): number {
  let inside = false;
  for (let i = 0; i < ring.length; i += 1) {
    const [ax, ay] = ring[i] as [number, number];
    const [bx, by] = ring[(i + 1) % ring.length] as [number, number];
    const cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    if (cross === 0 && x >= Math.min(ax, bx) && x <= Math.max(ax, bx) && y >= Math.min(ay, by) && y <= Math.max(ay, by)) return 0;
    if (ay > y !== by > y && cross > 0 === by > ay) inside = !inside;
  }
  return inside ? 1 : -1;
}

function corrupt(where: string, reason: string): never {
  throw new GeoLearnError("FEATURES_CORRUPT", `${where}: ${reason}.`, {
    hint: "Export the Shapefile again from its source, all of its files together.",
    data: { where },
  });
}
