/**
 * Changes the resolution of pixels. Missing samples (by mask, nodata or not finite) take no part: weights are shared out
 * among the others, and a pixel nothing contributes to is missing.
 */

import { clampTo, createSamples, isFloat } from "./samples.ts";
import type { Resampling, Samples, SampleType } from "./raster.ts";

/** Pixels to read from. */
export interface SourcePixels {
  readonly data: Samples;
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly mask: Uint8Array | null;
}

/** Along one side: the new pixel `i` covers source positions `start + i * step` to `start + (i + 1) * step`. */
export interface Side {
  readonly size: number;
  readonly start: number;
  readonly step: number;
}

/** What the samples mean. */
export interface SampleMeaning {
  readonly type: SampleType;
  readonly nodata: number | null;
}

/** Source pixels beyond the covered ones that a method looks at, on each side. */
export function resamplingMargin(method: Resampling, step: number): number {
  const stretch = Math.max(1, Math.abs(step));
  if (method === "bilinear") return Math.ceil(stretch) + 1;
  return method === "cubic" ? Math.ceil(2 * stretch) + 1 : 0;
}

/** Resamples all bands; the result is band after band with its mask. */
export function resample(
  source: SourcePixels,
  across: Side,
  down: Side,
  method: Resampling,
  meaning: SampleMeaning,
): { data: Samples; mask: Uint8Array | null } {
  if (method === "nearest") return nearest(source, across, down, meaning);
  if (method === "mode") return mode(source, across, down, meaning);
  return weighted(source, across, down, method, meaning);
}

/** Source pixel of each new pixel's centre, clamped to the source. */
function nearestIndices({ size, start, step }: Side, limit: number): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => Math.min(Math.max(Math.floor(start + (i + 0.5) * step + 1e-10), 0), limit - 1));
}

function nearest(
  { data, bands, width, height, mask }: SourcePixels,
  across: Side,
  down: Side,
  { type }: SampleMeaning,
): { data: Samples; mask: Uint8Array | null } {
  const cols = nearestIndices(across, width);
  const rows = nearestIndices(down, height);
  const pixels = across.size * down.size;
  const out = createSamples(type, bands * pixels);
  const outMask = mask === null ? null : new Uint8Array(pixels);
  for (let band = 0, to = 0; band < bands; band++) {
    for (let y = 0; y < down.size; y++) {
      const from = (band * height + rows[y]!) * width;
      for (let x = 0; x < across.size; x++, to++) out[to] = data[from + cols[x]!]!;
    }
  }
  if (mask !== null && outMask !== null) {
    for (let y = 0, to = 0; y < down.size; y++) {
      for (let x = 0; x < across.size; x++, to++) outMask[to] = mask[rows[y]! * width + cols[x]!]!;
    }
  }
  return { data: out, mask: outMask };
}

/** Contributions to each new pixel: `count` weights from `first`, at `i * room` of `weights`. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float64Array;
  readonly room: number;
}

/** Kernels of unit spacing; shrinking widens them so that no source pixel is passed over. */
const kernels = {
  average: { support: 0.5, at: () => 1 },
  bilinear: { support: 1, at: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  cubic: {
    support: 2,
    at: (x: number) => {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
    },
  },
} as const;

function sideWeights({ size, start, step }: Side, limit: number, method: "average" | "bilinear" | "cubic"): Weights {
  const { support, at } = kernels[method];
  const stretch = method === "average" ? step : Math.max(1, step);
  const reach = support * stretch;
  const room = Math.ceil(2 * reach) + 2;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const weights = new Float64Array(size * room);
  for (let i = 0; i < size; i++) {
    const centre = start + (i + 0.5) * step;
    const from = Math.max(0, Math.floor(centre - reach + 1e-9));
    const to = Math.min(limit, Math.ceil(centre + reach - 1e-9));
    first[i] = Math.min(from, limit - 1);
    let used = 0;
    for (let j = from; j < to && used < room; j++, used++) {
      const weight =
        method === "average" ? Math.min(j + 1, centre + reach) - Math.max(j, centre - reach) : at((j + 0.5 - centre) / stretch);
      weights[i * room + used] = weight;
    }
    if (used === 0) {
      used = 1;
      weights[i * room] = 1;
    }
    count[i] = used;
  }
  return { first, count, weights, room };
}

function weighted(
  { data, bands, width, height, mask }: SourcePixels,
  across: Side,
  down: Side,
  method: "average" | "bilinear" | "cubic",
  { type, nodata }: SampleMeaning,
): { data: Samples; mask: Uint8Array | null } {
  const cols = sideWeights(across, width, method);
  const rows = sideWeights(down, height, method);
  const pixels = across.size * down.size;
  const out = createSamples(type, bands * pixels);
  const outMask = new Uint8Array(pixels);
  const missing = nodata ?? (isFloat(type) ? NaN : 0);
  const values = new Float64Array(across.size * height);
  const shares = new Float64Array(across.size * height);
  for (let band = 0; band < bands; band++) {
    for (let y = 0; y < height; y++) {
      const from = (band * height + y) * width;
      for (let x = 0; x < across.size; x++) {
        let sum = 0;
        let share = 0;
        const first = cols.first[x]!;
        for (let k = 0, n = cols.count[x]!, w = x * cols.room; k < n; k++, w++) {
          const sample = data[from + first + k]!;
          if ((mask !== null && mask[y * width + first + k] === 0) || sample === nodata || !Number.isFinite(sample)) continue;
          sum += sample * cols.weights[w]!;
          share += cols.weights[w]!;
        }
        values[y * across.size + x] = sum;
        shares[y * across.size + x] = share;
      }
    }
    for (let y = 0; y < down.size; y++) {
      const first = rows.first[y]!;
      const n = rows.count[y]!;
      for (let x = 0; x < across.size; x++) {
        let sum = 0;
        let share = 0;
        for (let k = 0, w = y * rows.room, at = first * across.size + x; k < n; k++, w++, at += across.size) {
          sum += values[at]! * rows.weights[w]!;
          share += shares[at]! * rows.weights[w]!;
        }
        const to = y * across.size + x;
        const valid = share > 1e-6 || share < -1e-6;
        out[band * pixels + to] = valid ? notNodata(clampTo(type, sum / share), nodata, type) : missing;
        if (valid) outMask[to] = 1;
      }
    }
  }
  return { data: out, mask: outMask.includes(0) ? outMask : null };
}

/** A computed value must not turn into the value that means "missing". */
function notNodata(value: number, nodata: number | null, type: SampleType): number {
  if (value !== nodata) return value;
  if (isFloat(type)) return value === 0 ? 1e-30 : value * (1 + 2 ** -20);
  const up = clampTo(type, value + 1);
  return up === value ? value - 1 : up;
}

/** The most frequent value among the pixels whose centres lie in the new pixel; the first met wins a tie. */
function mode(
  { data, bands, width, height, mask }: SourcePixels,
  across: Side,
  down: Side,
  { type, nodata }: SampleMeaning,
): { data: Samples; mask: Uint8Array | null } {
  const cols = ranges(across, width);
  const rows = ranges(down, height);
  const pixels = across.size * down.size;
  const out = createSamples(type, bands * pixels);
  const outMask = new Uint8Array(pixels);
  const missing = nodata ?? (isFloat(type) ? NaN : 0);
  const counts = new Map<number, number>();
  for (let band = 0; band < bands; band++) {
    for (let y = 0; y < down.size; y++) {
      for (let x = 0; x < across.size; x++) {
        counts.clear();
        let best = missing;
        let most = 0;
        for (let j = rows[2 * y]!; j < rows[2 * y + 1]!; j++) {
          for (let i = cols[2 * x]!; i < cols[2 * x + 1]!; i++) {
            const sample = data[(band * height + j) * width + i]!;
            if ((mask !== null && mask[j * width + i] === 0) || sample === nodata || !Number.isFinite(sample)) continue;
            const count = (counts.get(sample) ?? 0) + 1;
            counts.set(sample, count);
            if (count <= most) continue;
            most = count;
            best = sample;
          }
        }
        const to = y * across.size + x;
        out[band * pixels + to] = best;
        if (most > 0) outMask[to] = 1;
      }
    }
  }
  return { data: out, mask: outMask.includes(0) ? outMask : null };
}

/** First and one past the last source pixel of each new pixel, at least one. */
function ranges({ size, start, step }: Side, limit: number): Int32Array {
  const out = new Int32Array(2 * size);
  for (let i = 0; i < size; i++) {
    const first = Math.min(Math.max(Math.floor(start + i * step + 0.5), 0), limit - 1);
    const end = Math.min(Math.max(Math.floor(start + (i + 1) * step + 0.5), first + 1), limit);
    out[2 * i] = first;
    out[2 * i + 1] = end;
  }
  return out;
}
