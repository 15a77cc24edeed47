/** Objects on the command line: from polygons to boxes on chips, to a detector, to features on another scene. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Feature, createRaster, parseCrs, readFeatures, writeFeatures } from "@geolearn/core";
import { readModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { fromModel } from "../from-model.ts";
import { cocoResult, detectObjectsResult, objectAccuracyResult, trainResult } from "./results.ts";
import { runCli } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-detect-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A field with bright huts and dark ponds, 1 m a pixel, and the polygons around them. */
async function writeField(name: string, side: number, seed: number): Promise<void> {
  const crs = parseCrs(32633);
  const pixels = new Uint8Array(side * side);
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < pixels.length; i++) pixels[i] = 100 + Math.floor(30 * random());
  const features: Feature[] = [];
  // One thing in each cell of 40 pixels, at least 6 from its border.
  for (let row = 0; row + 40 <= side; row += 40) {
    for (let col = 0; col + 40 <= side; col += 40) {
      const [width, height] = [14 + Math.floor(12 * random()), 14 + Math.floor(12 * random())];
      const [left, top] = [col + 6 + Math.floor((28 - width) * random()), row + 6 + Math.floor((28 - height) * random())];
      const hut = random() < 0.5;
      for (let y = top; y < top + height; y++) pixels.fill(hut ? 220 : 20, y * side + left, y * side + left + width);
      const [x0, y0, x1, y1] = [500_000 + left, 5_000_000 - top, 500_000 + left + width, 5_000_000 - top - height];
      const ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]] as [number, number][]; // prettier-ignore
      features.push({ geometry: { type: "Polygon", coordinates: [ring] }, properties: { kind: hut ? "hut" : "pond" } });
    }
  }
  const transform = [1, 0, 500_000, 0, -1, 5_000_000] as const;
  const writer = await createRaster(path(`${name}.tif`), { width: side, height: side, bands: 1, sampleType: "uint8", transform, crs });
  await writer.appendRows(pixels, side);
  await writer.close();
  await writeFeatures(features, path(`${name}.geojsonl`), { crs });
}

beforeAll(async () => {
  await writeField("known", 400, 1);
  await writeField("other", 300, 2);
});

async function run<T extends z.ZodType>(schema: T, ...args: string[]): Promise<z.infer<T>> {
  let [out, err] = ["", ""];
  const surroundings = {
    signal: new AbortController().signal,
    out: (text: string) => (out += text),
    err: { write: (text: string) => (err += text) },
  };
  const status = await runCli([...args, "--json"], surroundings);
  expect(status, err).toBe(0);
  return schema.parse(JSON.parse(out));
}

test("chips, a detector, its figures, and what it finds elsewhere", async () => {
  const [chips, model, found] = [path("chips"), path("things.dlpk"), path("found.gpkg")];
  let err = "";
  const surroundings = { signal: new AbortController().signal, out: () => undefined, err: { write: (text: string) => (err += text) } };
  const exported = ["--raster", path("known.tif"), "--labels", path("known.geojsonl"), "--class-field", "kind", "--out", chips];
  const size = ["--chip-size", "96", "--stride", "48", "--format", "pascal-voc"];
  expect(await runCli(["export-training-data", ...exported, ...size], surroundings), err).toBe(0);

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
  const trained = await run(trainResult, "train", "--data", chips, "--out", model, ...small, ...schedule);
  expect(trained.modelType).toBe("retinanet");
  expect((await readModelPackage(model)).manifest.task).toBe("objectDetection");

  const figures = await run(cocoResult, "evaluate", "--model", model, "--data", chips);
  expect(figures.AP50).toBeGreaterThan(0.7);
  expect(figures.classes.map(({ name }) => name)).toEqual(["hut", "pond"]);

  const { count, windows } = await run(
    detectObjectsResult,
    ...["detect-objects", "--model", model, "--raster", path("other.tif"), "--out", found, "--min-score", "0.3"],
  );
  expect(windows).toBeGreaterThan(9);
  const layer = await readFeatures(found);
  expect(layer.features).toHaveLength(count);
  expect(layer.crs?.epsg).toBe(32633);
  const accuracy = await run(
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

test("what cannot be written is refused before anything is computed", async () => {
  let err = "";
  const surroundings = { signal: new AbortController().signal, out: () => undefined, err: { write: (text: string) => (err += text) } };
  const args = ["detect-objects", "--model", path("none.dlpk"), "--raster", path("other.tif"), "--out", path("found.txt")];
  expect(await runCli(args, surroundings)).toBe(1);
  expect(err).toContain("UNSUPPORTED_FORMAT");
});
