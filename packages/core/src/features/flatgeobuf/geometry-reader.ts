/** Geometry of a FlatGeobuf feature. */

import type { Geometry, Position } from "geojson";

import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import type { FlatTable } from "./flat-table.ts";
import { GEOMETRY, GEOMETRY_TYPES } from "./schema.ts";

const MAX_DEPTH = 16;

/**
 * Reads a geometry. Z values are kept, M values dropped; an empty point gives null.
 *
 * @param headerType - the type all features have, 0 where each says its own
 * @param where - names the feature in messages
 * @throws FEATURES_CORRUPT, GEOMETRY_INVALID for numbers that are not finite, UNSUPPORTED_FORMAT for curves and surfaces
 */
export function readGeometry(table: FlatTable, headerType: number, where: string): Geometry | null {
  // parts may stand in the bytes once and be referred to often: what is made of them is bounded by the size of the bytes
  const reader = new GeometryReader(where, table.view.byteLength >> 3);
  return reader.geometry(table, headerType === 0 ? table.uint8(GEOMETRY.type, 0) : headerType, 0);
}

class GeometryReader {
  readonly #where: string;
  #budget: number;

  constructor(where: string, budget: number) {
    this.#where = where;
    this.#budget = budget;
  }

  geometry(table: FlatTable, code: number, depth: number): Geometry | null {
    if (depth > MAX_DEPTH) throw corrupt(this.#where, `its geometry nests deeper than ${MAX_DEPTH} levels`);
    this.#spend(1);
    const type = GEOMETRY_TYPES[code];
    switch (type) {
      case "Point": {
        const [coordinates] = isEmptyPoint(table) ? [] : this.#positions(table);
        return coordinates === undefined ? null : { type, coordinates };
      }
      case "LineString":
      case "MultiPoint":
        return { type, coordinates: this.#positions(table) };
      case "Polygon":
      case "MultiLineString":
        return { type, coordinates: this.#lines(table) };
      case "MultiPolygon": {
        const coordinates: Position[][][] = [];
        for (const part of table.tables(GEOMETRY.parts)) {
          this.#spend(1);
          coordinates.push(this.#lines(part));
        }
        return { type, coordinates };
      }
      case "GeometryCollection": {
        const geometries: Geometry[] = [];
        for (const part of table.tables(GEOMETRY.parts)) {
          const geometry = this.geometry(part, part.uint8(GEOMETRY.type, 0), depth + 1);
          if (geometry !== null) geometries.push(geometry);
        }
        return { type, geometries };
      }
      default:
        return this.#unsupported(code);
    }
  }

  /** Positions cut into lines or rings at `ends`; one line where there are none. */
  #lines(table: FlatTable): Position[][] {
    const positions = this.#positions(table);
    const ends = table.vector(GEOMETRY.ends, 4);
    if (ends === null || ends.length === 0) return positions.length === 0 ? [] : [positions];
    this.#spend(ends.length);
    const lines: Position[][] = [];
    let start = 0;
    for (let i = 0; i < ends.length; i += 1) {
      const end = table.view.getUint32(ends.at + 4 * i, true);
      if (end < start || end > positions.length) throw corrupt(this.#where, `a line of its geometry ends at ${end} of ${positions.length}`);
      lines.push(positions.slice(start, end));
      start = end;
    }
    if (start !== positions.length) throw corrupt(this.#where, `${positions.length - start} positions belong to no line`);
    return lines;
  }

  #positions(table: FlatTable): Position[] {
    const { view } = table;
    const xy = table.vector(GEOMETRY.xy, 8);
    if (xy === null) return [];
    if (xy.length % 2 !== 0) throw corrupt(this.#where, "an x has no y");
    const count = xy.length / 2;
    this.#spend(count);
    const z = table.vector(GEOMETRY.z, 8);
    if (z !== null && z.length > 0 && z.length < count) throw corrupt(this.#where, `${count} positions have ${z.length} heights`);
    const positions = new Array<Position>(count);
    for (let i = 0; i < count; i += 1) {
      const x = view.getFloat64(xy.at + 16 * i, true);
      const y = view.getFloat64(xy.at + 16 * i + 8, true);
      if (!Number.isFinite(x) || !Number.isFinite(y)) this.#notFinite(x, y);
      const height = z === null || z.length === 0 ? NaN : view.getFloat64(z.at + 8 * i, true);
      positions[i] = Number.isFinite(height) ? [x, y, height] : [x, y];
    }
    return positions;
  }

  #spend(units: number): void {
    this.#budget -= units;
    if (this.#budget < 0) throw corrupt(this.#where, "its geometry refers to the same parts again and again");
  }

  #notFinite(x: number, y: number): never {
    throw new GeoLearnError("GEOMETRY_INVALID", `${this.#where}: a position must be two finite numbers, got [${x}, ${y}].`, {
      hint: "Repair the geometry (QGIS: Fix geometries; ArcGIS: Repair Geometry) or leave the feature out.",
      data: { where: this.#where },
    });
  }

  #unsupported(code: number): never {
    if (code === 0) throw corrupt(this.#where, "its geometry has no type");
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${this.#where}: geometry type ${code} (a curve or surface) is not read.`, {
      hint: "Convert curves to lines first: ogr2ogr -nlt CONVERT_TO_LINEAR out.gpkg in.fgb",
      data: { where: this.#where },
    });
  }
}

/** Some writers make an empty point of two NaN, as WKB does. */
function isEmptyPoint(table: FlatTable): boolean {
  const xy = table.vector(GEOMETRY.xy, 8);
  if (xy === null || xy.length < 2) return true;
  return Number.isNaN(table.view.getFloat64(xy.at, true)) && Number.isNaN(table.view.getFloat64(xy.at + 8, true));
}
