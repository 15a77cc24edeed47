/** What a detector says of a window, in pixels of the scene. */

import type { Detection } from "../inference-function.ts";
import type { WindowPlan } from "../windows/window-plan.ts";
import { clipBox, type PixelBox, type PixelMask, type Sighting } from "./detection.ts";
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

/**
 * A mask over a box as pixels of the scene whose middles lie in the box: bilinear between the middles of its cells, belonging where it is
 * at least 0.5; null where no pixel of the window does.
 */
export function pasteMask(mask: NonNullable<Detection["mask"]>, [x0, y0, x1, y1]: PixelBox, window: PixelBox): PixelMask | null {
  const [left, top] = [Math.max(Math.ceil(x0 - 0.5), window[0]), Math.max(Math.ceil(y0 - 0.5), window[1])];
  const [width, height] = [Math.min(Math.ceil(x1 - 0.5), window[2]) - left, Math.min(Math.ceil(y1 - 0.5), window[3]) - top];
  if (width <= 0 || height <= 0) return null;
  const bits = new Uint8Array(width * height);
  const columns = Array.from({ length: width }, (_, x) => between(((left + x + 0.5 - x0) / (x1 - x0)) * mask.width - 0.5, mask.width));
  let any = false;
  for (let y = 0; y < height; y++) {
    const [r, below, v] = between(((top + y + 0.5 - y0) / (y1 - y0)) * mask.height - 0.5, mask.height);
    const [upper, lower] = [r * mask.width, below * mask.width];
    for (let x = 0; x < width; x++) {
      const [c, next, u] = columns[x]!;
      const { scores } = mask;
      const value =
        (1 - v) * ((1 - u) * scores[upper + c]! + u * scores[upper + next]!) +
        v * ((1 - u) * scores[lower + c]! + u * scores[lower + next]!);
      if (value < 0.5) continue;
      bits[y * width + x] = 1;
      any = true;
    }
  }
  return any ? { left, top, width, height, bits } : null;
}

/** The cells around a position, and how far it is on the way from one to the other; beyond the outermost middles nothing changes. */
function between(position: number, cells: number): readonly [number, number, number] {
  const at = Math.min(cells - 1, Math.max(0, position));
  const cell = Math.floor(at);
  return [cell, Math.min(cells - 1, cell + 1), at - cell];
}
