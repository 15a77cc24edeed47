/** What a detector says of a window, in pixels of the scene. */

import { pasteMask } from "@geolearn/core";

import type { Detection } from "../inference-function.ts";
import type { WindowPlan } from "../windows/window-plan.ts";
import { clipBox, type PixelBox, type Sighting } from "./detection.ts";
import { cutSides, windowBox } from "./merge-sightings.ts";

/** Which detections count. */
export interface SightingRules {
  readonly minScore: number;
  /** Leaves out what a window's border cuts. */
  readonly excludeEdge: boolean;
}

/** Rows of the scene under a row of windows: 1 where a result is wanted, `[rows][scene width]`. */
export interface WantedRows {
  readonly row: number;
  readonly valid: Uint8Array;
}

/** The detections of a window that count, with at least half of the box where a result is wanted. */
export function sightingsOf(
  plan: WindowPlan,
  window: number,
  detections: readonly Detection[],
  wanted: WantedRows,
  { minScore, excludeEdge }: SightingRules,
): Sighting[] {
  const bounds = windowBox(plan, window);
  const [left, top] = [bounds[0] - plan.margin, bounds[1] - plan.margin];
  return detections.flatMap(({ box: [x0, y0, x1, y1], score, classIndex, mask }): Sighting[] => {
    if (!(score >= minScore)) return [];
    const whole: PixelBox = [x0 + left, y0 + top, x1 + left, y1 + top];
    const box = clipBox(whole, bounds);
    if (!(box[2] > box[0] && box[3] > box[1])) return [];
    if (shareWanted(box, wanted, plan.width) < 0.5) return [];
    const pixels = mask === undefined ? undefined : pasteMask(mask, whole, bounds);
    if (pixels === null) return [];
    const sighting = { box, score, classIndex, ...(pixels === undefined ? {} : { mask: pixels }) };
    return excludeEdge && cutSides(plan, window, sighting).some(Boolean) ? [] : [sighting];
  });
}

/** Share of a box's pixels, at least one, where a result is wanted. */
function shareWanted([x0, y0, x1, y1]: PixelBox, { row, valid }: WantedRows, width: number): number {
  const range = (low: number, high: number): [number, number] => [Math.floor(low), Math.max(Math.floor(low) + 1, Math.ceil(high))];
  const [[left, right], [top, bottom]] = [range(x0, x1), range(y0, y1)];
  let count = 0;
  for (let y = top; y < bottom; y++) for (let x = left; x < Math.min(right, width); x++) count += valid[(y - row) * width + x] ?? 0;
  return count / ((Math.min(right, width) - left) * (bottom - top));
}
