/** PROJ strings as lists of parameters: reading, writing, units and ellipsoids. */

import { GeoLearnError } from "../errors.ts";

/** Parameters of a PROJ string in their order; a flag such as `south` has the value `""`. */
export type ProjParameters = Map<string, string>;

/** Metres per linear unit of PROJ (`+units=`). */
const LINEAR_UNITS: Readonly<Record<string, number>> = {
  m: 1,
  km: 1000,
  dm: 0.1,
  cm: 0.01,
  mm: 0.001,
  ft: 0.3048,
  "us-ft": 1200 / 3937,
  "ind-ft": 0.30479841,
  yd: 0.9144,
  "us-yd": 3600 / 3937,
  "ind-yd": 0.91439523,
  ch: 20.1168,
  "us-ch": 79200 / 3937,
  "ind-ch": 20.11669506,
  mi: 1609.344,
  "us-mi": 6336000 / 3937,
  kmi: 1852,
  link: 0.201168,
  fath: 1.8288,
  in: 0.0254,
  "us-in": 100 / 3937,
};

/**
 * Splits a PROJ string into its parameters. Keys are lower case; the first of a repeated key counts, as in PROJ.
 *
 * @throws CRS_UNKNOWN when the text has no `+proj`
 */
export function parseProjString(text: string): ProjParameters {
  const parameters: ProjParameters = new Map();
  for (const part of text.split(/(?:^|\s)\+/)) {
    const item = part.trim();
    if (item === "") continue;
    const cut = item.indexOf("=");
    const key = (cut < 0 ? item : item.slice(0, cut)).trim().toLowerCase();
    const value = cut < 0 ? "" : item.slice(cut + 1).trim();
    if (!parameters.has(key)) parameters.set(key, value);
  }
  if (!parameters.has("proj")) {
    throw new GeoLearnError("CRS_UNKNOWN", `The PROJ string "${text.slice(0, 200)}" names no projection (+proj=...).`, {
      hint: "Give an EPSG code, a WKT, or a PROJ string that starts with +proj=.",
    });
  }
  return parameters;
}

/** Writes parameters as a PROJ string. */
export function formatProjString(parameters: ProjParameters): string {
  return [...parameters]
    .map(([key, value]) => [key.startsWith("r_") || key === "r" ? key.toUpperCase() : key, value])
    .map(([key, value]) => (value === "" ? `+${key}` : `+${key}=${value}`))
    .join(" ");
}

/** True for longitude and latitude, under all of PROJ's names. */
export function isGeographicProj(parameters: ProjParameters): boolean {
  return ["longlat", "latlong", "lonlat", "latlon"].includes(parameters.get("proj") ?? "");
}

/** Metres per coordinate unit of a projected system. @throws CRS_UNKNOWN for a unit PROJ does not have */
export function linearUnit(parameters: ProjParameters): number {
  const toMetre = parameters.get("to_meter");
  if (toMetre !== undefined) {
    const [over, under = "1"] = toMetre.split("/");
    const factor = Number(over) / Number(under);
    if (factor > 0 && Number.isFinite(factor)) return factor;
    throw new GeoLearnError("CRS_UNKNOWN", `+to_meter=${toMetre} is not a positive number.`);
  }
  const name = parameters.get("units") ?? "m";
  const factor = LINEAR_UNITS[name];
  if (factor === undefined) {
    throw new GeoLearnError("CRS_UNKNOWN", `The unit +units=${name} is not known.`, {
      hint: `Use one of ${Object.keys(LINEAR_UNITS).join(", ")}, or +to_meter= with metres per unit.`,
    });
  }
  return factor;
}

/** Parameters that describe the datum and not the projection. */
const DATUM_KEYS = ["datum", "ellps", "a", "b", "rf", "f", "r", "towgs84", "nadgrids", "pm"];

/** The datum part of a definition, in the order of the source. */
export function datumParameters(parameters: ProjParameters): ProjParameters {
  return new Map([...parameters].filter(([key]) => DATUM_KEYS.includes(key)));
}
