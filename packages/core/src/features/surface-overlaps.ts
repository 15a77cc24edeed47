/** Which of many surfaces lie on which. */

import Flatbush from "flatbush";

import { type Surface, sharedArea } from "./surface.ts";

/** Two surfaces that share an area. */
export interface SurfaceOverlap {
  /** Positions in the two lists. */
  readonly a: number;
  readonly b: number;
  /** In squared units of the coordinates, above 0. */
  readonly area: number;
}

/**
 * All pairs of a surface of one list and one of the other that share an area, in the order of `a`, then of `b`. A spatial index
 * finds them, so lists of ten thousands are fine.
 *
 * @param wanted - pairs to look at; others are left out unmeasured
 */
export function surfaceOverlaps(
  a: readonly Surface[],
  b: readonly Surface[],
  wanted: (a: number, b: number) => boolean = () => true,
): SurfaceOverlap[] {
  const placed = [...b.keys()].filter((j) => b[j]!.bounds !== null);
  if (placed.length === 0) return [];
  const index = new Flatbush(placed.length);
  for (const j of placed) index.add(...b[j]!.bounds!);
  index.finish();
  const overlaps: SurfaceOverlap[] = [];
  for (const [i, surface] of a.entries()) {
    if (surface.bounds === null) continue;
    const near = index.search(...surface.bounds).map((k) => placed[k]!);
    for (const j of near.sort((one, other) => one - other)) {
      if (!wanted(i, j)) continue;
      const area = sharedArea(surface, b[j]!);
      if (area > 0) overlaps.push({ a: i, b: j, area });
    }
  }
  return overlaps;
}
