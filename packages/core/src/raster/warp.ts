/** A raster seen on another grid: lazily, window by window, every pixel placed by the exact transformation. */

import { type Affine, applyAffine, invertAffine } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { sameCrs } from "../crs/same-crs.ts";
import { createTransformer, type Transformer } from "../crs/transform.ts";
import { GeoLearnError } from "../errors.ts";
import type { Window } from "../window.ts";
import { createSamples } from "./samples.ts";
import { describeRaster, levelRaster } from "./level-raster.ts";
import type { Level } from "./level.ts";
import type { Raster, Resampling, Samples } from "./raster.ts";
import { type Positions, samplePixels } from "./warp-sampling.ts";

/** Options of {@link warpRaster}: the grid to be seen on. */
export interface WarpOptions {
  /** Reference system of the grid; null for the raster's own. */
  readonly crs: Crs | number | string | null;
  /** Pixel to world of the grid. */
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
  /** @defaultValue "nearest" */
  readonly resampling?: Resampling;
}

/** Source pixels read for one piece of the grid at most; larger pieces are cut in four. */
const MAX_SOURCE_PIXELS = 2 ** 24;

/**
 * A view of a raster on another grid. Pixels outside the raster, or where the transformation has no answer, are nodata and
 * invalid. Where a pixel of the grid covers many of the raster, `bilinear` and `cubic` widen their kernels, `average` and
 * `mode` look at all of them.
 *
 * Closing the view closes the raster.
 *
 * @throws RASTER_NO_TRANSFORM, CRS_MISSING, CRS_GRID_MISSING
 * @example
 * const utm = warpRaster(raster, { crs: 32633, transform: [10, 0, 465180, 0, -10, 5080250], width: 60, height: 100, resampling: "bilinear" });
 */
export function warpRaster(raster: Raster, { crs, transform, width, height, resampling = "nearest" }: WarpOptions): Raster {
  if (raster.transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} has no transform, so it cannot be seen on another grid.`, {
      hint: "Put a world file beside it, or give it a transform: gdal_translate -a_ullr ULX ULY LRX LRY INPUT OUTPUT.tif",
    });
  }
  if (![width, height].every((side) => Number.isSafeInteger(side) && side >= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A grid of ${width} x ${height} pixels was asked for.`, {
      hint: "Sides are whole numbers of at least 1.",
    });
  }
  const target = crs === null ? raster.crs : parseCrs(crs);
  const place = placer(raster, raster.transform, transform, target);
  const level: Level = {
    width,
    height,
    read: (window, bands, signal) => warpWindow(raster, place, resampling, window, bands, signal),
  };
  return levelRaster({ ...describeRaster(raster), width, height, transform, crs: target }, [level], () => raster.close());
}

/** Writes the source pixel position of a position of the grid to `out`; false where there is none. */
export type Placer = (col: number, row: number, out: Float64Array) => boolean;

function placer(raster: Raster, from: Affine, to: Affine, target: Crs | null): Placer {
  const inverse = invertAffine(from);
  const map = transformer(raster, target);
  if (map === null) {
    const [a, b, c, d, e, f] = composed(inverse, to);
    return (col, row, out) => {
      out[0] = a * col + b * row + c;
      out[1] = d * col + e * row + f;
      return true;
    };
  }
  return (col, row, out) => {
    const [x, y] = applyAffine(to, col, row);
    try {
      const [u, v] = map(x, y);
      out[0] = inverse[0] * u + inverse[1] * v + inverse[2];
      out[1] = inverse[3] * u + inverse[4] * v + inverse[5];
      return true;
    } catch (error) {
      if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return false;
      throw error;
    }
  };
}

/** `outer` after `inner`, with offsets taken around the inner origin so that large coordinates cancel once. */
function composed(outer: Affine, inner: Affine): Affine {
  const [a, b, , d, e] = outer;
  const [g, h, , j, k] = inner;
  const [c, f] = applyAffine(outer, inner[2], inner[5]);
  return [a * g + b * j, a * h + b * k, c, d * g + e * j, d * h + e * k, f];
}

function transformer({ crs, name }: Raster, target: Crs | null): Transformer | null {
  if (crs === null && target === null) return null;
  if (crs === null || target === null) {
    throw new GeoLearnError(
      "CRS_MISSING",
      `${name} ${crs === null ? "names no reference system" : "cannot be seen on a grid without one"}.`,
      {
        hint: "Write the system into the file (gdal_edit.py -a_srs EPSG:CODE FILE), or give `crs`.",
      },
    );
  }
  return sameCrs(crs, target) ? null : createTransformer(target, crs);
}

async function warpWindow(
  raster: Raster,
  place: Placer,
  resampling: Resampling,
  window: Window,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  signal?.throwIfAborted();
  const positions = positionsOf(place, window, resampling);
  const source = sourceWindow(raster, positions, window, resampling);
  const pixels = window.width * window.height;
  if (source === null) return { data: empty(raster, bands.length * pixels), mask: new Uint8Array(pixels) };
  if (source.width * source.height > MAX_SOURCE_PIXELS && pixels > 1) {
    return warpInPieces(raster, place, resampling, window, bands, signal);
  }
  const read = await raster.read(source, { bands, ...(signal === undefined ? {} : { signal }) });
  return samplePixels(read, source, positions, window, resampling, raster);
}

/** Halves the longer side until the source fits. */
async function warpInPieces(
  raster: Raster,
  place: Placer,
  resampling: Resampling,
  window: Window,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  const { col, row, width, height } = window;
  const wide = width >= height;
  const half = Math.ceil((wide ? width : height) / 2);
  const pieces: Window[] = wide
    ? [
        { col, row, width: half, height },
        { col: col + half, row, width: width - half, height },
      ]
    : [
        { col, row, width, height: half },
        { col, row: row + half, width, height: height - half },
      ];
  const pixels = width * height;
  const data = createSamples(raster.sampleType, bands.length * pixels);
  const mask = new Uint8Array(pixels);
  for (const piece of pieces) {
    const part = await warpWindow(raster, place, resampling, piece, bands, signal);
    for (let y = 0; y < piece.height; y++) {
      const from = y * piece.width;
      const to = (piece.row - row + y) * width + piece.col - col;
      for (let band = 0; band < bands.length; band++) {
        const start = band * piece.width * piece.height + from;
        data.set(part.data.subarray(start, start + piece.width), band * pixels + to);
      }
      if (part.mask === null) mask.fill(1, to, to + piece.width);
      else mask.set(part.mask.subarray(from, from + piece.width), to);
    }
  }
  return { data, mask: mask.includes(0) ? mask : null };
}

/** Source positions of the centres of all pixels of the window, and of their corners for methods that look at areas. */
function positionsOf(place: Placer, { col, row, width, height }: Window, resampling: Resampling): Positions {
  const at = (columns: number, rows: number, shift: number): Float64Array => {
    const positions = new Float64Array(columns * rows * 2).fill(NaN);
    const out = new Float64Array(2);
    for (let y = 0, i = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i += 2) {
        if (!place(col + x + shift, row + y + shift, out)) continue;
        positions[i] = out[0]!;
        positions[i + 1] = out[1]!;
      }
    }
    return positions;
  };
  return { centres: at(width, height, 0.5), corners: resampling === "nearest" ? null : at(width + 1, height + 1, 0) };
}

/** The source pixels that a window needs, or null when it shows none. */
function sourceWindow(raster: Raster, { centres, corners }: Positions, window: Window, resampling: Resampling): Window | null {
  const outer = corners ?? centres;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < outer.length; i += 2) {
    const x = outer[i]!;
    const y = outer[i + 1]!;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
  }
  if (!(left <= right && top <= bottom)) return null;
  const stretch = Math.max(1, (right - left) / window.width, (bottom - top) / window.height);
  const margin = resampling === "nearest" ? 1 : Math.ceil(2 * stretch) + 2;
  const col = Math.max(0, Math.floor(left) - margin);
  const row = Math.max(0, Math.floor(top) - margin);
  const end = Math.min(raster.width, Math.ceil(right) + margin);
  const last = Math.min(raster.height, Math.ceil(bottom) + margin);
  return end > col && last > row ? { col, row, width: end - col, height: last - row } : null;
}

function empty({ sampleType, nodata }: Raster, length: number): Samples {
  const data = createSamples(sampleType, length);
  return nodata === null || nodata === 0 ? data : (data.fill(nodata) as Samples);
}
