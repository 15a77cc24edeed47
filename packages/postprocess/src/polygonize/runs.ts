/** Rows as runs of equal value, which is what tracing and sieving work on. */

import type { Samples } from "@geolearn/core";

/** Value of pixels that belong to no region. Real values are finite. */
export const OUTSIDE: number = Infinity;

/**
 * Runs of one row. Run k covers columns `starts[k]` up to but not including `starts[k + 1]`; neighbours differ in value.
 * The first and the last run lie outside the raster and have the value {@link OUTSIDE}, so that its border is an edge
 * like any other.
 */
export interface Runs {
  count: number;
  starts: Int32Array;
  values: Float64Array;
}

/** Space for the runs of rows of `width` pixels. */
export function newRuns(width: number): Runs {
  return { count: 0, starts: new Int32Array(width + 3), values: new Float64Array(width + 3) };
}

/**
 * Finds the runs of a row of `width` samples from `offset`. Pixels are left out (OUTSIDE) where `valid` is 0, where the
 * value is not finite or is nodata, and where `wanted` does not have the value.
 */
export function findRuns(
  runs: Runs,
  data: Samples,
  offset: number,
  width: number,
  valid: Uint8Array | null,
  nodata: number | null,
  wanted: ReadonlySet<number> | null,
): void {
  const { starts, values } = runs;
  const missing = nodata ?? NaN;
  starts[0] = -1;
  values[0] = OUTSIDE;
  let count = 1;
  let last = OUTSIDE;
  // What the sample before was, so that the tests below run only where something changes.
  let sample = NaN;
  let value = OUTSIDE;
  for (let x = 0; x < width; x++) {
    const at = offset + x;
    const here = data[at]!;
    if (here !== sample) {
      sample = here;
      const real = here - here === 0 && here !== missing && (wanted === null || wanted.has(here));
      value = real ? here : OUTSIDE;
    }
    const kept = valid !== null && valid[at] === 0 ? OUTSIDE : value;
    if (kept !== last) {
      starts[count] = x;
      values[count++] = kept;
      last = kept;
    }
  }
  if (last !== OUTSIDE) {
    starts[count] = width;
    values[count++] = OUTSIDE;
  }
  starts[count] = width + 1;
  runs.count = count;
}
