/** What a GeoTIFF says of its reference system: the entries of its GeoKey directory. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { methodOf } from "./to-wkt.ts";
import { type GeodeticNames, geodeticNames } from "./geodetic.ts";

/** One entry of the directory: `short` values stand in it, `double` and `ascii` in their own tags. */
export interface GeoKey {
  readonly id: number;
  readonly type: "short" | "double" | "ascii";
  readonly value: number | string | readonly number[];
}

const USER_DEFINED = 32767;
/** Angular unit degree. */
const DEGREE = 9102;
const MODEL_PROJECTED = 1;
const MODEL_GEOGRAPHIC = 2;

/**
 * The GeoKeys of a system, by rising id, without GTRasterTypeGeoKey (1025), which is the raster's. A system with an
 * EPSG code is named by it; any other is spelled out.
 *
 * @throws CRS_UNKNOWN when GeoTIFF has no word for the projection
 */
export function crsGeoKeys(crs: Crs): { readonly keys: readonly GeoKey[] } {
  if (crs.epsg !== null && crs.epsg < USER_DEFINED) return { keys: codeKeys(crs, crs.epsg) };
  return { keys: spelledKeys(crs).sort((one, other) => one.id - other.id) };
}

function codeKeys(crs: Crs, code: number): GeoKey[] {
  const angle = short(2054, DEGREE);
  if (crs.geographic) return [short(1024, MODEL_GEOGRAPHIC), short(2048, code), ascii(2049, citation(crs.name)), angle];
  return [short(1024, MODEL_PROJECTED), ascii(1026, citation(crs.name)), short(3072, code), ...unitKeys(crs)];
}

function spelledKeys(crs: Crs): GeoKey[] {
  const base = geodeticNames(crs);
  const model = [short(1024, crs.geographic ? MODEL_GEOGRAPHIC : MODEL_PROJECTED), ascii(1026, citation(crs.name)), short(2054, DEGREE)];
  if (crs.geographic) return [...model, ...datumKeys(base)];
  const { method, values } = methodOf(crs);
  if (method.geoTiff === null) {
    throw new GeoLearnError("CRS_UNKNOWN", `GeoTIFF has no word for the projection of ${crs.name} (${crs.proj}).`, {
      hint: "Write the raster in a system with an EPSG code.",
    });
  }
  const keys = [...model, ...datumKeys(base), short(3072, USER_DEFINED), ascii(3073, citation(crs.name)), short(3074, USER_DEFINED)];
  keys.push(short(3075, method.geoTiff), ...unitKeys(crs));
  for (const parameter of method.parameters) {
    const value = values.get(parameter.proj) ?? 0;
    keys.push(double(parameter.geoKey, parameter.kind === "length" ? value / crs.metresPerUnit : value));
  }
  return keys;
}

/** The geographic system under it: its code, or its ellipsoid, meridian and shift. */
function datumKeys(base: GeodeticNames): GeoKey[] {
  if (base.epsg !== null && base.inDegrees) return [short(2048, base.epsg)];
  const named = `GCS Name = ${base.name}|Datum = ${base.datumName}|Ellipsoid = ${base.ellipsoidName}|Primem = ${base.meridian === 0 ? "Greenwich" : "Reference"}|`;
  const keys = [
    short(2048, USER_DEFINED),
    ascii(2049, citation(named)),
    short(2050, USER_DEFINED),
    short(2056, USER_DEFINED),
    double(2057, base.a),
  ];
  keys.push(base.inverseFlattening === 0 ? double(2058, base.a) : double(2059, base.inverseFlattening));
  if (base.meridian !== 0) keys.push(short(2051, USER_DEFINED), double(2061, base.meridian));
  if (base.shift !== null) keys.push({ id: 2062, type: "double", value: base.shift });
  return keys;
}

/** GeoTIFF texts are ASCII without the bar that ends them, save in citations of the form "GCS Name = ...|". */
function citation(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?");
}

function unitKeys(crs: Crs): GeoKey[] {
  const code = LINEAR_UNIT_CODES.find(([metres]) => Math.abs(metres - crs.metresPerUnit) < 1e-12 * metres)?.[1];
  return code === undefined ? [short(3076, USER_DEFINED), double(3077, crs.metresPerUnit)] : [short(3076, code)];
}

const LINEAR_UNIT_CODES: readonly (readonly [metres: number, code: number])[] = [
  [1, 9001],
  [0.3048, 9002],
  [1200 / 3937, 9003],
];

function short(id: number, value: number): GeoKey {
  return { id, type: "short", value };
}

function double(id: number, value: number): GeoKey {
  return { id, type: "double", value };
}

function ascii(id: number, value: string): GeoKey {
  return { id, type: "ascii", value };
}
