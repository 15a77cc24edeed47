import { type OnWarning, type Warning, parseCrs } from "@geolearn/core";
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

  test("polygons somewhere else are refused, whatever their reference system", async () => {
    const beside = { name: "labels", crs: map.crs, features: [square(x + 41, y - 30, x + 60, y, { value: 7 })] };
    await expect(pixelAccuracy(named, beside)).rejects.toMatchObject({
      code: "LABELS_OUTSIDE",
      message: expect.stringMatching(/\[500041, .*memory covers \[500000, 4999970, 500040, 5000000\]/) as string,
      hint: expect.stringContaining("reference systems") as string,
    });
    const nepal = { ...named, crs: parseCrs(32645), transform: [1, 0, 353_000, 0, -1, 3_057_000] as const };
    for (const [lon, lat] of [
      [2.8, 42.3], // Spain
      [-70, -33], // the other side of the Earth
    ] as const) {
      const far = { name: "labels", crs: parseCrs(4326), features: [square(lon, lat, lon + 0.1, lat + 0.1, { value: 7 })] };
      await expect(pixelAccuracy(nepal, far)).rejects.toMatchObject({ code: "LABELS_OUTSIDE" });
    }
    const one = { ...beside, features: [...beside.features, square(x + 30, y - 30, x + 60, y, { value: 7 })] };
    expect((await pixelAccuracy(named, one)).pixels).toBe(1200);
  });

  test("polygons with fields like classes and no class field: a warning that names them", async () => {
    const kinds = ["building", "water", "building"].map((kind, i) => square(x + 9 * i, y - 30, x + 9 * i + 9, y, { kind, id: i }));
    const truth = { name: "labels.geojson", crs: null, features: kinds };
    const warnings: Warning[] = [];
    const onWarning: OnWarning = (warning) => warnings.push(warning);
    await pixelAccuracy(named, truth, { classField: "kind", onWarning });
    const usual = { ...truth, features: kinds.map((one) => ({ ...one, properties: { ...one.properties, value: 7 } })) };
    await pixelAccuracy(named, usual, { onWarning });
    expect(warnings).toEqual([]);
    await pixelAccuracy(named, truth, { onWarning });
    expect(warnings).toMatchObject([
      { code: "CLASS_FIELD_MISSING", message: "labels.geojson has the field kind; all features become one class." },
    ]);
  });

  test("pictures are no class rasters, on either side", async () => {
    const picture = memoryRaster({ width: 40, height: 30, bands: 3, value: () => 7 });
    for (const work of [pixelAccuracy(picture, map), pixelAccuracy(map, picture)]) {
      await expect(work).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: "memory has 3 bands; a class raster has one." });
    }
    const seeThrough = { ...memoryRaster({ width: 40, height: 30, bands: 2, value: () => 7 }), alphaBand: 1 };
    expect((await pixelAccuracy(map, seeThrough)).pixels).toBe(1200);
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
