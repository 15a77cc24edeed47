/** Areas that polygons have in common, where they are known by hand. */

import { expect, test } from "vitest";

import { sharedArea } from "./adjoining.ts";
import { Overlaps } from "./conflicts.ts";

const ring = (...points: [number, number][]): Float64Array => Float64Array.from(points.flat());
const box = (x: number, y: number, width: number, height: number): Float64Array =>
  ring([x, y], [x + width, y], [x + width, y + height], [x, y + height]);
const square = [box(0, 0, 10, 10)];

test.each<[string, Float64Array[], Float64Array[], number]>([
  ["apart", square, [box(20, 0, 10, 10)], 0],
  ["wall to wall", square, [box(10, 0, 10, 10)], 0],
  ["a corner over a corner", square, [box(8, 7, 10, 10)], 2 * 3],
  ["one inside", square, [box(2, 3, 4, 5)], 4 * 5],
  ["a beam across", square, [box(-5, 4, 20, 2)], 10 * 2],
  ["into a courtyard", [box(0, 0, 10, 10), box(2, 2, 6, 6)], [box(5, 5, 10, 2)], 2 * 2],
  ["a diamond over a corner", square, [ring([10, 5], [15, 10], [10, 15], [5, 10])], 25 / 2],
  ["the legs of a U", [ring([0, 0], [10, 0], [10, 10], [7, 10], [7, 3], [3, 3], [3, 10], [0, 10])], [box(-5, 5, 20, 2)], 2 * 3 * 2],
  ["a star of two triangles", [ring([0, 0], [6, 0], [3, 6])], [ring([0, 4], [3, -2], [6, 4])], 12],
])("%s", (_, one, other, area) => {
  expect(sharedArea(one, other)).toBeCloseTo(area, 9);
  expect(sharedArea(other, one)).toBeCloseTo(area, 9);
});

test("what results share more than their polygons did", () => {
  const overlaps = new Overlaps([square, [box(9, 0, 10, 10)]], 1);
  const pair = [0, 1] as const;
  expect(overlaps.excess(pair, null, null)).toBe(0);
  expect(overlaps.excess(pair, [box(0, 0, 9, 10)], null)).toBe(0);
  expect(overlaps.excess(pair, [box(0, 0, 11, 10)], null)).toBeCloseTo(10, 9);
  expect(overlaps.excess(pair, [box(0, 0, 11, 10)], [box(8, 0, 11, 10)])).toBeCloseTo(20, 9);
});
