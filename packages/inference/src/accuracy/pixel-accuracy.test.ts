import { describe, expect, test } from "vitest";

import { memoryRaster } from "../testing/rasters.ts";
import { pixelAccuracy } from "./pixel-accuracy.ts";

const square = (x0: number, y0: number, x1: number, y1: number, properties: Record<string, string | number>) => ({
  geometry: {
    type: "Polygon" as const,
    coordinates: [
      [
        [x0, y0],
        [x1, y0],
        [x1, y1],
        [x0, y1],
        [x0, y0],
      ],
    ],
  },
  properties,
});
/** 40 x 30 pixels of one metre; the left half is 7, the rest 0. */
const map = memoryRaster({ width: 40, height: 30, bands: 1, value: (_, __, col) => (col < 20 ? 7 : 0) });
const named = {
  ...map,
  classNames: new Map([
    [0, "background"],
    [7, "building"],
    [9, "water"],
  ]),
};
const [x, y] = [500_000, 5_000_000];

describe("pixelAccuracy", () => {
  test("against a raster: counts by hand", async () => {
    // Truth is 7 in the first 30 columns, unknown in the last row; nothing is predicted in the first.
    const truth = memoryRaster({ width: 40, height: 30, bands: 1, value: (_, __, col) => (col < 30 ? 7 : 0), valid: (row) => row < 29 });
    const partly = memoryRaster({ width: 40, height: 30, bands: 1, value: (_, __, col) => (col < 20 ? 7 : 0), valid: (row) => row > 0 });
    const result = await pixelAccuracy(partly, truth);
    expect(result.pixels).toBe(29 * 40);
    expect(result.pixelAccuracy).toBeCloseTo((28 * 30) / (29 * 40), 12);
    const building = result.classes.find(({ value }) => value === 7)!;
    expect(building.iou).toBeCloseTo((28 * 20) / (29 * 30), 12);
    expect(building.precision).toBe(1);
    expect(building.recall).toBeCloseTo((28 * 20) / (29 * 30), 12);
  });

  test("against polygons by field, by name, and as one class; a mask leaves land out", async () => {
    const half = square(x, y - 30, x + 20, y, { kind: "Building", code: 7 });
    const truth = { name: "labels", crs: null, features: [half] };
    for (const options of [{ classField: "kind" }, { classField: "code" }]) {
      const { pixelAccuracy: right, classes } = await pixelAccuracy(named, truth, options);
      expect(right).toBe(1);
      expect(classes.map(({ name, iou }) => [name, iou])).toEqual([
        ["background", 1],
        ["building", 1],
        ["water", null],
      ]);
    }
    const two = {
      ...map,
      classNames: new Map([
        [0, "background"],
        [7, "building"],
      ]),
    };
    expect((await pixelAccuracy(two, truth)).pixelAccuracy).toBe(1);
    const mask = { name: "mask", crs: null, features: [square(x, y - 10, x + 40, y, {})] };
    expect((await pixelAccuracy(named, truth, { classField: "code", mask })).pixels).toBe(400);
    await expect(pixelAccuracy(named, truth, { classField: "none" })).rejects.toMatchObject({ code: "FIELD_MISSING" });
    const odd = { ...truth, features: [square(x, y - 30, x + 20, y, { kind: "castle" })] };
    await expect(pixelAccuracy(named, odd, { classField: "kind" })).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
  });

  test("truth on another grid is seen on the map's", async () => {
    const coarse = memoryRaster({
      width: 20,
      height: 15,
      bands: 1,
      value: (_, __, col) => (col < 10 ? 7 : 0),
      transform: [2, 0, x, 0, -2, y],
    });
    expect((await pixelAccuracy(map, coarse)).pixelAccuracy).toBe(1);
    const unplaced = memoryRaster({ width: 20, height: 15, bands: 1, value: () => 7, transform: null });
    await expect(pixelAccuracy(map, unplaced)).rejects.toMatchObject({ code: "RASTER_MISMATCH" });
    const far = memoryRaster({ width: 20, height: 15, bands: 1, value: () => 7, transform: [2, 0, x + 9000, 0, -2, y] });
    await expect(pixelAccuracy(map, far)).rejects.toMatchObject({ code: "ALL_NODATA" });
  });
});
