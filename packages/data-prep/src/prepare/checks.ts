/** Checks of the numbers among the options of `prepareData`. */

import { availableParallelism } from "node:os";

import { GeoLearnError } from "@geolearn/core";

import type { ChipSource } from "../chips/chip.ts";
import { type ChipSize, integerOption, numberOption, sizeOption, wrongValue } from "../option-values.ts";
import type { PrepareDataOptions } from "./options.ts";

/** Numbers with their defaults. */
export interface CheckedNumbers {
  readonly batchSize: number;
  readonly valSplit: number;
  readonly seed: number;
  readonly prefetch: number;
  readonly workers: number;
  /** Undefined leaves chips as large as they are. */
  readonly chipSize: ChipSize | undefined;
}

const HINT = "See the options of prepareData().";

/** @throws INVALID_ARGUMENT */
export function checkNumbers(options: PrepareDataOptions): CheckedNumbers {
  const { cacheBytes, chipSize } = options;
  if (cacheBytes !== undefined && !(typeof cacheBytes === "number" && cacheBytes >= 0)) {
    throw wrongValue("cacheBytes", cacheBytes, "a number from 0", "With `cacheBytes: 0` no chip is kept in memory.");
  }
  return {
    batchSize: integerOption("batchSize", options.batchSize ?? 8, [1, 4096], HINT),
    valSplit: numberOption("valSplit", options.valSplit ?? 0.2, [0, 1], "`valSplit: 0.2` keeps a fifth."),
    seed: integerOption("seed", options.seed ?? 42, [0, Number.MAX_SAFE_INTEGER], HINT),
    prefetch: integerOption("prefetch", options.prefetch ?? 3, [1, 64], HINT),
    workers: integerOption("workers", options.workers ?? (availableParallelism() > 4 ? 2 : 1), [0, 64], HINT),
    chipSize: chipSize === undefined ? undefined : sizeOption("chipSize", chipSize, "Use the chips' own size, or a smaller one."),
  };
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
