/** One resolution of a raster, and windows of it that may leave it. */

import { intersectWindows, type Window } from "../window.ts";
import { createSamples } from "./samples.ts";
import type { Samples, SampleType } from "./raster.ts";

/** One resolution of a raster. */
export interface Level {
  readonly width: number;
  readonly height: number;
  /** Samples and validity of a window inside the level. */
  read(window: Window, bands: readonly number[], signal?: AbortSignal): Promise<{ data: Samples; mask: Uint8Array | null }>;
}

/** What the samples of a raster mean. */
export interface SampleMeaning {
  readonly sampleType: SampleType;
  readonly nodata: number | null;
}

/** A window of a level; what lies outside is nodata (or 0) and invalid. */
export async function readPadded(
  { sampleType, nodata }: SampleMeaning,
  level: Level,
  window: Window,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  const inside = intersectWindows(window, { col: 0, row: 0, width: level.width, height: level.height });
  if (inside !== null && inside.width === window.width && inside.height === window.height) return level.read(inside, bands, signal);
  const pixels = window.width * window.height;
  const data = createSamples(sampleType, bands.length * pixels);
  if (nodata !== null && nodata !== 0) data.fill(nodata);
  const mask = new Uint8Array(pixels);
  if (inside === null) return { data, mask };
  const read = await level.read(inside, bands, signal);
  const left = inside.col - window.col;
  const top = inside.row - window.row;
  for (let band = 0; band < bands.length; band++) {
    for (let row = 0; row < inside.height; row++) {
      const from = (band * inside.height + row) * inside.width;
      data.set(read.data.subarray(from, from + inside.width), (band * window.height + top + row) * window.width + left);
    }
  }
  for (let row = 0; row < inside.height; row++) {
    const to = (top + row) * window.width + left;
    if (read.mask === null) mask.fill(1, to, to + inside.width);
    else mask.set(read.mask.subarray(row * inside.width, (row + 1) * inside.width), to);
  }
  return { data, mask };
}
