/** Grids of pixels on the ground. */

import { type Affine, applyAffine, type Bounds, composeAffine, invertAffine } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { createTransformer } from "../crs/transform.ts";
import { GeoLearnError } from "../errors.ts";
import type { Raster } from "./raster.ts";

/** A grid: pixels of a size, in a place. */
export interface Grid {
  readonly crs: Crs | null;
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
}

/** Steps along each side when a curved outline is followed. */
const EDGE_STEPS = 21;

/**
 * Bounds of a grid in the pixels of another: `[left, top, right, bottom]`, following the edges, for they may be curved.
 *
 * @throws CRS_OUT_OF_RANGE when no part of the outline can be mapped
 */
export function boundsInPixels(
  grid: Pick<Raster, "crs" | "transform" | "width" | "height">,
  target: { readonly crs: Crs | null; readonly transform: Affine },
): Bounds {
  const toPixel = invertAffine(target.transform);
  const map = grid.crs === null || target.crs === null ? null : createTransformer(grid.crs, target.crs);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  let failure: unknown = null;
  for (const [u, v] of outline()) {
    const [x, y] = applyAffine(grid.transform!, u * grid.width, v * grid.height);
    try {
      const [col, row] = applyAffine(toPixel, ...(map === null ? ([x, y] as const) : map(x, y)));
      left = Math.min(left, col);
      right = Math.max(right, col);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
    } catch (error) {
      failure = error;
    }
  }
  if (left > right) {
    throw (
      failure ??
      new GeoLearnError("CRS_OUT_OF_RANGE", "A raster lies outside the target's reference system.", { hint: "Check its reference system." })
    );
  }
  return [left, top, right, bottom];
}

/** How the pixels of one grid lie on another of the same system: `[a, b, c, d, e, f]` from its pixels to the target's. */
export function pixelMap(from: Affine, to: Affine): Affine {
  return composeAffine(invertAffine(to), from);
}

/** The whole-pixel offset of a grid whose pixels coincide with the target's to a hundredth of a pixel, else null. */
export function alignedOffset(from: Affine, to: Affine, width: number, height: number): { col: number; row: number } | null {
  const map = pixelMap(from, to);
  const col = Math.round(map[2]);
  const row = Math.round(map[5]);
  for (const [x, y] of [
    [0, 0],
    [width, 0],
    [0, height],
    [width, height],
  ] as const) {
    const [mappedCol, mappedRow] = applyAffine(map, x, y);
    if (Math.abs(mappedCol - x - col) > 0.01 || Math.abs(mappedRow - y - row) > 0.01) return null;
  }
  return { col, row };
}

function* outline(): Generator<readonly [u: number, v: number]> {
  for (let i = 0; i < EDGE_STEPS; i++) {
    const t = i / (EDGE_STEPS - 1);
    yield [t, 0];
    yield [t, 1];
    yield [0, t];
    yield [1, t];
  }
}
