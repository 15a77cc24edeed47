/** From summed scores to pixels of the output. */

import type { Samples } from "@geolearn/core";

import type { FinishedPiece } from "./accumulator.ts";

/** How classes are chosen. */
export interface DecisionRule {
  /** Output value of each class, in index order. */
  readonly values: readonly number[];
  /** Index of a class that is never chosen, or -1. */
  readonly never: number;
  /** Output value of missing pixels. */
  readonly nodata: number;
}

/**
 * Writes the value of the best class of each pixel (of equal ones the first) into `out`, `[rows][width]` from the scene row
 * `piece.row`. Pixels where `valid` is 0 and pixels without a finite score become nodata.
 *
 * @returns the number of valid pixels without a finite score.
 */
export function decideClasses(piece: FinishedPiece, rule: DecisionRule, valid: Uint8Array, out: Samples, width: number): number {
  const { sums, stride, rows, cols, col } = piece;
  const { values, never, nodata } = rule;
  const bands = values.length;
  let broken = 0;
  for (let row = 0; row < rows; row++) {
    let i = row * stride * bands;
    let o = row * width + col;
    for (let x = 0; x < cols; x++, o++, i += bands) {
      let best = -1;
      let highest = -Infinity;
      let sum = 0;
      for (let band = 0; band < bands; band++) {
        const score = sums[i + band]!;
        sum += score;
        if (score > highest && band !== never) {
          highest = score;
          best = band;
        }
      }
      if (valid[o] === 0) out[o] = nodata;
      else if (best < 0 || !Number.isFinite(sum)) {
        out[o] = nodata;
        broken++;
      } else out[o] = values[best]!;
    }
  }
  return broken;
}

/** Turns a sum into an output sample. */
export type Rescale = (value: number) => number;

/**
 * Writes `sum / weight` of each band into `out`, `[bands][rows][width]`; missing pixels become nodata.
 *
 * @param weightOf sum of the weights at a position in the scene.
 */
export function writeValues(
  piece: FinishedPiece,
  bands: number,
  weightOf: (row: number, col: number) => number,
  rescale: Rescale,
  valid: Uint8Array,
  nodata: number,
  out: Samples,
  width: number,
): void {
  const { sums, stride, rows, cols, col } = piece;
  const plane = rows * width;
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < cols; x++) {
      const o = row * width + col + x;
      const i = (row * stride + x) * bands;
      const weight = valid[o] === 0 ? 0 : weightOf(piece.row + row, col + x);
      for (let band = 0; band < bands; band++) {
        const value = sums[i + band]! / weight;
        out[band * plane + o] = weight === 0 || !Number.isFinite(value) ? nodata : rescale(value);
      }
    }
  }
}
