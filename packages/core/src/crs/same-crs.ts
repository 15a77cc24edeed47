/** Whether two definitions mean the same system. */

import type { Crs } from "./crs.ts";
import { datumDefinition } from "./datum-definition.ts";
import { type ProjParameters, isGeographicProj, linearUnit, parseProjString } from "./proj-string.ts";

/** Codes that all mean web mercator. */
const WEB_MERCATOR = [3857, 900913, 3785, 102100, 102113];

/**
 * True when coordinates of both systems mean the same place: equal EPSG codes, or where one has no code, equal
 * definitions (names, order of parameters and defaults aside).
 */
export function sameCrs(a: Crs, b: Crs): boolean {
  if (a === b || a.proj === b.proj) return true;
  if (a.epsg !== null && b.epsg !== null) {
    return a.epsg === b.epsg || (WEB_MERCATOR.includes(a.epsg) && WEB_MERCATOR.includes(b.epsg));
  }
  return canonicalProj(a.proj) === canonicalProj(b.proj);
}

/** What a PROJ string means, with defaults spelled out and numbers rounded to 1e-10 of themselves. */
export function canonicalProj(text: string): string {
  const given = parseProjString(text);
  const known = new Map<string, string>();
  const geographic = isGeographicProj(given);
  known.set("proj", geographic ? "longlat" : given.get("proj")!);
  if (known.get("proj") === "utm") spellUtm(given, known);
  addDatum(given, known);
  if (!geographic) known.set("unit", rounded(linearUnit(given)));
  for (const [key, value] of given) {
    if (IGNORED.includes(key) || known.has(key)) continue;
    const name = key === "k_0" ? "k" : key;
    const number = value === "" ? NaN : Number(value);
    if (number === (DEFAULTS[name] ?? 0)) continue;
    known.set(name, Number.isNaN(number) ? value : rounded(number));
  }
  return [...known]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

const IGNORED = [
  "proj",
  "no_defs",
  "type",
  "wktext",
  "title",
  "units",
  "to_meter",
  "vunits",
  "pm",
  "datum",
  "ellps",
  "a",
  "b",
  "rf",
  "f",
  "r",
  "towgs84",
  "zone",
  "south",
  "approx",
];
const DEFAULTS: Readonly<Record<string, number>> = { k: 1 };

function spellUtm(given: ProjParameters, known: ProjParameters): void {
  known.set("proj", "tmerc");
  known.set("lon_0", rounded(Number(given.get("zone")) * 6 - 183));
  known.set("k", rounded(0.9996));
  known.set("x_0", rounded(500000));
  if (given.has("south")) known.set("y_0", rounded(10000000));
}

function addDatum(given: ProjParameters, known: ProjParameters): void {
  const { epsg, a, inverseFlattening, meridian, shift } = datumDefinition(given);
  if (epsg !== null && !given.has("nadgrids")) known.set("datum", String(epsg));
  else {
    known.set("ellipsoid", given.get("nadgrids") === "@null" ? "web mercator" : `${rounded(a)},${inverseFlattening.toFixed(6)}`);
    if (shift !== null) known.set("towgs84", shift.map(rounded).join(","));
  }
  if (meridian !== 0) known.set("pm", meridian.toFixed(9));
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(11)));
}
