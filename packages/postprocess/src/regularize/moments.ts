/**
 * Sums over pieces of a line, from which walls are fitted: length, and the integrals of x, y, xx, xy, yy along it. Sums of
 * joined pieces add up.
 */

/** Integrals along a piece of an outline. */
export interface Moments {
  length: number;
  x: number;
  y: number;
  xx: number;
  xy: number;
  yy: number;
}

/** The sums of both. */
export function joinMoments(a: Moments, b: Moments): Moments {
  return {
    length: a.length + b.length,
    x: a.x + b.x,
    y: a.y + b.y,
    xx: a.xx + b.xx,
    xy: a.xy + b.xy,
    yy: a.yy + b.yy,
  };
}

/** Integrals of squared deviations from the mean: xx, xy, yy. */
export function scatter({ length, x, y, xx, xy, yy }: Moments): readonly [xx: number, xy: number, yy: number] {
  return [xx - (x * x) / length, xy - (x * y) / length, yy - (y * y) / length];
}

/** Angle of the line with the least squared distance to the piece (total least squares), in radians. */
export function lineAngle(sums: Moments): number {
  const [xx, xy, yy] = scatter(sums);
  return Math.atan2(2 * xy, xx - yy) / 2;
}
