/**
 * Areas. On the plane they are those of the coordinates. On the ground they are integrals over the ellipsoid
 *
 *     A = ∫∫ M N cos(lat) dlat dlon
 *
 * between edges that are straight in longitude and latitude, as GeoJSON has them. Against geodesic edges the difference
 * is below 1e-6 for polygons up to a kilometre and 1e-4 up to a hundred kilometres.
 */

import type { Geometry, Position } from "geojson";

import type { Crs } from "../crs/crs.ts";
import { datumOf } from "../crs/datum.ts";
import { geographicCrs } from "../crs/metres.ts";
import { createTransformer } from "../crs/transform.ts";
import { polygonsOf } from "./positions.ts";
import { reprojectGeometry } from "./reproject.ts";
import { ringArea } from "./winding.ts";

/** Area in squared units of the coordinates; holes count off, points and lines have none. Self-crossing rings give no sensible area. */
export function planarArea(geometry: Geometry): number {
  let area = 0;
  for (const [shell, ...holes] of polygonsOf(geometry)) {
    area += Math.abs(ringArea(shell ?? [])) - holes.reduce((sum, hole) => sum + Math.abs(ringArea(hole)), 0);
  }
  return area;
}

/**
 * Area on the ground in square metres, whatever the reference system. Rings may cross 180 degrees (each edge takes the
 * short way round) but not go around a pole.
 *
 * @throws CRS_OUT_OF_RANGE for positions outside of the system
 * @example
 * geometryArea(footprint, parseCrs(3857)); // real square metres, not those of web mercator
 */
export function geometryArea(geometry: Geometry, crs: Crs): number {
  const geographic = geographicCrs(crs);
  const { a, es } = datumOf(geographic);
  const degrees = crs.geographic
    ? geometry
    : reprojectGeometry(geometry, createTransformer(crs, geographic, { accuracy: "ballpark" }), true);
  let area = 0;
  for (const [shell, ...holes] of polygonsOf(degrees)) {
    area += Math.abs(ellipsoidalArea(shell ?? [], a, es)) - holes.reduce((sum, hole) => sum + Math.abs(ellipsoidalArea(hole, a, es)), 0);
  }
  return area;
}

const DEGREE = Math.PI / 180;
/** Gauss-Legendre abscissae and weights on [-1, 1]. */
const NODES = [-Math.sqrt(3 / 5), 0, Math.sqrt(3 / 5)] as const;
const WEIGHTS = [5 / 9, 8 / 9, 5 / 9] as const;

/** Signed area between a ring and the parallel of its first position, in square metres. */
function ellipsoidalArea(ring: readonly Position[], a: number, es: number): number {
  const base = (ring[0]?.[1] ?? 0) * DEGREE;
  let sum = 0;
  for (let i = 0; i < ring.length; i += 1) {
    const [lon1, lat1] = ring[i] as [number, number];
    const [lon2, lat2] = ring[(i + 1) % ring.length] as [number, number];
    const width = lon2 - lon1 - 360 * Math.round((lon2 - lon1) / 360);
    if (width === 0) continue;
    for (const [index, node] of NODES.entries()) {
      const lat = (lat1 + lat2 + node * (lat2 - lat1)) / 2;
      sum += WEIGHTS[index]! * (width / 2) * DEGREE * stripHeight(base, lat * DEGREE, a, es);
    }
  }
  return sum;
}

/** ∫ M N cos dlat from one latitude to another. */
function stripHeight(from: number, to: number, a: number, es: number): number {
  if (Math.abs(to - from) > 0.02) return (a * a * (authalic(to, es) - authalic(from, es))) / 2;
  // differences of the closed form cancel where latitudes are close
  let sum = 0;
  for (const [index, node] of NODES.entries()) {
    const lat = (from + to + node * (to - from)) / 2;
    const w = 1 - es * Math.sin(lat) ** 2;
    sum += (WEIGHTS[index]! * Math.cos(lat)) / (w * w);
  }
  return (a * a * (1 - es) * sum * (to - from)) / 2;
}

/** q of Snyder 1987, eq. 3-12. */
export function authalic(lat: number, es: number): number {
  const sin = Math.sin(lat);
  if (es === 0) return 2 * sin;
  const e = Math.sqrt(es);
  return (1 - es) * (sin / (1 - es * sin * sin) - Math.log((1 - e * sin) / (1 + e * sin)) / (2 * e));
}
