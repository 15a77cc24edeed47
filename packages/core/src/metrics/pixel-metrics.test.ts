import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import type { ClassDefinition } from "../classes.ts";
import { countPixels, createConfusionMatrix, mergeConfusion } from "./confusion.ts";
import { type ClassMetrics, pixelMetrics } from "./pixel-metrics.ts";

type ClassFigure = "iou" | "precision" | "recall" | "f1";
type Case = { truth: number[]; predicted: number[]; size: number; matrix: number[][] } & Record<
  "pixelAccuracy" | "kappa" | "meanIou",
  number | null
> &
  Record<ClassFigure, (number | null)[]>;

const { cases } = JSON.parse(readFileSync(new URL("fixtures/pixel-metrics.json", import.meta.url), "utf8")) as {
  cases: Record<string, Case>;
};

function classList(size: number): ClassDefinition[] {
  return Array.from({ length: size }, (_, i) => ({ value: i * 10, name: `class ${i}`, color: [i, i, i] as const }));
}

function expectEqual(ours: number | null, theirs: number | null): void {
  if (theirs === null || ours === null) expect(ours).toBe(theirs);
  else expect(Math.abs(ours - theirs)).toBeLessThanOrEqual(1e-12);
}

describe("metrics equal scikit-learn's to 1e-12", () => {
  test.each(Object.entries(cases))("%s", (_, peer) => {
    const matrix = createConfusionMatrix(peer.size);
    countPixels(matrix, peer.truth, peer.predicted);
    expect([...matrix.counts]).toEqual(peer.matrix.flat());
    const ours = pixelMetrics(matrix, classList(peer.size));
    expectEqual(ours.pixelAccuracy, peer.pixelAccuracy);
    expectEqual(ours.kappa, peer.kappa);
    expectEqual(ours.meanIou, peer.meanIou);
    for (const figure of ["iou", "precision", "recall", "f1"] as const) {
      ours.classes.forEach((c: ClassMetrics, k) => expectEqual(c[figure], peer[figure][k]!));
    }
  });
});

describe("confusion matrix", () => {
  test("counts stay exact where float32 or int32 would not", () => {
    const matrix = createConfusionMatrix(2);
    matrix.counts[0] = 2 ** 40;
    countPixels(matrix, [0, 1], [0, 1]);
    expect(matrix.counts[0]).toBe(2 ** 40 + 1);
    expect(pixelMetrics(matrix, classList(2)).pixels).toBe(2 ** 40 + 2);
  });

  test("the sum of parts is the whole, in any order", () => {
    const { truth, predicted, size } = cases["7 classes"]!;
    const whole = createConfusionMatrix(size);
    countPixels(whole, truth, predicted);
    const sum = createConfusionMatrix(size);
    for (const [from, to] of [
      [300, 400],
      [0, 120],
      [120, 300],
    ] as const) {
      const part = createConfusionMatrix(size);
      countPixels(part, truth.slice(from, to), predicted.slice(from, to));
      mergeConfusion(sum, part);
    }
    expect(sum).toEqual(whole);
  });

  test("nothing counted gives null, not NaN", () => {
    const metrics = pixelMetrics(createConfusionMatrix(2), classList(2));
    expect(metrics).toMatchObject({ pixelAccuracy: null, meanIou: null, kappa: null, pixels: 0 });
    expect(metrics.classes[1]).toEqual({
      value: 10,
      name: "class 1",
      iou: null,
      precision: null,
      recall: null,
      f1: null,
      truthPixels: 0,
      predictedPixels: 0,
    });
  });

  test("refuses sides of different length and classes that are not there", () => {
    const matrix = createConfusionMatrix(2);
    expect(() => countPixels(matrix, [0], [0, 1])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => countPixels(matrix, [2], [0])).toThrow(expect.objectContaining({ code: "CLASS_UNKNOWN" }));
    expect(() => createConfusionMatrix(0)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => pixelMetrics(matrix, classList(3))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
