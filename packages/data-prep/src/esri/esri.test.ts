import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { sharedData, withData } from "../data-prep.testing.ts";
import {
  type AccumulatedStats,
  accumulatedStatsJson,
  mergeMoments,
  momentsToStatistics,
  parseAccumulatedStats,
  readAccumulatedClasses,
} from "./accumulated-stats.ts";
import { parseJsonObject } from "./json.ts";
import { formatMapFile, parseMapFile } from "./map-file.ts";
import { parseModelDefinition } from "./model-definition.ts";
import { formatStatsFile } from "./stats-file.ts";
import { formatWorldFile, parseWorldFile, worldFileName } from "./world-file.ts";

describe("map.txt", () => {
  it("writes back-slashes, two blanks and a trailing blank, and reads them again", () => {
    const rows = [{ image: "images/000000000.tif", label: "labels/000000000.tif" }];
    expect(formatMapFile(rows)).toBe("images\\000000000.tif  labels\\000000000.tif \n");
    expect(parseMapFile(formatMapFile(rows), "map.txt")).toEqual(rows);
  });

  it("reads one blank, Windows line ends and names with blanks", () => {
    const text = "images\\0.tif images2\\0.tif \r\nimages/my chip.png  labels/my chip.tif\r\n\r\n";
    expect(parseMapFile(text, "map.txt")).toEqual([
      { image: "images/0.tif", label: "images2/0.tif" },
      { image: "images/my chip.png", label: "labels/my chip.tif" },
    ]);
  });

  it.each([
    "..\\..\\secret.tif  labels\\a.tif",
    "/etc/a.tif  labels/a.tif",
    "images\\a.tif  C:\\x\\a.tif",
    "images/a.tif  ../labels/a.tif",
  ])("refuses a path out of the folder: %s", (row) => {
    expect(() => parseMapFile(row, "map.txt")).toThrowError(expect.objectContaining({ code: "CHIPS_CORRUPT" }));
  });

  it("names the line that is no row", () => {
    expect(() => parseMapFile("images/a.tif  labels/a.tif\nnonsense", "map.txt")).toThrow(/line 2/);
  });
});

describe("world files", () => {
  it("hold the centre of the first pixel", () => {
    const transform = [0.5, 0, 100, 0, -0.25, 200] as const;
    expect(formatWorldFile(transform)).toBe("0.5\n0.0\n0.0\n-0.25\n100.25\n199.875\n");
    expect(parseWorldFile(formatWorldFile(transform), "a.tfw")).toEqual(transform);
  });

  it("keep every digit of tiny pixels and turned grids", () => {
    const transform = [1.2345678901234e-7, -3e-9, 85.123456789012, 2e-9, -1.2345678901234e-7, 27.1] as const;
    const back = parseWorldFile(formatWorldFile(transform), "a.tfw");
    back.forEach((value, i) => expect(value).toBeCloseTo(transform[i]!, 12));
  });

  it("are named after the image's extension", () => {
    expect(["a/b.tif", "a.png", "a.jpg", "a.tiff"].map(worldFileName)).toEqual(["a/b.tfw", "a.pgw", "a.jgw", "a.tfw"]);
  });

  it.each(["", "1 2 3", "1\n0\n0\nx\n0\n0", "NaN 0 0 1 0 0"])("refuse %j", (text) => {
    expect(() => parseWorldFile(text, "a.tfw")).toThrowError(expect.objectContaining({ code: "CHIPS_CORRUPT" }));
  });
});

describe("hostile JSON", () => {
  it.each(['{"__proto__":{"x":1}}', '{"a":{"constructor":1}}', "[1]", "null", "{", `${"[".repeat(200_000)}`])("refuses %#", (text) => {
    expect(() => parseJsonObject(text, "a.emd")).toThrowError(expect.objectContaining({ code: "CHIPS_CORRUPT" }));
  });

  it.each([
    { Classes: {} },
    { Classes: [{ Name: "no value" }] },
    { Classes: [{ Value: 1.5 }] },
    { Classes: [{ Value: 1 }, { Value: 1 }] },
    { Classes: ["x"] },
    { GeoLearn: { FormatVersion: 2 } },
    { GeoLearn: { FormatVersion: 1, IgnoreValue: -4 } },
  ])("refuses the definition %j", (json) => {
    expect(() => parseModelDefinition(json, "a.emd")).toThrowError(expect.objectContaining({ code: "CHIPS_CORRUPT" }));
  });

  it("refuses class values beyond 16 bits", () => {
    expect(() => parseModelDefinition({ Classes: [{ Value: 70_000 }] }, "a.emd")).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("statistics", () => {
  it("of two parts are those of the whole", () => {
    const values = [3, 9, 27, 4, 4, 100.5, -2];
    const of = (list: number[]): { min: number; max: number; mean: number; m2: number; count: number } => {
      const mean = list.reduce((a, b) => a + b, 0) / list.length;
      return {
        min: Math.min(...list),
        max: Math.max(...list),
        mean,
        m2: list.reduce((a, b) => a + (b - mean) ** 2, 0),
        count: list.length,
      };
    };
    const merged = mergeMoments(of(values.slice(0, 3)), of(values.slice(3)));
    const whole = of(values);
    expect(merged.mean).toBeCloseTo(whole.mean, 12);
    expect(merged.m2).toBeCloseTo(whole.m2, 9);
    expect(momentsToStatistics(merged)).toMatchObject({ min: -2, max: 100.5, count: 7 });
  });

  it("stats.txt has the columns of ArcGIS' file", () => {
    const text = formatStatsFile({
      chips: 3382,
      bands: 3,
      width: 400,
      height: 400,
      unit: "pixels",
      perImage: { min: 1, max: 2, sum: 4224 },
      classes: [{ value: 1, name: "1", images: 3382, sum: 531_590_974, min: 96_568, max: 160_000, count: 3382 }],
    });
    expect(text).toBe(
      "images = 3382 *3*400*400\nclasses = 1\nclasses per image = [min = 1, mean = 1.25, max = 2]\n" +
        "cls name              cls value     images   pixels      min size   mean size    max size\n" +
        "1                             1       3382  531590974    96568.00   157182.43   160000.00\n",
    );
  });
});

describe.skipIf(!withData)("files of ArcGIS", () => {
  const samples = join(sharedData, "esri-emd-samples");

  it("every model definition of several generations is read", async () => {
    const folder = join(samples, "raster-deep-learning");
    const names = (await readdir(folder)).filter((name) => name.endsWith(".emd"));
    expect(names.length).toBe(11);
    for (const name of names) {
      const definition = parseModelDefinition(parseJsonObject(await readFile(join(folder, name), "utf8"), name), name);
      expect(definition.classes.length, name).toBeGreaterThan(0);
      expect(definition.geolearn).toBeNull();
    }
  });

  it("a newer export tells mode, cell size and band names", async () => {
    const folder = join(samples, "classified-tiles-export-metadata");
    const path = join(folder, "esri_model_definition.emd");
    const definition = parseModelDefinition(parseJsonObject(await readFile(path, "utf8"), path), path);
    expect(definition).toMatchObject({ metaDataMode: "Export_Tiles", cellSize: { x: 0.5, y: 0.5, wkid: 3857 }, bandNames: ["", "", ""] });
    const rows = parseMapFile(await readFile(join(folder, "map.txt"), "utf8"), "map.txt");
    expect(rows).toHaveLength(12);
    expect(rows[4]).toEqual({ image: "images/000000000009.tif", label: "images2/000000000009.tif" });
  });

  it("an old export without MetaDataMode in its .emd tells it in the accumulated statistics", async () => {
    const folder = join(sharedData, "palms-kolovai-arcgis-export");
    const path = join(folder, "esri_model_definition.emd");
    expect(parseModelDefinition(parseJsonObject(await readFile(path, "utf8"), path), path)).toMatchObject({
      metaDataMode: null,
      classes: [{ value: 1, name: "Palm", color: [255, 0, 0] }],
    });
    const accumulated = parseJsonObject(await readFile(join(folder, "esri_accumulated_stats.json"), "utf8"), "stats");
    expect(readAccumulatedClasses(accumulated)).toEqual({ mode: "PASCAL_VOC_rectangles", classes: [{ value: 1, name: "Palm" }] });
  });
});

describe("accumulated statistics", () => {
  it.each(["pixels", "features"] as const)("of %s come back as they were written", (unit) => {
    const stats: AccumulatedStats = {
      bands: 1,
      width: 8,
      height: 8,
      chips: 2,
      nextIndex: 5,
      metaDataMode: "Classified_Tiles",
      unit,
      classes: [{ value: 7, name: "water", images: 1, sum: 12, min: 0, max: 12, count: 2 }],
      perImage: { min: 0, max: 1, sum: 1 },
      minCellSize: { x: 10, y: 10, wkid: 32633 },
      maxCellSize: { x: 10, y: 10, wkid: 32633 },
      rasterCount: 1,
      sensorName: "Undefined",
      bandNames: ["NDVI"],
      bandMoments: [{ min: 0, max: 1, mean: 0.1 + 0.2, m2: 1 / 3, count: 128 }],
      later: { rasterCount: 2, bandNames: ["nir"], bandMoments: [{ min: 3, max: 7, mean: 0.1 + 0.7, m2: 1 / 7, count: 120 }] },
    };
    const json = JSON.parse(JSON.stringify(accumulatedStatsJson(stats))) as Record<string, unknown>;
    expect(parseAccumulatedStats(json, "stats")).toEqual(stats);
  });
});
