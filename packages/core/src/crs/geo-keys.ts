/** What a GeoTIFF says of its reference system: the entries of its GeoKey directory. */

import type { Crs } from "./crs.ts";
import { methodOf } from "./to-wkt.ts";
import { datumDefinition } from "./datum-definition.ts";
import { parseProjString } from "./proj-string.ts";

/** One entry of the directory: `short` values stand in it, `double` and `ascii` in their own tags. */
export interface GeoKey {
  readonly id: number;
  readonly type: "short" | "double" | "ascii";
  readonly value: number | string;
}

const USER_DEFINED = 32767;
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
  return { keys: spelledKeys(crs).toSorted((one, other) => one.id - other.id) };
}

function codeKeys(crs: Crs, code: number): GeoKey[] {
  const angle = short(2054, 9102);
  if (crs.geographic) return [short(1024, MODEL_GEOGRAPHIC), short(2048, code), ascii(2049, crs.name), angle];
  return [short(1024, MODEL_PROJECTED), ascii(1026, crs.name), short(3072, code), ...unitKeys(crs)];
}

function spelledKeys(crs: Crs): GeoKey[] {
  const parameters = parseProjString(crs.proj);
  const datum = datumDefinition(parameters);
  const keys: GeoKey[] = [short(1024, crs.geographic ? MODEL_GEOGRAPHIC : MODEL_PROJECTED), ascii(1026, crs.name), short(2054, 9102)];
  if (datum.epsg !== null) keys.push(short(2048, datum.epsg));
  else {
    keys.push(
      short(2048, USER_DEFINED),
      ascii(2049, `GCS Name = ${datum.name}|Datum = ${datum.datumName}|Ellipsoid = ${datum.ellipsoidName}|Primem = Greenwich|`),
    );
    keys.push(short(2050, USER_DEFINED), short(2056, USER_DEFINED), double(2057, datum.a));
    keys.push(datum.inverseFlattening === 0 ? double(2058, datum.a) : double(2059, datum.inverseFlattening));
    if (datum.meridian !== 0) keys.push(short(2051, USER_DEFINED), double(2061, datum.meridian));
    if (datum.shift !== null)
      for (const [index, value] of datum.shift.entries()) if (index === 0) keys.push({ id: 2062, type: "double", value });
  }
  if (crs.geographic) return keys;
  const { method, values } = methodOf(crs);
  keys.push(
    short(3072, USER_DEFINED),
    ascii(3073, crs.name),
    short(3074, USER_DEFINED),
    short(3075, method.geoTiff ?? USER_DEFINED),
    ...unitKeys(crs),
  );
  const linear = crs.metresPerUnit;
  for (const parameter of method.parameters) {
    const value = values.get(parameter.proj);
    if (value !== undefined) keys.push(double(parameter.geoKey, parameter.kind === "length" ? value / linear : value));
  }
  return keys;
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
