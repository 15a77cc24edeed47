/** Statistics of one band in float64 over valid pixels. */

import type { Raster, Samples } from "./raster/raster.ts";
import type { Window } from "./window.ts";

/** Statistics of one band. */
export interface BandStatistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  /** Valid pixels. */
  readonly count: number;
}

/** Options of {@link rasterStatistics}. */
export interface StatisticsOptions {
  /** Bands from 0. @defaultValue all but alpha */
  readonly bands?: readonly number[];
  /** Looks at about this many pixels, evenly spread, instead of all. */
  readonly sample?: number;
  readonly signal?: AbortSignal;
}

/** Collects the statistics of one band from pieces; the result does not depend on how the pixels were cut up beyond rounding. */
export interface StatisticsCollector {
  /** Adds samples; `mask` (1 = valid) may be null. Samples equal to `nodata` or not finite are passed over. */
  add(samples: Samples, mask?: Uint8Array | null, nodata?: number | null): void;
  /** The statistics so far; with `count` 0 all others are NaN. */
  result(): BandStatistics;
}

/**
 * A collector in float64: sums around a value of each piece, merged by the formula of Chan, Golub and LeVeque (1983), so
 * that neither large offsets nor many pixels cost accuracy.
 */
export function collectStatistics(): StatisticsCollector {
  let count = 0;
  // the mean is kept as a distance from the first value, so that a large offset takes no digits away
  let origin = 0;
  let mean = 0;
  let squares = 0;
  let min = Infinity;
  let max = -Infinity;
  const merge = (n: number, pieceMean: number, pieceSquares: number): void => {
    if (n === 0) return;
    const total = count + n;
    const delta = pieceMean - mean;
    squares += pieceSquares + (delta * delta * count * n) / total;
    mean += (delta * n) / total;
    count = total;
  };
  return {
    add(samples, mask = null, nodata = null) {
      const piece = 4096;
      for (let start = 0; start < samples.length; start += piece) {
        const end = Math.min(start + piece, samples.length);
        let n = 0;
        let shift = 0;
        let sum = 0;
        let sumOfSquares = 0;
        for (let i = start; i < end; i++) {
          const value = samples[i]!;
          // value - value is 0 only for finite numbers
          if ((mask !== null && mask[i] === 0) || value === nodata || value - value !== 0) continue;
          if (n === 0) shift = value;
          const difference = value - shift;
          sum += difference;
          sumOfSquares += difference * difference;
          n++;
          if (value < min) min = value;
          if (value > max) max = value;
        }
        if (n > 0 && count === 0) origin = shift;
        if (n > 0) merge(n, shift - origin + sum / n, Math.max(0, sumOfSquares - (sum * sum) / n));
      }
    },
    result() {
      if (count === 0) return { min: NaN, max: NaN, mean: NaN, std: NaN, count };
      return { min, max, mean: origin + mean, std: Math.sqrt(squares / count), count };
    },
  };
}

/**
 * Statistics of bands over their valid pixels, block by block, in float64. A band without a valid pixel has `count` 0 and
 * NaN for the rest.
 *
 * @example
 * const [red] = await rasterStatistics(raster, { bands: [0] });
 */
export async function rasterStatistics(raster: Raster, options: StatisticsOptions = {}): Promise<BandStatistics[]> {
  const { signal, sample } = options;
  const bands = options.bands ?? Array.from({ length: raster.bands }, (_, band) => band).filter((band) => band !== raster.alphaBand);
  const collectors = bands.map(() => collectStatistics());
  for (const window of sampledWindows(raster, sample)) {
    const { data, mask } = await raster.read(window, { bands, ...(signal === undefined ? {} : { signal }) });
    const pixels = window.width * window.height;
    collectors.forEach((collector, i) => collector.add(data.subarray(i * pixels, (i + 1) * pixels) as Samples, mask, raster.nodata));
  }
  return collectors.map((collector) => collector.result());
}

/** Windows of whole blocks, about a million pixels each; evenly left out when a sample is enough. Counted, not listed: a mosaic may be wide. */
function* sampledWindows({ width, height, blockWidth, blockHeight }: Raster, sample: number | undefined): Generator<Window> {
  const columns = Math.min(width, Math.max(blockWidth, 1) * Math.max(1, Math.floor(2048 / blockWidth)));
  const rows = Math.max(1, Math.floor(2 ** 20 / columns / blockHeight)) * blockHeight;
  const across = Math.ceil(width / columns);
  const count = across * Math.ceil(height / rows);
  const every = sample === undefined ? 1 : Math.max(1, Math.floor((width * height) / sample));
  const step = Math.min(every, count);
  for (let i = Math.floor(step / 2); i < count; i += step) {
    const [col, row] = [(i % across) * columns, Math.floor(i / across) * rows];
    yield { col, row, width: Math.min(columns, width - col), height: Math.min(rows, height - row) };
  }
}
