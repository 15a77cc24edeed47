/**
 * GeoJSON as RFC 7946 wants it: WGS 84, right-hand winding, cut at 180 degrees, 7 decimals (about a centimetre), written as it
 * arrives.
 */

import type { Geometry, Position } from "geojson";

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { openAtomic } from "../files/atomic.ts";
import { cutAtAntimeridian } from "./antimeridian.ts";
import { geometryBounds } from "./bounds.ts";
import type { Feature } from "./features.ts";
import { mapPositions } from "./positions.ts";
import { createReprojector } from "./reproject.ts";
import { rightHanded, ringArea } from "./winding.ts";

/** Options of the writer. */
export interface GeoJsonWriteOptions {
  readonly crs: Crs | null;
  /** Keep the coordinates and name their system in a `crs` member, which RFC 7946 dropped. */
  readonly keepCrs: boolean;
  /** Digits behind the point. */
  readonly decimals: number;
  /** One feature per line instead of one collection. */
  readonly lines: boolean;
  readonly signal?: AbortSignal | undefined;
}

const FLUSH_BYTES = 1 << 20;

/** Writes features and returns how many. @throws CRS_MISSING, CRS_OUT_OF_RANGE, DISK_FULL, WRITE_FAILED */
export async function writeGeoJson(features: AsyncIterable<Feature>, path: string, options: GeoJsonWriteOptions): Promise<number> {
  const prepare = preparation(path, options);
  const file = await openAtomic(path);
  let at = 0;
  let count = 0;
  let pending = options.lines ? "" : `{"type":"FeatureCollection",${crsMember(options)}"features":[\n`;
  const flush = async (): Promise<void> => {
    const bytes = new TextEncoder().encode(pending);
    pending = "";
    await file.write(bytes, at);
    at += bytes.length;
  };
  try {
    for await (const feature of features) {
      options.signal?.throwIfAborted();
      const text = JSON.stringify(prepare(feature, count));
      pending += options.lines ? `${text}\n` : `${count === 0 ? "" : ",\n"}${text}`;
      count += 1;
      if (pending.length > FLUSH_BYTES) await flush();
    }
    if (!options.lines) pending += "\n]}\n";
    await flush();
    await file.commit();
    return count;
  } finally {
    await file.abort();
  }
}

function crsMember({ keepCrs, crs }: GeoJsonWriteOptions): string {
  if (!keepCrs || crs === null || crs.epsg === 4326) return "";
  const name = crs.epsg === null ? crs.proj : `urn:ogc:def:crs:EPSG::${crs.epsg}`;
  return `"crs":${JSON.stringify({ type: "name", properties: { name } })},`;
}

/** Nobody can tell where the features would lie. */
export function geoJsonWithoutCrs(path: string): GeoLearnError {
  return new GeoLearnError("CRS_MISSING", `${path}: GeoJSON is WGS 84, and the features name no reference system.`, {
    hint: "Write a .gpkg, which takes coordinates as they are; name their system, such as `crs: 32633`; or keep them in GeoJSON with `keepCrs: true`.",
  });
}

function preparation(path: string, { crs, keepCrs, decimals }: GeoJsonWriteOptions): (feature: Feature, index: number) => object {
  if (crs === null && !keepCrs) throw geoJsonWithoutCrs(path);
  const reproject = keepCrs || crs === null ? (feature: Feature) => feature : createReprojector(crs, parseCrs(4326));
  return (feature, index) => {
    const { id, geometry, properties } = reproject(feature, index);
    const bounds = keepCrs ? null : geometryBounds(geometry);
    const beyond = bounds !== null && (bounds[0] < -180 || bounds[2] > 180);
    const cut = beyond ? cutAtAntimeridian(geometry!) : geometry;
    const shaped = cut === null ? null : rightHanded(roundGeometry(cut, decimals));
    return { type: "Feature", ...(id === undefined ? {} : { id }), properties, geometry: shaped };
  };
}

/** Rounds positions; a geometry that would lose a ring by it keeps its digits. */
function roundGeometry(geometry: Geometry, decimals: number): Geometry {
  const scale = 10 ** decimals;
  const rounded = mapPositions(geometry, (position) => position.map((value) => Math.round(value * scale) / scale));
  return collapsed(rounded) ? geometry : rounded;
}

function collapsed(geometry: Geometry): boolean {
  switch (geometry.type) {
    case "Polygon":
      return geometry.coordinates.some(isFlat);
    case "MultiPolygon":
      return geometry.coordinates.some((polygon) => polygon.some(isFlat));
    case "LineString":
      return isPoint(geometry.coordinates);
    case "MultiLineString":
      return geometry.coordinates.some(isPoint);
    case "GeometryCollection":
      return geometry.geometries.some(collapsed);
    default:
      return false;
  }
}

function isFlat(ring: readonly Position[]): boolean {
  return ring.length > 0 && ringArea(ring) === 0;
}

function isPoint(line: readonly Position[]): boolean {
  return line.length > 1 && line.every(([x, y]) => x === line[0]![0] && y === line[0]![1]);
}
