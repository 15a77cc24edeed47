/** Classifying objects on the command line: from polygons to chips around them, to a classifier, to classes of another layer and of photos. */

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFeatures } from "@geolearn/core";
import { prepareData } from "@geolearn/data-prep";
import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FeatureClassifier, fromModel } from "../index.ts";
import { writeField } from "./field.testing.ts";
import { classifyObjectsResult, tileResult, trainResult } from "./results.ts";
import { runJson, runText } from "./run.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-classify-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  await writeField(path("known"), { side: 320, bands: 3, seed: 1 });
  await writeField(path("other"), { side: 200, bands: 3, seed: 2 });
});

const EXPORT = ["export-training-data", "--raster", path("known.tif"), "--labels", path("known.geojsonl"), "--class-field", "kind"];

test("chips around features, a classifier, its figures, and the classes of another layer", async () => {
  const [chips, model, classified] = [path("chips"), path("things.dlpk"), path("classified.gpkg")];
  const size = ["--chip-size", "32", "--format", "labeled-tiles", "--out", chips];
  const exported = await runText(...EXPORT, ...size);
  expect(exported.status, exported.err).toBe(0);

  const network = ["--model-type", "feature-classifier", "--backbone", "mobilenetv3-small", "--norm", "group", "--label-smoothing", "0.05"];
  const schedule = ["--epochs", "10", "--lr", "2e-3", "--monitor", "accuracy", "--threads", "2"];
  const trained = await runJson(
    trainResult,
    "train",
    "--data",
    chips,
    "--out",
    model,
    ...network,
    ...schedule,
    "--report",
    path("report.html"),
  );
  expect(trained.modelType).toBe("feature-classifier");
  expect(Object.keys(trained.epochs[0]!.metrics)).toEqual(["accuracy", "kappa", "meanF1", "f1 hut", "f1 pond"]);
  const { manifest } = await readModelPackage(model);
  expect(manifest).toMatchObject({ task: "objectClassification", crop: { mode: "fixedSize", blacken: false } });

  const figures = await runJson(tileResult, "evaluate", "--model", model, "--data", chips);
  expect(figures.accuracy).toBeGreaterThan(0.9);
  expect(figures.classes.map(({ name }) => name)).toEqual(["hut", "pond"]);
  expect((await runText("evaluate", "--model", model, "--data", chips, "--side", "all")).out).toContain("kappa");

  const layer = ["--raster", path("other.tif"), "--features", path("other.geojsonl"), "--out", classified];
  const { count, outside, classes } = await runJson(classifyObjectsResult, "classify-objects", "--model", model, ...layer);
  expect([count, outside]).toEqual([25, 0]);
  const { features, crs } = await readFeatures(classified);
  // as the layer: GeoJSON is in degrees
  expect(crs?.epsg).toBe(4326);
  const right = features.filter(({ properties }) => properties["class"] === properties["kind"]).length;
  // things that were never seen, of clearly other brightness
  expect(right).toBeGreaterThan(22);
  expect(features.filter(({ properties }) => properties["class"] === "hut")).toHaveLength(classes["hut"]!);

  const never = ["--raster", path("other.tif"), "--features", path("other.geojsonl"), "--out", path("never/a.gpkg"), "--estimate"];
  const estimate = await runText("classify-objects", "--model", model, ...never);
  expect(estimate.out).toMatch(/features +25\ntime +\d+ s\nmemory +\d+ MiB\ndisk +\d+ MiB\n/);
  expect(existsSync(path("never"))).toBe(false);

  const opened = await fromModel(model, { task: "objectClassification" });
  expect((await opened.estimate(path("other.tif"), path("other.geojsonl"))).features).toBe(25);
  const again = await opened.classifyObjects(path("other.tif"), path("other.geojsonl"), { esriFields: true });
  expect(again.features.map(({ properties }) => properties["Class"])).toEqual(features.map(({ properties }) => properties["class"]));
  expect(again.counts.classes).toEqual(classes);
}, 300_000);

test.each([
  ["fixed-size", false],
  ["bounding-box", true],
] as const)(
  "inference sees what training saw: %s, blackened %s",
  async (mode, blacken) => {
    const chips = path(`chips-${mode}`);
    const crop = ["--chip-size", "32", "--format", "labeled-tiles", "--out", chips, "--crop-mode", mode, ...(blacken ? ["--blacken"] : [])];
    expect((await runText(...EXPORT, ...crop)).status).toBe(0);
    const data = await prepareData(chips, { task: "objectClassification", valSplit: 0.2, split: "random", augment: false, workers: 0 });
    const learner = await FeatureClassifier.create(data, { backbone: "mobilenetv3-small", threads: 2 });
    const model = path(`${mode}.dlpk`);
    await learner.save(model);
    const all = await prepareData(chips, { task: "objectClassification", valSplit: 1, augment: false, workers: 0 });
    const scores = new Map<string, number>();
    for await (const { images, names, real } of all.valid.read()) {
      const perChip = images.length / 8;
      const predicted = await learner.predict(images.slice(0, real * perChip));
      names.forEach((name, i) => scores.set(name, Math.max(...predicted[i]!.scores)));
    }
    const opened = await fromModel(model, { task: "objectClassification" });
    const { features } = await opened.classifyObjects(path("known.tif"), path("known.geojsonl"), { threads: 1, workers: 1 });
    // Chips are numbered in the order of the features.
    const expected = [...scores].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, score]) => score);
    expect(features).toHaveLength(expected.length);
    features.forEach(({ properties }, i) => expect(properties["score"], `feature ${i}`).toBeCloseTo(expected[i]!, 4));
    await Promise.all([learner.dispose(), data.close(), all.close()]);
  },
  240_000,
);

test("photos become points, and what does not go together is wrong usage", async () => {
  const photos = path("photos");
  mkdirSync(photos);
  const fixtures = fileURLToPath(new URL("../../../inference/src/classify-objects/fixtures/photos/", import.meta.url));
  for (const name of ["a-north-east.jpg", "c-nowhere.jpg"]) cpSync(join(fixtures, name), join(photos, name));
  const out = path("photos.geojson");
  const model = path("fixed-size.dlpk");
  const { count, skipped } = await runJson(classifyObjectsResult, "classify-objects", "--model", model, "--photos", photos, "--out", out);
  expect([count, skipped]).toEqual([1, 1]);
  const [photo] = (await readFeatures(out)).features;
  expect(photo!.properties).toMatchObject({ path: join(photos, "a-north-east.jpg"), heading: 243.5 });

  const opened = await fromModel(model, { task: "objectClassification" });
  const survey = await opened.classifyPhotos(photos, { threads: 1, workers: 1 });
  expect(survey.count).toBe(1);
  expect(survey.skipped).toEqual([join(photos, "c-nowhere.jpg")]);

  const both = ["--model", model, "--photos", photos, "--raster", path("other.tif"), "--out", out];
  expect((await runText("classify-objects", ...both)).status).toBe(2);
  expect((await runText("classify-objects", "--model", model, "--raster", path("other.tif"), "--out", out)).status).toBe(2);
  expect((await runText("classify-objects", "--model", model, "--photos", photos, "--buffer", "3", "--out", out)).err).toContain(
    "--buffer",
  );
  expect((await runText("classify-objects", "--model", model, "--photos", photos, "--estimate", "--out", out)).status).toBe(2);
  const smooth = ["--data", path("chips"), "--out", path("x.dlpk"), "--loss", "binary-cross-entropy", "--label-smoothing", "0.1"];
  expect((await runText("train", ...smooth)).status).toBe(2);
}, 120_000);
