/** The reference system of a GeoTIFF: its EPSG code when it has one, else its citation, else its projection parameters. */

import type { Crs } from "../../crs/crs.ts";
import { crsFromGeoKeyValues } from "../../crs/from-geo-keys.ts";
import { crsFromWkt } from "../../crs/from-wkt.ts";
import { parseCrs } from "../../crs/parse.ts";
import { GeoLearnError } from "../../errors.ts";
import { type GeoKeys, geoKeys } from "./geo-keys.ts";

const USER_DEFINED = 32767;

/**
 * The system the keys describe, or null when they name none.
 *
 * @throws CRS_UNKNOWN when they name one that geolearn cannot use: a file's own system is never replaced by a guess.
 */
export function crsFromGeoKeys(keys: GeoKeys, name: string): Crs | null {
  const modelType = keys.get(geoKeys.modelType);
  const code = codeOf(keys, modelType === 2 ? geoKeys.geodeticCrs : geoKeys.projectedCrs);
  if (code !== null) return named(name, () => parseCrs(code));
  const wkt = wktCitation(keys);
  if (wkt !== null) return named(name, () => crsFromWkt(wkt));
  if (modelType !== 1 && modelType !== 2) return null;
  return named(name, () => fromParameters(keys, modelType));
}

function codeOf(keys: GeoKeys, key: number): number | null {
  const code = keys.get(key);
  return typeof code === "number" && code > 0 && code < USER_DEFINED ? code : null;
}

/** Esri writes the WKT into a citation. */
function wktCitation(keys: GeoKeys): string | null {
  for (const key of [geoKeys.projectedCitation, geoKeys.citation, geoKeys.geodeticCitation]) {
    const text = keys.get(key);
    const found = typeof text === "string" ? /ESRI PE String\s*=\s*([A-Z_]+\[.*\])/is.exec(text) : null;
    if (found !== null) return found[1]!;
  }
  return null;
}

function fromParameters(keys: GeoKeys, modelType: number): Crs | null {
  if (modelType === 1 && !keys.has(geoKeys.projectionMethod) && !keys.has(geoKeys.projection)) return null;
  return crsFromGeoKeyValues(keys);
}

function named(name: string, make: () => Crs | null): Crs | null {
  try {
    return make();
  } catch (cause) {
    if (!GeoLearnError.is(cause)) throw cause;
    throw new GeoLearnError(cause.code, `${name}: ${cause.message}`, {
      hint: cause.hint ?? "Write the system into the file (gdal_edit.py -a_srs EPSG:CODE FILE), or give `crs`.",
      data: cause.data,
      cause,
    });
  }
}
