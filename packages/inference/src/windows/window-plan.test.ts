import { GeoLearnError } from "@geolearn/core";
import fc from "fast-check";
import { expect, test } from "vitest";

import { planWindows } from "./window-plan.ts";

test("lays windows as the reference script does when the scene is a multiple of the stride", () => {
  // sorted({min(o, max(n - chip, 0)) for o in range(0, n, chip - overlap)}) for n = 1000, chip = 256, overlap = 64
  const plan = planWindows({ width: 1000, height: 200, tileWidth: 256, tileHeight: 256, overlap: 64 });
  expect(plan.columns).toEqual([0, 192, 384, 576, 744]);
  expect(plan.rows).toEqual([0]);
});

test("windows cover the scene, begin at multiples of the stride and overlap at least as asked", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 2, max: 10 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 0, max: 3 }),
      (width, stride, strides, share, margin) => {
        const core = stride * strides;
        const overlap = Math.floor(((core - stride) * share) / 1000);
        const plan = planWindows({
          width,
          height: 1,
          tileWidth: core + 2 * margin,
          tileHeight: core + 2 * margin,
          overlap,
          stride,
          margin,
        });
        expect(plan.columns[0]).toBe(0);
        const last = plan.columns.at(-1)!;
        expect(last + core).toBeGreaterThanOrEqual(width);
        expect(last === 0 || last + core < width + stride).toBe(true);
        for (const [i, origin] of plan.columns.entries()) {
          expect(origin % stride).toBe(0);
          if (i > 0) expect(plan.columns[i - 1]! + core - origin).toBeGreaterThanOrEqual(overlap);
          if (i > 0) expect(origin).toBeGreaterThan(plan.columns[i - 1]!);
        }
      },
    ),
  );
});

test("refuses an overlap that leaves no step", () => {
  for (const overlap of [-1, 0.5, 241, 256, Number.NaN]) {
    let thrown: unknown;
    try {
      planWindows({ width: 1000, height: 1000, tileWidth: 256, tileHeight: 256, overlap, stride: 16 });
    } catch (error) {
      thrown = error;
    }
    expect(GeoLearnError.is(thrown, "INVALID_ARGUMENT")).toBe(true);
  }
});
