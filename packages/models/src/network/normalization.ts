/** What is done to pixel values before a network sees them. */

/** Constants of the input layer, one number per band. */
export interface BandNormalization {
  readonly mean: readonly number[];
  /** Divisor; 0 (a constant band) counts as 1. */
  readonly std: readonly number[];
}
