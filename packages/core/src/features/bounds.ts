/** The box around a geometry. */

import type { Geometry } from "geojson";

import type { Bounds } from "../affine.ts";
import { forEachPosition } from "./positions.ts";

/**
 * `[xmin, ymin, xmax, ymax]` in the coordinates of the geometry, or null when it has no position. Longitudes are taken
 * as they stand: a geometry that crosses 180 degrees and is not cut there gives the whole width of the Earth.
 */
export function geometryBounds(geometry: Geometry | null): Bounds | null {
  if (geometry === null) return null;
  let xmin = Infinity;
  let ymin = Infinity;
  let xmax = -Infinity;
  let ymax = -Infinity;
  forEachPosition(geometry, ([x, y]) => {
    if (x! < xmin) xmin = x!;
    if (x! > xmax) xmax = x!;
    if (y! < ymin) ymin = y!;
    if (y! > ymax) ymax = y!;
  });
  return xmin <= xmax && ymin <= ymax ? [xmin, ymin, xmax, ymax] : null;
}
