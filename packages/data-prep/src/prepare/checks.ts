/** Checks of the numbers among the options of `prepareData`. */

import { availableParallelism } from "node:os";

import { GeoLearnError } from "@geolearn/core";

import type { ChipSource } from "../chips/chip.ts";
import type { PrepareDataOptions } from "./options.ts";

/** Numbers with their defaults. */
export interface CheckedNumbers {
  readonly batchSize: number;
  readonly valSplit: number;
  readonly seed: number;
  readonly prefetch: number;
  readonly workers: number;
}

/** @throws INVALID_ARGUMENT */
export function checkNumbers(options: PrepareDataOptions): CheckedNumbers {
  return {
    batchSize: integer("batchSize", options.batchSize ?? 8, 1, 4096),
    valSplit: share("valSplit", options.valSplit ?? 0.2, "`valSplit: 0.2` keeps a fifth."),
    seed: integer("seed", options.seed ?? 42, 0, Number.MAX_SAFE_INTEGER),
    prefetch: integer("prefetch", options.prefetch ?? 3, 1, 64),
    workers: integer("workers", options.workers ?? (availableParallelism() > 4 ? 2 : 1), 0, 64),
  };
}

function integer(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${name}\` is ${String(value)}; expected an integer from ${min} to ${max}.`, {
    hint: "See the options of prepareData().",
    data: { option: name },
  });
}

/** @throws INVALID_ARGUMENT */
export function share(name: string, value: number, hint: string): number {
  if (value >= 0 && value <= 1) return value;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${name}\` is ${String(value)}; expected a share from 0 to 1.`, { hint });
}

/** What the network gets of a chip. @throws CHIPS_MISMATCH */
export function cropSize(
  chips: Pick<ChipSource, "width" | "height">,
  wanted: PrepareDataOptions["chipSize"],
): { width: number; height: number } {
  const { width, height } = typeof wanted === "object" ? wanted : { width: wanted ?? chips.width, height: wanted ?? chips.height };
  if (Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1 && width <= chips.width && height <= chips.height) {
    return { width, height };
  }
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `Chips of ${width} x ${height} pixels (\`chipSize\`) cannot be cut out of chips of ${chips.width} x ${chips.height} pixels.`,
    {
      hint: "Export larger chips, or use a smaller `chipSize`.",
      data: { width, height, chipWidth: chips.width, chipHeight: chips.height },
    },
  );
}
