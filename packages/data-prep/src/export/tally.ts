/** Counts of an export, taken up chip by chip in their order, so that any number of workers gives the same numbers. */

import { type BandMoments, mergeMoments, NO_MOMENTS } from "../esri/accumulated-stats.ts";
import type { ChipOutcome } from "./chip-job.ts";

/** Pixels of one class value. */
export interface ValueTally {
  images: number;
  pixels: number;
  /** Fewest and most pixels in chips that hold the class. */
  min: number;
  max: number;
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
  classesPerImage: { min: number; max: number; sum: number };
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
    classesPerImage: { min: 0, max: 0, sum: 0 },
  };
}

/** Adds one chip. `counted` tells which values are classes of their own (an undeclared 0 is not). */
export function addToTally(tally: Tally, chip: ChipOutcome, counted: (value: number) => boolean): void {
  tally.bytes += chip.bytes;
  tally.bands = tally.bands.map((moments, band) => mergeMoments(moments, chip.moments[band]!));
  const classes = chip.labels.filter(([value]) => counted(value)).length;
  const { classesPerImage } = tally;
  classesPerImage.min = tally.chips === 0 ? classes : Math.min(classesPerImage.min, classes);
  classesPerImage.max = Math.max(classesPerImage.max, classes);
  classesPerImage.sum += classes;
  tally.chips++;
  for (const [value, pixels] of chip.labels) {
    const own = (tally.values[value] ??= { images: 0, pixels: 0, min: pixels, max: pixels });
    own.images++;
    own.pixels += pixels;
    own.min = Math.min(own.min, pixels);
    own.max = Math.max(own.max, pixels);
  }
}
