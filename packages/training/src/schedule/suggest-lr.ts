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
 * Two rules of thumb, the smaller of both: the rate at which half of the fall from the start to the lowest smoothed loss
 * is done (close to where it falls fastest), and a tenth of the rate at which the lowest smoothed loss is reached (the
 * sweep runs ahead of its own effect, so the lowest point lies too far to the right).
 */
export function suggestLr(curve: readonly LrPoint[]): number | null {
  let lowest = 0;
  for (let i = 1; i < curve.length; i++) if (curve[i]!.smoothed < curve[lowest]!.smoothed) lowest = i;
  const bottom = curve[lowest];
  if (!bottom || lowest === 0) return null;
  let highest = 0;
  for (let i = 1; i < lowest; i++) if (curve[i]!.smoothed > curve[highest]!.smoothed) highest = i;
  const top = curve[highest]!;
  if (top.smoothed - bottom.smoothed < 0.02 * Math.abs(top.smoothed)) return null;
  const middle = (top.smoothed + bottom.smoothed) / 2;
  const half = curve.slice(highest, lowest + 1).find(({ smoothed }) => smoothed <= middle)!;
  return Math.min(half.lr, bottom.lr / 10);
}
