import { expect, test } from "vitest";

import { createSmoother, suggestLr } from "./suggest-lr.ts";

/** A sweep whose loss is flat, falls between two rates, then rises. */
function sweep(
  from: number,
  to: number,
  steps: number,
  fallsFrom: number,
  risesFrom: number,
): { lr: number; loss: number; smoothed: number }[] {
  return Array.from({ length: steps }, (_, i) => {
    const lr = from * (to / from) ** (i / (steps - 1));
    const fall = Math.max(0, Math.min(1, Math.log(lr / fallsFrom) / Math.log(risesFrom / fallsFrom)));
    const loss = 1 - 0.6 * fall + Math.max(0, Math.log(lr / risesFrom));
    return { lr, loss, smoothed: loss };
  });
}

test("the suggestion is where half of the fall is done", () => {
  expect(Math.log10(suggestLr(sweep(1e-7, 10, 161, 1e-5, 1e-1))!)).toBeCloseTo(-3, 6);
});

test("it keeps a factor of ten away from the lowest loss", () => {
  expect(Math.log10(suggestLr(sweep(1e-7, 10, 161, 1e-3, 1e-2))!)).toBeCloseTo(-3, 6);
});

test("single rises inside the fall change little", () => {
  const curve = sweep(1e-7, 10, 161, 1e-5, 1e-1).map((point, i) => (i % 7 === 3 ? { ...point, smoothed: point.smoothed + 0.1 } : point));
  expect(Math.abs(Math.log10(suggestLr(curve)!) + 3)).toBeLessThan(0.5);
});

test("a chance low of the first batches is not taken for the fall", () => {
  const curve = sweep(1e-7, 10, 161, 1e-5, 1e-1).map((point, i) =>
    i < 3 ? { ...point, smoothed: 1.3 } : i < 9 ? { ...point, smoothed: 0.9 } : point,
  );
  expect(Math.log10(suggestLr(curve)!)).toBeCloseTo(-3, 1);
});

test("a loss that falls nowhere, or hardly, gives no suggestion", () => {
  expect(suggestLr([])).toBeNull();
  expect(suggestLr([1, 2, 3].map((loss, i) => ({ lr: 10 ** i, loss, smoothed: loss })))).toBeNull();
  expect(suggestLr([1, 0.99, 3].map((loss, i) => ({ lr: 10 ** i, loss, smoothed: loss })))).toBeNull();
});

test("smoothing starts at the first loss", () => {
  const smooth = createSmoother(0.9);
  expect(smooth(4)).toBeCloseTo(4, 12);
  expect(smooth(4)).toBeCloseTo(4, 12);
  expect(smooth(0)).toBeLessThan(4);
});
