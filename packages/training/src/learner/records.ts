/** What a training run leaves behind, epoch by epoch. */

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
