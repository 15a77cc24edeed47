/** Which datum shifts are known here, and which would need a grid file. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { type ProjParameters, datumParameters, formatProjString, parseProjString } from "./proj-string.ts";

/** Ellipsoids whose systems lie within a metre or two of WGS 84 when no shift is named. */
const MODERN_ELLIPSOIDS = ["WGS84", "GRS80"];

/** @throws CRS_GRID_MISSING when going from one datum to the other takes a shift that is not known here */
export function refuseMissingGrid(from: Crs, to: Crs): void {
  const source = datumParameters(parseProjString(from.proj));
  const target = datumParameters(parseProjString(to.proj));
  if (formatProjString(source) === formatProjString(target)) return;
  for (const [crs, datum] of [
    [from, source],
    [to, target],
  ] as const) {
    const missing = missingShift(datum);
    if (missing === null) continue;
    throw new GeoLearnError("CRS_GRID_MISSING", `From ${from.name} to ${to.name}: ${crs.name} ${missing}.`, {
      hint:
        "Reproject the data with a tool that has the grids (gdalwarp, ogr2ogr, ArcGIS Project) to a WGS 84 or NAD83 system; " +
        'accuracy "ballpark" goes on without the shift and may be off by tens of metres.',
      data: { from: from.proj, to: to.proj },
    });
  }
}

/** Why the shift of this datum to WGS 84 is not known, or null when it is. */
function missingShift(datum: ProjParameters): string | null {
  const grids = datum.get("nadgrids");
  if (grids === "@null") return null;
  if (grids !== undefined && grids.split(",").every((name) => !gridLoaded(name))) return `needs the grid ${grids}`;
  if (grids !== undefined || datum.has("towgs84")) return null;
  const name = datum.get("datum");
  if (name !== undefined && name.toUpperCase() === "NAD27") return "needs the NAD27 grids";
  if (name !== undefined) return null;
  if (isSphere(datum) || isModern(datum)) return null;
  return "has no published shift to WGS 84 in its definition";
}

function gridLoaded(name: string): boolean {
  return name.replace(/^@/, "") === "null";
}

function isSphere(datum: ProjParameters): boolean {
  return datum.has("r") || datum.get("ellps") === "sphere" || (datum.has("a") && datum.get("a") === datum.get("b"));
}

function isModern(datum: ProjParameters): boolean {
  const ellipsoid = datum.get("ellps");
  if (ellipsoid !== undefined) return MODERN_ELLIPSOIDS.includes(ellipsoid);
  const a = Number(datum.get("a") ?? 6378137);
  return Math.abs(a - 6378137) < 0.5;
}
