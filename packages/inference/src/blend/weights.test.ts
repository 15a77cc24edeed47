import fc from "fast-check";
import { expect, test } from "vitest";

import { planWindows } from "../windows/window-plan.ts";
import { cropParts, hannEdge, hannSum, hannSums, hannWeights } from "./weights.ts";

test("the window is numpy's", () => {
  // numpy.hanning(7)[1:-1] and numpy.hanning(6)[1:-1]
  const odd = [0.25, 0.75, 1, 0.75, 0.25];
  const even = [0.3454915028125263, 0.9045084971874737, 0.9045084971874737, 0.3454915028125264];
  for (const expected of [odd, even]) {
    const edge = hannEdge(expected.length);
    for (const [i, value] of expected.entries()) expect(edge[i]).toBeCloseTo(value, 14);
  }
});

test("the sum of weights is positive everywhere and equals the sum over windows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 2, max: 20 }),
      fc.integer({ min: 0, max: 10 }),
      (width, height, tile, overlap) => {
        fc.pre(overlap < tile);
        const plan = planWindows({ width, height, tileWidth: tile, tileHeight: tile, overlap });
        const weights = hannWeights(tile, tile);
        const sums = new Float64Array(width * height);
        for (const row of plan.rows) {
          for (const col of plan.columns) {
            for (let y = 0; y < tile && row + y < height; y++) {
              for (let x = 0; x < tile && col + x < width; x++) sums[(row + y) * width + col + x]! += weights[y * tile + x]!;
            }
          }
        }
        const down = hannSums(height, tile, plan.rows);
        const across = hannSums(width, tile, plan.columns);
        for (let i = 0; i < sums.length; i++) {
          expect(sums[i]).toBeGreaterThan(0);
          expect(Math.abs(hannSum(down, Math.floor(i / width), across, i % width) / sums[i]! - 1)).toBeLessThan(1e-6);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("cropped parts cover a side exactly once and lie inside their windows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 39 }),
      fc.integer({ min: 1, max: 5 }),
      (length, window, overlap, stride) => {
        fc.pre(overlap <= window - stride);
        const { columns } = planWindows({ width: length, height: 1, tileWidth: window, tileHeight: window, overlap, stride });
        const seen = new Uint8Array(length);
        for (const [i, [from, to]] of cropParts(length, window, columns).entries()) {
          expect(from).toBeGreaterThanOrEqual(0);
          expect(to).toBeLessThanOrEqual(window);
          for (let x = from; x < to; x++) seen[columns[i]! + x]!++;
        }
        expect(seen.every((count) => count === 1)).toBe(true);
      },
    ),
  );
});
