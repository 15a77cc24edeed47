/** A made-up town for tests of detection on scenes: what is there, and what a detector without fault says of a window. */

import { boxCoverage, boxIou, createRng } from "@geolearn/core";

import type { WindowPlan } from "../windows/window-plan.ts";
import type { PixelBox, Sighting } from "./detection.ts";
import { windowBox } from "./merge-sightings.ts";

/** Sizes of the things in a town, in pixels. */
export interface TownOptions {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  /** Shortest and longest side of what stands alone. */
  readonly sides: readonly [number, number];
  /** Length of the longest things. */
  readonly longest: number;
}

/** Boxes that do not overlap: single ones, rows of touching ones, and long ones; about one in three of each. */
export function makeTown({ width, height, seed, sides: [least, most], longest }: TownOptions): PixelBox[] {
  const rng = createRng(seed);
  const boxes: PixelBox[] = [];
  const between = (low: number, high: number): number => low + rng.next() * (high - low);
  const gap = 4;
  for (let top = gap; top + most < height;) {
    let tallest = 0;
    for (let left = gap; left < width - least;) {
      const kind = rng.next();
      const tall = between(least, most);
      const wide = kind < 0.1 ? between(most, longest) : between(least, most);
      const count = kind > 0.7 ? 2 + rng.int(5) : 1;
      for (let k = 0; k < count && left + wide < width; k++, left += wide) boxes.push([left, top, left + wide, top + tall]);
      tallest = Math.max(tallest, tall);
      left += count === 1 ? wide + gap + rng.next() * 20 : gap;
    }
    top += tallest + gap + rng.next() * 10;
  }
  return boxes;
}

/** The same with x and y exchanged, so that what was long is tall. */
export function turnBoxes(boxes: readonly PixelBox[]): PixelBox[] {
  return boxes.map(([x0, y0, x1, y1]) => [y0, x0, y1, x1]);
}

/** What every window shows of the boxes: cut at its borders, each side off by up to `jitter` pixels. */
export function seeBoxes(plan: WindowPlan, boxes: readonly PixelBox[], { jitter, seed }: { jitter: number; seed: number }): Sighting[][] {
  const rng = createRng(seed);
  const cell = 256;
  const cells = new Map<string, number[]>();
  for (const [i, [x0, y0, x1, y1]] of boxes.entries()) {
    for (let x = Math.floor(x0 / cell); x <= x1 / cell; x++) {
      for (let y = Math.floor(y0 / cell); y <= y1 / cell; y++) {
        const key = `${x} ${y}`;
        const here = cells.get(key);
        if (here === undefined) cells.set(key, [i]);
        else here.push(i);
      }
    }
  }
  return Array.from({ length: plan.rows.length * plan.columns.length }, (_, window) => {
    const [left, top, right, bottom] = windowBox(plan, window);
    const near = new Set<number>();
    for (let x = Math.floor(left / cell); x <= right / cell; x++)
      for (let y = Math.floor(top / cell); y <= bottom / cell; y++) for (const i of cells.get(`${x} ${y}`) ?? []) near.add(i);
    return [...near]
      .sort((a, b) => a - b)
      .flatMap((i): Sighting[] => {
        const [x0, y0, x1, y1] = boxes[i]!;
        if (Math.min(x1, right) - Math.max(x0, left) < 1 || Math.min(y1, bottom) - Math.max(y0, top) < 1) return [];
        const off = (value: number, low: number, high: number): number =>
          Math.min(high, Math.max(low, value + jitter * (2 * rng.next() - 1)));
        const seen = [
          off(Math.max(x0, left), left, right),
          off(Math.max(y0, top), top, bottom),
          off(Math.min(x1, right), left, right),
          off(Math.min(y1, bottom), top, bottom),
        ] as const;
        if (seen[2] <= seen[0] || seen[3] <= seen[1]) return [];
        return [{ box: seen, score: 0.5 + rng.next() / 2, classIndex: 0 }];
      });
  });
}

/** How well found boxes tell what is there. */
export interface TownScore {
  readonly matched: number;
  /** Things found as two or more. */
  readonly splits: number;
  /** Boxes that hold two or more things. */
  readonly merges: number;
  /** Boxes that are no thing, for whatever reason. */
  readonly extras: number;
}

/** Pairs found boxes and things one to one at an IoU. */
export function scoreTown(truth: readonly PixelBox[], found: readonly PixelBox[], minIou: number): TownScore {
  const [t, f] = [Float64Array.from(truth.flat()), Float64Array.from(found.flat())];
  const byTop = Array.from(truth.keys()).sort((a, b) => truth[a]![1] - truth[b]![1]);
  const tallest = Math.max(...truth.map(([, y0, , y1]) => y1 - y0));
  const taken = new Set<number>();
  const parts = new Map<number, number>();
  let [merges, extras] = [0, 0];
  for (const [j, [, top, , bottom]] of found.entries()) {
    let [best, iou, held] = [-1, minIou, 0];
    for (let k = firstFrom(byTop, truth, top - tallest); k < byTop.length && truth[byTop[k]!]![1] < bottom; k++) {
      const i = byTop[k]!;
      if (boxCoverage(t, i, f, j) > 0.5) held++;
      if (boxCoverage(f, j, t, i) > 0.5) parts.set(i, (parts.get(i) ?? 0) + 1);
      if (taken.has(i) || boxIou(t, i, f, j) < iou) continue;
      iou = boxIou(t, i, f, j);
      best = i;
    }
    if (held > 1) merges++;
    if (best >= 0) taken.add(best);
    else extras++;
  }
  return { matched: taken.size / truth.length, splits: [...parts.values()].filter((count) => count > 1).length, merges, extras };
}

function firstFrom(order: readonly number[], boxes: readonly PixelBox[], top: number): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxes[order[middle]!]![1] < top) low = middle + 1;
    else high = middle;
  }
  return low;
}
