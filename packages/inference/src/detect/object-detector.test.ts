import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Raster, Warning } from "@geolearn/core";
import { constant, startEngine } from "@geolearn/engine";
import {
  type ModelManifest,
  type ObjectNetwork,
  createRetinaNet,
  createUNet,
  readModelPackage,
  openOnnx,
  saveOnnx,
  writeModelPackage,
} from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { PixelBlock, SceneInfo } from "../inference-function.ts";
import { openOnnxFunction } from "../onnx/onnx-function.ts";
import { CLASSES, memoryRaster } from "../testing/rasters.ts";
import { detectObjects } from "./detect-objects.ts";
import { objectDetector } from "./object-detector.ts";

const SIDE = 128;
const BANDS = 5;
const MANY = { minScore: 0.001, nmsOverlap: 0.4, maxDetections: 40 };

let folder: string;
let model: string;
let network: ObjectNetwork;

const manifest: Omit<ModelManifest, "config"> = {
  ...{ task: "objectDetection", name: "test", modelType: "retinanet", backbone: "resnet18", classes: CLASSES },
  bandNames: ["coast", "blue", "green", "red", "nir"],
  bandIndices: [0, 1, 2, 3, 4],
  sampleType: "uint8",
  statistics: Array.from({ length: BANDS }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
  ...{ chipWidth: SIDE, chipHeight: SIDE, resolution: 1, metrics: {}, training: {} },
};
const normalization = { mean: Array<number>(BANDS).fill(127.5), std: Array<number>(BANDS).fill(73.6) };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "detector-test-"));
  await startEngine({ threads: 1 });
  const anchors = { sizes: [12, 24, 48, 96, 128] };
  network = createRetinaNet({ bands: BANDS, classes: CLASSES.length, fpnWidth: 16, headDepth: 1, anchors, normalization }, { seed: 4 });
  model = join(folder, "test.dlpk");
  await writeModelPackage(model, { manifest: { ...manifest, config: network.config }, weights: network.weights() });
});
afterAll(async () => {
  network.dispose();
  await rm(folder, { recursive: true, force: true });
});

const noise = (band: number, row: number, col: number): number =>
  (Math.imul((row >> 3) * 7919 + (col >> 4) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const scene = (width: number, height: number): Raster =>
  memoryRaster({ ...{ width, height, bands: BANDS, value: noise, bandNames: manifest.bandNames } });

/** The pixels of the scene's first window. */
function firstBlock(): PixelBlock {
  const area = SIDE * SIDE;
  const pixels = Float32Array.from({ length: BANDS * area }, (_, i) => {
    const pixel = Math.floor(i / BANDS);
    return noise(i % BANDS, Math.floor(pixel / SIDE), pixel % SIDE);
  });
  return { pixels, mask: new Uint8Array(area).fill(1), size: 1, height: SIDE, width: SIDE, bands: BANDS };
}

const sceneInfo: SceneInfo = { bands: BANDS, bandNames: manifest.bandNames, sampleType: "uint8", resolution: 1 };

describe("a trained network as a detector", () => {
  test("finds in a block what the network finds itself", async () => {
    const block = firstBlock();
    const images = constant(block.pixels, [1, SIDE, SIDE, BANDS]) as tf.Tensor4D;
    const { boxes, scores, classIndices } = network.decode(network.forward(images, { training: false }), MANY);
    const [expectedBoxes, expectedScores, expectedClasses] = [boxes.dataSync(), scores.dataSync(), classIndices.dataSync()];
    const there = expectedScores.findIndex((score) => score === 0);
    const count = there < 0 ? expectedScores.length : there;
    expect(count).toBeGreaterThan(10);

    const fn = objectDetector(model, { ...MANY, workers: 1 });
    const config = await fn.configure(sceneInfo);
    expect(config).toMatchObject({ tileWidth: SIDE, classes: CLASSES, maxDetections: 40, resolution: 1 });
    const [found] = await fn.detect(block);
    await fn.dispose();
    expect(found).toHaveLength(count);
    for (const [i, { box, score, classIndex }] of found!.entries()) {
      expect(classIndex).toBe(expectedClasses[i]);
      // the same sums in another order: constants are folded into the graph
      expect(score).toBeCloseTo(expectedScores[i]!, 5);
      for (const [k, side] of box.entries()) expect(Math.abs(side - expectedBoxes[4 * i + k]!)).toBeLessThan(1e-3);
    }
  });

  test("gives the same objects for every batch and number of workers, and warns where a window is full", async () => {
    const raster = scene(300, 260);
    const options = { minScore: 0.001, maxDetections: 40 };
    const warnings: Warning[] = [];
    const first = await detectObjects(model, raster, {
      ...options,
      workers: 1,
      batchSize: 1,
      onWarning: (warning) => warnings.push(warning),
    });
    expect(first.features.length).toBeGreaterThan(40);
    expect(warnings.map(({ code }) => code)).toContain("OBJECTS_LEFT_OUT");
    for (const other of [
      { workers: 2, batchSize: 3 },
      { workers: 2, batchSize: 1, threads: 1 },
    ]) {
      const again = await detectObjects(await readModelPackage(model), raster, { ...options, ...other });
      expect(again.features).toEqual(first.features);
    }
  }, 60_000);

  test("a package around its own ONNX file finds the same", async () => {
    const onnx = join(folder, "test.onnx");
    await saveOnnx(onnx, await readModelPackage(model), MANY);
    const block = firstBlock();
    const [own, foreign] = [objectDetector(model, { ...MANY, workers: 1 }), await openOnnxFunction(onnx)];
    await own.configure(sceneInfo);
    const [[expected], [found]] = [await own.detect(block), await foreign.detect(block)];
    expect(found!.map(({ classIndex }) => classIndex)).toEqual(expected!.map(({ classIndex }) => classIndex));
    for (const [i, { score }] of found!.entries()) expect(score).toBeCloseTo(expected![i]!.score, 5);
    await own.dispose();
    await foreign.dispose();
    // on a scene that windows do not fill, too: they lie at the same places
    const options = { ...MANY, workers: 1 };
    const pkg = await openOnnx(onnx);
    const [here, there] = [await detectObjects(model, scene(205, 190), options), await detectObjects(pkg, scene(205, 190), options)];
    expect(here.features.length).toBeGreaterThan(10);
    expect(there.features.length).toBe(here.features.length);
    for (const [i, { properties }] of there.features.entries()) {
      expect(properties!["score"]).toBeCloseTo(here.features[i]!.properties!["score"] as number, 5);
    }
  });

  test("a model of another task, and a cancelled run", async () => {
    const unet = createUNet({ bands: 3, classes: 2, base: 4, depth: 2 }, { seed: 1 });
    const path = join(folder, "unet.dlpk");
    const { config } = unet;
    const pixels = { ...manifest, task: "pixelClassification" as const, modelType: "unet", backbone: null };
    const three = { bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], statistics: manifest.statistics.slice(0, 3) };
    await writeModelPackage(path, { manifest: { ...pixels, ...three, config }, weights: unet.weights() });
    unet.dispose();
    await expect(detectObjects(path, scene(128, 128))).rejects.toMatchObject({ code: "TASK_MISMATCH" });
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }): void => void (done > 0 && controller.abort());
    const running = detectObjects(model, scene(400, 400), { onProgress, signal: controller.signal, batchSize: 1 });
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
  });
});
