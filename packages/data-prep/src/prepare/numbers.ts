/** The numbers among the options of `prepareData`. */

import { availableParallelism } from "node:os";

import { GeoLearnError } from "@geolearn/core";

import type { ChipSource } from "../chips/chip.ts";
import { type ChipSize, chipSizeOf } from "../option-rules.ts";
import type { PrepareDataOptions } from "./options.ts";

/** Numbers with their defaults. */
export interface PreparedNumbers {
  readonly batchSize: number;
  readonly valSplit: number;
  readonly seed: number;
  readonly prefetch: number;
  readonly workers: number;
  /** Undefined leaves chips as large as they are. */
  readonly chipSize: ChipSize | undefined;
}

/** Fills in the defaults. */
export function numbersOf({ batchSize = 8, valSplit = 0.2, seed = 42, prefetch = 3, ...options }: PrepareDataOptions): PreparedNumbers {
  const { workers = availableParallelism() > 4 ? 2 : 1, chipSize } = options;
  return { batchSize, valSplit, seed, prefetch, workers, chipSize: chipSize === undefined ? undefined : chipSizeOf(chipSize) };
}

/** What the network gets of a chip. @throws CHIPS_MISMATCH */
export function cropSize(chips: Pick<ChipSource, "width" | "height" | "folder">, wanted: ChipSize | undefined): ChipSize {
  const { width, height } = wanted ?? chips;
  if (width <= chips.width && height <= chips.height) return { width, height };
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `Chips of ${width} x ${height} pixels (\`chipSize\`) cannot be cut out of chips of ${chips.width} x ${chips.height} pixels.`,
    {
      hint:
        chips.folder === null
          ? "Give the same `chipSize` beside `raster` and `labels`, or leave it out there."
          : "Export larger chips, or use a smaller `chipSize`.",
      data: { width, height, chipWidth: chips.width, chipHeight: chips.height },
    },
  );
}
