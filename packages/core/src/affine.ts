/**
 * The affine map from pixel (col, row) to world (x, y):
 *
 *     x = a*col + b*row + c
 *     y = d*col + e*row + f
 *
 * in the order of Python's `affine` package and rasterio. Pixel (0, 0) is the outer corner of the first pixel; its
 * centre is (0.5, 0.5).
 */

import { GeoLearnError } from "./errors.ts";

/** Coefficients `[a, b, c, d, e, f]`, world units per pixel (a, b, d, e) and world units (c, f). */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** World position of a pixel position. */
export function applyAffine([a, b, c, d, e, f]: Affine, col: number, row: number): [x: number, y: number] {
  return [a * col + b * row + c, d * col + e * row + f];
}

/** The inverse map, world to pixel. @throws INVALID_ARGUMENT when the map has no area. */
export function invertAffine([a, b, c, d, e, f]: Affine): Affine {
  const det = a * e - b * d;
  if (!Number.isFinite(det) || det === 0) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The transform [${[a, b, c, d, e, f].join(", ")}] maps pixels to a line; it cannot be inverted.`,
      {
        hint: "Check the pixel size and rotation of the raster.",
      },
    );
  }
  const ia = e / det;
  const ib = -b / det;
  const id = -d / det;
  const ie = a / det;
  return [ia, ib, -(ia * c + ib * f), id, ie, -(id * c + ie * f)];
}

/** First `inner`, then `outer`. */
export function composeAffine(outer: Affine, inner: Affine): Affine {
  const [a, b, c, d, e, f] = outer;
  const [g, h, i, j, k, l] = inner;
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
}

/** The transform of a window that starts at (col, row) and is shrunk by `scaleX`, `scaleY` source pixels per new pixel. */
export function windowTransform(transform: Affine, col: number, row: number, scaleX = 1, scaleY = 1): Affine {
  return composeAffine(transform, [scaleX, 0, col, 0, scaleY, row]);
}

/** Area of one pixel in squared world units. */
export function pixelArea([a, b, , d, e]: Affine): number {
  return Math.abs(a * e - b * d);
}

/** Side lengths of one pixel in world units. */
export function pixelSize([a, b, , d, e]: Affine): { x: number; y: number } {
  return { x: Math.hypot(a, d), y: Math.hypot(b, e) };
}

/** True when rows run east and columns run south or north, without rotation. */
export function isAxisAligned([, b, , d]: Affine): boolean {
  return b === 0 && d === 0;
}

/** From GDAL's order `[c, a, b, f, d, e]`. */
export function fromGdal([c, a, b, f, d, e]: readonly [number, number, number, number, number, number]): Affine {
  return [a, b, c, d, e, f];
}

/** World bounds of a grid of `width` x `height` pixels. */
export function gridBounds(transform: Affine, width: number, height: number): Bounds {
  const corners = [
    applyAffine(transform, 0, 0),
    applyAffine(transform, width, 0),
    applyAffine(transform, 0, height),
    applyAffine(transform, width, height),
  ];
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** `[xmin, ymin, xmax, ymax]` in world units. */
export type Bounds = readonly [xmin: number, ymin: number, xmax: number, ymax: number];
