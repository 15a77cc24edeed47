import { createRng } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { askPeer, withPeers } from "../data-prep.testing.ts";
import { clipBox } from "./box.ts";
import { clipRings, pixelRings, type Point, type Ring, ringsArea } from "./clip-polygon.ts";
import { cutObject } from "./cut-object.ts";

const [WIDTH, HEIGHT] = [40, 30];

/** A star around a middle: concave, valid, and often beyond the rectangle. */
function star(rng: ReturnType<typeof createRng>, cx: number, cy: number, radius: number, corners: number): [number, number][] {
  const ring = Array.from({ length: corners }, (_, i): [number, number] => {
    const angle = (2 * Math.PI * i) / corners;
    const r = radius * (0.25 + 0.75 * rng.next());
    return [cx + r * Math.cos(angle), cy + r * Math.sin(angle)];
  });
  return [...ring, ring[0]!];
}

function clipped(rings: [number, number][][]): Ring[] {
  return clipRings(pixelRings({ type: "Polygon", coordinates: rings }, [1, 0, 0, 0, 1, 0]), WIDTH, HEIGHT);
}

describe("polygons in a rectangle", () => {
  it.skipIf(!withPeers)("are those of shapely: stars with holes, whole pixels on the border, around the rectangle", () => {
    const rng = createRng([7]);
    const polygons = Array.from({ length: 200 }, (_, i) => {
      const [cx, cy, radius] = [rng.next() * 50 - 5, rng.next() * 40 - 5, 3 + rng.next() * 45];
      const shell = star(rng, cx, cy, radius, 5 + rng.int(20));
      const hole = star(rng, cx, cy, radius * 0.2, 6).reverse();
      const polygon = i % 2 === 0 ? [shell, hole] : [shell];
      // every third on whole pixels; such stars may cross themselves, so they are convex
      return i % 3 === 0 ? [square(Math.round(cx), Math.round(cy), Math.ceil(radius))] : polygon;
    });
    polygons.push(
      [cee(-5, -5, 50, 40)],
      [cee(-5, 5, 30, 15)],
      [square(0, 0, 30)],
      [square(-10, 10, 10)],
      [square(40, 0, 9)],
      [square(-50, -50, 200)],
    );
    const ours = polygons.map(clipped);
    const expected = askPeer<{ area: number; bounds: number[]; differs: number }[]>({
      do: "clip",
      polygons,
      width: WIDTH,
      height: HEIGHT,
      ours: ours.map((rings) => rings.map((ring) => [...ring, ring[0]!])),
    });
    expect(expected.filter(({ area }) => area > 0).length).toBeGreaterThan(150);
    expected.forEach(({ area, bounds, differs }, i) => {
      // 30 x 40 square pixels in double precision
      expect(ringsArea(ours[i]!)).toBeCloseTo(area, 8);
      expect(differs).toBeLessThan(1e-8);
      if (area === 0) return;
      const box = cutObject({ type: "Polygon", coordinates: polygons[i]! }, 1, {
        transform: [1, 0, 0, 0, 1, 0],
        width: WIDTH,
        height: HEIGHT,
      })!.box;
      box.forEach((side, k) => expect(side).toBeCloseTo(bounds[k]!, 8));
    });
  });

  it("may fall apart, and what lies outside adds nothing to the box", () => {
    const parts = clipped([cee(-5, 5, 30, 15)]);
    expect(parts).toHaveLength(2);
    // a bar to the left of the rectangle joins the arms
    expect(parts.flat().every(([x]) => x >= 0)).toBe(true);
  });

  it("a polygon that crosses itself gives a box inside the rectangle", () => {
    const bowTie: Point[] = [
      [-10, 5],
      [20, 25],
      [20, 5],
      [-10, 25],
    ];
    const object = cutObject({ type: "Polygon", coordinates: [[...bowTie, bowTie[0]!].map((p) => [...p])] }, 1, {
      transform: [1, 0, 0, 0, 1, 0],
      width: WIDTH,
      height: HEIGHT,
    })!;
    expect(object.box).toEqual([0, 5, 20, 25].map((side) => expect.closeTo(side, 6) as number));
    expect(object.share).toBeGreaterThan(0);
    expect(object.share).toBeLessThanOrEqual(1);
  });

  it("an object without a size in hundredths of a pixel is none", () => {
    const sliver = { type: "Polygon" as const, coordinates: [square(39.999, 3, 5)] };
    expect(cutObject(sliver, 1, { transform: [1, 0, 0, 0, 1, 0], width: WIDTH, height: HEIGHT })).toBeNull();
    expect(
      cutObject({ type: "Point", coordinates: [3, 3] }, 1, { transform: [1, 0, 0, 0, 1, 0], width: WIDTH, height: HEIGHT }),
    ).toBeNull();
  });

  it("boxes are clipped alike", () => {
    expect(clipBox([-3, 2, 12, 50], 10, 10)).toEqual([0, 2, 10, 10]);
    expect(clipBox([10, 2, 12, 5], 10, 10)).toBeNull();
  });
});

function square(x: number, y: number, side: number): [number, number][] {
  return [
    [x, y],
    [x + side, y],
    [x + side, y + side],
    [x, y + side],
    [x, y],
  ];
}

/** A C, open to the right: a bar of 3 and two arms of 3. */
function cee(x: number, y: number, width: number, height: number): [number, number][] {
  return [
    [x, y],
    [x + width, y],
    [x + width, y + 3],
    [x + 3, y + 3],
    [x + 3, y + height - 3],
    [x + width, y + height - 3],
    [x + width, y + height],
    [x, y + height],
    [x, y],
  ];
}
