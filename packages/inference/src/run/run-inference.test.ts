import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Raster, openRaster, parseCrs } from "@geolearn/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { InferenceFunction, PixelBlock } from "../inference-function.ts";
import { CLASSES, type MemoryRasterOptions, memoryRaster, pixelOf, testFunction } from "../testing/rasters.ts";
import type { InferenceOptions } from "./options.ts";
import { runInference } from "./run-inference.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "inference-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const noise = (band: number, row: number, col: number): number =>
  (Math.imul(row * 7919 + col * 104729 + band * 1299709, 2654435761) >>> 24) & 255;

async function classesOf(fn: InferenceFunction, raster: Raster, options: InferenceOptions = {}): Promise<Uint8Array> {
  const map = await runInference(fn, raster, options);
  const written = await map.open();
  const { data } = await written.read();
  await written.close();
  await map.dispose();
  return data as Uint8Array;
}

async function scoresOf(fn: InferenceFunction, raster: Raster, options: InferenceOptions = {}): Promise<Float32Array> {
  const map = await runInference(fn, raster, { ...options, scores: true });
  const written = await openRaster(map.scoresPath!);
  const { data } = await written.read();
  await written.close();
  await map.dispose();
  return data as Float32Array;
}

describe("a constant function is reproduced at every pixel", () => {
  const constant = testFunction({ score: (_, __, ___, ____, band) => (band === 1 ? 0.75 : 0.25) });
  for (const blend of ["hann", "crop", "none"] as const) {
    test.each([
      [100, 77, 0],
      [33, 31, 16],
      [5, 3, 8],
      [1, 1, 16],
      [32, 65, 1],
      [1, 200, 13],
    ])(`${blend}: %i x %i pixels, overlap %i`, async (width, height, overlap) => {
      const raster = memoryRaster({ width, height, value: noise });
      const map = await runInference(constant, raster, { blend, overlap, scores: true });
      const written = await map.open();
      expect([...(await written.read()).data].every((value) => value === 7)).toBe(true);
      await written.close();
      const scores = await openRaster(map.scoresPath!);
      const { data } = await scores.read();
      await scores.close();
      for (const [i, value] of data.entries()) expect(Math.abs(value - (i < width * height ? 0.25 : 0.75))).toBeLessThan(1e-6);
      expect([...map.pixels]).toEqual([[7, width * height]]);
      await map.dispose();
    });
  }
});

describe("where results may go", () => {
  const fn = testFunction({ score: () => 0.5 });
  const source = memoryRaster({ width: 40, height: 30, bands: 2, value: noise });

  test("only GeoTIFF is written, and nothing else under another name", async () => {
    for (const out of ["map.png", "map", "map.tif.gz"])
      await expect(runInference(fn, source, { out })).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    const map = await runInference(fn, source);
    await expect(map.save("map.jpg")).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      hint: expect.stringContaining("map.tif") as string,
    });
    await map.dispose();
  });

  test("a result does not replace what it is made from", async () => {
    for (const raster of ["scene.tif", ["a.tif", "./scene.tif"]])
      await expect(runInference(fn, raster, { out: "scene.tif" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("no seams", () => {
  // A 5 x 5 box filter: what a block gives near its own border is wrong, further inside it is right.
  const radius = 2;
  const box = (block: PixelBlock, image: number, row: number, col: number): number => {
    let sum = 0;
    for (let y = row - radius; y <= row + radius; y++) {
      for (let x = col - radius; x <= col + radius; x++) {
        if (y >= 0 && x >= 0 && y < block.height && x < block.width) sum += pixelOf(block, image, y, x, 0);
      }
    }
    return sum / (2 * radius + 1) ** 2;
  };
  const options: MemoryRasterOptions = { width: 150, height: 131, bands: 1, value: noise };
  const fn = testFunction({ score: (block, image, row, col, band) => (band === 1 ? box(block, image, row, col) / 255 : 0.5) });

  test("cropped windows give the filter of the whole scene, exactly", async () => {
    const scores = await scoresOf(fn, memoryRaster(options), { blend: "crop", overlap: 2 * radius });
    const { width, height } = options;
    for (let row = radius; row < height - radius; row++) {
      for (let col = radius; col < width - radius; col++) {
        let sum = 0;
        for (let y = -radius; y <= radius; y++) for (let x = -radius; x <= radius; x++) sum += noise(0, row + y, col + x);
        expect(scores[width * height + row * width + col]).toBeCloseTo(sum / 25 / 255, 6);
      }
    }
  });

  test("a rule of single pixels gives the same map for every way of laying and blending windows", async () => {
    const rule = testFunction({
      score: (block, image, row, col, band) => (band === 1 ? pixelOf(block, image, row, col, 0) : pixelOf(block, image, row, col, 1)),
    });
    const { width, height } = { width: 90, height: 70 };
    const expected = Uint8Array.from({ length: width * height }, (_, i) =>
      noise(0, Math.floor(i / width), i % width) > noise(1, Math.floor(i / width), i % width) ? 7 : 0,
    );
    for (const blend of ["hann", "crop", "none"] as const) {
      for (const overlap of [0, 5, 16]) {
        expect(await classesOf(rule, memoryRaster({ width, height, value: noise }), { blend, overlap })).toEqual(expected);
      }
    }
  });

  test("windows begin at multiples of the stride", async () => {
    // The score depends on the position modulo 4 within the block: with aligned blocks on the position in the scene.
    const checkered = testFunction({ stride: 4, score: (_, __, row, col, band) => (band === (((row >> 1) + (col >> 1)) & 1) ? 1 : 0) });
    const map = await classesOf(checkered, memoryRaster({ width: 75, height: 59, value: noise }), { overlap: 7 });
    for (let i = 0; i < map.length; i++) expect(map[i]).toBe(((Math.floor(i / 75) >> 1) + ((i % 75) >> 1)) & 1 ? 7 : 0);
  });

  test("a margin is cut from the results and filled from the neighbours", async () => {
    const scores = await scoresOf(
      testFunction({ margin: radius, score: (block, image, row, col, band) => (band === 1 ? box(block, image, row, col) / 255 : 0) }),
      memoryRaster(options),
      {
        blend: "crop",
        overlap: 0,
      },
    );
    const { width, height } = options;
    const mirror = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
    for (let row = 0; row < height; row++) {
      for (let col = 0; col < width; col++) {
        let sum = 0;
        for (let y = -radius; y <= radius; y++)
          for (let x = -radius; x <= radius; x++) sum += noise(0, mirror(row + y, height), mirror(col + x, width));
        expect(scores[width * height + row * width + col]).toBeCloseTo(sum / 25 / 255, 6);
      }
    }
  });
});

describe("the same answer", () => {
  const value = (band: number, row: number, col: number): number => noise(band, row >> 2, col >> 2);
  const context = (block: PixelBlock, image: number, row: number, col: number): number => {
    let sum = 0;
    for (let x = Math.max(0, col - 9); x <= Math.min(block.width - 1, col + 9); x++) sum += Math.sin(pixelOf(block, image, row, x, 0) + x);
    return sum;
  };

  test("for any batch size and any number of calls at once, in any order of completion", async () => {
    const raster = memoryRaster({ width: 201, height: 155, value });
    let reference: Uint8Array | null = null;
    let referenceScores: Float32Array | null = null;
    for (const [batchSize, concurrency] of [
      [1, 1],
      [4, 1],
      [7, 1],
      [4, 2],
      [7, 4],
      [1, 8],
    ] as const) {
      let calls = 0;
      const fn = testFunction({
        concurrency,
        score: (block, image, row, col, band) => (band === 1 ? context(block, image, row, col) : 0.1),
        onProcess: () => new Promise((resolve) => setTimeout(resolve, (calls++ * 7) % 5)),
      });
      const classes = await classesOf(fn, raster, { batchSize });
      const scores = await scoresOf(fn, raster, { batchSize });
      reference ??= classes;
      referenceScores ??= scores;
      expect(Buffer.from(classes).equals(Buffer.from(reference))).toBe(true);
      expect(Buffer.from(scores.buffer).equals(Buffer.from(referenceScores.buffer))).toBe(true);
    }
  });
});

describe("missing pixels", () => {
  const always = testFunction({ score: (_, __, ___, ____, band) => band });

  test("become nodata, windows without any are not computed, and samples hold the fill value", async () => {
    let images = 0;
    const fn = testFunction({
      score: (_, __, ___, ____, band) => band,
      fill: [42, 43, 44],
      onProcess(block) {
        images += block.size;
        for (let i = 0; i < block.mask.length; i++) {
          if (block.mask[i] === 0) expect([...block.pixels.subarray(3 * i, 3 * i + 3)]).toEqual([42, 43, 44]);
        }
      },
    });
    const valid = (row: number, col: number): boolean => col < 40 || (row > 90 && col > 95);
    const raster = memoryRaster({ width: 128, height: 128, value: () => 9, valid, nodata: 9 });
    const map = await classesOf(fn, raster, { overlap: 0 });
    for (let i = 0; i < map.length; i++) expect(map[i]).toBe(valid(Math.floor(i / 128), i % 128) ? 7 : 255);
    expect(images).toBeLessThan(16);
  });

  test("a scene without a valid pixel is refused", async () => {
    const raster = memoryRaster({ width: 50, height: 50, value: () => 9, valid: () => false });
    await expect(runInference(always, raster, { out: join(folder, "map.tif") })).rejects.toMatchObject({ code: "ALL_NODATA" });
    expect(await readdir(folder)).toEqual([]);
  });

  test("land outside the mask becomes nodata", async () => {
    const square = [
      [500_010, 4_999_990],
      [500_030, 4_999_990],
      [500_030, 4_999_960],
      [500_010, 4_999_960],
      [500_010, 4_999_990],
    ];
    const mask = { name: "mask", crs: null, features: [{ geometry: { type: "Polygon" as const, coordinates: [square] }, properties: {} }] };
    const warnings: string[] = [];
    const map = await classesOf(always, memoryRaster({ width: 64, height: 64, value: noise }), {
      mask,
      onWarning: ({ code }) => warnings.push(code),
    });
    for (let i = 0; i < map.length; i++) {
      const [row, col] = [Math.floor(i / 64), i % 64];
      expect(map[i]).toBe(row >= 10 && row < 40 && col >= 10 && col < 30 ? 7 : 255);
    }
    expect(warnings).toEqual(["CRS_MISSING"]);
    const far = {
      ...mask,
      features: [{ ...mask.features[0]!, geometry: { type: "Polygon" as const, coordinates: [square.map(([x, y]) => [x!, y! + 9000])] } }],
    };
    await expect(runInference(always, memoryRaster({ width: 64, height: 64, value: noise }), { mask: far })).rejects.toMatchObject({
      code: "LABELS_OUTSIDE",
    });
  });

  test("a mask at -179 degrees meets a scene that runs on to 181", async () => {
    const ring = [
      [-179.99, -17],
      [-179.98, -17],
      [-179.98, -17.02],
      [-179.99, -17.02],
      [-179.99, -17],
    ];
    const features = [{ geometry: { type: "Polygon" as const, coordinates: [ring] }, properties: {} }];
    const mask = { name: "mask", crs: parseCrs(4326), features };
    const raster = memoryRaster({
      width: 64,
      height: 64,
      value: noise,
      crs: parseCrs(4326),
      transform: [0.001, 0, 179.98, 0, -0.001, -16.99],
    });
    const map = await classesOf(always, raster, { mask });
    for (let i = 0; i < map.length; i++) {
      const [row, col] = [Math.floor(i / 64), i % 64];
      expect(map[i]).toBe(row >= 10 && row < 30 && col >= 30 && col < 40 ? 7 : 255);
    }
  });

  test("a function that gives no number gives nodata and a warning, never a class", async () => {
    const broken = testFunction({ score: (_, __, row, ___, band) => (row === 3 ? Number.NaN : band) });
    const warnings: string[] = [];
    const map = await classesOf(broken, memoryRaster({ width: 32, height: 32, value: noise }), {
      onWarning: ({ code }) => warnings.push(code),
    });
    expect(map[3 * 32 + 5]).toBe(255);
    expect(map[4 * 32 + 5]).toBe(7);
    expect(warnings).toEqual(["SCORES_NOT_FINITE"]);
  });
});

describe("output", () => {
  const rule = testFunction({ score: (block, image, row, col, band) => (band === 1 ? pixelOf(block, image, row, col, 0) / 255 : 0.5) });

  test("carries the user's values, colours, names, georeference and nodata", async () => {
    const out = join(folder, "map.tif");
    const map = await runInference(rule, memoryRaster({ width: 70, height: 50, value: noise }), { out, scores: "uint8" });
    expect(map.path).toBe(out);
    expect((await readdir(folder)).sort()).toEqual(["map.scores.tif", "map.tif"]);
    const written = await openRaster(out);
    expect(written.nodata).toBe(255);
    expect(written.transform).toEqual([1, 0, 500_000, 0, -1, 5_000_000]);
    expect(written.crs?.epsg).toBe(32633);
    expect(written.classNames?.get(7)).toBe("building");
    expect(written.colorTable?.get(7)).toEqual([200, 30, 30]);
    await written.close();
    const scores = await openRaster(map.scoresPath!);
    expect([scores.bands, scores.sampleType, scores.nodata]).toEqual([2, "uint8", 255]);
    const { data } = await scores.read();
    expect(Math.abs(data[70 * 50]! - (noise(0, 0, 0) / 255) * 254)).toBeLessThanOrEqual(0.5);
    await scores.close();
    await map.save(join(folder, "copy.tif"));
    await map.dispose();
    expect((await readdir(folder)).sort()).toEqual(["copy.tif", "map.scores.tif", "map.tif"]);
  });

  test("temporary results vanish with dispose", async () => {
    const map = await runInference(rule, memoryRaster({ width: 40, height: 40, value: noise }));
    await map.save(join(folder, "kept.tif"));
    await map.dispose();
    await expect(map.open()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(openRaster(map.path)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const kept = await openRaster(join(folder, "kept.tif"));
    expect(kept.width).toBe(40);
    await kept.close();
  });

  test("class values above 255 and a class that uses 255", async () => {
    for (const [value, nodata, type] of [
      [300, 65535, "uint16"],
      [255, 254, "uint8"],
      [70_000, 4294967295, "uint32"],
    ] as const) {
      const classes = [CLASSES[0], { ...CLASSES[1], value }];
      const fn = testFunction({ classes, score: (_, __, ___, ____, band) => band });
      const map = await runInference(fn, memoryRaster({ width: 9, height: 8, value: noise, valid: (_, col) => col > 0 }));
      const written = await map.open();
      expect([written.sampleType, written.nodata]).toEqual([type, nodata]);
      expect([...(await written.read()).data.subarray(0, 3)]).toEqual([nodata, value, value]);
      await written.close();
      await map.dispose();
    }
  });

  test("without background the best other class wins", async () => {
    const fn = testFunction({ score: (_, __, ___, ____, band) => 1 - band });
    expect((await classesOf(fn, memoryRaster({ width: 20, height: 20, value: noise })))[0]).toBe(0);
    expect((await classesOf(fn, memoryRaster({ width: 20, height: 20, value: noise }), { predictBackground: false }))[0]).toBe(7);
  });

  test("an extent cuts the scene on whole pixels and keeps its context", async () => {
    const map = await runInference(rule, memoryRaster({ width: 100, height: 90, value: noise }), {
      extent: [500_020.2, 4_999_940, 500_060, 4_999_980],
    });
    expect([map.width, map.height]).toEqual([40, 40]);
    const written = await map.open();
    expect(written.transform).toEqual([1, 0, 500_020, 0, -1, 4_999_980]);
    const { data } = await written.read();
    for (let i = 0; i < data.length; i++) expect(data[i]).toBe(noise(0, 20 + Math.floor(i / 40), 20 + (i % 40)) / 255 > 0.5 ? 7 : 0);
    await written.close();
    await map.dispose();
    await expect(runInference(rule, memoryRaster({ width: 9, height: 9, value: noise }), { extent: [0, 0, 1, 1] })).rejects.toMatchObject({
      code: "WINDOW_OUTSIDE",
    });
  });

  test("functions that give values are written as they are", async () => {
    const sum = testFunction({
      output: "values",
      outputBands: 1,
      outputType: "int16",
      classes: null,
      score: (block, image, row, col) => pixelOf(block, image, row, col, 0) - pixelOf(block, image, row, col, 1),
    });
    const map = await runInference(sum, memoryRaster({ width: 50, height: 45, value: noise }));
    const written = await map.open();
    expect(written.sampleType).toBe("int16");
    const { data } = await written.read();
    for (let i = 0; i < data.length; i++) expect(data[i]).toBe(noise(0, Math.floor(i / 50), i % 50) - noise(1, Math.floor(i / 50), i % 50));
    await written.close();
    await map.dispose();
  });
});

describe("parameters of a function", () => {
  const seen: unknown[] = [];
  const base = testFunction({ score: (_, __, ___, ____, band) => band });
  const fn: InferenceFunction = {
    ...base,
    parameters: () => [
      { name: "threshold", type: "number", default: 0.3, description: "Least NDVI." },
      { name: "season", type: "string", default: "summer", description: "When." },
      { name: "strict", type: "boolean", default: false, description: "Whether." },
    ],
    configure(scene, values) {
      seen.push(values);
      return base.configure(scene, values);
    },
  };
  const raster = memoryRaster({ width: 40, height: 30, value: noise });

  test("come with their defaults, or as given", async () => {
    await classesOf(fn, raster);
    await classesOf(fn, raster, { parameters: { threshold: 0.5, strict: true } });
    expect(seen).toEqual([
      { threshold: 0.3, season: "summer", strict: false },
      { threshold: 0.5, season: "summer", strict: true },
    ]);
  });

  test("are refused when the function has no such one, or it is of another type", async () => {
    for (const parameters of [{ treshold: 1 }, { threshold: "0.5" }, { threshold: Number.NaN }, { season: 3 }, { strict: "no" }]) {
      await expect(runInference(fn, raster, { parameters: parameters as Record<string, number> })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        hint: expect.any(String) as string,
      });
    }
    await expect(runInference(base, raster, { parameters: { threshold: 1 } })).rejects.toMatchObject({ hint: "It has none." });
  });
});

describe("test-time augmentation", () => {
  test("an equivariant function gives what it gives without", async () => {
    const rule = testFunction({ score: (block, image, row, col, band) => pixelOf(block, image, row, col, band) / 255 });
    const raster = memoryRaster({ width: 70, height: 50, value: noise });
    const plain = await scoresOf(rule, raster);
    for (const merge of ["mean", "max", "min"] as const) {
      const scores = await scoresOf(rule, raster, { tta: true, merge });
      for (let i = 0; i < plain.length; i++) expect(Math.abs(scores[i]! - plain[i]!)).toBeLessThan(1e-6);
    }
  });

  test("mean, max and min of the eight positions", async () => {
    // The score is the position in the block, which every view sees elsewhere.
    const side = 8;
    const position = testFunction({ tile: side, score: (_, __, row, col, band) => (band === 1 ? row * side + col : 0) });
    const raster = memoryRaster({ width: side, height: side, value: noise });
    const places = (row: number, col: number): number[] =>
      [row, side - 1 - row].flatMap((a) => [col, side - 1 - col].flatMap((b) => [a * side + b, b * side + a]));
    for (const [merge, pick] of [
      ["mean", (all: number[]) => all.reduce((a, b) => a + b) / 8],
      ["max", (all: number[]) => Math.max(...all)],
      ["min", (all: number[]) => Math.min(...all)],
    ] as const) {
      const scores = await scoresOf(position, raster, { tta: true, merge });
      for (let i = 0; i < side * side; i++) expect(scores[side * side + i]).toBeCloseTo(pick(places(Math.floor(i / side), i % side)), 4);
    }
  });
});
