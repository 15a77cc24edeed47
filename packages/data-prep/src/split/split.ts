/** Training and validation sides of a set of chips. */

import type { Bounds } from "@geolearn/core";

/** How chips are divided. */
export type SplitMethod = "blocks" | "random" | "list";

/** Positions of chips in a list that is ordered by name. */
export interface Split {
  readonly method: SplitMethod;
  readonly train: readonly number[];
  readonly valid: readonly number[];
  /** Chips on neither side: they lie across the border. */
  readonly dropped: readonly number[];
}

/** What a split is made from. */
export interface SplitInput {
  /** Names of the chips, sorted; the order decides nothing else. */
  readonly names: readonly string[];
  /** Bounds in a common plane, or null without positions. */
  readonly footprints: readonly Bounds[] | null;
  /** Labelled pixels per class and chip. */
  readonly classPixels: readonly Float64Array[];
  /** Wanted share of validation chips, 0 to below 1. */
  readonly valSplit: number;
  readonly seed: number;
  /** Draw the same share of every class, where chips are drawn at random. @defaultValue false */
  readonly stratify?: boolean;
}
