import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { openRaster } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { digests, Scratch, writeRaster } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, readPixels, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

it("rasters that the caller has opened stay open", async () => {
  const raster = await openRaster(await scene(scratch.path("lent.tif")));
  const classes = await writeRaster(
    scratch.path("lent-classes.tif"),
    { data: new Uint8Array(96 * 80).map((_, i) => (i % 96 < 48 ? 1 : 2)), bands: 1, width: 96, height: 80 },
    { sampleType: "uint8", nodata: null },
  );
  const mask = await openRaster(classes);
  for (const [i, cellSize] of [undefined, 2].entries()) {
    const out = scratch.path(`lent-${i}`);
    await exportTrainingData({ raster, labels: mask, out, chipSize: 32, stride: 32, ...(cellSize !== undefined && { cellSize }) });
  }
  expect((await raster.read({ col: 0, row: 0, width: 2, height: 1 })).data.length).toBe(6);
  expect((await mask.read({ col: 0, row: 0, width: 2, height: 1 })).data.length).toBe(2);
  await Promise.all([raster, mask].map((one) => one.close()));
});

describe("the folder", () => {
  it("has Esri's files, keys and row form", async () => {
    const out = scratch.path("folder");
    const result = await exportTrainingData({
      raster: await scene(scratch.path("a.tif")),
      labels: houses,
      out,
      chipSize: 32,
      stride: 32,
      workers: 0,
    });
    expect(readdirSync(out).sort()).toEqual([
      "esri_accumulated_stats.json",
      "esri_model_definition.emd",
      "images",
      "labels",
      "map.txt",
      "stats.txt",
    ]);
    expect(result.classes).toEqual([expect.objectContaining({ value: 1, name: "building" })]);
    const map = readFileSync(join(out, "map.txt"), "latin1");
    expect(map.split("\n")[0]).toBe("images\\000000000.tif  labels\\000000000.tif ");
    expect(map.trimEnd().split("\n")).toHaveLength(result.chips);
    expect(readFileSync(join(out, "images/000000000.tfw"), "latin1")).toBe("1.0\n0.0\n0.0\n-1.0\n500000.5\n4999999.5\n");
    const definition = JSON.parse(readFileSync(join(out, "esri_model_definition.emd"), "utf8")) as Record<string, unknown>;
    expect(definition).toMatchObject({
      ImageHeight: 32,
      ImageWidth: 32,
      MetaDataMode: "Classified_Tiles",
      ImageSpaceUsed: "MAP_SPACE",
      IsMultidimensional: false,
      MinCellSize: { x: 1, y: 1, spatialReference: { wkid: 32633, latestWkid: 32633 } },
      Classes: [{ Value: 1, Name: "building", Color: expect.any(Array) as number[] }],
      InputRastersProps: { RasterCount: 1, SensorName: "Undefined", BandNames: expect.any(Array) as string[] },
      GeoLearn: { FormatVersion: 1, IgnoreValue: 255, LabelSampleType: "uint8" },
    });
    expect((definition["AllTilesStats"] as unknown[]).length).toBe(3);
    const stats = JSON.parse(readFileSync(join(out, "esri_accumulated_stats.json"), "utf8")) as Record<string, unknown>;
    expect(stats).toMatchObject({ NumTiles: result.chips, NumBands: 3, MetaDataMode: "Classified_Tiles", NumClasses: 1 });
  });

  it("is the same for any number of workers", async () => {
    const raster = await scene(scratch.path("workers.tif"));
    for (const workers of [0, 1, 3]) {
      await exportTrainingData({ raster, labels: houses, out: scratch.path(`workers-${workers}`), chipSize: 32, stride: 16, workers });
    }
    const first = digests(scratch.path("workers-0"));
    expect(Object.keys(first).length).toBeGreaterThan(30);
    expect(digests(scratch.path("workers-1"))).toEqual(first);
    expect(digests(scratch.path("workers-3"))).toEqual(first);
  });

  it("moves the last chips back to the border and pads a scene smaller than a chip", async () => {
    const raster = await scene(scratch.path("border.tif"));
    const out = scratch.path("border");
    await exportTrainingData({ raster, labels: houses, out, chipSize: 50, stride: 50, allTiles: true, workers: 0 });
    const origins = readdirSync(join(out, "images"))
      .filter((name) => name.endsWith(".tfw"))
      .sort()
      .map((name) =>
        readFileSync(join(out, "images", name), "utf8")
          .split("\n")
          .slice(4, 6)
          .map(Number),
      );
    expect(origins.map(([x, y]) => [x! - 500_000.5, 4_999_999.5 - y!])).toEqual([
      [0, 0],
      [46, 0],
      [0, 30],
      [46, 30],
    ]);
    const padded = scratch.path("padded");
    await exportTrainingData({ raster, labels: houses, out: padded, chipSize: 128, workers: 0 });
    const label = await readPixels(join(padded, "labels/000000000.tif"));
    expect(label.data.filter((value) => value === 255)).toHaveLength(128 * 128 - 96 * 80);
  });
});
