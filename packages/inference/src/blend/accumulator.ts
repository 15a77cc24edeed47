/**
 * Adds up the results of windows, row of windows by row of windows, and hands over what is finished.
 *
 * Only two pieces are in memory: the square under the current window, and for the rows that the next row of windows will
 * still add to, one line per row over the width of the scene. Windows come in one order (left to right, top to bottom), so
 * each pixel's sum is made in one order, whoever computed the windows.
 */

import type { WindowPlan } from "../windows/window-plan.ts";
import { type Blend, cropParts, hannWeights } from "./weights.ts";

/** How results that meet on a pixel are merged when no weights are used. */
export type Merge = "mean" | "max" | "min";

/** A finished piece of the scene: sums of `rows` x `cols` pixels inside a larger array. */
export interface FinishedPiece {
  /** `[row][col][band]`; a row of the array holds `stride` pixels. */
  readonly sums: Float32Array;
  readonly stride: number;
  /** Position in the scene. */
  readonly row: number;
  readonly col: number;
  readonly rows: number;
  readonly cols: number;
}

/** Receives finished pieces; must use `sums` before it returns. */
export type OnFinished = (piece: FinishedPiece) => void;

/** Adds up windows of a plan; see the file's comment. */
export class WindowAccumulator {
  readonly #plan: WindowPlan;
  readonly #bands: number;
  readonly #blend: Blend;
  readonly #merge: Merge;
  readonly #onFinished: OnFinished;
  readonly #active: Float32Array;
  readonly #carry: Float32Array;
  readonly #weights: Float32Array | null;
  readonly #partsDown: readonly (readonly [number, number])[];
  readonly #partsAcross: readonly (readonly [number, number])[];
  readonly #empty: number;
  #row = -1;
  #column = -1;

  /** `firstRow` is the row of windows to begin with. */
  constructor(plan: WindowPlan, bands: number, blend: Blend, merge: Merge, onFinished: OnFinished, firstRow = 0) {
    this.#plan = plan;
    this.#bands = bands;
    this.#blend = blend;
    this.#merge = merge;
    this.#onFinished = onFinished;
    this.#active = new Float32Array(plan.coreWidth * plan.coreHeight * bands);
    this.#carry = new Float32Array(carriedRows(plan) * plan.width * bands);
    this.#weights = blend === "hann" ? hannWeights(plan.coreWidth, plan.coreHeight) : null;
    this.#partsDown = blend === "crop" ? cropParts(plan.height, plan.coreHeight, plan.rows) : [];
    this.#partsAcross = blend === "crop" ? cropParts(plan.width, plan.coreWidth, plan.columns) : [];
    this.#empty = blend !== "none" || merge === "mean" ? 0 : merge === "max" ? -Infinity : Infinity;
    this.#row = firstRow - 1;
    this.#column = plan.columns.length - 1;
    this.#firstRow = firstRow;
  }

  readonly #firstRow: number;

  /** Bytes held by an accumulator of this plan. */
  static bytes(plan: WindowPlan, bands: number): number {
    return 4 * bands * (2 * plan.coreWidth * plan.coreHeight + carriedRows(plan) * plan.width);
  }

  /**
   * The result of the next window, `[coreHeight, coreWidth, bands]` from `offset`, or null for a window that was left out.
   * Windows come in the order of the plan.
   */
  add(scores: Float32Array | null, offset = 0): void {
    this.#moveOn();
    if (scores !== null) this.#addScores(scores, offset);
    if (this.#column === this.#plan.columns.length - 1) this.#finish(0, this.#plan.coreWidth);
  }

  #moveOn(): void {
    const { columns, coreWidth, coreHeight } = this.#plan;
    if (this.#column === columns.length - 1) {
      this.#row++;
      this.#column = 0;
      this.#load(0, coreWidth);
      return;
    }
    const step = columns[this.#column + 1]! - columns[this.#column]!;
    this.#finish(0, step);
    const bands = this.#bands;
    for (let row = 0; row < coreHeight; row++) {
      const start = row * coreWidth * bands;
      this.#active.copyWithin(start, start + step * bands, start + coreWidth * bands);
    }
    this.#column++;
    this.#load(coreWidth - step, coreWidth);
  }

  /** Fills columns [from, to) of the square with what the rows of windows above have added there. */
  #load(from: number, to: number): void {
    const { columns, rows, width, coreWidth, coreHeight } = this.#plan;
    const bands = this.#bands;
    const sceneCol = columns[this.#column]! + from;
    const known = Math.max(0, Math.min(to - from, width - sceneCol));
    const carried = this.#row > this.#firstRow ? rows[this.#row - 1]! + coreHeight - rows[this.#row]! : 0;
    for (let row = 0; row < coreHeight; row++) {
      const start = (row * coreWidth + from) * bands;
      const kept = row < carried ? known : 0;
      if (kept > 0) {
        const source = (row * width + sceneCol) * bands;
        this.#active.set(this.#carry.subarray(source, source + kept * bands), start);
      }
      this.#active.fill(this.#empty, start + kept * bands, start + (to - from) * bands);
    }
  }

  /** Columns [from, to) of the square get nothing more from this row of windows. */
  #finish(from: number, to: number): void {
    const { columns, rows, width, height, coreWidth, coreHeight } = this.#plan;
    const bands = this.#bands;
    const top = rows[this.#row]!;
    const sceneCol = columns[this.#column]! + from;
    const cols = Math.min(to - from, width - sceneCol);
    const done = Math.min(rows[this.#row + 1] ?? height, height) - top;
    if (cols <= 0) return;
    this.#onFinished({ sums: this.#active.subarray(from * bands), stride: coreWidth, row: top, col: sceneCol, rows: done, cols });
    if (this.#row === rows.length - 1) return;
    for (let row = done; row < coreHeight; row++) {
      const start = (row * coreWidth + from) * bands;
      this.#carry.set(this.#active.subarray(start, start + cols * bands), ((row - done) * width + sceneCol) * bands);
    }
  }

  #addScores(scores: Float32Array, offset: number): void {
    const active = this.#active;
    const bands = this.#bands;
    if (this.#weights !== null) {
      addWeighted(active, scores, offset, this.#weights, bands);
    } else if (this.#blend === "crop") {
      this.#copyPart(scores, offset);
    } else if (this.#merge === "mean") {
      for (let i = 0; i < active.length; i++) active[i]! += scores[offset + i]!;
    } else {
      const pick = this.#merge === "max" ? Math.max : Math.min;
      for (let i = 0; i < active.length; i++) active[i] = pick(active[i]!, scores[offset + i]!);
    }
  }

  #copyPart(scores: Float32Array, offset: number): void {
    const { coreWidth } = this.#plan;
    const [top, bottom] = this.#partsDown[this.#row]!;
    const [left, right] = this.#partsAcross[this.#column]!;
    for (let row = top; row < bottom; row++) {
      const start = (row * coreWidth + left) * this.#bands;
      const end = (row * coreWidth + right) * this.#bands;
      this.#active.set(scores.subarray(offset + start, offset + end), start);
    }
  }
}

function addWeighted(active: Float32Array, scores: Float32Array, offset: number, weights: Float32Array, bands: number): void {
  let i = 0;
  for (let pixel = 0; pixel < weights.length; pixel++) {
    const weight = weights[pixel]!;
    for (let band = 0; band < bands; band++, i++) active[i]! += scores[offset + i]! * weight;
  }
}

/** Most rows that one row of windows leaves to the next. */
function carriedRows({ rows, coreHeight }: WindowPlan): number {
  let most = 0;
  for (let i = 1; i < rows.length; i++) most = Math.max(most, rows[i - 1]! + coreHeight - rows[i]!);
  return most;
}
