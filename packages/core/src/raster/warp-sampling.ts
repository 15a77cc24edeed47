/** Finds the values of pixels at positions between those of a source. */

import type { Window } from "../window.ts";
import { clampTo, createSamples, isFloat } from "./samples.ts";
import type { Raster, RasterArray, Resampling, Samples } from "./raster.ts";

/** Where the pixels of a window lie in the source, in its pixels; NaN where they have no place. */
export interface Positions {
  /** Of the centres, `[height, width, 2]`. */
  readonly centres: Float64Array;
  /** Of the corners, `[height + 1, width + 1, 2]`; not needed by "nearest". */
  readonly corners: Float64Array | null;
}

/** Values of the window's pixels, whose centres and corners lie at the given positions of the raster. */
export function samplePixels(
  read: RasterArray,
  source: Window,
  positions: Positions,
  window: Window,
  resampling: Resampling,
  raster: Raster,
): { data: Samples; mask: Uint8Array | null } {
  const pixels = window.width * window.height;
  const { sampleType: type, nodata } = raster;
  const data = createSamples(type, read.bands * pixels);
  const missing = nodata ?? (isFloat(type) ? NaN : 0);
  if (missing !== 0) data.fill(missing);
  const mask = new Uint8Array(pixels);
  const sampler = samplers[resampling];
  const size = read.width * read.height;
  const from: Source = { read, nodata, size };
  const footprint = new Float64Array(4);
  for (let y = 0, i = 0; y < window.height; y++) {
    for (let x = 0; x < window.width; x++, i++) {
      const u = positions.centres[2 * i]!;
      const v = positions.centres[2 * i + 1]!;
      // GDAL's rule: a pixel whose centre lies outside the source has no value
      if (!(u >= 0 && v >= 0 && u < raster.width && v < raster.height)) continue;
      if (positions.corners !== null) footprintOf(positions.corners, x, y, window.width, u, v, footprint);
      for (let band = 0; band < read.bands; band++) {
        const value = sampler(from, band, u - source.col, v - source.row, footprint, source);
        if (value === null) continue;
        data[band * pixels + i] = resampling === "nearest" || resampling === "mode" ? value : clampTo(type, value);
        mask[i] = 1;
      }
    }
  }
  return { data, mask: mask.includes(0) ? mask : null };
}

interface Source {
  readonly read: RasterArray;
  readonly nodata: number | null;
  readonly size: number;
}

type Sampler = (source: Source, band: number, u: number, v: number, footprint: Float64Array, window: Window) => number | null;

/** Bounds of a pixel in the source, from its corners; one pixel around the centre where a corner has no position. */
function footprintOf(corners: Float64Array, x: number, y: number, width: number, u: number, v: number, out: Float64Array): void {
  const a = 2 * (y * (width + 1) + x);
  const b = a + 2 * (width + 1);
  const us = [corners[a]!, corners[a + 2]!, corners[b]!, corners[b + 2]!];
  const vs = [corners[a + 1]!, corners[a + 3]!, corners[b + 1]!, corners[b + 3]!];
  const left = Math.min(...us);
  const top = Math.min(...vs);
  out[0] = Number.isNaN(left) ? u - 0.5 : left;
  out[1] = Number.isNaN(top) ? v - 0.5 : top;
  out[2] = Number.isNaN(left) ? u + 0.5 : Math.max(...us);
  out[3] = Number.isNaN(top) ? v + 0.5 : Math.max(...vs);
}

const nearest: Sampler = ({ read, size, nodata }, band, u, v) => {
  const col = Math.floor(u + 1e-10);
  const row = Math.floor(v + 1e-10);
  if (col >= read.width || row >= read.height) return null;
  const at = row * read.width + col;
  const value = read.data[band * size + at]!;
  return (read.mask !== null && read.mask[at] === 0) || isMissing(value, nodata) ? null : value;
};

/** A kernel of the given support, widened where pixels of the grid cover several of the source. */
function kernelSampler(support: number, kernel: (x: number) => number): Sampler {
  return ({ read, size, nodata }, band, u, v, footprint) => {
    const stretchX = widening(footprint[2]! - footprint[0]!);
    const stretchY = widening(footprint[3]! - footprint[1]!);
    const reachX = support * stretchX;
    const reachY = support * stretchY;
    const firstCol = Math.max(0, Math.ceil(u - 0.5 - reachX));
    const lastCol = Math.min(read.width - 1, Math.floor(u - 0.5 + reachX));
    const firstRow = Math.max(0, Math.ceil(v - 0.5 - reachY));
    const lastRow = Math.min(read.height - 1, Math.floor(v - 0.5 + reachY));
    let sum = 0;
    let share = 0;
    for (let row = firstRow; row <= lastRow; row++) {
      const down = kernel((row + 0.5 - v) / stretchY);
      if (down === 0) continue;
      for (let col = firstCol; col <= lastCol; col++) {
        const at = row * read.width + col;
        const value = read.data[band * size + at]!;
        if ((read.mask !== null && read.mask[at] === 0) || isMissing(value, nodata)) continue;
        const weight = down * kernel((col + 0.5 - u) / stretchX);
        sum += value * weight;
        share += weight;
      }
    }
    return share > 1e-5 ? sum / share : null;
  };
}

/** Ratios close to one are one: GDAL, too, widens only where the source is really finer. */
function widening(ratio: number): number {
  return ratio > 1.05 ? ratio : 1;
}

const average: Sampler = ({ read, size, nodata }, band, _u, _v, footprint, window) => {
  let sum = 0;
  let share = 0;
  forFootprint(read, footprint, window, (at, weight) => {
    const value = read.data[band * size + at]!;
    if ((read.mask !== null && read.mask[at] === 0) || isMissing(value, nodata)) return;
    sum += value * weight;
    share += weight;
  });
  return share > 0 ? sum / share : null;
};

const mode: Sampler = ({ read, size, nodata }, band, _u, _v, footprint, window) => {
  const shares = new Map<number, number>();
  forFootprint(read, footprint, window, (at, weight) => {
    const value = read.data[band * size + at]!;
    if ((read.mask !== null && read.mask[at] === 0) || isMissing(value, nodata)) return;
    shares.set(value, (shares.get(value) ?? 0) + weight);
  });
  let best: number | null = null;
  let most = 0;
  for (const [value, share] of shares) {
    if (share <= most) continue;
    most = share;
    best = value;
  }
  return best;
};

const samplers: Readonly<Record<Resampling, Sampler>> = {
  nearest,
  bilinear: kernelSampler(1, (x) => Math.max(0, 1 - Math.abs(x))),
  cubic: kernelSampler(2, (x) => {
    const t = Math.abs(x);
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
  }),
  average,
  mode,
};

/** Visits the source pixels under a footprint with the area they share with it. */
function forFootprint(
  read: RasterArray,
  [left, top, right, bottom]: Float64Array,
  window: Window,
  visit: (at: number, weight: number) => void,
): void {
  const x0 = Math.max(left! - window.col, 0);
  const x1 = Math.min(right! - window.col, read.width);
  const y0 = Math.max(top! - window.row, 0);
  const y1 = Math.min(bottom! - window.row, read.height);
  for (let row = Math.floor(y0); row < y1; row++) {
    const down = Math.min(row + 1, y1) - Math.max(row, y0);
    for (let col = Math.floor(x0); col < x1; col++) {
      visit(row * read.width + col, down * (Math.min(col + 1, x1) - Math.max(col, x0)));
    }
  }
}

function isMissing(value: number, nodata: number | null): boolean {
  return value === nodata || value - value !== 0;
}
