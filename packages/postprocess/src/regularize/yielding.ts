/** Moving walls out of a neighbour's way. */

import { type Wall, cornersOf, outward } from "./walls.ts";

/** Steps in which a wall may come in by the tolerance. */
const STEPS = 16;

/** How a ring yields. */
export interface Yielding {
  readonly tolerance: number;
  /** Walls lie on a grid of this spacing; 0 for none. */
  readonly precision: number;
  /** Area of a ring's corners that must go; 0 when nothing is in the way. When it is above `most`, nobody asks how far. */
  readonly excess: (corners: Float64Array, most: number) => number;
}

/** The walls of a ring moved in, step by step the one that gives way most, until nothing is in the way; null when they cannot. */
export function yieldWalls(walls: readonly Wall[], { tolerance, precision, excess }: Yielding): readonly Wall[] | null {
  const step = precision === 0 ? tolerance / STEPS : precision * Math.ceil(tolerance / STEPS / precision);
  let [ring, left] = [walls, excess(cornersOf(walls), Infinity)];
  for (let moves = Math.floor(tolerance / step); left > 0; moves--) {
    if (moves === 0) return null;
    const corners = cornersOf(ring);
    let best: readonly Wall[] | null = null;
    for (const [k, wall] of ring.entries()) {
      const tried = ring.with(k, { ...wall, offset: wall.offset - outward(ring, corners, k) * step });
      const rest = excess(cornersOf(tried), left);
      if (rest < left) [best, left] = [tried, rest];
    }
    if (best === null) return null;
    ring = best;
  }
  return ring;
}
