/** Boxes around objects, in pixels of a chip. */

import type { Ring } from "./clip-polygon.ts";

/** Corner based pixels; x to the right, y down. */
export type Box = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

/** The box around rings; null around nothing. */
export function boxAround(rings: readonly Ring[]): Box | null {
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of rings) {
    for (const [x, y] of ring) {
      if (x < xmin) xmin = x;
      if (x > xmax) xmax = x;
      if (y < ymin) ymin = y;
      if (y > ymax) ymax = y;
    }
  }
  return xmin <= xmax && ymin <= ymax ? [xmin, ymin, xmax, ymax] : null;
}

/** Square pixels. */
export function boxArea([xmin, ymin, xmax, ymax]: Box): number {
  return Math.max(0, xmax - xmin) * Math.max(0, ymax - ymin);
}

/** The part inside `[0, width] x [0, height]`; null when nothing with an area is. */
export function clipBox([xmin, ymin, xmax, ymax]: Box, width: number, height: number): Box | null {
  const clipped: Box = [Math.max(0, xmin), Math.max(0, ymin), Math.min(width, xmax), Math.min(height, ymax)];
  return clipped[2] > clipped[0] && clipped[3] > clipped[1] ? clipped : null;
}
