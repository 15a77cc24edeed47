/** The formulas of a {@link Crs} between its coordinates and longitude and latitude on its own datum. */

import proj4 from "proj4";

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { type Datum, type Geodetic, datumOf } from "./datum.ts";
import { formatProjString, parseProjString } from "./proj-string.ts";

/** Both directions of a system; positions are in radians from Greenwich, on the datum of the system. */
export interface Projection {
  readonly datum: Datum;
  /** False when the position has no place. */
  readonly toGeodetic: (x: number, y: number, position: Geodetic) => boolean;
  /** False when the position has no place. */
  readonly fromGeodetic: (position: Geodetic, xy: XY) => boolean;
}

/** A coordinate pair that is written to. */
export interface XY {
  x: number;
  y: number;
}

/** What is used of proj4's projections. */
interface Formulas {
  readonly forward: (this: Formulas, point: XY) => XY | null | undefined;
  readonly inverse: (this: Formulas, point: XY) => XY | null | undefined;
}

const DEGREE = Math.PI / 180;
const QUARTER = Math.PI / 2 + 1e-11;
const projections = new WeakMap<Crs, Projection>();

/** The projection of a system, made once per object. @throws CRS_UNKNOWN when its formulas are not known */
export function projection(crs: Crs): Projection {
  const known = projections.get(crs);
  if (known !== undefined) return known;
  const made = crs.geographic ? geographicProjection(crs) : projectedProjection(crs);
  projections.set(crs, made);
  return made;
}

function geographicProjection(crs: Crs): Projection {
  const datum = datumOf(crs);
  const meridian = datum.meridian * DEGREE;
  return {
    datum,
    toGeodetic: (x, y, position) => {
      position.lon = x * DEGREE + meridian;
      position.lat = y * DEGREE;
      return Number.isFinite(x) && Math.abs(position.lat) <= QUARTER;
    },
    fromGeodetic: (position, xy) => {
      xy.x = (position.lon - meridian) / DEGREE;
      xy.y = position.lat / DEGREE;
      return Number.isFinite(xy.x) && Math.abs(position.lat) <= QUARTER;
    },
  };
}

function projectedProjection(crs: Crs): Projection {
  const formulas = createFormulas(crs);
  const datum = datumOf(crs);
  const meridian = datum.meridian * DEGREE;
  const metres = crs.metresPerUnit;
  const axes = axisOrder(parseProjString(crs.proj).get("axis") ?? "enu", crs);
  return {
    datum,
    toGeodetic: (x, y, position) => {
      if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
      const east = axes.swap ? y : x;
      const north = axes.swap ? x : y;
      const found = attempt(formulas.inverse, formulas, { x: east * axes.east * metres, y: north * axes.north * metres });
      if (found === undefined || !Number.isFinite(found.x) || !(Math.abs(found.y) <= QUARTER)) return false;
      position.lon = found.x + meridian;
      position.lat = found.y;
      return true;
    },
    fromGeodetic: (position, xy) => {
      if (!(Math.abs(position.lat) <= QUARTER)) return false;
      const found = attempt(formulas.forward, formulas, { x: position.lon - meridian, y: position.lat });
      if (found === undefined || !Number.isFinite(found.x) || !Number.isFinite(found.y)) return false;
      const east = (found.x / metres) * axes.east;
      const north = (found.y / metres) * axes.north;
      xy.x = axes.swap ? north : east;
      xy.y = axes.swap ? east : north;
      return true;
    },
  };
}

/** Formulas of proj4 give null, NaN or an exception where they have no answer. */
function attempt(formula: Formulas["forward"], formulas: Formulas, point: XY): XY | undefined {
  try {
    return formula.call(formulas, point) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Which way the axes of a definition run: `wsu` counts west and south as positive. */
function axisOrder(axis: string, crs: Crs): { swap: boolean; east: 1 | -1; north: 1 | -1 } {
  if (!/^(?:[ew][ns]|[ns][ew])[ud]?$/.test(axis)) {
    throw new GeoLearnError("CRS_UNKNOWN", `${crs.name} has axes +axis=${axis}, which are no horizontal axes.`);
  }
  return { swap: /^[ns]/.test(axis), east: axis.includes("w") ? -1 : 1, north: axis.slice(0, 2).includes("s") ? -1 : 1 };
}

function createFormulas(crs: Crs): Formulas {
  try {
    return new proj4.Proj(formulaString(crs)) as unknown as Formulas;
  } catch (cause) {
    throw new GeoLearnError("CRS_UNKNOWN", `"${crs.proj}" cannot be used: ${String(cause)}`, {
      hint: "Reproject the data to a common system first, for example with gdalwarp or ogr2ogr -t_srs EPSG:4326.",
      cause,
    });
  }
}

/** Keys that are handled here and not by the formulas. */
const HANDLED = ["units", "to_meter", "axis", "towgs84", "nadgrids", "datum", "ellps", "a", "b", "rf", "f", "r", "pm", "wktext", "r_a"];

/** The projection in metres on an ellipsoid given by its axes, with every default that proj4 does not set itself. */
function formulaString(crs: Crs): string {
  const given = parseProjString(crs.proj);
  const formula = new Map([...given].filter(([key]) => !HANDLED.includes(key)));
  const { a, es } = datumOf(crs);
  const spherical = given.get("nadgrids") === "@null" || given.get("proj") === "webmerc";
  if (given.get("proj") === "webmerc") formula.set("proj", "merc");
  if (given.get("proj") === "lcc" && !given.has("lat_2") && !given.has("lat_0")) formula.set("lat_0", given.get("lat_1") ?? "0");
  for (const key of OWN_DEFAULTS.has(given.get("proj") ?? "") ? [] : ["lat_0", "lon_0", "x_0", "y_0"]) {
    if (!formula.has(key)) formula.set(key, "0");
  }
  if (!formula.has("k") && !formula.has("k_0")) formula.set("k_0", "1");
  if (given.get("proj") === "ortho" && given.has("alpha")) throw new Error("a rotated orthographic projection is not supported");
  formula.set("a", String(given.has("r_a") ? authalicRadius(a, es) : a));
  // some formulas of proj4 ask for the flattening, others for the axes
  if (spherical || given.has("r_a") || es === 0) formula.set("b", formula.get("a")!);
  else formula.set("rf", String(1 / (1 - Math.sqrt(1 - es))));
  return formatProjString(formula);
}

/** Radius of the sphere with the area of the ellipsoid, by the series that PROJ uses for +R_A. */
function authalicRadius(a: number, es: number): number {
  return a * (1 - es * (1 / 6 + es * (17 / 360 + (es * 67) / 3024)));
}

/** Projections whose centre is not at 0, 0 when they name none. */
const OWN_DEFAULTS: ReadonlySet<string> = new Set(["utm", "krovak", "nzmg"]);
