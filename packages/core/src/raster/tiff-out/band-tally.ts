/** Statistics of bands as their rows go by: float64, row by row, merged by Chan's formula so that no digits are lost. */

import type { BandStatistics } from "../../statistics.ts";
import type { SampleType, Samples } from "../raster.ts";

/** Counts valid samples, those that are finite and not nodata. */
export class BandTally {
  readonly #missing: number;
  #count = 0;
  #min = Infinity;
  #max = -Infinity;
  #mean = 0;
  #squares = 0;

  constructor(type: SampleType, nodata: number | null) {
    this.#missing = nodata === null ? NaN : type === "float32" ? Math.fround(nodata) : nodata;
  }

  /** Adds `data[from]` up to but not including `data[to]`. */
  add(data: Samples, from: number, to: number): void {
    const missing = this.#missing;
    // Sums of differences to a value of the row stay small, whatever the offset of the data.
    let shift = NaN;
    let n = 0;
    let sum = 0;
    let squares = 0;
    let min = this.#min;
    let max = this.#max;
    for (let i = from; i < to; i++) {
      const value = data[i]!;
      if (value === missing || !(value - value === 0)) continue;
      if (n === 0) shift = value;
      if (value < min) min = value;
      if (value > max) max = value;
      const d = value - shift;
      n++;
      sum += d;
      squares += d * d;
    }
    if (n === 0) return;
    this.#min = min;
    this.#max = max;
    const mean = shift + sum / n;
    const total = this.#count + n;
    const apart = mean - this.#mean;
    this.#squares += Math.max(0, squares - (sum * sum) / n) + (apart * apart * this.#count * n) / total;
    this.#mean += (apart * n) / total;
    this.#count = total;
  }

  /** Null when there was no valid sample. */
  result(): BandStatistics | null {
    if (this.#count === 0) return null;
    return { min: this.#min, max: this.#max, mean: this.#mean, std: Math.sqrt(this.#squares / this.#count), count: this.#count };
  }
}
