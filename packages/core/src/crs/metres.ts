/**
 * Metres on the ground. The units of a projected system are metres of the map, which at the latitude of Oslo are half
 * a metre of the ground in web mercator; degrees are no metres at all. So lengths are measured where they lie, by
 *
 *     dE = N cos(lat) dlon,  dN = M dlat
 *
 * with the radii of curvature of the ellipsoid, M along the meridian and N across.
 */

import { type Affine, applyAffine, pixelArea } from "../affine.ts";
import type { Crs } from "./crs.ts";
import { type Datum, datumOf } from "./datum.ts";
import { datumParameters, formatProjString, parseProjString } from "./proj-string.ts";
import { createTransformer } from "./transform.ts";

const DEGREE = Math.PI / 180;

/** Ground metres per unit of the system along its x and its y axis, at position (x, y). @throws CRS_OUT_OF_RANGE */
export function metresPerUnit(crs: Crs, x: number, y: number): { x: number; y: number } {
  const { xEast, xNorth, yEast, yNorth } = groundJacobian(crs, x, y);
  return { x: Math.hypot(xEast, xNorth), y: Math.hypot(yEast, yNorth) };
}

/**
 * Side of a square with the ground area of the pixel in the middle of the grid, in metres.
 *
 * @throws CRS_OUT_OF_RANGE when the middle of the grid lies outside the system
 */
export function groundResolution(crs: Crs, transform: Affine, width: number, height: number): number {
  const [x, y] = applyAffine(transform, width / 2, height / 2);
  const { xEast, xNorth, yEast, yNorth } = groundJacobian(crs, x, y);
  return Math.sqrt(pixelArea(transform) * Math.abs(xEast * yNorth - xNorth * yEast));
}

/** A transverse Mercator system in metres centred at (x, y), on the datum of `crs`: true to scale there. */
export function localMetricCrs(crs: Crs, x: number, y: number): Crs {
  const geographic = geographicCrs(crs);
  const [lon, lat] = createTransformer(crs, geographic)(x, y);
  const datum = formatProjString(datumParameters(parseProjString(geographic.proj)));
  return {
    epsg: null,
    name: `metres around ${lon.toFixed(4)}, ${lat.toFixed(4)}`,
    proj: `+proj=tmerc +lat_0=${lat} +lon_0=${lon} +k=1 +x_0=0 +y_0=0 ${datum} +units=m +no_defs`,
    wkt: null,
    geographic: false,
    metresPerUnit: 1,
  };
}

/** Longitude and latitude on the datum of `crs`, without any datum shift. */
export function geographicCrs(crs: Crs): Crs {
  if (crs.geographic) return crs;
  const datum = datumParameters(parseProjString(crs.proj));
  // web mercator: a sphere only for the formulas, its latitudes are those of WGS 84
  const definition = datum.get("nadgrids") === "@null" ? "+datum=WGS84" : formatProjString(datum);
  return {
    epsg: null,
    name: `longitude, latitude of ${crs.name}`,
    proj: `+proj=longlat ${definition} +no_defs`,
    wkt: null,
    geographic: true,
    metresPerUnit: 1,
  };
}

/** Ground metres east and north for one unit of x and one unit of y. */
export function groundJacobian(crs: Crs, x: number, y: number): { xEast: number; xNorth: number; yEast: number; yNorth: number } {
  if (crs.geographic) {
    const { east, north } = metresPerDegree(datumOf(crs), y);
    return { xEast: east, xNorth: 0, yEast: 0, yNorth: north };
  }
  const geographic = geographicCrs(crs);
  const toGeographic = createTransformer(crs, geographic, { accuracy: "ballpark" });
  const [, lat] = toGeographic(x, y);
  const { east, north } = metresPerDegree(datumOf(geographic), lat);
  const step = 1 / crs.metresPerUnit;
  const [lonA, latA] = toGeographic(x - step, y);
  const [lonB, latB] = toGeographic(x + step, y);
  const [lonC, latC] = toGeographic(x, y - step);
  const [lonD, latD] = toGeographic(x, y + step);
  return {
    xEast: (unwrapped(lonB - lonA) * east) / (2 * step),
    xNorth: ((latB - latA) * north) / (2 * step),
    yEast: (unwrapped(lonD - lonC) * east) / (2 * step),
    yNorth: ((latD - latC) * north) / (2 * step),
  };
}

function metresPerDegree({ a, es }: Datum, lat: number): { east: number; north: number } {
  const sin = Math.sin(lat * DEGREE);
  const w = 1 - es * sin * sin;
  return { east: ((a * Math.cos(lat * DEGREE)) / Math.sqrt(w)) * DEGREE, north: ((a * (1 - es)) / (w * Math.sqrt(w))) * DEGREE };
}

function unwrapped(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360);
}
