import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Raster, openRaster } from "@geolearn/core";
import { openOnnxSession, parseOnnxModel, startEngine } from "@geolearn/engine";
import { type ModelPackage, type OnnxSpec, createUNet, openOnnx, readModelPackage, saveOnnx, writeModelPackage } from "@geolearn/models";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type ClassifyModel, classifyPixels } from "../classify/classify-pixels.ts";
import type { LaneGraph } from "../lanes/lane-messages.ts";
import { laneModel } from "../lanes/lane-model.ts";
import { createScorer, graphRunner } from "../lanes/scorer.ts";
import { CLASSES, memoryRaster } from "../testing/rasters.ts";
import { fromOnnx } from "./from-onnx.ts";

interface Fixture {
  readonly side: number;
  readonly mean: number[];
  readonly std: number[];
  readonly cases: { name: string; file: string; spec: OnnxSpec; scores: number[]; shape: number[] }[];
}
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), "utf8"));
const fixture = read("segmentation") as Fixture;
const tensorflow = read("tensorflow") as { readonly segmentation: Fixture["cases"] };
const fileOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(fixture.cases.find((one) => one.name === name)!.file, "base64"));
const general: OnnxSpec = { task: "pixelClassification", normalization: { scale: 1 / 255, mean: fixture.mean, std: fixture.std } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "from-onnx-"));
  await startEngine({ threads: 1 });
});
afterAll(() => rm(folder, { recursive: true }));

/** The scene of tests/oracles/onnx_segmentation.py. */
const noise = (band: number, row: number, col: number): number =>
  (Math.imul((row >> 2) * 7919 + (col >> 1) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const scene = (width: number, height: number): Raster => memoryRaster({ width, height, value: noise, bandNames: ["red", "green", "blue"] });

describe("networks of others", () => {
  const written = [
    ...fixture.cases.map((one) => ({ by: "PyTorch", ...one })),
    ...tensorflow.segmentation.map((one) => ({ by: "TensorFlow", ...one })),
  ];
  test.each(written)("$by: $name", async ({ file, spec, scores, shape }) => {
    const { side } = fixture;
    // In this thread: starting one for each case would take longer than everything else.
    const pkg = await openOnnx(new Uint8Array(Buffer.from(file, "base64")), { ...general, ...spec });
    const { chipWidth, chipHeight, classes } = pkg.manifest;
    const size = { tileWidth: side, tileHeight: side, bands: 3, computeBatch: 1 };
    const graph = laneModel(pkg, 1) as LaneGraph;
    const session = await openOnnxSession(parseOnnxModel(new Uint8Array(graph.buffer), graph.source));
    const scorer = createScorer(graphRunner(session, graph, size), size);
    try {
      expect([chipWidth, chipHeight, classes.length, scorer.margin]).toEqual([side, side, shape[3], (side - shape[1]!) / 2]);
      const pixels = Float32Array.from({ length: side * side * 3 }, (_, i) =>
        noise(i % 3, Math.floor(i / (3 * side)), Math.floor(i / 3) % side),
      );
      const [found = new Float32Array(0)] = await scorer.compute(pixels, 1, null, () => false);
      expect(found.length).toBe(scores.length);
      let worst = 0;
      for (let i = 0; i < scores.length; i++) worst = Math.max(worst, Math.abs(found[i]! - scores[i]!));
      // float32 against float64 behind logits of a few units
      expect(worst).toBeLessThan(1e-5);
    } finally {
      await scorer.dispose();
    }
  });

  test("a whole scene, the same for any number of workers", async () => {
    const classes = await Promise.all(
      [1, 2].map(async (workers) => {
        const fn = await fromOnnx(fileOf("logits, free sizes"), { ...general, chipSize: 64 }, { workers, threads: 1 });
        const map = await classifyPixels(fn, scene(150, 90));
        const bytes = await classBytes(map.path);
        await map.dispose();
        await fn.dispose();
        return bytes;
      }),
    );
    expect(classes[0]!.equals(classes[1]!)).toBe(true);
    expect(new Set(classes[0]!).size).toBeGreaterThan(1);
  }, 240_000);
});

async function classBytes(path: string): Promise<Buffer> {
  const raster = await openRaster(path);
  const { data } = await raster.read();
  await raster.close();
  return Buffer.from(data as Uint8Array);
}

async function mapped(model: ClassifyModel, workers: number): Promise<{ classes: Buffer; scores: Float32Array }> {
  const map = await classifyPixels(model, scene(150, 137), { workers, threads: 1, scores: true });
  const raster = await openRaster(map.scoresPath!);
  const result = { classes: await classBytes(map.path), scores: (await raster.read()).data as Float32Array };
  await raster.close();
  await map.dispose();
  return result;
}

describe("our own export", () => {
  let pkg: ModelPackage;
  let expected: { classes: Buffer; scores: Float32Array };
  beforeAll(async () => {
    const network = createUNet(
      { bands: 3, classes: 2, base: 4, depth: 2, margin: 4, normalization: { mean: [120, 127.5, 130], std: [70, 73.6, 75] } },
      { seed: 3 },
    );
    const manifest = {
      task: "pixelClassification" as const,
      name: "test",
      modelType: "unet",
      backbone: null,
      config: network.config,
      classes: CLASSES,
      bandNames: ["red", "green", "blue"],
      bandIndices: [0, 1, 2],
      sampleType: "uint8",
      statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
      chipWidth: 64,
      chipHeight: 64,
      resolution: 1,
      metrics: { meanIou: 0.5 },
      training: { epochs: 2 },
    };
    const path = join(folder, "test.dlpk");
    await writeModelPackage(path, { manifest, weights: network.weights() });
    // An untrained network leans to one class: move its last bias so that both occur.
    const odds = (await mapped(path, 1)).scores;
    const second = odds.slice(odds.length / 2).sort();
    const middle = second[second.length >> 1]!;
    const weights = new Map(network.weights());
    const bias = Float32Array.from(weights.get("head.bias")!.data);
    bias[0]! += Math.log(middle / (1 - middle));
    weights.set("head.bias", { data: bias, shape: [2], dtype: "float32" });
    await writeModelPackage(path, { manifest, weights });
    network.dispose();
    pkg = await readModelPackage(path);
    expected = await mapped(pkg, 1);
    expect(new Set(expected.classes).size).toBeGreaterThan(1);
  }, 240_000);

  test.each(["free", "chip"] as const)(
    "comes back with everything, and maps as the package does (%s size)",
    async (size) => {
      const path = join(folder, `${size}.onnx`);
      await saveOnnx(path, pkg, { size });
      const back = await openOnnx(path);
      const { config: _own, graph: _graph, modelType: _type, ...told } = back.manifest;
      const { config: _config, modelType: _unet, ...known } = pkg.manifest;
      expect(told).toEqual(known);
      expect(back.manifest.graph).toMatchObject({ margin: 4, stride: 4, layout: "NCHW", offset: null });
      for (const workers of size === "free" ? [1, 2] : [2]) {
        const found = await mapped(back, workers);
        expect(found.classes.equals(expected.classes)).toBe(true);
        let worst = 0;
        for (let i = 0; i < expected.scores.length; i++) worst = Math.max(worst, Math.abs(found.scores[i]! - expected.scores[i]!));
        // The runtime may fuse the two graphs differently; scores are float32 of at most 1.
        expect(worst).toBeLessThan(1e-6);
      }
    },
    240_000,
  );

  test("a package around the file is saved, read and used like any other", async () => {
    const path = join(folder, "logits.onnx");
    await saveOnnx(path, pkg, { output: "logits" });
    const around = join(folder, "around.dlpk");
    await writeModelPackage(around, await openOnnx(path));
    const read = await readModelPackage(around);
    expect(read.manifest).toMatchObject({ modelType: "onnx", classes: CLASSES });
    expect(Buffer.from(read.onnx!).equals(readFileSync(path))).toBe(true);
    expect((await mapped(around, 2)).classes.equals(expected.classes)).toBe(true);
  }, 240_000);
});

describe("what does not fit is refused", () => {
  const open = (spec: OnnxSpec, name = "softmax"): Promise<unknown> => openOnnx(fileOf(name), spec);

  test.each<[string, OnnxSpec, string]>([
    ["no task", {}, "task"],
    ["another number of bands", { ...general, bands: [0, 1] }, "layout"],
    ["another chip size than the file is fixed to", { ...general, chipSize: 64 }, "chipSize"],
    ["too few names", { ...general, bandNames: ["a"] }, "bandNames"],
    ["statistics for other bands", { task: "pixelClassification", normalization: { mean: [1, 2] } }, "normalization.mean"],
    ["a divisor of 0", { task: "pixelClassification", normalization: { std: 0 } }, "normalization.std"],
    ["too many classes", { ...general, classes: ["a", "b", "c", "d"] }, "classes"],
    ["too few classes", { ...general, classes: ["a", "b"] }, "classes"],
    ["a margin the result does not have", { ...general, margin: 3 }, "margin"],
    ["a field nobody knows", { colour: "red" } as OnnxSpec, ""],
  ])("%s", async (_, spec, field) => {
    await expect(open(spec)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { field } });
  });

  test.each<[name: string, classes: string[], what: string, hint: string]>([
    ["softmax", ["forest"], "1 class is given for 3 channels", "a background among them"],
    ["logits, free sizes", ["a", "b", "c", "d"], "4 classes are given for 3 channels", "one for each channel"],
    ["one channel, sigmoid", ["forest"], "1 class is given for 1 channel", "a single channel tells two apart"],
    ["one channel, logits", ["a", "b", "c"], "3 classes are given for 1 channel", "its score is that of the second"],
  ])("%s with the classes %j: both counts are told", async (name, classes, what, hint) => {
    await expect(open({ ...general, classes }, name)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`${what} of its output`) as string,
      hint: expect.stringContaining(hint) as string,
    });
  });

  test("one channel and two classes go together", async () => {
    await expect(open({ ...general, classes: ["other", "forest"] }, "one channel, sigmoid")).resolves.toMatchObject({
      manifest: { classes: [{ name: "other" }, { name: "forest" }] },
    });
  });

  test("a package that lists other classes than its graph tells apart, when it is opened and when it was changed in memory", async () => {
    const pkg = await openOnnx(fileOf("softmax"), general);
    const changed = { ...pkg.manifest, classes: pkg.manifest.classes.slice(0, 2) };
    const what = expect.stringContaining("2 classes are given for 3 channels of its output") as string;
    const path = join(folder, "changed.dlpk");
    await writeModelPackage(path, { manifest: changed, weights: new Map(), onnx: pkg.onnx! });
    await expect(readModelPackage(path)).rejects.toMatchObject({ code: "MODEL_CORRUPT", message: what, data: { classes: 2, channels: 3 } });
    await expect(classifyPixels({ ...pkg, manifest: changed }, scene(32, 32))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: what,
    });
  });

  test("names that are not there, with those that are", async () => {
    await expect(open({ ...general, input: "x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { names: ["image"] } });
    await expect(open({ ...general, output: "y" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { names: ["out"] } });
  });

  test("numbers of classes nobody described, while mapping", async () => {
    const fn = await fromOnnx(fileOf("argmax"), { ...general, classes: ["a", "b"] }, { workers: 1, threads: 1 });
    await expect(classifyPixels(fn, scene(32, 32))).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
    await fn.dispose();
  });

  test("a file made to harm, before anything runs it", async () => {
    const path = join(folder, "bad.onnx");
    await writeFile(path, fileOf("softmax").subarray(0, 900));
    await expect(fromOnnx(path, general)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });
});
