/** A change detector on two rasters is the same network on one raster that has the bands of both. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Affine, type Raster, openRaster } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelManifest, type ModelPackage, createChangeDetector, readModelPackage, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, expect, test } from "vitest";

import { CLASSES, memoryRaster } from "../testing/rasters.ts";
import { classifyPixels } from "./classify-pixels.ts";
import { detectChange, estimateChange } from "./detect-change.ts";

const NAMES = ["red", "green"];
const [WIDTH, HEIGHT] = [90, 70];
let folder: string;
let model: ModelPackage;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "change-test-"));
  await startEngine({ threads: 1 });
  const normalization = { mean: [120, 120, 120, 120], std: [70, 70, 70, 70] };
  const network = createChangeDetector({ bands: 4, classes: 2, base: 4, depth: 2, fusion: "concat", normalization }, { seed: 3 });
  const manifest: ModelManifest = {
    task: "pixelClassification",
    name: "change",
    modelType: network.modelType,
    config: network.config,
    backbone: null,
    classes: CLASSES,
    bandNames: [...NAMES.map((name) => `${name} before`), ...NAMES.map((name) => `${name} after`)],
    bandIndices: [0, 1, 2, 3],
    sourceBands: 4,
    sampleType: "uint8",
    statistics: Array.from({ length: 4 }, () => ({ min: 0, max: 255, mean: 120, std: 70, count: 1e6 })),
    chipWidth: 32,
    chipHeight: 32,
    resolution: 1,
    metrics: {},
    training: {},
  };
  path = join(folder, "change.dlpk");
  await writeModelPackage(path, { manifest, weights: network.weights() });
  model = await readModelPackage(path);
  network.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Value = (band: number, row: number, col: number) => number;
const before: Value = (band, row, col) => (Math.imul((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const after: Value = (band, row, col) => before(band, row + (col > 40 ? 9 : 0), col);
const date = (value: Value, extra: object = {}): Raster =>
  memoryRaster({ width: WIDTH, height: HEIGHT, bands: 2, value, bandNames: NAMES, ...extra });

/** Class and scores of every pixel. */
async function pixelsOf(map: { readonly path: string; readonly scoresPath: string | null }): Promise<number[][]> {
  return Promise.all(
    [map.path, map.scoresPath!].map(async (file) => {
      const raster = await openRaster(file);
      const { data } = await raster.read();
      await raster.close();
      return [...data];
    }),
  );
}

const stacked = (first: Value, second: Value, extra: object = {}): Raster =>
  memoryRaster({
    width: WIDTH,
    height: HEIGHT,
    bands: 4,
    value: (band, row, col) => (band < 2 ? first(band, row, col) : second(band - 2, row, col)),
    ...extra,
  });
const OPTIONS = { scores: true, workers: 1, threads: 1 } as const;

test("both orders of the dates give what the stacked raster gives, to the bit", async () => {
  const forth = await pixelsOf(await detectChange(model, date(before), date(after), OPTIONS));
  expect(forth).toEqual(await pixelsOf(await classifyPixels(model, stacked(before, after), OPTIONS)));
  const back = await pixelsOf(await detectChange(path, date(after), date(before), OPTIONS));
  expect(back).toEqual(await pixelsOf(await classifyPixels(path, stacked(after, before), OPTIONS)));
  expect(back[1]).not.toEqual(forth[1]);
  // bands in another order in the file, found by name or chosen
  const turned = (value: Value): Raster => date((band, row, col) => value(1 - band, row, col), { bandNames: ["green", "red"] });
  expect(await pixelsOf(await detectChange(model, turned(before), turned(after), OPTIONS))).toEqual(forth);
  const chosen = { ...OPTIONS, bands: [1, 0] };
  expect(await pixelsOf(await detectChange(model, turned(before), turned(after), chosen))).toEqual(forth);
  expect((await estimateChange(model, date(before), date(after))).windows).toBeGreaterThan(4);
});

test("ground that the later date does not show is nodata, the rest as it would be", async () => {
  // 20 columns and 10 rows further, in the same pixels
  const moved: Affine = [1, 0, 500_020, 0, -1, 4_999_990];
  const later = date((band, row, col) => after(band, row + 10, col + 20), { transform: moved });
  const map = await detectChange(model, date(before), later, OPTIONS);
  const inside = (row: number, col: number): boolean => row >= 10 && col >= 20;
  const masked = stacked(before, (band, row, col) => (inside(row, col) ? after(band, row, col) : 0), { valid: inside });
  const [classes, scores] = await pixelsOf(map);
  expect([classes, scores]).toEqual(await pixelsOf(await classifyPixels(model, masked, OPTIONS)));
  classes!.forEach((value, i) => expect(value === map.nodata).toBe(!inside(Math.floor(i / WIDTH), i % WIDTH)));
});

test("a later date with smaller pixels is seen on the earlier one's grid", async () => {
  // four pixels of one value each: bilinear reading at half the resolution meets equal neighbours but at the edges of patches of 8
  const patch: Value = (band, row, col) => before(band, (row >> 3) * 8, (col >> 3) * 8);
  const fine = date((band, row, col) => patch(band, row >> 1, col >> 1), {
    width: 2 * WIDTH,
    height: 2 * HEIGHT,
    transform: [0.5, 0, 500_000, 0, -0.5, 5_000_000],
  });
  const map = await detectChange(model, date(before), fine, OPTIONS);
  const [found, expected] = [await pixelsOf(map), await pixelsOf(await classifyPixels(model, stacked(before, patch), OPTIONS))];
  expect([map.width, map.height]).toEqual([WIDTH, HEIGHT]);
  expect(found[0]!.includes(map.nodata)).toBe(false);
  // samples beside the edges of patches are blends of both
  const close = found[1]!.filter((value, i) => Math.abs(value - expected[1]![i]!) < 0.1).length;
  expect(close).toBeGreaterThan(0.9 * found[1]!.length);
});

test.each<[string, string, () => Promise<unknown>]>([
  [
    "TASK_MISMATCH",
    "another network",
    () => detectChange({ ...model, manifest: { ...model.manifest, modelType: "unet" } }, date(before), date(after)),
  ],
  ["RASTER_MISMATCH", "other ground", () => detectChange(model, date(before), date(after, { transform: [1, 0, 9e5, 0, -1, 5e6] }))],
  ["RASTER_MISMATCH", "other numbers", () => detectChange(model, date(before), date(after, { sampleType: "uint16" }))],
  ["BANDS_MISMATCH", "too few bands", () => detectChange(model, date(before), date(after), { bands: [0] })],
  ["INVALID_ARGUMENT", "an input as result", () => detectChange(model, date(before), "later.tif", { out: "later.tif" })],
])("%s: %s", async (code, _, work) => {
  await expect(work()).rejects.toMatchObject({ code });
});
