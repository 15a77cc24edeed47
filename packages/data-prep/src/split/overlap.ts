/** How much ground validation chips share with training chips. */

import type { Bounds } from "@geolearn/core";
import Flatbush from "flatbush";

/** Overlap of a validation side with a training side. */
export interface SplitOverlap {
  /** Validation chips that share ground with at least one training chip. */
  readonly chips: number;
  /** Share of the validation ground that training chips cover, 0 to 1. */
  readonly share: number;
}

/** Points per side of a chip at which coverage is looked at. */
const SAMPLES = 16;

/** Share of a chip's side that may be common: world files round, and turned chips are told by their boxes. */
const MARGIN = 1e-3;

/** A spatial index over some of the footprints. */
export class FootprintIndex {
  readonly #index: Flatbush | null;
  readonly #members: readonly number[];
  readonly #bounds: readonly Bounds[];

  constructor(bounds: readonly Bounds[], members: readonly number[]) {
    this.#members = members;
    this.#bounds = bounds;
    this.#index = members.length === 0 ? null : new Flatbush(members.length);
    for (const member of members) this.#index?.add(...bounds[member]!);
    this.#index?.finish();
  }

  /** Members that share ground with a footprint; a common edge is not common ground. */
  overlapping(footprint: Bounds): number[] {
    const [x0, y0, x1, y1] = footprint;
    const marginX = (x1 - x0) * MARGIN;
    const marginY = (y1 - y0) * MARGIN;
    const found = this.#index?.search(x0 + marginX, y0 + marginY, x1 - marginX, y1 - marginY) ?? [];
    return found
      .map((position) => this.#members[position]!)
      .filter((member) => {
        const [a0, b0, a1, b1] = this.#bounds[member]!;
        return Math.min(a1, x1) - Math.max(a0, x0) > marginX && Math.min(b1, y1) - Math.max(b0, y0) > marginY;
      });
  }
}

/** Measures how far a training side covers a validation side, on 16 x 16 points per chip. */
export function measureOverlap(bounds: readonly Bounds[], train: readonly number[], valid: readonly number[]): SplitOverlap {
  const index = new FootprintIndex(bounds, train);
  let chips = 0;
  let covered = 0;
  for (const chip of valid) {
    const near = index.overlapping(bounds[chip]!);
    if (near.length === 0) continue;
    chips++;
    covered += coveredPoints(
      bounds[chip]!,
      near.map((member) => bounds[member]!),
    );
  }
  return { chips, share: valid.length === 0 ? 0 : covered / (valid.length * SAMPLES * SAMPLES) };
}

function coveredPoints([x0, y0, x1, y1]: Bounds, others: readonly Bounds[]): number {
  let covered = 0;
  for (let row = 0; row < SAMPLES; row++) {
    const y = y0 + ((row + 0.5) / SAMPLES) * (y1 - y0);
    for (let col = 0; col < SAMPLES; col++) {
      const x = x0 + ((col + 0.5) / SAMPLES) * (x1 - x0);
      if (others.some(([a0, b0, a1, b1]) => x > a0 && x < a1 && y > b0 && y < b1)) covered++;
    }
  }
  return covered;
}
