/** Counts of an export, taken up chip by chip in their order, so that any number of workers gives the same numbers. */

import { type BandMoments, mergeMoments, NO_MOMENTS } from "../esri/accumulated-stats.ts";
import type { ChipOutcome } from "./chip-job.ts";

/** Amounts of one class value: pixels chip by chip, or areas object by object. */
export interface ValueTally {
  /** Chips that hold the class. */
  images: number;
  sum: number;
  /** Smallest and largest amount. */
  min: number;
  max: number;
  /** Amounts that were added. */
  count: number;
}

/** Running counts; plain data, so that they can be written down and read again. */
export interface Tally {
  chips: number;
  unlabelled: number;
  ignored: number;
  /** Those of the ignored windows without a valid pixel of the image. */
  missing: number;
  bytes: number;
  bands: BandMoments[];
  /** By class value. */
  values: Record<string, ValueTally>;
  /** Classes, or objects, per chip. */
  perImage: { min: number; max: number; sum: number };
}

/** Nothing counted yet. */
export function emptyTally(bands: number): Tally {
  return {
    chips: 0,
    unlabelled: 0,
    ignored: 0,
    missing: 0,
    bytes: 0,
    bands: Array.from({ length: bands }, () => NO_MOMENTS),
    values: {},
    perImage: { min: 0, max: 0, sum: 0 },
  };
}

/** Adds one chip. `own` is what counts of it: its classes, or its objects. */
export function addToTally(tally: Tally, chip: ChipOutcome, own: number): void {
  tally.bytes += chip.bytes;
  tally.bands = tally.bands.map((moments, band) => mergeMoments(moments, chip.moments[band]!));
  const { perImage } = tally;
  perImage.min = tally.chips === 0 ? own : Math.min(perImage.min, own);
  perImage.max = Math.max(perImage.max, own);
  perImage.sum += own;
  tally.chips++;
  for (const { value, sum, min, max, count } of chip.classes) {
    const known = (tally.values[value] ??= { images: 0, sum: 0, min, max, count: 0 });
    known.images++;
    known.sum += sum;
    known.min = Math.min(known.min, min);
    known.max = Math.max(known.max, max);
    known.count += count;
  }
}
