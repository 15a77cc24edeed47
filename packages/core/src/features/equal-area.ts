/** Degrees on a plane whose areas are those of the ground. */

import type { Geometry } from "geojson";

import type { Crs } from "../crs/crs.ts";
import { datumOf } from "../crs/datum.ts";
import { GeoLearnError } from "../errors.ts";
import { authalic } from "./area.ts";
import { mapPositions } from "./positions.ts";

/**
 * A geometry in degrees by Lambert's cylindrical equal-area projection of the ellipsoid (Snyder 1987, p. 81), in metres: shapes are
 * stretched towards the poles, areas are right everywhere. Longitudes beyond 180 run on. Vertices are moved; edges stay straight between them.
 *
 * @throws CRS_MISMATCH for a system that is not in degrees
 */
export function toEqualArea(geometry: Geometry, crs: Crs): Geometry {
  if (!crs.geographic) {
    throw new GeoLearnError("CRS_MISMATCH", `${crs.name} is not in degrees; expected longitudes and latitudes.`);
  }
  const { a, es } = datumOf(crs);
  const degree = Math.PI / 180;
  return mapPositions(geometry, ([lon, lat]) => [a * lon! * degree, (a * authalic(lat! * degree, es)) / 2]);
}
