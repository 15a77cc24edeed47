/** Halving a raster row pair by row pair, for reduced copies (overviews). */

import type { SampleType, Samples } from "../raster.ts";
import { createSamples, sampleRange } from "../samples.ts";

/** How four samples become one. Missing ones do not count. */
export type Reduction = "nearest" | "average" | "mode";

/**
 * Takes rows from top to bottom and hands on rows of half the width and height, rounded up: sample (c, r) of the result is
 * made of (2c, 2r), (2c + 1, 2r), (2c, 2r + 1) and (2c + 1, 2r + 1), as many of them as exist.
 */
export class RowReducer {
  readonly width: number;
  readonly #sourceWidth: number;
  readonly #bands: number;
  readonly #type: SampleType;
  readonly #reduceRow: ReduceRow;
  /** An upper row that still waits for its lower one, `[bands, width]`. */
  #waiting: Samples | null = null;

  constructor(sourceWidth: number, bands: number, type: SampleType, reduction: Reduction, nodata: number | null) {
    this.width = Math.ceil(sourceWidth / 2);
    this.#sourceWidth = sourceWidth;
    this.#bands = bands;
    this.#type = type;
    this.#reduceRow = reduction === "nearest" ? nearest : reduction === "mode" ? mode(type, nodata) : average(type, nodata);
  }

  /** The rows that are complete with these, `[bands, rows, width]`. */
  push(data: Samples, rows: number): { data: Samples; rows: number } {
    const width = this.#sourceWidth;
    const before = this.#waiting;
    const total = rows + (before === null ? 0 : 1);
    const outRows = total >> 1;
    const out = createSamples(this.#type, this.#bands * outRows * this.width);
    const shift = before === null ? 0 : 1;
    for (let band = 0; band < this.#bands; band++) {
      for (let r = 0; r < outRows; r++) {
        const upper = 2 * r - shift;
        const to = (band * outRows + r) * this.width;
        const lowerAt = (band * rows + upper + 1) * width;
        if (upper < 0) this.#reduceRow(before!, band * width, data, lowerAt, width, out, to);
        else this.#reduceRow(data, (band * rows + upper) * width, data, lowerAt, width, out, to);
      }
    }
    if (total % 2 === 1) this.#waiting = rows === 0 ? before : lastRow(data, rows, this.#bands, width);
    else this.#waiting = null;
    return { data: out, rows: outRows };
  }

  /** The last row when the height is odd, which has no lower one. */
  finish(): { data: Samples; rows: number } {
    const row = this.#waiting;
    this.#waiting = null;
    if (row === null) return { data: createSamples(this.#type, 0), rows: 0 };
    const out = createSamples(this.#type, this.#bands * this.width);
    for (let band = 0; band < this.#bands; band++) {
      const at = band * this.#sourceWidth;
      this.#reduceRow(row, at, null, 0, this.#sourceWidth, out, band * this.width);
    }
    return { data: out, rows: 1 };
  }
}

type ReduceRow = (upper: Samples, u: number, lower: Samples | null, l: number, width: number, out: Samples, to: number) => void;

function lastRow(data: Samples, rows: number, bands: number, width: number): Samples {
  const row = data.slice(0, bands * width);
  for (let band = 0; band < bands; band++)
    row.set(data.subarray((band * rows + rows - 1) * width, (band * rows + rows) * width), band * width);
  return row;
}

const nearest: ReduceRow = (upper, u, _lower, _l, width, out, to) => {
  for (let c = 0, i = u; c < width; c += 2, i += 2) out[to++] = upper[i]!;
};

/** Mean of the valid samples; integers round half up. A mean that happens to be nodata moves to the next value. */
function average(type: SampleType, nodata: number | null): ReduceRow {
  const float = type.startsWith("float");
  const missing = nodata === null ? NaN : type === "float32" ? Math.fround(nodata) : nodata;
  const empty = nodata ?? NaN;
  const highest = sampleRange(type)[1];
  const rounded = (sum: number, n: number): number => {
    if (n === 0) return float ? empty : missing;
    const mean = float ? sum / n : Math.floor(sum / n + 0.5);
    return mean === missing && !float ? (mean === highest ? mean - 1 : mean + 1) : mean;
  };
  return (upper, u, lower, l, width, out, to) => {
    for (let c = 0; c < width; c += 2) {
      let sum = 0;
      let n = 0;
      const columns = c + 1 < width ? 2 : 1;
      for (let k = 0; k < columns; k++) {
        const a = upper[u + c + k]!;
        if (a === a && a !== missing) {
          sum += a;
          n++;
        }
        if (lower === null) continue;
        const b = lower[l + c + k]!;
        if (b === b && b !== missing) {
          sum += b;
          n++;
        }
      }
      out[to++] = n === 4 && float && nodata === null ? sum / 4 : rounded(sum, n);
    }
  };
}

/** The most frequent valid sample; of equally frequent ones the first in reading order. */
function mode(type: SampleType, nodata: number | null): ReduceRow {
  const missing = nodata === null ? NaN : type === "float32" ? Math.fround(nodata) : nodata;
  const empty = nodata ?? (type.startsWith("float") ? NaN : 0);
  const four = new Float64Array(4);
  return (upper, u, lower, l, width, out, to) => {
    for (let c = 0; c < width; c += 2) {
      let n = 0;
      const columns = c + 1 < width ? 2 : 1;
      for (let k = 0; k < columns; k++) {
        const a = upper[u + c + k]!;
        if (a === a && a !== missing) four[n++] = a;
      }
      for (let k = 0; lower !== null && k < columns; k++) {
        const b = lower[l + c + k]!;
        if (b === b && b !== missing) four[n++] = b;
      }
      let best = n === 0 ? empty : four[0]!;
      let most = 1;
      for (let i = 0; i < n && most * 2 < n + 1; i++) {
        let count = 1;
        for (let j = i + 1; j < n; j++) if (four[j] === four[i]) count++;
        if (count > most) {
          most = count;
          best = four[i]!;
        }
      }
      out[to++] = best;
    }
  };
}
