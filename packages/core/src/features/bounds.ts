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

/** The box around both, of which either may be missing. */
export function unionBounds(a: Bounds | null, b: Bounds | null): Bounds | null {
  if (a === null || b === null) return a ?? b;
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** True when the boxes share a point. */
export function boundsMeet(a: Bounds, b: Bounds): boolean {
  return a[0] <= b[2] && a[1] <= b[3] && a[2] >= b[0] && a[3] >= b[1];
}
