/** From the losses of a learning-rate sweep to a learning rate. */

/** One step of a sweep. */
export interface LrPoint {
  readonly lr: number;
  /** Loss of the step, as it was. */
  readonly loss: number;
  /** Exponentially smoothed loss, corrected for its start as Adam's moments are. */
  readonly smoothed: number;
}

/** A smoother of losses: weight `beta` on the past. */
export function createSmoother(beta: number): (loss: number) => number {
  let average = 0;
  let weight = 1;
  return (loss) => {
    average = beta * average + (1 - beta) * loss;
    weight *= beta;
    return average / (1 - weight);
  };
}

/**
 * The suggested highest learning rate of a sweep, or null when the loss falls by less than 2 % anywhere.
 *
 * Two rules of thumb, the smaller of both: the rate from which on the smoothed loss stays below half of its fall from the
 * plateau (the median of the first third) to its lowest point, which is close to where it falls fastest; and a tenth of the
 * rate of the lowest point (the sweep runs ahead of its own effect, so that point lies too far to the right). Searching back
 * from the lowest point keeps chance lows of single batches, at rates far too small to matter, out of the matter.
 */
export function suggestLr(curve: readonly LrPoint[]): number | null {
  let lowest = 0;
  for (let i = 1; i < curve.length; i++) if (curve[i]!.smoothed < curve[lowest]!.smoothed) lowest = i;
  const bottom = curve[lowest];
  if (!bottom || lowest < 2) return null;
  const start = curve
    .slice(0, Math.ceil(lowest / 3))
    .map(({ smoothed }) => smoothed)
    .sort((a, b) => a - b);
  const plateau = start[start.length >> 1]!;
  if (plateau - bottom.smoothed < 0.02 * Math.abs(plateau)) return null;
  const middle = (plateau + bottom.smoothed) / 2;
  let half = lowest;
  while (half > 0 && curve[half - 1]!.smoothed <= middle) half--;
  return Math.min(curve[half]!.lr, bottom.lr / 10);
}
