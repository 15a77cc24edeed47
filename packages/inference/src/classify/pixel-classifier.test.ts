import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Raster, openRaster } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelManifest, createUNet, readModelPackage, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { InferenceFunction } from "../inference-function.ts";
import { CLASSES, memoryRaster } from "../testing/rasters.ts";
import { type ClassifyOptions, classifyPixels, estimateClassification } from "./classify-pixels.ts";
import { runInference } from "../run/run-inference.ts";
import { pixelClassifier } from "./pixel-classifier.ts";

let folder: string;
let model: string;

const manifest: Omit<ModelManifest, "config"> = {
  task: "pixelClassification",
  name: "test",
  modelType: "unet",
  backbone: null,
  classes: CLASSES,
  bandNames: ["red", "green", "blue"],
  bandIndices: [0, 1, 2],
  sampleType: "uint8",
  statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
  chipWidth: 64,
  chipHeight: 64,
  resolution: 1,
  metrics: {},
  training: {},
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "classifier-test-"));
  await startEngine({ threads: 1 });
  const network = createUNet(
    { bands: 3, classes: 2, base: 4, depth: 2, normalization: { mean: [127.5, 127.5, 127.5], std: [73.6, 73.6, 73.6] } },
    { seed: 3 },
  );
  model = join(folder, "test.dlpk");
  await writeModelPackage(model, { manifest: { ...manifest, config: network.config }, weights: network.weights() });
  // An untrained network leans to one class: move its last bias so that both occur.
  const { scores } = await bytesOf({ workers: 1 });
  const odds = scores.slice(scores.length / 2).sort();
  const middle = odds[odds.length >> 1]!;
  const weights = new Map(network.weights());
  weights.set("head.bias", { data: Float32Array.of(Math.log(middle / (1 - middle)), 0), shape: [2], dtype: "float32" });
  const bias = network.weights().get("head.bias")!.data;
  (weights.get("head.bias")!.data as Float32Array)[0]! += bias[0]!;
  (weights.get("head.bias")!.data as Float32Array)[1]! += bias[1]!;
  await writeModelPackage(model, { manifest: { ...manifest, config: network.config }, weights });
  network.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const noise = (band: number, row: number, col: number): number =>
  (Math.imul((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const scene = (extra: object = {}): Raster =>
  memoryRaster({ width: 150, height: 137, value: noise, bandNames: ["red", "green", "blue"], ...extra });

async function bytesOf(options: ClassifyOptions): Promise<{ classes: Buffer; scores: Float32Array }> {
  const map = await classifyPixels(model, scene(), { ...options, scores: true });
  const classes = await openRaster(map.path);
  const scores = await openRaster(map.scoresPath!);
  const result = { classes: Buffer.from((await classes.read()).data as Uint8Array), scores: (await scores.read()).data as Float32Array };
  await classes.close();
  await scores.close();
  await map.dispose();
  return result;
}

describe("a network on a scene", () => {
  test("batch 1, 4, 7 and workers 1, 2, 4 give the same bytes", async () => {
    const reference = await bytesOf({ batchSize: 1, workers: 1, threads: 1 });
    expect(new Set(reference.classes).size).toBeGreaterThan(1);
    for (const options of [
      { batchSize: 4, workers: 1, threads: 2 },
      { batchSize: 7, workers: 2, threads: 1 },
      { batchSize: 4, workers: 4, threads: 1 },
    ]) {
      const { classes, scores } = await bytesOf(options);
      expect(classes.equals(reference.classes)).toBe(true);
      for (let i = 0; i < scores.length; i++) expect(Math.abs(scores[i]! - reference.scores[i]!)).toBeLessThanOrEqual(1e-6);
    }
  }, 240_000);

  test("the size of the windows does not matter when they overlap by more than the network sees", async () => {
    const pkg = await readModelPackage(model);
    const raster = scene({ width: 296, height: 272 });
    let reference: { classes: Uint8Array; scores: Float32Array } | null = null;
    for (const chip of [64, 96, 128]) {
      const sized = { ...pkg, manifest: { ...pkg.manifest, chipWidth: chip, chipHeight: chip } };
      const map = await classifyPixels(sized, raster, { blend: "crop", overlap: 56, scores: true, workers: 1 });
      const [a, b] = [await openRaster(map.path), await openRaster(map.scoresPath!)];
      const result = { classes: (await a.read()).data as Uint8Array, scores: (await b.read()).data as Float32Array };
      await a.close();
      await b.close();
      await map.dispose();
      reference ??= result;
      expect(Buffer.from(result.classes).equals(Buffer.from(reference.classes))).toBe(true);
      for (let i = 0; i < result.scores.length; i++) expect(Math.abs(result.scores[i]! - reference.scores[i]!)).toBeLessThanOrEqual(1e-6);
    }
  }, 240_000);

  test("cancelling ends the computing threads, and the function can be used again", async () => {
    const fn = pixelClassifier(model, { workers: 2, threads: 1 });
    for (const after of [1, 2, 4, 9]) {
      const controller = new AbortController();
      let reports = 0;
      const running = runInference(fn, scene(), {
        batchSize: 1,
        signal: controller.signal,
        onProgress: () => ++reports === after && controller.abort(),
      });
      await expect(running).rejects.toMatchObject({ name: "AbortError" });
    }
    const map = await runInference(fn, scene());
    expect(map.windows).toBe(16);
    await map.dispose();
    await fn.dispose();
  }, 240_000);

  test("an estimate tells windows, time, memory and disk, and writes nothing", async () => {
    const estimate = await estimateClassification(model, scene(), { batchSize: 2, workers: 1 });
    expect(estimate).toMatchObject({ windows: 16, pixels: 150 * 137, measuredBatches: 3 });
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.memoryMb).toBeGreaterThan(10);
    expect(estimate.diskMb).toBeGreaterThan(0.01);
  });
});

describe("scene and model are checked", () => {
  let shared: InferenceFunction;
  beforeAll(() => {
    shared = pixelClassifier(model, { workers: 1, threads: 1 });
  });
  afterAll(() => shared.dispose());

  const classify = (raster: Raster, options: ClassifyOptions = {}): Promise<string[]> => {
    const warnings: string[] = [];
    return runInference(shared, raster, { ...options, onWarning: ({ code }) => warnings.push(code) }).then(async (map) => {
      await map.dispose();
      return warnings;
    });
  };

  test("bands by name, then by position; too few are refused, and too many without names", async () => {
    const fn = shared;
    const info = { sampleType: "uint8", resolution: 1 } as const;
    expect((await fn.configure({ ...info, bands: 4, bandNames: ["nir", "Blue", "GREEN", "red"] })).bands).toEqual([3, 2, 1]);
    expect((await fn.configure({ ...info, bands: 3, bandNames: ["band 1", "band 2", "band 3"] })).bands).toEqual([0, 1, 2]);
    const wider = { ...info, bands: 12, bandNames: Array.from({ length: 12 }, (_, i) => `band ${i + 1}`) };
    await expect(fn.configure(wider)).rejects.toMatchObject({
      code: "BANDS_MISMATCH",
      message: expect.stringContaining("There are 12 bands") as unknown,
      hint: expect.stringContaining("`bands: [0, 1, 2]`") as unknown,
    });
    expect((await fn.configure({ ...wider, bandsChosen: true })).bands).toHaveLength(3);
    await expect(fn.configure({ ...info, bands: 2, bandNames: ["red", "green"] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
    await expect(classify(scene(), { bands: [0, 1] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
    await expect(classify(scene(), { bands: [0, 1, 3] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
    await expect(classify(scene(), { bands: ["red", "green", "infrared"] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
  });

  test("chosen bands of a wider scene give what the scene of those bands gives", async () => {
    const classesOf = async (raster: Raster, options: ClassifyOptions = {}): Promise<Buffer> => {
      const map = await runInference(shared, raster, options);
      const result = await openRaster(map.path);
      const { data } = await result.read();
      await result.close();
      await map.dispose();
      return Buffer.from(data as Uint8Array);
    };
    const expected = await classesOf(scene());
    // red, green and blue are bands 4, 2 and 0; the others hold something else
    const wider = scene({
      bands: 5,
      bandNames: ["c", "x", "b", "y", "a"],
      value: (band: number, row: number, col: number) => (band % 2 === 1 ? 255 : noise((4 - band) / 2, row, col)),
    });
    expect(expected.equals(await classesOf(wider, { bands: [4, 2, 0] }))).toBe(true);
    expect(expected.equals(await classesOf(wider, { bands: ["a", "b", "c"] }))).toBe(true);
    expect(expected.equals(await classesOf(wider, { bands: [0, 1, 2] }))).toBe(false);
  });

  test("resolution: a warning above 20 %, refused above a factor of 4, accepted when meant", async () => {
    expect(await classify(scene({ transform: [1.1, 0, 500_000, 0, -1.1, 5_000_000] }))).toEqual([]);
    expect(await classify(scene({ transform: [1.5, 0, 500_000, 0, -1.5, 5_000_000] }))).toEqual(["RESOLUTION_MISMATCH"]);
    const coarse = scene({ transform: [10, 0, 500_000, 0, -10, 5_000_000] });
    await expect(classify(coarse)).rejects.toMatchObject({
      code: "RESOLUTION_MISMATCH",
      hint: expect.stringContaining("cellSize") as unknown,
    });
    expect(await classify(coarse, { cellSize: "scene" })).toEqual(["RESOLUTION_MISMATCH"]);
  });

  test("sample type, missing reference system and values outside the training range are told", async () => {
    expect(await classify(scene({ sampleType: "uint16" }))).toEqual(["SAMPLE_TYPE_DIFFERS"]);
    expect(await classify(scene({ crs: null }))).toEqual(["CRS_MISSING"]);
    const bright = scene({ sampleType: "uint16", value: () => 4000 });
    const warnings: string[] = [];
    const map = await runInference(shared, bright, {
      outOfRange: true,
      onWarning: ({ code, message }) => warnings.push(`${code} ${message}`),
    });
    expect(warnings.map((text) => text.split(" ")[0])).toEqual(["SAMPLE_TYPE_DIFFERS", "STATISTICS_DIFFER", "OUT_OF_RANGE"]);
    expect(warnings[1]).toContain("green (mean 4000");
    const flags = await openRaster(map.outOfRangePath!);
    expect(new Set((await flags.read()).data)).toEqual(new Set([3]));
    await flags.close();
    await map.dispose();
  });

  test("a missing model, another task", async () => {
    await expect(classifyPixels(join(folder, "none.dlpk"), scene())).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const pkg = await readModelPackage(model);
    await expect(classifyPixels({ ...pkg, manifest: { ...pkg.manifest, task: "objectDetection" } }, scene())).rejects.toMatchObject({
      code: "TASK_MISMATCH",
    });
  });
});
