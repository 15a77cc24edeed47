import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Raster, openRaster } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelPackage, createUNet, readModelPackage, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { CLASSES, memoryRaster, testFunction } from "../testing/rasters.ts";
import { classifyImage } from "./classify-image.ts";
import { classifyPixels } from "./classify-pixels.ts";
import { ComputeLanes as BrowserLanes } from "../lanes/compute-lanes.browser.ts";
import { ComputeLanes } from "../lanes/compute-lanes.ts";

let folder: string;
let model: ModelPackage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "classify-image-"));
  await startEngine({ threads: 1 });
  const normalization = { mean: [127.5, 127.5, 127.5], std: [73.6, 73.6, 73.6] };
  const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2, normalization }, { seed: 5 });
  const path = join(folder, "model.dlpk");
  await writeModelPackage(path, {
    weights: network.weights(),
    manifest: {
      ...{ task: "pixelClassification", name: "test", modelType: "unet", backbone: null, config: network.config, classes: CLASSES },
      ...{ bandNames: ["red", "green", "blue"], bandIndices: [0, 1, 2], sampleType: "uint8", chipWidth: 64, chipHeight: 64 },
      statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
      ...{ resolution: 1, metrics: {}, training: {} },
    },
  });
  network.dispose();
  model = await readModelPackage(path);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const noise = (band: number, row: number, col: number): number =>
  (Math.imul((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const scene = (extra: object = {}): Raster =>
  memoryRaster({ width: 150, height: 137, value: noise, bandNames: ["red", "green", "blue"], ...extra });

/** A function that needs no network: bright pixels are class 7. */
const bright = testFunction({ score: ({ pixels, width, bands }, image, row, col, band) => {
  const value = pixels[((image * width + row) * width + col) * bands]! / 255;
  return band === 1 ? value : 1 - value;
} }); // prettier-ignore

describe("a scene classified into memory", () => {
  test("has the pixels of the file that classifyPixels writes, nodata and mask included", async () => {
    const valid = (row: number, col: number): boolean => row + col > 40;
    const square = [[500_010, 4_999_990], [500_120, 4_999_990], [500_120, 4_999_900], [500_010, 4_999_900], [500_010, 4_999_990]]; // prettier-ignore
    const mask = {
      ...{ name: "land", crs: null },
      features: [{ type: "Feature" as const, properties: {}, geometry: { type: "Polygon" as const, coordinates: [square] } }],
    };
    for (const source of [model, bright]) {
      const options = { overlap: 16, mask, workers: 1, threads: 1 };
      const file = await classifyPixels(source, scene({ valid }), { ...options, out: join(folder, "map.tif") });
      const image = await classifyImage(source, scene({ valid }), options);
      const expected = await (await openRaster(file.path)).read();
      expect(image.data).toEqual(expected.data);
      expect(image).toMatchObject({ width: 150, height: 137, nodata: file.nodata, windows: file.windows, pixels: file.pixels });
      const tiff = await openRaster(await image.toGeoTiff());
      const original = await openRaster(file.path);
      expect((await tiff.read()).data).toEqual(expected.data);
      expect(tiff.transform).toEqual(original.transform);
      for (const key of ["crs", "nodata", "colorTable", "classNames"] as const) expect(tiff[key], key).toEqual(original[key]);
    }
  });

  test("refuses what has no classes, and scenes without a pixel to classify", async () => {
    const values = testFunction({ score: () => 1, output: "values", classes: null });
    await expect(classifyImage(values, scene())).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(classifyImage(bright, scene({ valid: () => false }))).rejects.toMatchObject({ code: "ALL_NODATA" });
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    await expect(classifyImage(bright, scene(), { signal: controller.signal, onProgress })).rejects.toMatchObject({ name: "AbortError" });
  });
});

test("the lane of a browser computes what a thread of Node computes", async () => {
  const { manifest, weights } = model;
  const list: { name: string; shape: readonly number[]; offset: number; length: number }[] = [];
  const total = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const buffer = new SharedArrayBuffer(4 * total);
  let offset = 0;
  for (const [name, { data, shape }] of weights) {
    new Float32Array(buffer, offset, data.length).set(data);
    list.push({ name, shape, offset, length: data.length });
    offset += 4 * data.length;
  }
  const setup = {
    ...{ device: "cpu" as const, threads: 1 },
    model: { kind: "network" as const, modelType: manifest.modelType, config: manifest.config, weights: list, buffer },
    ...{ tileWidth: 64, tileHeight: 64, bands: 3, computeBatch: 1 },
  };
  const pixels = Float32Array.from({ length: 2 * 64 * 64 * 3 }, (_, i) => noise(i % 3, i >> 8, i & 255));
  const block = { pixels, mask: new Uint8Array(2 * 64 * 64).fill(1), size: 2, height: 64, width: 64, bands: 3 };
  const thread = await ComputeLanes.start(setup, 1);
  const lane = await BrowserLanes.start(setup, 1);
  try {
    const { stride, margin } = lane.frame;
    expect(thread.frame).toMatchObject({ stride, margin });
    const [expected = new Float32Array(0)] = await thread.run(block);
    expect(await lane.run(block)).toEqual([expected]);
    const out = new Float32Array(expected.length);
    expect((await lane.run({ ...block, out }))[0]).toBe(out);
    expect(out).toEqual(expected);
    await expect(lane.run(block, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    await lane.close();
    expect(lane.closed).toBe(true);
    await expect(lane.run(block)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  } finally {
    await Promise.all([thread.close(), lane.close()]);
  }
});
