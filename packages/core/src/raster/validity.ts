/** Which pixels count. */

import { isFloat } from "./samples.ts";
import type { Samples, SampleType } from "./raster.ts";

/**
 * Marks the pixels of which any of the given bands has a value: finite and not `nodata`. Returns null when every pixel has
 * one. `found`, if given, holds what other bands of the same pixels gave and is added to.
 */
export function pixelsWithValue(
  data: Samples,
  pixels: number,
  type: SampleType,
  nodata: number | null,
  found: Uint8Array | null,
): Uint8Array | null {
  const check = isFloat(type);
  const value = nodata === null || Number.isNaN(nodata) ? null : nodata;
  if (!check && value === null) return null;
  const mask = found ?? new Uint8Array(pixels);
  let valid = 0;
  for (let i = 0; i < pixels; i++) valid += mask[i]!;
  for (let start = 0; start < data.length && valid < pixels; start += pixels) {
    for (let i = 0, j = start; i < pixels; i++, j++) {
      if (mask[i] === 1) continue;
      const sample = data[j]!;
      if (sample === value || (check && !Number.isFinite(sample))) continue;
      mask[i] = 1;
      valid++;
    }
  }
  return valid === pixels ? null : mask;
}

/** Marks nonzero samples as 1; null when all are. */
export function nonZero(samples: Samples): Uint8Array | null {
  const mask = new Uint8Array(samples.length);
  let valid = 0;
  for (let i = 0; i < samples.length; i++) {
    if (samples[i] === 0) continue;
    mask[i] = 1;
    valid++;
  }
  return valid === samples.length ? null : mask;
}

/** Pixels valid in both masks; null stands for all. */
export function bothValid(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null) return b;
  if (b === null) return a;
  return a.map((value, i) => value & b[i]!);
}
