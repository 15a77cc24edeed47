import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createRng } from "../rng.ts";
import { boxCoverage, boxIou, boxIous } from "./boxes.ts";
import { type FuseBoxesOptions, fuseBoxes } from "./fuse-boxes.ts";
import { nms } from "./nms.ts";

interface NmsCase {
  boxes: number[];
  scores: number[];
  maxOverlap: number;
  labels: number[] | null;
  kept: number[];
}
interface Found {
  boxes: number[];
  scores: number[];
  labels: number[];
}
const peers = JSON.parse(readFileSync(new URL("fixtures/boxes.json", import.meta.url), "utf8")) as {
  nms: Record<string, NmsCase>;
  fusion: Record<string, Found & { sources: Found[]; options: FuseBoxesOptions }>;
};

const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });

describe("IoU of boxes", () => {
  test("by hand", () => {
    const a = new Float64Array([0, 0, 2, 2]);
    expect([...boxIous(a, new Float64Array([1, 0, 3, 2, 2, 0, 4, 2, 0, 0, 2, 2, 0, 0, 0, 5]))]).toEqual([1 / 3, 0, 1, 0]);
    expect(boxCoverage(new Float64Array([1, 1, 3, 2]), 0, a, 0)).toBe(0.5);
    expect(boxCoverage(new Float64Array([1, 1, 1, 2]), 0, a, 0)).toBe(0);
  });

  test("is symmetric, 1 with itself and never above 1", () => {
    const side = fc.double({ min: 0.01, max: 100, noNaN: true });
    const place = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const box = fc.tuple(place, place, side, side).map(([x, y, w, h]) => new Float64Array([x, y, x + w, y + h]));
    fc.assert(
      fc.property(box, box, (a, b) => {
        expect(boxIou(a, 0, a, 0)).toBe(1);
        expect(boxIou(a, 0, b, 0)).toBe(boxIou(b, 0, a, 0));
        expect(boxIou(a, 0, b, 0)).toBeLessThanOrEqual(1);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test("refuses what is no box", () => {
    expect(() => boxIous(new Float64Array(3), new Float64Array(4))).toThrow(invalid);
    for (const wrong of [
      [1, 0, 0, 1],
      [0, 0, Number.NaN, 1],
      [-Infinity, 0, 1, 1],
    ]) {
      expect(() => boxIous(new Float64Array(wrong), new Float64Array(4))).toThrow(invalid);
    }
  });
});

describe("non-maximum suppression keeps what torchvision's rule and ONNX Runtime keep", () => {
  test.each(Object.entries(peers.nms))("%s", (_, { boxes, scores, maxOverlap, labels, kept }) => {
    expect([...nms(new Float64Array(boxes), scores, { maxOverlap, ...(labels === null ? {} : { labels }) })]).toEqual(kept);
  });

  test("the index and the comparison of all pairs agree, and a limit keeps the best", () => {
    const rng = createRng(8);
    const boxes = new Float64Array(4 * 63);
    for (let i = 0; i < boxes.length; i += 4) {
      const [x, y] = [rng.int(40), rng.int(40)];
      boxes.set([x, y, x + 1 + rng.int(20), y + 1 + rng.int(20)], i);
    }
    const scores = Float64Array.from({ length: 63 }, () => rng.int(10) / 10);
    const few = nms(boxes, scores, { maxOverlap: 0.3 });
    // far away and worse boxes bring the count over the bound from which on the index works
    const more = new Float64Array([...boxes, ...boxes.map((value) => value + 1000)]);
    const many = nms(more, [...scores, ...scores.map((score) => score - 2)], { maxOverlap: 0.3 });
    expect([...many.slice(0, few.length)]).toEqual([...few]);
    expect([...many.slice(few.length)]).toEqual(Array.from(few, (i) => i + 63));
    expect([...nms(boxes, scores, { maxOverlap: 0.3, limit: 3 })]).toEqual([...few.slice(0, 3)]);
  });

  test("nothing in, nothing out; refuses odd input", () => {
    const one = new Float64Array([0, 0, 1, 1]);
    expect([...nms(new Float64Array(), [], { maxOverlap: 0.5 })]).toEqual([]);
    expect(() => nms(one, [Number.NaN], { maxOverlap: 0.5 })).toThrow(invalid);
    expect(() => nms(one, [], { maxOverlap: 0.5 })).toThrow(invalid);
    expect(() => nms(one, [1], { maxOverlap: 50 })).toThrow(invalid);
    expect(() => nms(one, [1], { maxOverlap: 0.5, labels: [1, 2] })).toThrow(invalid);
  });
});

describe("weighted box fusion equals ensemble-boxes", () => {
  test.each(Object.entries(peers.fusion))("%s", (_, { sources, options, ...theirs }) => {
    const ours = fuseBoxes(
      sources.map(({ boxes, ...rest }) => ({ boxes: new Float64Array(boxes), ...rest })),
      options,
    );
    expect([...ours.labels]).toEqual(theirs.labels);
    // ensemble-boxes sums in float32, 24 bits of 512 and of scores up to 2
    const most = (a: ArrayLike<number>, b: readonly number[]): number =>
      b.reduce((worst, value, i) => Math.max(worst, Math.abs(value - a[i]!)), 0);
    expect(ours.boxes).toHaveLength(theirs.boxes.length);
    expect(most(ours.boxes, theirs.boxes)).toBeLessThan(3e-4);
    expect(most(ours.scores, theirs.scores)).toBeLessThan(1e-6);
  });

  test("scores of 0 fuse to the first box, not to NaN; refuses odd input", () => {
    const zero = { boxes: new Float64Array([0, 0, 2, 2]), scores: [0], labels: [3] };
    expect([...fuseBoxes([zero, { ...zero, boxes: new Float64Array([0, 0, 2, 3]) }]).boxes]).toEqual([0, 0, 2, 2]);
    expect(() => fuseBoxes([zero], { weights: [1, 2] })).toThrow(invalid);
    expect(() => fuseBoxes([zero], { weights: [0] })).toThrow(invalid);
    expect(() => fuseBoxes([{ ...zero, scores: [-1] }])).toThrow(invalid);
    expect(fuseBoxes([]).boxes).toHaveLength(0);
  });
});
