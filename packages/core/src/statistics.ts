/** Statistics of one band in float64 over valid pixels. */

/** Statistics of one band. */
export interface BandStatistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  /** Valid pixels. */
  readonly count: number;
}
