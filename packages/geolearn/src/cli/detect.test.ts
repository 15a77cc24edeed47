/** Objects on the command line: from polygons to boxes on chips, to a detector, to features on another scene. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRaster, readFeatures, writeFeatures } from "@geolearn/core";
import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fromModel } from "../from-model.ts";
import { writeField } from "./field.testing.ts";
import { cocoResult, detectObjectsResult, exportResult, objectAccuracyResult, trainResult } from "./results.ts";
import { runJson, runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-detect-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  await writeField(path("known"), { side: 400, bands: 1, seed: 1 });
  await writeField(path("other"), { side: 300, bands: 1, seed: 2 });
  const exported = ["--raster", path("known.tif"), "--labels", path("known.geojsonl"), "--class-field", "kind", "--out", path("chips")];
  const size = ["--chip-size", "96", "--stride", "48", "--format", "pascal-voc"];
  await runJson(exportResult, "export-training-data", ...exported, ...size);
});

test("chips, a detector, its figures, and what it finds elsewhere", async () => {
  const [chips, model, found] = [path("chips"), path("things.dlpk"), path("found.gpkg")];
  const small = [
    "--fpn-width",
    "32",
    "--head-depth",
    "1",
    "--anchor-sizes",
    "16,32,64,96,128",
    "--anchor-ratios",
    "1",
    "--batch-size",
    "4",
  ];
  const schedule = ["--epochs", "9", "--lr", "1e-3", "--monitor", "AP50", "--threads", "2"];
  const trained = await runJson(trainResult, "train", "--data", chips, "--out", model, ...small, ...schedule);
  expect(trained.modelType).toBe("retinanet");
  expect((await readModelPackage(model)).manifest.task).toBe("objectDetection");

  const figures = await runJson(cocoResult, "evaluate", "--model", model, "--data", chips);
  expect(figures.AP50).toBeGreaterThan(0.7);
  expect(figures.classes.map(({ name }) => name)).toEqual(["hut", "pond"]);

  const work = ["detect-objects", "--model", model, "--raster", path("other.tif"), "--min-score", "0.3"];
  const estimate = await runText(...work, "--out", path("never/found.gpkg"), "--estimate");
  expect(estimate).toMatchObject({
    status: 0,
    out: expect.stringMatching(/windows +\d+\ntime +\d+ s\nmemory +\d+ MiB\ndisk +\d+ MiB\n/) as string,
  });
  expect(existsSync(path("never"))).toBe(false);

  const { count, windows } = await runJson(
    detectObjectsResult,
    ...["detect-objects", "--model", model, "--raster", path("other.tif"), "--out", found, "--min-score", "0.3"],
  );
  expect(windows).toBeGreaterThan(9);
  const nothing = await runText(
    "detect-objects",
    "--model",
    model,
    "--raster",
    path("other.tif"),
    "--out",
    path("none.gpkg"),
    "--min-score",
    "1",
  );
  expect(nothing).toMatchObject({ status: 0, out: expect.stringMatching(/none\.gpkg: 0 objects, [^\n]*\n$/) as string });
  expect(nothing.err).toContain("geolearn: no object scored 1 or more; a lower --min-score keeps less sure ones.\n");
  const layer = await readFeatures(found);
  expect(layer.features).toHaveLength(count);
  expect(layer.crs?.epsg).toBe(32633);
  const accuracy = await runJson(
    objectAccuracyResult,
    ...["accuracy", "--predicted", found, "--truth", path("other.geojsonl"), "--class-field", "kind", "--predicted-class-field", "class"],
  );
  // 49 things of which none was seen in training; a short training leaves a few boxes off by more than half their area.
  expect(accuracy.recall).toBeGreaterThan(0.8);
  expect(accuracy.precision).toBeGreaterThan(0.7);

  const opened = await fromModel(model, { task: "objectDetection" });
  const again = await opened.detectObjects(path("other.tif"), { minScore: 0.3 });
  expect(again.count).toBe(count);
  await again.filter(({ properties }) => properties["class"] === "hut").save(path("huts.geojson"));
  expect((await readFeatures(path("huts.geojson"))).features.length).toBeLessThan(count);
}, 240_000);

test("a detector without anchors, on the same chips", async () => {
  const [model, found] = [path("points.dlpk"), path("points.gpkg")];
  const small = ["--model-type", "fcos", "--fpn-width", "32", "--head-depth", "1", "--object-sizes", "32,64,128,256", "--batch-size", "4"];
  const schedule = ["--epochs", "9", "--lr", "2e-3", "--monitor", "AP50", "--threads", "2"];
  const trained = await runJson(trainResult, "train", "--data", path("chips"), "--out", model, ...small, ...schedule);
  expect(trained.modelType).toBe("fcos");
  expect((await readModelPackage(model)).manifest.config).toMatchObject({ fpnWidth: 32, headDepth: 1, objectSizes: [32, 64, 128, 256] });
  await runJson(
    detectObjectsResult,
    // Its scores are roots: 0.5 is as sure as 0.25 elsewhere.
    ...["detect-objects", "--model", model, "--raster", path("other.tif"), "--out", found, "--min-score", "0.5"],
  );
  const accuracy = await runJson(
    objectAccuracyResult,
    ...["accuracy", "--predicted", found, "--truth", path("other.geojsonl"), "--class-field", "kind", "--predicted-class-field", "class"],
  );
  // As above: a short training.
  expect(accuracy.recall).toBeGreaterThan(0.8);
  expect(accuracy.precision).toBeGreaterThan(0.7);
}, 240_000);

test("a SingleShotDetector with the cells of arcgis.learn's grids", async () => {
  const [model, found] = [path("cells.dlpk"), path("cells.geojson")];
  const anchors = ["--grids", "12,6", "--zooms", "1.5,2.2", "--ratios", "1:1,1:0.7,0.7:1"];
  const schedule = ["--epochs", "5", "--lr", "1e-3", "--batch-size", "4", "--threads", "2"];
  const args = ["train", "--model-type", "ssd", "--data", path("chips"), "--out", model];
  const trained = await runJson(trainResult, ...args, ...anchors, ...schedule);
  expect(trained.modelType).toBe("ssd");
  expect((await readModelPackage(model)).manifest.config).toMatchObject({ maps: [8, 16], anchors: { grids: [12, 6], zooms: [1.5, 2.2] } });
  expect((await runJson(cocoResult, "evaluate", "--model", model, "--data", path("chips"))).AP50).toBeGreaterThan(0.5);
  await runJson(
    detectObjectsResult,
    ...["detect-objects", "--model", model, "--raster", path("other.tif"), "--out", found, "--min-score", "0.4"],
  );
  const accuracy = await runJson(
    objectAccuracyResult,
    ...["accuracy", "--predicted", found, "--truth", path("other.geojsonl"), "--class-field", "kind", "--predicted-class-field", "class"],
  );
  expect(accuracy.recall).toBeGreaterThan(0.6);

  expect(await runText(...args, "--zooms", "2")).toMatchObject({ status: 2, err: expect.stringContaining("go with --grids") as string });
  const both = await runText(...args, "--grids", "4", "--anchor-sizes", "8");
  expect(both).toMatchObject({ status: 2, err: expect.stringContaining("two ways") as string });
}, 240_000);

test("what cannot be written is refused before anything is computed", async () => {
  const args = ["detect-objects", "--model", path("none.dlpk"), "--raster", path("other.tif"), "--out", path("found.txt")];
  expect(await runText(...args)).toMatchObject({ status: 1, err: expect.stringContaining("UNSUPPORTED_FORMAT") as string });
  const profile = { width: 8, height: 8, bands: 1, sampleType: "uint8", transform: null, crs: null } as const;
  const writer = await createRaster(path("nowhere.tif"), profile);
  await writer.appendRows(new Uint8Array(64), 8);
  await writer.close();
  await writeFeatures([{ geometry: { type: "Point", coordinates: [1, 1] }, properties: {} }], path("nowhere.gpkg"), { crs: null });
  const [model, scene, out] = [
    ["--model", path("none.dlpk")],
    ["--raster", path("nowhere.tif")],
    ["--out", path("deep/found.geojson")],
  ];
  for (const nowhere of [
    ["detect-objects", ...model, ...scene, ...out],
    ["classify-objects", ...model, ...scene, "--features", path("nowhere.gpkg"), ...out],
    ["to-polygons", ...scene, ...out],
    ["regularize", "--in", path("nowhere.gpkg"), "--tolerance", "1", ...out],
  ]) {
    expect(await runText(...nowhere)).toMatchObject({ status: 1, err: expect.stringMatching(/CRS_MISSING[^]*\.gpkg/) as string });
  }
  expect(existsSync(path("deep"))).toBe(false);
});
