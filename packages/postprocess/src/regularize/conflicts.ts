/** Results that would overlap where their outlines did not. */

import { sharedArea } from "./adjoining.ts";

type Rings = readonly Float64Array[];
type Pair = readonly [number, number];

/** True when two results, or the polygons where there is none, have more in common than the polygons had. */
export function overlapsMore(polygons: readonly Rings[], results: readonly (Rings | null)[], [a, b]: Pair, tolerance: number): boolean {
  const [one, other] = [results[a], results[b]];
  if (!one && !other) return false;
  const after = sharedArea(one ?? polygons[a]!, other ?? polygons[b]!);
  return after > 1e-6 * tolerance ** 2 && after > sharedArea(polygons[a]!, polygons[b]!);
}

/** Results without those that would overlap more than before. */
export function withoutConflicts(
  polygons: readonly Rings[],
  results: readonly (Rings | null)[],
  pairs: readonly Pair[],
  tolerance: number,
): (Rings | null)[] {
  const left = [...results];
  for (let changed = true; changed;) {
    changed = false;
    for (const pair of pairs) {
      if (!overlapsMore(polygons, left, pair, tolerance)) continue;
      for (const i of pair) left[i] = null;
      changed = true;
    }
  }
  return left;
}
