import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { ClassDefinition } from "../classes.ts";
import type { GeoLearnError } from "../errors.ts";
import { multiLabelMetrics, type TileClassMetrics, tileMetrics } from "./tile-metrics.ts";

interface Expected {
  readonly scores: number[];
  readonly truth: number[];
  readonly precision: (number | null)[];
  readonly recall: (number | null)[];
  readonly f1: (number | null)[];
  readonly truthChips: number[];
}

/** What tests/oracles/tile_metrics.py has computed with scikit-learn. */
const { one, several } = JSON.parse(readFileSync(new URL("./fixtures/tile-metrics.json", import.meta.url), "utf8")) as {
  one: Expected & { accuracy: number; top5: number; kappa: number; confusion: number[] };
  several: Expected & { thresholds: number[]; exactMatch: number; averagePrecision: number[]; meanAp: number };
};

const named = (count: number): ClassDefinition[] =>
  Array.from({ length: count }, (_, i) => ({ value: 10 * i, name: `c${i}`, color: [0, 0, i] }));

/** Sums of at most a hundred shares in another order than scikit-learn's: rounding only. */
const DIGITS = 12;

function same(found: readonly (number | null)[], expected: readonly (number | null)[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, i) => (expected[i] === null ? expect(value).toBeNull() : expect(value).toBeCloseTo(expected[i]!, DIGITS)));
}

function sameClasses(classes: readonly TileClassMetrics[], { precision, recall, f1, truthChips }: Expected): void {
  same(classes.map((c) => c.precision), precision); // prettier-ignore
  same(classes.map((c) => c.recall), recall); // prettier-ignore
  same(classes.map((c) => c.f1), f1); // prettier-ignore
  same(classes.map((c) => c.truthChips), truthChips); // prettier-ignore
}

describe("chips with one class", () => {
  it("are measured as by scikit-learn", () => {
    const found = tileMetrics(one.scores, one.truth, named(7));
    expect(found.accuracy).toBeCloseTo(one.accuracy, DIGITS);
    expect(found.top5Accuracy).toBeCloseTo(one.top5, DIGITS);
    expect(found.kappa).toBeCloseTo(one.kappa, DIGITS);
    expect([...found.confusion!.counts]).toEqual(one.confusion);
    expect(found.chips).toBe(one.truth.length);
    sameClasses(found.classes, one);
    const known = one.f1.filter((value) => value !== null);
    expect(found.meanF1).toBeCloseTo(known.reduce((a, b) => a + b, 0) / known.length, DIGITS);
    expect([found.exactMatch, found.meanAp]).toEqual([null, null]);
  });

  it("that do not count are left out, and nothing is measured without chips", () => {
    const found = tileMetrics([0.9, 0.1, 0.2, 0.8, 0.6, 0.4], [0, -1, 1], named(2));
    expect([found.accuracy, found.chips, found.top5Accuracy]).toEqual([0.5, 2, null]);
    const none = tileMetrics([], [], named(2));
    expect([none.accuracy, none.kappa, none.meanF1, none.chips]).toEqual([null, null, null, 0]);
  });
});

describe("chips with several classes", () => {
  it("are measured as by scikit-learn", () => {
    const found = multiLabelMetrics(several.scores, several.truth, named(7), several.thresholds);
    expect(found.exactMatch).toBeCloseTo(several.exactMatch, DIGITS);
    expect(found.meanAp).toBeCloseTo(several.meanAp, DIGITS);
    same(found.classes.map((c) => c.averagePrecision), several.averagePrecision); // prettier-ignore
    sameClasses(found.classes, several);
    expect([found.accuracy, found.kappa, found.confusion]).toEqual([null, null, null]);
  });

  it("that do not fit are refused", () => {
    const code = (work: () => unknown): string => {
      try {
        work();
      } catch (error) {
        return (error as GeoLearnError).code;
      }
      return "none";
    };
    expect(code(() => multiLabelMetrics([0.5], [1, 0], named(2), [0.5, 0.5]))).toBe("INVALID_ARGUMENT");
    expect(code(() => multiLabelMetrics([0.5, 0.5], [1, 0], named(2), [0.5]))).toBe("INVALID_ARGUMENT");
    expect(code(() => multiLabelMetrics([Number.NaN, 0.5], [1, 0], named(2), [0.5, 0.5]))).toBe("INVALID_ARGUMENT");
    const none = multiLabelMetrics([], [], named(2), [0.5, 0.5]);
    expect([none.exactMatch, none.meanAp, none.chips]).toEqual([null, null, 0]);
  });
});
