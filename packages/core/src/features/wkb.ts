/**
 * Well-known binary (OGC 06-103r4, ISO variant; PostGIS's flags are read too): what GeoPackage and databases hold.
 * Coordinates keep every bit.
 */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../errors.ts";

const TYPES = ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"] as const;
const MAX_DEPTH = 16;

/**
 * Reads one geometry. M values are dropped, Z values kept; an empty point gives null.
 *
 * @param where - names the feature in messages
 * @throws FEATURES_CORRUPT for damaged bytes, GEOMETRY_INVALID for numbers that are not finite, UNSUPPORTED_FORMAT for
 * curves and surfaces
 */
export function readWkb(bytes: Uint8Array, where: string): Geometry | null {
  const reader = new WkbReader(bytes, where);
  const geometry = reader.geometry(0);
  return geometry;
}

class WkbReader {
  readonly #view: DataView;
  readonly #where: string;
  #at = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
  }

  geometry(depth: number): Geometry | null {
    if (depth > MAX_DEPTH) return this.#corrupt(`its geometry nests deeper than ${MAX_DEPTH} levels`);
    this.#need(5);
    const order = this.#view.getUint8(this.#at);
    if (order > 1) return this.#corrupt(`byte order ${order} is neither 0 nor 1`);
    const little = order === 1;
    this.#at += 1;
    const word = this.#uint(little);
    if ((word & 0x20000000) !== 0) this.#uint(little); // EWKB: srid
    const code = word & 0x1fffffff;
    const z = (word & 0x80000000) !== 0 || Math.floor(code / 1000) % 2 === 1;
    const m = (word & 0x40000000) !== 0 || Math.floor(code / 1000) >= 2;
    const type = code < 4000 ? TYPES[(code % 1000) - 1] : undefined;
    if (type === undefined) return this.#unsupported(code);
    return this.#body(type, little, 2 + Number(z) + Number(m), z, depth);
  }

  #body(type: (typeof TYPES)[number], little: boolean, size: number, z: boolean, depth: number): Geometry | null {
    switch (type) {
      case "Point": {
        const coordinates = this.#position(little, size, z, true);
        return coordinates === null ? null : { type, coordinates };
      }
      case "LineString":
        return { type, coordinates: this.#line(little, size, z) };
      case "Polygon":
        return { type, coordinates: this.#many(little, 4, () => this.#line(little, size, z)) };
      case "MultiPoint":
        return { type, coordinates: this.#parts(little, depth, "Point").map((part) => part.coordinates) };
      case "MultiLineString":
        return { type, coordinates: this.#parts(little, depth, "LineString").map((part) => part.coordinates) };
      case "MultiPolygon":
        return { type, coordinates: this.#parts(little, depth, "Polygon").map((part) => part.coordinates) };
      case "GeometryCollection":
        return { type, geometries: this.#many(little, 9, () => this.geometry(depth + 1)).filter((part) => part !== null) };
    }
  }

  #parts<T extends "Point" | "LineString" | "Polygon">(little: boolean, depth: number, type: T): Extract<Geometry, { type: T }>[] {
    const parts: Extract<Geometry, { type: T }>[] = [];
    for (const part of this.#many(little, 9, () => this.geometry(depth + 1))) {
      if (part === null) continue;
      if (part.type !== type) return this.#corrupt(`a ${part.type} stands where a ${type} must`);
      parts.push(part as Extract<Geometry, { type: T }>);
    }
    return parts;
  }

  #line(little: boolean, size: number, z: boolean): Position[] {
    return this.#many(little, 8 * size, () => this.#position(little, size, z, false) ?? []);
  }

  /** A count, then that many items of at least `least` bytes each: a count the bytes cannot hold is refused at once. */
  #many<T>(little: boolean, least: number, read: () => T): T[] {
    const count = this.#uint(little);
    if (count * least > this.#view.byteLength - this.#at) return this.#corrupt(`it claims ${count} parts but ends early`);
    const items: T[] = new Array<T>(count);
    for (let i = 0; i < count; i += 1) items[i] = read();
    return items;
  }

  #position(little: boolean, size: number, z: boolean, mayBeEmpty: boolean): Position | null {
    this.#need(8 * size);
    const x = this.#view.getFloat64(this.#at, little);
    const y = this.#view.getFloat64(this.#at + 8, little);
    const height = z ? this.#view.getFloat64(this.#at + 16, little) : NaN;
    this.#at += 8 * size;
    if (mayBeEmpty && Number.isNaN(x) && Number.isNaN(y)) return null;
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      throw new GeoLearnError("GEOMETRY_INVALID", `${this.#where}: a position must be two finite numbers, got [${x}, ${y}].`, {
        hint: "Repair the geometry (QGIS: Fix geometries; ArcGIS: Repair Geometry) or leave the feature out.",
        data: { where: this.#where },
      });
    }
    return Number.isFinite(height) ? [x, y, height] : [x, y];
  }

  #uint(little: boolean): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#at, little);
    this.#at += 4;
    return value;
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#view.byteLength) this.#corrupt("its geometry ends early");
  }

  #corrupt(reason: string): never {
    throw new GeoLearnError("FEATURES_CORRUPT", `${this.#where}: ${reason}.`, {
      hint: "The file is damaged; export it again from its source.",
      data: { where: this.#where },
    });
  }

  #unsupported(code: number): never {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${this.#where}: geometry type ${code} (a curve or surface) is not read.`, {
      hint: "Convert curves to lines first: ogr2ogr -nlt CONVERT_TO_LINEAR out.gpkg in.gpkg",
      data: { where: this.#where, code },
    });
  }
}

/** Writes one geometry, little-endian ISO WKB, with Z when any position has one (0 where others have none). */
export function writeWkb(geometry: Geometry): Uint8Array {
  const z = hasHeight(geometry);
  const bytes = new Uint8Array(sizeOf(geometry, z ? 3 : 2));
  put(new DataView(bytes.buffer), 0, geometry, z);
  return bytes;
}

/** True when any position has a third number. */
export function hasHeight(geometry: Geometry): boolean {
  if (geometry.type === "GeometryCollection") return geometry.geometries.some(hasHeight);
  return deepest(geometry.coordinates);
}

function deepest(coordinates: unknown): boolean {
  if (!Array.isArray(coordinates)) return false;
  return typeof coordinates[0] === "number" ? coordinates.length > 2 : coordinates.some(deepest);
}

function sizeOf(geometry: Geometry, size: number): number {
  switch (geometry.type) {
    case "Point":
      return 5 + 8 * size;
    case "LineString":
      return 9 + 8 * size * geometry.coordinates.length;
    case "Polygon":
      return 9 + geometry.coordinates.reduce((sum, ring) => sum + 4 + 8 * size * ring.length, 0);
    default:
      return 9 + partsOf(geometry).reduce((sum, part) => sum + sizeOf(part, size), 0);
  }
}

function partsOf(geometry: Geometry): Geometry[] {
  switch (geometry.type) {
    case "MultiPoint":
      return geometry.coordinates.map((coordinates) => ({ type: "Point", coordinates }));
    case "MultiLineString":
      return geometry.coordinates.map((coordinates) => ({ type: "LineString", coordinates }));
    case "MultiPolygon":
      return geometry.coordinates.map((coordinates) => ({ type: "Polygon", coordinates }));
    case "GeometryCollection":
      return geometry.geometries;
    default:
      return [];
  }
}

/** Writes at `at` and returns the position behind. */
function put(view: DataView, at: number, geometry: Geometry, z: boolean): number {
  view.setUint8(at, 1);
  view.setUint32(at + 1, TYPES.indexOf(geometry.type) + 1 + (z ? 1000 : 0), true);
  let next = at + 5;
  switch (geometry.type) {
    case "Point":
      return putPosition(view, next, geometry.coordinates.length === 0 ? [NaN, NaN, NaN] : geometry.coordinates, z);
    case "LineString":
      return putLine(view, next, geometry.coordinates, z);
    case "Polygon":
      view.setUint32(next, geometry.coordinates.length, true);
      next += 4;
      for (const ring of geometry.coordinates) next = putLine(view, next, ring, z);
      return next;
    default: {
      const parts = partsOf(geometry);
      view.setUint32(next, parts.length, true);
      next += 4;
      for (const part of parts) next = put(view, next, part, z);
      return next;
    }
  }
}

function putLine(view: DataView, at: number, positions: readonly Position[], z: boolean): number {
  view.setUint32(at, positions.length, true);
  let next = at + 4;
  for (const position of positions) next = putPosition(view, next, position, z);
  return next;
}

function putPosition(view: DataView, at: number, position: Position, z: boolean): number {
  view.setFloat64(at, position[0]!, true);
  view.setFloat64(at + 8, position[1]!, true);
  if (!z) return at + 16;
  view.setFloat64(at + 16, position[2] ?? 0, true);
  return at + 24;
}
