/** Reads a level at another resolution. */

import { type Level, readPadded, type SampleMeaning } from "./level.ts";
import type { Resampling, Samples } from "./raster.ts";
import { resample, resamplingMargin, type Side } from "./resample.ts";
import { createSamples } from "./samples.ts";

/** Source samples held at once; larger reads are cut into pieces. */
const MAX_SOURCE_SAMPLES = 2 ** 26;

/** Pixels of a level seen at another resolution; the sides say which positions of the level each new pixel covers. */
export async function readResampled(
  meaning: SampleMeaning,
  level: Level,
  across: Side,
  down: Side,
  resampling: Resampling,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  const cols = sourceRange(across, resampling);
  const rows = sourceRange(down, resampling);
  if (cols.size * rows.size * bands.length > MAX_SOURCE_SAMPLES && across.size * down.size > 1) {
    return readPieces(meaning, level, across, down, resampling, bands, signal);
  }
  const window = { col: cols.first, row: rows.first, width: cols.size, height: rows.size };
  const read = await readPadded(meaning, level, window, bands, signal);
  return resample(
    { ...read, bands: bands.length, width: window.width, height: window.height },
    { ...across, start: across.start - window.col },
    { ...down, start: down.start - window.row },
    resampling,
    { type: meaning.sampleType, nodata: meaning.nodata },
  );
}

/** The level's pixels that a side needs. */
function sourceRange({ size, start, step }: Side, resampling: Resampling): { first: number; size: number } {
  const margin = resamplingMargin(resampling, step);
  const first = Math.floor(start + 1e-9) - margin;
  return { first, size: Math.ceil(start + size * step - 1e-9) + margin - first };
}

/** Halves the side with more source pixels; the pieces see exactly what the whole would. */
async function readPieces(
  meaning: SampleMeaning,
  level: Level,
  across: Side,
  down: Side,
  resampling: Resampling,
  bands: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  const wide = down.size === 1 || (across.size > 1 && across.size * across.step > down.size * down.step);
  const half = Math.ceil((wide ? across.size : down.size) / 2);
  const data = createSamples(meaning.sampleType, bands.length * across.size * down.size);
  const mask = new Uint8Array(across.size * down.size);
  for (const first of [0, half]) {
    const cut = ({ size, start, step }: Side): Side => ({ size: first === 0 ? half : size - half, start: start + first * step, step });
    const [x, y] = wide ? [cut(across), down] : [across, cut(down)];
    const piece = await readResampled(meaning, level, x, y, resampling, bands, signal);
    for (let row = 0; row < y.size; row++) {
      const to = wide ? row * across.size + first : (row + first) * across.size;
      for (let band = 0; band < bands.length; band++) {
        const from = (band * y.size + row) * x.size;
        data.set(piece.data.subarray(from, from + x.size), band * mask.length + to);
      }
      if (piece.mask === null) mask.fill(1, to, to + x.size);
      else mask.set(piece.mask.subarray(row * x.size, (row + 1) * x.size), to);
    }
  }
  return { data, mask: mask.includes(0) ? mask : null };
}
