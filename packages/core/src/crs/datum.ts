/**
 * From one datum to another through WGS 84, by the published shift that fits the place: of those whose area holds the
 * position the most accurate, as PROJ chooses. Where a grid file would be far better than the best formula, or nothing is
 * published at all, the work is refused instead of being tens of metres off in silence.
 */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { datumDefinition } from "./datum-definition.ts";
import { type Shift, epsgDefinition, publishedShifts } from "./epsg.ts";
import { datumParameters, formatProjString, parseProjString } from "./proj-string.ts";

/** A formula worse than this, in metres, is refused where a grid is at least twice as good. */
const POOR = 5;

/** Degrees around the area of a shift in which it is still used: coasts and borders lie a little outside of the boxes. */
const REACH = 2;

/** The datum of a system. */
export interface Datum {
  /** EPSG code of the geographic system, or null. */
  readonly code: number | null;
  /** PROJ parameters of the datum. */
  readonly text: string;
  /** Name of the system, for messages. */
  readonly name: string;
  /** Semi-major axis in metres. */
  readonly a: number;
  /** Squared eccentricity. */
  readonly es: number;
  /** Degrees east of Greenwich. */
  readonly meridian: number;
  /** Ways to WGS 84; empty when none is known. */
  readonly shifts: readonly Shift[];
}

/** A position in radians. */
export interface Geodetic {
  lon: number;
  lat: number;
}

const EVERYWHERE: readonly [number, number, number, number] = [-180, -90, 180, 90];
const NO_SHIFT: Shift = { accuracy: 0, area: EVERYWHERE, offshore: false, parameters: null, grid: null };
const WGS84_ES = 0.0066943799901413165;
const WGS84_A = 6378137;

const datums = new WeakMap<Crs, Datum>();

/** The datum of a system, worked out once per object. @throws CRS_UNKNOWN */
export function datumOf(crs: Crs): Datum {
  const known = datums.get(crs);
  if (known !== undefined) return known;
  const made = describeDatum(crs);
  datums.set(crs, made);
  return made;
}

function describeDatum(crs: Crs): Datum {
  const parameters = datumParameters(parseProjString(crs.proj));
  const { a, inverseFlattening, meridian, shift, epsg } = datumDefinition(parameters);
  const flattening = inverseFlattening === 0 ? 0 : 1 / inverseFlattening;
  const base = { name: crs.name, a, es: flattening * (2 - flattening), meridian, text: formatProjString(parameters) };
  const definition = crs.epsg === null ? null : epsgDefinition(crs.epsg);
  const code = definition !== null && definition.proj === crs.proj ? definition.base : shift === null || epsg === 4326 ? epsg : null;
  if (code === 4326) return { ...base, code, shifts: [NO_SHIFT] };
  // of GRS 80 and WGS 84 the systems lie within a metre or two; on a sphere latitudes are taken as they are
  const modern = inverseFlattening === 0 || Math.abs(a - WGS84_A) < 0.6;
  const unshifted = modern ? [NO_SHIFT] : [];
  if (code !== null) {
    const published = publishedShifts(code);
    return { ...base, code, shifts: published.some((one) => one.grid === null) ? published : [...published, ...unshifted] };
  }
  const grid = parameters.get("nadgrids");
  if (grid !== undefined) return { ...base, code, shifts: [{ ...NO_SHIFT, grid }] };
  if (shift !== null)
    return { ...base, code, shifts: [{ ...NO_SHIFT, parameters: modern && shift.every((value) => value === 0) ? null : shift }] };
  return { ...base, code, shifts: unshifted };
}

/** Systems of the table are told apart by code; one that was made from another carries the same text. */
function sameDatum(one: Datum, other: Datum): boolean {
  if (one.code !== null && other.code !== null) return one.code === other.code;
  return one.text === other.text;
}

/** Moves positions from one datum to another in place, or null when both are the same. */
export type DatumShift = (position: Geodetic) => void;

/**
 * @param ballpark - go on with the best formula, or with none, instead of refusing
 * @throws CRS_GRID_MISSING at once when nothing is known, and by the function where a grid would be needed
 */
export function datumShift(from: Datum, to: Datum, ballpark: boolean): DatumShift | null {
  if (sameDatum(from, to)) return null;
  if (!ballpark) for (const datum of [from, to]) if (!datum.shifts.some(({ grid }) => grid === null)) refuse(from, to, datum, null);
  if (from.shifts.every(isZero) && to.shifts.every(isZero)) return null;
  const xyz = new Float64Array(3);
  const reach = ballpark ? 360 : REACH;
  return (position) => {
    const lon = position.lon;
    const lonDegrees = (lon * 180) / Math.PI;
    const latDegrees = (position.lat * 180) / Math.PI;
    const first = chooseShift(from, lonDegrees, latDegrees, reach);
    const second = chooseShift(to, lonDegrees, latDegrees, reach);
    if (!ballpark) {
      refusePoor(from, to, from, first, lonDegrees, latDegrees);
      refusePoor(from, to, to, second, lonDegrees, latDegrees);
    }
    if (first?.parameters) {
      toGeocentric(position, from.a, from.es, xyz);
      applyShift(xyz, first.parameters);
      toGeodetic(xyz, WGS84_A, WGS84_ES, position);
    }
    if (second?.parameters) {
      toGeocentric(position, WGS84_A, WGS84_ES, xyz);
      undoShift(xyz, second.parameters);
      toGeodetic(xyz, to.a, to.es, position);
    }
    position.lon += 2 * Math.PI * Math.round((lon - position.lon) / (2 * Math.PI));
  };
}

function isZero({ parameters, grid }: Shift): boolean {
  return parameters === null && grid === null;
}

/**
 * Of the formulas whose area holds the position the most accurate; where none does, the one whose area is nearest, up to
 * `reach` degrees.
 */
function chooseShift({ shifts }: Datum, lon: number, lat: number, reach: number): Shift | null {
  let best: Shift | null = null;
  let nearest: Shift | null = null;
  let distance = reach;
  for (const shift of shifts) {
    if (shift.grid !== null) continue;
    const away = degreesFrom(shift, lon, lat);
    if (away === 0 && (best === null || (shift.accuracy < best.accuracy && !shift.offshore))) best = shift;
    if (best !== null || away > distance || (away === distance && nearest !== null)) continue;
    nearest = shift;
    distance = away;
  }
  return best ?? nearest;
}

/** Degrees between a position and the area of a shift, 0 within. */
function degreesFrom({ area: [west, south, east, north] }: Shift, lon: number, lat: number): number {
  const width = east - west + (east < west ? 360 : 0);
  const off = (((lon - west) % 360) + 360) % 360; // degrees east of the western edge
  const sideways = off <= width ? 0 : Math.min(off - width, 360 - off);
  return Math.max(sideways, south - lat, lat - north, 0);
}

function refusePoor(from: Datum, to: Datum, datum: Datum, chosen: Shift | null, lon: number, lat: number): void {
  if (chosen === null) return refuse(from, to, datum, null);
  if (chosen.accuracy <= POOR) return;
  const grid = datum.shifts.find(
    (shift) => shift.grid !== null && shift.accuracy * 2 <= chosen.accuracy && degreesFrom(shift, lon, lat) === 0,
  );
  if (grid !== undefined) refuse(from, to, datum, grid.grid, chosen.accuracy);
}

function refuse(from: Datum, to: Datum, datum: Datum, grid: string | null, accuracy?: number): never {
  const named = grid ?? datum.shifts.find((shift) => shift.grid !== null)?.grid ?? null;
  const why =
    named === null
      ? "no shift to WGS 84 is known"
      : `the shift to WGS 84 takes the grid file ${named}${accuracy === undefined ? "" : `, without it the result may be ${accuracy} m off`}`;
  throw new GeoLearnError("CRS_GRID_MISSING", `From ${from.name} to ${to.name}: for the datum of ${datum.name} ${why}.`, {
    hint:
      "Reproject the data with software that has the grids (gdalwarp, ogr2ogr, ArcGIS Project) to a WGS 84 or NAD83 system; " +
      '`accuracy: "ballpark"` goes on without.',
    data: { from: from.name, to: to.name, grid: named },
  });
}

function toGeocentric({ lon, lat }: Geodetic, a: number, es: number, xyz: Float64Array): void {
  const sin = Math.sin(lat);
  const cos = Math.cos(lat);
  const normal = a / Math.sqrt(1 - es * sin * sin);
  xyz[0] = normal * cos * Math.cos(lon);
  xyz[1] = normal * cos * Math.sin(lon);
  xyz[2] = normal * (1 - es) * sin;
}

/** Fixed-point iteration; the error falls by the squared eccentricity each time, 1e-13 rad after six near the surface. */
function toGeodetic(xyz: Float64Array, a: number, es: number, position: Geodetic): void {
  const [x, y, z] = xyz as unknown as [number, number, number];
  const p = Math.hypot(x, y);
  let lat = Math.atan2(z, p * (1 - es));
  for (let i = 0; i < 6; i += 1) {
    const sin = Math.sin(lat);
    lat = Math.atan2(z + (es * a * sin) / Math.sqrt(1 - es * sin * sin), p);
  }
  position.lat = lat;
  position.lon = Math.atan2(y, x);
}

const ARC_SECOND = Math.PI / 648000;

/** Position vector convention: X' = T + (1 + s) (X + r x X), for small rotations. */
function applyShift(xyz: Float64Array, [dx, dy, dz, rx, ry, rz, s]: readonly number[]): void {
  const [x, y, z] = xyz as unknown as [number, number, number];
  const scale = 1 + s! * 1e-6;
  const a = rx! * ARC_SECOND;
  const b = ry! * ARC_SECOND;
  const c = rz! * ARC_SECOND;
  xyz[0] = scale * (x - c * y + b * z) + dx!;
  xyz[1] = scale * (c * x + y - a * z) + dy!;
  xyz[2] = scale * (-b * x + a * y + z) + dz!;
}

function undoShift(xyz: Float64Array, [dx, dy, dz, rx, ry, rz, s]: readonly number[]): void {
  const scale = 1 + s! * 1e-6;
  const x = (xyz[0]! - dx!) / scale;
  const y = (xyz[1]! - dy!) / scale;
  const z = (xyz[2]! - dz!) / scale;
  const a = rx! * ARC_SECOND;
  const b = ry! * ARC_SECOND;
  const c = rz! * ARC_SECOND;
  xyz[0] = x + c * y - b * z;
  xyz[1] = -c * x + y + a * z;
  xyz[2] = b * x - a * y + z;
}
