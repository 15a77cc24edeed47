import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import {
  type Feature,
  type Features,
  openRaster,
  parseCrs,
  type Raster,
  readFeatures,
  createTransformer,
  type Warning,
  writeFeatures,
} from "@geolearn/core";
import { constant, startEngine } from "@geolearn/engine";
import {
  createFeatureClassifier,
  type ModelManifest,
  type ModelPackage,
  openOnnx,
  saveOnnx,
  type TileNetwork,
  writeModelPackage,
} from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { memoryRaster, type MemoryRasterOptions } from "../testing/rasters.ts";
import { verdictOf } from "./class-fields.ts";
import { classifyObjects, type ClassifyObjectsOptions, streamClassifiedObjects } from "./classify-objects.ts";
import { estimateObjects } from "./estimate-objects.ts";
import { classifyPhotos } from "./classify-photos.ts";
import { featureWindow } from "./feature-window.ts";
import { photoPosition } from "./photo-position.ts";

const [WIDTH, HEIGHT, BANDS] = [40, 32, 3];
const CLASSES = ["flat", "gable", "hip"].map((name, i) => ({ value: 10 * (i + 1), name, color: [10 * i, 0, 0] as const }));
const ONE_THREAD = { threads: 1, workers: 1 };
/** Every test starts threads of its own. */
vi.setConfig({ testTimeout: 180_000 });

let folder: string;
let network: TileNetwork;
/** The network as a package of geolearn, and around its ONNX file, which starts much faster. */
let trained: string;
let model: ModelPackage;

function manifestOf(more: Partial<ModelManifest> = {}): ModelManifest {
  return {
    ...{
      task: "objectClassification",
      name: "Roofs",
      modelType: "feature-classifier",
      backbone: "mobilenetv3-small",
      config: network.config,
    },
    ...{
      classes: CLASSES,
      bandNames: ["band 1", "band 2", "band 3"],
      bandIndices: [0, 1, 2],
      sampleType: "uint8",
      metrics: {},
      training: {},
    },
    statistics: Array.from({ length: BANDS }, () => ({ min: 0, max: 255, mean: 127.5, std: 73.6, count: 1e6 })),
    ...{ chipWidth: WIDTH, chipHeight: HEIGHT, resolution: 1 },
    ...more,
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "classify-objects-"));
  await startEngine({ threads: 1 });
  const normalization = { mean: [127.5, 127.5, 127.5], std: [73.6, 73.6, 73.6] };
  network = createFeatureClassifier({ bands: BANDS, classes: 3, backbone: "mobilenetv3-small", normalization }, { seed: 6 });
  // Weights of the head a hundred times as wide as first ones, so that classes differ.
  const weights = network.weights();
  const { data, shape } = weights.get("head.weight")!;
  weights.set("head.weight", { data: Float32Array.from(data, (v) => 100 * v), shape, dtype: "float32" });
  network.setWeights(weights);
  trained = join(folder, "roofs.dlpk");
  await writeModelPackage(trained, { manifest: manifestOf(), weights: network.weights() });
  const onnx = join(folder, "roofs.onnx");
  await saveOnnx(onnx, { network, manifest: manifestOf() }, { output: "logits" });
  model = await openOnnx(onnx);
});
afterAll(async () => {
  network.dispose();
  await rm(folder, { recursive: true });
});

const noise = (band: number, row: number, col: number): number =>
  (Math.imul((row >> 2) * 7919 + (col >> 3) * 104729 + band * 1299709, 2654435761) >>> 24) & 255;
const scene = (more: Partial<MemoryRasterOptions> = {}): Raster =>
  memoryRaster({ width: 200, height: 150, bands: BANDS, value: noise, ...more });

/** A box of the scene in pixels as a polygon of the map. */
function box(col: number, row: number, width: number, height: number, properties: Feature["properties"] = {}): Feature {
  const [x, y] = [500_000 + col, 5_000_000 - row];
  const ring = [[x, y], [x, y - height], [x + width, y - height], [x + width, y], [x, y]]; // prettier-ignore
  return { geometry: { type: "Polygon", coordinates: [ring] }, properties };
}

const layer = (features: Feature[], crs: number | null = 32633): Features => ({
  name: "layer",
  crs: crs === null ? null : parseCrs(crs),
  features,
});

/** The network's own scores of a window of the chip's size; what `value` does not tell is the mean. */
function scoresAt(
  col: number,
  row: number,
  value: (band: number, row: number, col: number) => number = noise,
  net: TileNetwork = network,
): number[] {
  const pixels = Float32Array.from({ length: WIDTH * HEIGHT * BANDS }, (_, i) => {
    const p = Math.floor(i / BANDS);
    return value(i % BANDS, row + Math.floor(p / WIDTH), col + (p % WIDTH));
  });
  const images = constant(pixels, [1, HEIGHT, WIDTH, BANDS]) as tf.Tensor4D;
  return [...net.decode(net.forward(images, { training: false })).dataSync()];
}

function expectClass({ properties }: Feature, scores: readonly number[]): void {
  const best = scores.indexOf(Math.max(...scores));
  expect(properties).toMatchObject({ class: CLASSES[best]!.name, value: CLASSES[best]!.value });
  expect(properties["score"]).toBeCloseTo(scores[best]!, 4);
}

describe("the cost of a layer", () => {
  test("is that of its first batches, for all its features", async () => {
    const features = layer(Array.from({ length: 30 }, (_, i) => box(4 * i, 3 * i, 10, 8, { note: "x".repeat(1000) })));
    const warnings: Warning[] = [];
    const options = { ...ONE_THREAD, batchSize: 2, onWarning: (warning: Warning) => warnings.push(warning) };
    const cost = await estimateObjects(model, scene(), features, options);
    expect(cost).toMatchObject({ features: 30, measuredBatches: 3 });
    expect(cost.seconds).toBeGreaterThan(0);
    expect(cost.memoryMb).toBeGreaterThan(1);
    // a thousand letters each, and some
    expect((cost.diskMb * 1024 * 1024) / 30).toBeGreaterThan(1000);
    expect((cost.diskMb * 1024 * 1024) / 30).toBeLessThan(1500);
    expect(warnings).toEqual([]);
    expect(await estimateObjects(model, scene(), layer([]), ONE_THREAD)).toMatchObject({ features: 0, seconds: 0, diskMb: 0 });
    await expect(estimateObjects(model, scene(), layer([box(0, 0, 5, 5)], null), ONE_THREAD)).rejects.toMatchObject({
      code: "CRS_MISSING",
    });
  });
});

describe("features of a layer", () => {
  test("get the class of the chip around their middle, in their order, with their own fields", async () => {
    const warnings: Warning[] = [];
    const features = layer([
      box(80, 60, 10, 8, { id: 1, note: "inside" }),
      box(-5, -3, 9, 9, { id: 2, note: "at the corner: the chip is moved inside" }),
      box(500, 500, 5, 5, { id: 3 }),
      { geometry: { type: "Point", coordinates: [500_150.4, 4_999_900.7] }, properties: { id: 4 } },
      { geometry: null, properties: { id: 5 } },
      box(-20, 50, 20, 10, { id: 6, note: "touches from outside" }),
      { geometry: { type: "LineString", coordinates: [[500_020, 4_999_950], [500_061, 4_999_941]] }, properties: { id: 7 } }, // prettier-ignore
    ]);
    const {
      features: found,
      counts,
      crs,
      name,
    } = await classifyObjects(model, scene(), features, {
      ...{ ...ONE_THREAD, batchSize: 2 },
      onWarning: (warning) => warnings.push(warning),
    });
    expect([crs?.epsg, name]).toEqual([32633, "layer"]);
    expect(found.map(({ properties }) => properties["id"])).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(found.map(({ geometry }) => geometry)).toEqual(features.features.map(({ geometry }) => geometry));
    expect(found[0]!.properties["note"]).toBe("inside");
    expectClass(found[0]!, scoresAt(85 - 20, 64 - 16));
    expectClass(found[1]!, scoresAt(0, 0));
    // 150.4 - 20 and 99.3 - 16, rounded
    expectClass(found[3]!, scoresAt(130, 83));
    expectClass(found[6]!, scoresAt(21, 39));
    for (const i of [2, 4, 5]) expect(found[i]!.properties).toMatchObject({ class: null, value: null, score: null });
    expect(counts).toMatchObject({ features: 7, outside: 3 });
    expect(Object.keys(counts.classes)).toEqual(["flat", "gable", "hip"]);
    expect(Object.values(counts.classes).reduce((a, b) => a + b, 0)).toBe(4);
    const [warning] = warnings.filter(({ code }) => code === "FEATURES_OUTSIDE");
    expect(warning!.message).toContain("3 of 7 features of layer");
  });

  test("are found in other reference systems, and the result stays in theirs", async () => {
    const here = layer([box(80, 60, 10, 8)]);
    const ring = (here.features[0]!.geometry as { coordinates: number[][][] }).coordinates[0]!;
    const toDegrees = createTransformer(parseCrs(32633), parseCrs(4326));
    const degrees = ring.map(([x, y]) => [...toDegrees(x!, y!)]);
    const there = layer([{ geometry: { type: "Polygon", coordinates: [degrees] }, properties: {} }], 4326);
    const [a] = (await classifyObjects(model, scene(), here, ONE_THREAD)).features;
    const [b] = (await classifyObjects(model, scene(), there, ONE_THREAD)).features;
    expect(b!.geometry).toEqual(there.features[0]!.geometry);
    expect(b!.properties).toEqual(a!.properties);
    await expect(classifyObjects(model, scene(), layer([box(80, 60, 10, 8)], null), ONE_THREAD)).rejects.toMatchObject({
      code: "CRS_MISSING",
    });
  });

  test("where pixels are missing the means of training stand for them; where all are, there is no class", async () => {
    const valid = (_row: number, col: number): boolean => col < 100;
    const { features: found, counts } = await classifyObjects(
      model,
      scene({ valid }),
      layer([box(95, 60, 10, 8), box(150, 60, 10, 8)]),
      ONE_THREAD,
    );
    expectClass(
      found[0]!,
      scoresAt(80, 48, (band, row, col) => (col < 100 ? noise(band, row, col) : 127.5)),
    );
    expect(found[1]!.properties["class"]).toBeNull();
    expect(counts.outside).toBe(1);
    // a raster smaller than a chip
    const small = await classifyObjects(model, scene({ width: 30, height: 32 }), layer([box(3, 3, 4, 4)]), ONE_THREAD);
    expectClass(
      small.features[0]!,
      scoresAt(0, 0, (band, row, col) => (col < 30 ? noise(band, row, col) : 127.5)),
    );
  });

  test("are named as Esri's tools do, and fields that are there already are told of", async () => {
    const warnings: Warning[] = [];
    const options: ClassifyObjectsOptions = { ...ONE_THREAD, onWarning: (warning) => warnings.push(warning) };
    const given = layer([box(80, 60, 10, 8, { class: "old", height: 7 })]);
    const [esri] = (await classifyObjects(model, scene(), given, { ...options, esriFields: true })).features;
    expect(Object.keys(esri!.properties)).toEqual(["class", "height", "Class", "value", "Confidence"]);
    expect(warnings).toEqual([]);
    const [own] = (await classifyObjects(model, scene(), given, options)).features;
    expect(own!.properties["class"]).toBe(esri!.properties["Class"]);
    expect(warnings.map(({ code }) => code)).toEqual(["FIELDS_REPLACED"]);
  });

  test("stream: no more are read ahead than some batches, and a file is written on the way", async () => {
    let read = 0;
    const source = {
      name: "long",
      crs: parseCrs(32633),
      async *[Symbol.asyncIterator]() {
        for (; read < 90; read++) yield await Promise.resolve(box(read, read % 100, 6, 6, { id: read }));
      },
    };
    const out = join(folder, "long.geojsonl");
    let furthest = 0;
    let done = 0;
    const stream = await streamClassifiedObjects(model, scene(), source, { ...ONE_THREAD, batchSize: 3 });
    const watched = {
      ...{ name: stream.name, crs: stream.crs },
      async *[Symbol.asyncIterator]() {
        for await (const feature of stream) {
          furthest = Math.max(furthest, read - done++);
          yield feature;
        }
      },
    };
    expect(await writeFeatures(watched, out)).toBe(90);
    expect(stream.counts().features).toBe(90);
    expect(furthest).toBeLessThan(16);
    const { features } = await readFeatures(out);
    expect(features.map(({ properties }) => properties["id"])).toEqual(Array.from({ length: 90 }, (_, i) => i));
  });

  test("cancelling ends it, and what does not fit is refused", async () => {
    const features = layer([box(80, 60, 10, 8)]);
    await expect(classifyObjects(model, scene(), features, { ...ONE_THREAD, signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    const code = (raster: Raster, options: ClassifyObjectsOptions = {}): Promise<string> =>
      classifyObjects(model, raster, features, { ...ONE_THREAD, ...options }).then(
        () => "none",
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await code(scene({ transform: null }))).toBe("RASTER_NO_TRANSFORM");
    expect(await code(scene({ bands: 2 }))).toBe("BANDS_MISMATCH");
    expect(await code(scene(), { buffer: 3 })).toBe("INVALID_ARGUMENT");
    expect(await code(scene({ crs: null }), { cropMode: "boundingBox", buffer: 3 })).toBe("CRS_MISSING");
  });

  test("a chip of a box's very size is the box, with or without a margin", async () => {
    const exact = layer([box(80, 60, WIDTH, HEIGHT), box(90, 70, WIDTH - 10, HEIGHT - 10)]);
    const options: ClassifyObjectsOptions = { ...ONE_THREAD, cropMode: "boundingBox" };
    expectClass((await classifyObjects(model, scene(), exact, options)).features[0]!, scoresAt(80, 60));
    // 5 units of the map are 5 pixels
    expectClass((await classifyObjects(model, scene(), exact, { ...options, buffer: "5 crs" })).features[1]!, scoresAt(85, 65));
    const [scaled] = (await classifyObjects(model, scene(), layer([box(80, 60, 2 * WIDTH, 2 * HEIGHT)]), options)).features;
    const mean = (band: number, row: number, col: number): number => {
      const [r, c] = [60 + 2 * (row - 60), 80 + 2 * (col - 80)];
      return Math.round((noise(band, r, c) + noise(band, r, c + 1) + noise(band, r + 1, c) + noise(band, r + 1, c + 1)) / 4);
    };
    expectClass(scaled!, scoresAt(80, 60, mean));
  });

  test("several classes a feature are joined by commas", () => {
    const rule = { classes: CLASSES, thresholds: [0.5, 0.5, 0.9], esriFields: false };
    expect(verdictOf(Float32Array.of(0.6, 0.8, 0.85), rule)).toEqual({
      names: ["gable", "flat"],
      fields: { class: "gable, flat", value: "20, 10", score: 0.85 },
    });
    expect(verdictOf(Float32Array.of(0.1, 0.2, 0.3), rule).fields).toEqual({ class: "", value: "", score: 0.3 });
    expect(verdictOf(Float32Array.of(0.4, 0.4, 0.2), { ...rule, thresholds: null }).fields).toEqual({
      class: "flat",
      value: 10,
      score: 0.4,
    });
    expect(verdictOf(null, rule).fields).toEqual({ class: null, value: null, score: null });
  });

  test("a package of geolearn says the same as its ONNX file", async () => {
    const features = layer([box(80, 60, 10, 8), box(10, 20, 10, 8)]);
    const { features: found } = await classifyObjects(trained, scene(), features, ONE_THREAD);
    expectClass(found[0]!, scoresAt(85 - 20, 64 - 16));
    expectClass(found[1]!, scoresAt(0, 24 - 16));
  });
});

test("windows are those of exports", () => {
  const rule = {
    chipWidth: 40,
    chipHeight: 32,
    transform: [2, 0, 100, 0, -2, 300] as const,
    width: 90,
    height: 70,
    margin: () => ({ x: 1.5, y: 0.5 }),
  };
  const at = (x: number, y: number): Feature["geometry"] => ({ type: "Point", coordinates: [x, y] });
  expect(featureWindow(at(180, 200), { ...rule, mode: "fixedSize" })).toEqual({ col: 20, row: 34, width: 40, height: 32 });
  expect(featureWindow(at(100, 300), { ...rule, mode: "fixedSize" })).toEqual({ col: 0, row: 0, width: 40, height: 32 });
  expect(featureWindow(at(279.9, 160.1), { ...rule, mode: "fixedSize" })).toEqual({ col: 50, row: 38, width: 40, height: 32 });
  expect(featureWindow(at(280, 200), { ...rule, mode: "fixedSize" })).toBeNull();
  expect(featureWindow(at(180, 200), { ...rule, mode: "boundingBox" })).toEqual({ col: 38, row: 49, width: 4, height: 2 });
  const wide: Feature["geometry"] = { type: "MultiPoint", coordinates: [[0, 100], [90_000, 290]] }; // prettier-ignore
  expect(featureWindow(wide, { ...rule, mode: "boundingBox" })).toEqual({ col: 0, row: 4, width: 90, height: 66 });
  expect(() => featureWindow(wide, { ...rule, mode: "boundingBox", width: 9000 })).toThrow(/8192/);
});

describe("photos", () => {
  const photos = fileURLToPath(new URL("./fixtures/photos", import.meta.url));

  test("tell where they were taken as Pillow reads it", async () => {
    const positions = JSON.parse(await readFile(join(photos, "positions.json"), "utf8")) as Record<
      string,
      Record<string, number | null> | null
    >;
    for (const [name, expected] of Object.entries(positions)) {
      const found = await photoPosition(await readFile(join(photos, name)));
      if (expected === null || expected["latitude"] === 0) {
        expect(found).toBeNull();
        continue;
      }
      expect(found!.latitude).toBeCloseTo(expected["latitude"]!, 9);
      expect(found!.longitude).toBeCloseTo(expected["longitude"]!, 9);
      expect(found!.heading).toBe(expected["heading"]);
    }
    expect(await photoPosition(new TextEncoder().encode("no photo"))).toBeNull();
  });

  test("become points with what they show; those without a position are named", async () => {
    const warnings: Warning[] = [];
    const { features, crs, skipped, counts } = await classifyPhotos(model, photos, { ...ONE_THREAD, onWarning: (w) => warnings.push(w) });
    expect(crs?.epsg).toBe(4326);
    expect(features.map(({ properties }) => properties["path"])).toEqual(
      ["a-north-east.jpg", "b-south-west.jpg"].map((name) => join(photos, name)),
    );
    expect(features.map(({ properties }) => properties["heading"])).toEqual([243.5, null]);
    expect((features[1]!.geometry as { coordinates: number[] }).coordinates[0]).toBeCloseTo(-70.6492, 4);
    expect(skipped.map((path) => path.slice(-16))).toEqual(["os/c-nowhere.jpg", "-null-island.jpg"]);
    expect(counts.features).toBe(2);
    const warning = warnings.find(({ code }) => code === "PHOTOS_WITHOUT_POSITION")!;
    expect(warning.message).toContain("2 of 4 photos");
    expect(warning.message).toContain("c-nowhere.jpg");
    // as a chip of the same file is read: the whole picture at the chip's size
    const raster = await openRaster(join(photos, "a-north-east.jpg"));
    const { data } = await raster.read(undefined, { width: WIDTH, height: HEIGHT, resampling: "average" });
    await raster.close();
    expectClass(
      features[0]!,
      scoresAt(0, 0, (band, row, col) => data[(band * HEIGHT + row) * WIDTH + col]!),
    );
  });

  test("that are none, or none with a position, are refused", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    await expect(classifyPhotos(model, empty, ONE_THREAD)).rejects.toMatchObject({ code: "FEATURES_EMPTY" });
    await cp(join(photos, "c-nowhere.jpg"), join(empty, "x.JPG"));
    await expect(classifyPhotos(model, empty, ONE_THREAD)).rejects.toMatchObject({ code: "FEATURES_EMPTY" });
    await expect(classifyPhotos(model, join(empty, "not there"), ONE_THREAD)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const whole = await readFile(join(photos, "a-north-east.jpg"));
    await writeFile(join(empty, "cut.jpg"), whole.subarray(0, whole.length >> 1));
    await expect(classifyPhotos(model, empty, ONE_THREAD)).rejects.toThrow(/cut\.jpg/);
  });
});
