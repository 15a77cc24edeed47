/** Samples of any type shown as a picture: three bands (or one) stretched between two percentiles. */

import { GeoLearnError } from "../errors.ts";
import type { RgbaImage } from "./picture.ts";

/** What {@link renderBands} draws; a `RasterArray` is one. */
export interface BandArray {
  readonly data: ArrayLike<number>;
  readonly bands: number;
  readonly height: number;
  readonly width: number;
  /** 1 = valid; missing pixels become transparent. */
  readonly mask?: Uint8Array | null;
  /** `"bands"`: band after band, as rasters are read; `"pixels"`: interleaved, as batches are. @defaultValue "bands" */
  readonly layout?: "bands" | "pixels";
}

/** Options of {@link renderBands}. */
export interface RenderBandsOptions {
  /** One band (gray) or three (red, green, blue), from 0. @defaultValue the first three, or the first where there are fewer */
  readonly bands?: readonly number[];
  /** Percentiles that become black and white. @defaultValue [2, 98] */
  readonly stretch?: readonly [low: number, high: number];
  /** Values that become black and white, one pair per drawn band, instead of percentiles: the same for several pictures. */
  readonly ranges?: readonly (readonly [low: number, high: number])[];
}

/**
 * A picture of a raster: the chosen bands stretched linearly, missing pixels transparent.
 *
 * @example
 * const picture = renderBands(await raster.read(), { bands: [3, 2, 1], stretch: [1, 99] });
 *
 * @throws INVALID_ARGUMENT for a band that is not there.
 */
export function renderBands(array: BandArray, options: RenderBandsOptions = {}): RgbaImage {
  const { width, height } = array;
  const bands = options.bands ?? (array.bands >= 3 ? [0, 1, 2] : [0]);
  if ((bands.length !== 1 && bands.length !== 3) || bands.some((b) => !Number.isInteger(b) || b < 0 || b >= array.bands)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `Bands [${bands.join(", ")}] were asked of an array with ${array.bands} bands.`, {
      hint: "Name one band or three, counted from 0.",
    });
  }
  const ranges = options.ranges ?? bandRanges(array, { ...options, bands });
  const { data, mask } = array;
  const interleaved = array.layout === "pixels";
  const pixels = width * height;
  const out = new Uint8Array(pixels * 4);
  for (let c = 0; c < 3; c++) {
    const band = bands[c] ?? bands[0]!;
    const [low, high] = ranges[bands.length === 1 ? 0 : c]!;
    const scale = high > low ? 255 / (high - low) : 0;
    const step = interleaved ? array.bands : 1;
    for (let p = 0, s = interleaved ? band : band * pixels; p < pixels; p++, s += step) {
      const value = scale === 0 ? 127.5 : (data[s]! - low) * scale;
      out[p * 4 + c] = value > 255 ? 255 : value > 0 ? Math.round(value) : 0;
    }
  }
  for (let p = 0; p < pixels; p++) out[p * 4 + 3] = mask && mask[p] === 0 ? 0 : 255;
  return { width, height, channels: 4, data: out };
}

/** Values at the two percentiles of each drawn band, over valid finite pixels (at most some 100,000 of them, evenly spaced). */
export function bandRanges(array: BandArray, options: RenderBandsOptions = {}): [low: number, high: number][] {
  const bands = options.bands ?? (array.bands >= 3 ? [0, 1, 2] : [0]);
  const [low, high] = options.stretch ?? [2, 98];
  const pixels = array.width * array.height;
  const every = Math.max(1, Math.floor(pixels / 100_000));
  return bands.map((band) => {
    const values: number[] = [];
    for (let p = 0; p < pixels; p += every) {
      if (array.mask && array.mask[p] === 0) continue;
      const value = array.data[array.layout === "pixels" ? p * array.bands + band : band * pixels + p]!;
      if (Number.isFinite(value)) values.push(value);
    }
    if (values.length === 0) return [0, 1];
    const sorted = Float64Array.from(values).sort();
    return [percentile(sorted, low), percentile(sorted, high)];
  });
}

function percentile(sorted: Float64Array, percent: number): number {
  const at = (Math.min(100, Math.max(0, percent)) / 100) * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (at - below);
}
