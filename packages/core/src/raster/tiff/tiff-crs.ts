/** The reference system of a GeoTIFF: its EPSG code when it has one, else its citation, else its projection parameters. */

import geokeysToProj4 from "geotiff-geokeys-to-proj4";

import type { Crs } from "../../crs/crs.ts";
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
  const named = Object.fromEntries([...keys].flatMap(([key, value]) => (keyNames[key] === undefined ? [] : [[keyNames[key], value]])));
  const { proj4, errors } = geokeysToProj4.toProj4(named as never) as { proj4: string; errors: object };
  if (proj4.trim() === "" || "CRSNotSupported" in errors) {
    if (modelType === 1 && !keys.has(3075)) return null;
    throw new GeoLearnError("CRS_UNKNOWN", "The projection described by the GeoTIFF's keys is not known here.", {
      hint: "Assign a known system: gdal_translate -a_srs EPSG:CODE INPUT OUTPUT.tif",
    });
  }
  const crs = parseCrs(proj4);
  const citation = keys.get(geoKeys.projectedCitation) ?? keys.get(geoKeys.citation) ?? keys.get(geoKeys.geodeticCitation);
  return typeof citation === "string" && citation !== "" ? { ...crs, name: citation } : crs;
}

function named(name: string, make: () => Crs | null): Crs | null {
  try {
    return make();
  } catch (cause) {
    if (!GeoLearnError.is(cause)) throw cause;
    throw new GeoLearnError(cause.code, `${name}: ${cause.message}`, {
      hint: cause.hint ?? "Give the system yourself with the option crs.",
      data: cause.data,
      cause,
    });
  }
}

/** Names of the keys as geotiff.js, and so the parameter converter, spells them. */
const keyNames: Readonly<Record<number, string>> = {
  1024: "GTModelTypeGeoKey",
  1025: "GTRasterTypeGeoKey",
  1026: "GTCitationGeoKey",
  2048: "GeographicTypeGeoKey",
  2049: "GeogCitationGeoKey",
  2050: "GeogGeodeticDatumGeoKey",
  2051: "GeogPrimeMeridianGeoKey",
  2052: "GeogLinearUnitsGeoKey",
  2053: "GeogLinearUnitSizeGeoKey",
  2054: "GeogAngularUnitsGeoKey",
  2055: "GeogAngularUnitSizeGeoKey",
  2056: "GeogEllipsoidGeoKey",
  2057: "GeogSemiMajorAxisGeoKey",
  2058: "GeogSemiMinorAxisGeoKey",
  2059: "GeogInvFlatteningGeoKey",
  2060: "GeogAzimuthUnitsGeoKey",
  2061: "GeogPrimeMeridianLongGeoKey",
  2062: "GeogTOWGS84GeoKey",
  3072: "ProjectedCSTypeGeoKey",
  3073: "PCSCitationGeoKey",
  3074: "ProjectionGeoKey",
  3075: "ProjCoordTransGeoKey",
  3076: "ProjLinearUnitsGeoKey",
  3077: "ProjLinearUnitSizeGeoKey",
  3078: "ProjStdParallel1GeoKey",
  3079: "ProjStdParallel2GeoKey",
  3080: "ProjNatOriginLongGeoKey",
  3081: "ProjNatOriginLatGeoKey",
  3082: "ProjFalseEastingGeoKey",
  3083: "ProjFalseNorthingGeoKey",
  3084: "ProjFalseOriginLongGeoKey",
  3085: "ProjFalseOriginLatGeoKey",
  3086: "ProjFalseOriginEastingGeoKey",
  3087: "ProjFalseOriginNorthingGeoKey",
  3088: "ProjCenterLongGeoKey",
  3089: "ProjCenterLatGeoKey",
  3090: "ProjCenterEastingGeoKey",
  3091: "ProjCenterNorthingGeoKey",
  3092: "ProjScaleAtNatOriginGeoKey",
  3093: "ProjScaleAtCenterGeoKey",
  3094: "ProjAzimuthAngleGeoKey",
  3095: "ProjStraightVertPoleLongGeoKey",
};
