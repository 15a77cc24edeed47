import type { MultiPolygon, Polygon, Position } from "geojson";
import { describe, expect, test } from "vitest";

import { parseCrs } from "../crs/parse.ts";
import { askPeers, withPeers } from "../metrics/peers.testing.ts";
import { type Rng, createRng } from "../rng.ts";
import { geometryArea, planarArea } from "./area.ts";
import { toEqualArea } from "./equal-area.ts";
import { surfaceOverlaps } from "./surface-overlaps.ts";
import { sharedArea, surfaceOf } from "./surface.ts";

const rect = (x0: number, y0: number, x1: number, y1: number): Position[] => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
  [x0, y0],
];
const polygon = (...rings: Position[][]): Polygon => ({ type: "Polygon", coordinates: rings });
const multi = (...polygons: Position[][][]): MultiPolygon => ({ type: "MultiPolygon", coordinates: polygons });
const shared = (a: Polygon | MultiPolygon, b: Polygon | MultiPolygon): number => sharedArea(surfaceOf(a), surfaceOf(b));

/** A ring around a point, its corners at random distances: not convex, never crossing itself. */
function star(rng: Rng, x: number, y: number, radius: number, corners: number): Position[] {
  const ring = Array.from({ length: corners }, (_, i): Position => {
    const [angle, reach] = [((i + rng.next() * 0.9) / corners) * 2 * Math.PI, radius * (0.2 + 0.8 * rng.next())];
    return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
  });
  return [...ring, ring[0]!];
}

/** Corners anywhere: crosses itself many times. */
function tangle(rng: Rng, x: number, y: number, radius: number, corners: number): Position[] {
  const ring = Array.from({ length: corners }, (): Position => [x + radius * (2 * rng.next() - 1), y + radius * (2 * rng.next() - 1)]);
  return [...ring, ring[0]!];
}

describe("areas of surfaces", () => {
  test("by hand", () => {
    const square = polygon(rect(0, 0, 4, 4));
    const ringed = polygon(rect(0, 0, 4, 4), rect(1, 1, 3, 3));
    expect(surfaceOf(square).area).toBe(16);
    expect(surfaceOf(ringed).area).toBe(12);
    expect(shared(square, ringed)).toBe(12);
    expect(shared(ringed, polygon(rect(1, 1, 3, 3)))).toBe(0);
    expect(shared(square, polygon(rect(4, 0, 8, 4)))).toBe(0);
    expect(shared(square, polygon(rect(3, 3, 8, 8)))).toBe(1);
    expect(shared(square, polygon([[0, 0], [4, 4], [4, 0], [0, 0]]))).toBe(8); // prettier-ignore
  });

  test("rings that cross themselves, parts that overlap, rings left open, nothing at all", () => {
    const bow = polygon([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]); // prettier-ignore
    expect(surfaceOf(bow).area).toBe(2);
    expect(shared(bow, polygon(rect(1, 0, 2, 2)))).toBe(1);
    expect(surfaceOf(multi([rect(0, 0, 2, 2)], [rect(1, 1, 3, 3)])).area).toBe(7);
    expect(surfaceOf(polygon(rect(0, 0, 2, 2).slice(0, 4))).area).toBe(4);
    expect(surfaceOf(polygon([[0, 0], [5, 5], [0, 0]])).area).toBe(0); // prettier-ignore
    for (const nothing of [polygon(), polygon([]), multi(), { type: "Point" as const, coordinates: [1, 1] }]) {
      expect(surfaceOf(nothing)).toMatchObject({ area: 0, bounds: null });
      expect(sharedArea(surfaceOf(nothing), surfaceOf(polygon(rect(0, 0, 2, 2))))).toBe(0);
    }
  });

  test("does not lose digits on large coordinates", () => {
    const [x, y] = [500_000, 5_000_000];
    const a = polygon(rect(x, y, x + 10.5, y + 4.25));
    expect(shared(a, polygon(rect(x + 0.5, y + 0.25, x + 20, y + 20)))).toBe(40);
    expect(shared(a, a)).toBe(surfaceOf(a).area);
  });

  test.skipIf(!withPeers)("300 pairs equal shapely's, self-crossing ones made valid", () => {
    const rng = createRng(12);
    const shapes: (() => Polygon | MultiPolygon)[] = [
      () => polygon(star(rng, rng.next() * 10, rng.next() * 10, 8, 3 + rng.int(60))),
      () => polygon(star(rng, 5, 5, 20, 40), star(rng, 5, 5, 3, 12)),
      () => polygon(tangle(rng, rng.next() * 10, rng.next() * 10, 8, 4 + rng.int(12))),
      () => multi([star(rng, 2, 2, 6, 9)], [star(rng, 6, 6, 6, 14)], [rect(0, 0, 1 + rng.int(9), 1 + rng.int(9))]),
      () => polygon(rect(rng.int(5), rng.int(5), 6 + rng.int(5), 6 + rng.int(5))),
    ];
    const pairs = Array.from({ length: 300 }, (_, i) => [shapes[i % 5]!(), shapes[rng.int(5)]!()] as const);
    const answers = askPeers<[number, number, number][]>("areas", { pairs });
    for (const [k, [a, b]] of pairs.entries()) {
      const own = [surfaceOf(a).area, surfaceOf(b).area, shared(a, b)];
      // sums over some hundred bands, each exact to 1e-16 of its area; shapely rounds where rings cross
      for (const [i, theirs] of answers[k]!.entries())
        expect(Math.abs(own[i]! - theirs), `pair ${k}`).toBeLessThan(1e-9 * Math.max(1, theirs));
      expect(shared(b, a)).toBeCloseTo(own[2]!, 9);
    }
  });

  test("areas of valid polygons are those of the shoelace formula", () => {
    const rng = createRng(13);
    for (let i = 0; i < 50; i++) {
      const shape = polygon(star(rng, 0, 0, 100, 3 + rng.int(300)));
      expect(surfaceOf(shape).area / planarArea(shape)).toBeCloseTo(1, 11);
    }
  });
});

test("an index finds the same pairs as looking at all of them", () => {
  const rng = createRng(14);
  const many = (count: number): ReturnType<typeof surfaceOf>[] =>
    Array.from({ length: count }, (_, i) =>
      surfaceOf(i === 7 ? polygon() : polygon(star(rng, rng.next() * 100, rng.next() * 100, i === 3 ? 60 : 6, 8))),
    );
  const [a, b] = [many(80), many(90)];
  const all = a.flatMap((one, i) => b.map((other, j) => ({ a: i, b: j, area: sharedArea(one, other) }))).filter(({ area }) => area > 0);
  expect(surfaceOverlaps(a, b)).toEqual(all);
  expect(surfaceOverlaps(a, b, (i, j) => (i + j) % 2 === 0)).toEqual(all.filter((pair) => (pair.a + pair.b) % 2 === 0));
  expect(surfaceOverlaps(a, [])).toEqual([]);
  expect(surfaceOverlaps([], b)).toEqual([]);
});

test("degrees on an equal-area plane have the area of the ground", () => {
  const crs = parseCrs(4326);
  for (const lat of [-75, -10, 0, 33.7, 60, 85]) {
    const field = polygon(rect(10, lat, 10.01, lat + 0.01));
    expect(surfaceOf(toEqualArea(field, crs)).area / geometryArea(field, crs)).toBeCloseTo(1, 8);
  }
  expect(() => toEqualArea(polygon(rect(0, 0, 1, 1)), parseCrs(32633))).toThrow(expect.objectContaining({ code: "CRS_MISMATCH" }));
});
