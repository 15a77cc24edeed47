/** What a training run leaves behind, epoch by epoch. */

import type { PixelMetrics } from "@geolearn/core";

/** One epoch. Plain JSON; printed by the command line as it is. */
export interface EpochRecord {
  /** Counted from 1 over all calls of `fit`. */
  readonly epoch: number;
  /** Mean loss of the epoch's batches, as they were met. */
  readonly trainLoss: number;
  /** Loss over the validation side, weighted by labelled pixels; null without a validation side. */
  readonly validLoss: number | null;
  /**
   * Validation metrics: `pixelAccuracy`, `meanIou`, `kappa` and `iou <class name>` for each class; null where a figure has
   * no meaning (see `pixelMetrics`).
   */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Wall-clock seconds of training and validation. */
  readonly seconds: number;
}

/** The metrics of a record from an evaluation. */
export function epochMetrics({ pixelAccuracy, meanIou, kappa, classes }: PixelMetrics): Record<string, number | null> {
  return { pixelAccuracy, meanIou, kappa, ...Object.fromEntries(classes.map(({ name, iou }) => [`iou ${name}`, iou])) };
}
