/** The proj4 projection behind a {@link Crs}. */

import proj4 from "proj4";
import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";

/** What proj4 calls a projection; only what is used here. */
export interface Projection {
  /** Semi-major axis in metres. */
  readonly a: number;
  /** Squared eccentricity. */
  readonly es: number;
}

const projections = new WeakMap<Crs, Projection>();

/** The projection of a system, made once per object. @throws CRS_UNKNOWN when proj4 has no such projection */
export function projection(crs: Crs): Projection {
  const known = projections.get(crs);
  if (known !== undefined) return known;
  const made = createProjection(crs);
  projections.set(crs, made);
  return made;
}

function createProjection(crs: Crs): Projection {
  try {
    return new proj4.Proj(crs.proj) as unknown as Projection;
  } catch (cause) {
    throw new GeoLearnError("CRS_UNKNOWN", `"${crs.proj}" cannot be used: ${String(cause)}`, {
      hint: "Reproject the data to a common system first, for example with gdalwarp or ogr2ogr -t_srs EPSG:4326.",
      cause,
    });
  }
}
