/** Whether two definitions mean the same system. */

import type { Crs } from "./crs.ts";
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
  const datum = given.get("datum");
  if (datum !== undefined) {
    known.set("datum", datum.toUpperCase());
    return;
  }
  const shift = given.get("towgs84")?.split(",").map(Number) ?? null;
  const ellipsoid = ELLIPSOID_AXES[given.get("ellps") ?? ""];
  const a = Number(given.get("r") ?? given.get("a") ?? ellipsoid?.[0] ?? 6378137);
  const flattening = inverseFlattening(given, a) ?? ellipsoid?.[1] ?? 298.257223563;
  if (shift !== null && shift.every((value) => value === 0) && a === 6378137 && Math.abs(flattening - 298.257223563) < 1e-9) {
    known.set("datum", "WGS84");
    return;
  }
  known.set("ellipsoid", `${rounded(a)},${flattening.toFixed(6)}`);
  if (shift !== null) known.set("towgs84", [...shift, 0, 0, 0, 0].slice(0, 7).map(rounded).join(","));
}

function inverseFlattening(given: ProjParameters, a: number): number | undefined {
  if (given.has("r")) return 0;
  if (given.has("rf")) return Number(given.get("rf"));
  if (given.has("f")) return 1 / Number(given.get("f"));
  if (!given.has("b")) return undefined;
  const b = Number(given.get("b"));
  return a === b ? 0 : a / (a - b);
}

/** Semi-major axis and inverse flattening of the ellipsoids that definitions here name. */
const ELLIPSOID_AXES: Readonly<Record<string, readonly [number, number]>> = {
  WGS84: [6378137, 298.257223563],
  GRS80: [6378137, 298.257222101],
  bessel: [6377397.155, 299.1528128],
  intl: [6378388, 297],
  clrk66: [6378206.4, 294.978698214],
  clrk80: [6378249.145, 293.4663],
  airy: [6377563.396, 299.3249646],
  krass: [6378245, 298.3],
  sphere: [6370997, 0],
};

function rounded(value: number): string {
  return String(Number(value.toPrecision(11)));
}
