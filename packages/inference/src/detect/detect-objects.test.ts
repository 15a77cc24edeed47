import { type Feature, type Features, type Raster, planarArea, rasterize } from "@geolearn/core";
import { describe, expect, test } from "vitest";

import type { Detection, DetectionFunction, PixelBlock } from "../inference-function.ts";
import { memoryRaster } from "../testing/rasters.ts";
import { type DetectOptions, detectObjects } from "./detect-objects.ts";
import { estimateDetection } from "./estimate-detection.ts";

const [WIDTH, HEIGHT, TILE] = [620, 540, 128];

/** Bars of all lengths and directions that do not touch: middle, length, width, angle. */
const BARS = [
  // longer than three windows, straight and across
  [250, 180, 420, 16, 0.6],
  [300, 500, 560, 20, 0],
  [585, 250, 440, 18, Math.PI / 2],
  // as they fit into a window, or into the overlap
  ...Array.from({ length: 6 }, (_, i) => [40 + 60 * i, 430, 46, 22, 0.3 * i]),
  ...Array.from({ length: 5 }, (_, i) => [400 + 33 * i, 60, 24, 14, 0.5 * i]),
  [80, 330, 90, 30, 1.2],
] as const;

/** Number of the bar of a pixel, from 1; 0 for none. */
function barAt(col: number, row: number): number {
  return (
    1 +
    BARS.findIndex(([x, y, length, width, angle]) => {
      const [dx, dy] = [col + 0.5 - x!, row + 0.5 - y!];
      const along = Math.cos(angle!) * dx + Math.sin(angle!) * dy;
      const across = -Math.sin(angle!) * dx + Math.cos(angle!) * dy;
      return Math.abs(along) <= length! / 2 && Math.abs(across) <= width! / 2;
    })
  );
}

const truth = Int32Array.from({ length: WIDTH * HEIGHT }, (_, i) => barAt(i % WIDTH, Math.floor(i / WIDTH)));
const scene = (valid?: (row: number, col: number) => boolean): Raster =>
  memoryRaster({
    ...{ width: WIDTH, height: HEIGHT, bands: 1, transform: [0.5, 0, 500_000, 0, -0.5, 5_000_000] },
    value: (_, row, col) => truth[row * WIDTH + col]!,
    ...(valid && { valid }),
  });

/** Finds the numbers in a block: a detector without fault. Outlines them, or gives only boxes. */
function finder({
  outlines,
  batchSize = 3,
  concurrency = 1,
}: {
  outlines: boolean;
  batchSize?: number;
  concurrency?: number;
}): DetectionFunction {
  return {
    name: "finder",
    parameters: () => [],
    configure: () =>
      Promise.resolve({
        ...{ bands: [0], tileWidth: TILE, tileHeight: TILE, padding: 16, batchSize, concurrency },
        classes: [
          { value: 3, name: "odd", color: [255, 0, 0] },
          { value: 7, name: "even", color: [0, 0, 255] },
        ],
      }),
    async detect({ pixels, size, height, width }: PixelBlock) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      return Array.from({ length: size }, (_, image) => findNumbers(pixels.subarray(image * width * height), width, height, outlines));
    },
    dispose: () => Promise.resolve(),
  };
}

function findNumbers(pixels: Float32Array, width: number, height: number, outlines: boolean): Detection[] {
  const found = new Map<number, [number, number, number, number]>();
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const number = pixels[row * width + col]!;
      if (number === 0) continue;
      const box = found.get(number);
      if (box === undefined) found.set(number, [col, row, col + 1, row + 1]);
      else
        [box[0], box[1], box[2], box[3]] = [
          Math.min(box[0], col),
          Math.min(box[1], row),
          Math.max(box[2], col + 1),
          Math.max(box[3], row + 1),
        ];
    }
  }
  return [...found].map(([number, box]) => {
    const [x0, y0, x1, y1] = box;
    const scores = new Float32Array((x1 - x0) * (y1 - y0));
    for (let y = y0; y < y1; y++)
      for (let x = x0; x < x1; x++) scores[(y - y0) * (x1 - x0) + x - x0] = pixels[y * width + x] === number ? 1 : 0;
    const mask = { width: x1 - x0, height: y1 - y0, scores };
    return { box, score: 1 - number / 100, classIndex: (number + 1) % 2, ...(outlines ? { mask } : {}) };
  });
}

/** IoU of a feature's pixels with those of a bar. */
function iouWith(feature: Feature, number: number): number {
  const transform = [0.5, 0, 500_000, 0, -0.5, 5_000_000] as const;
  const inside = rasterize([{ geometry: feature.geometry, value: 1 }], { width: WIDTH, height: HEIGHT, transform });
  let [both, either] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const [a, b] = [inside[i] !== 0, truth[i] === number];
    if (a && b) both++;
    if (a || b) either++;
  }
  return both / either;
}

const numberOf = ({ properties }: Feature): number => Math.round(100 * (1 - Number(properties["score"])));

describe("outlined objects", () => {
  test("each once and whole, also those longer than three windows, in whatever direction", async () => {
    const { features, windows, crs } = await detectObjects(finder({ outlines: true }), scene(), { overlap: 32 });
    expect(windows).toBeGreaterThan(20);
    expect(crs?.name).toContain("33N");
    expect(features.map(numberOf)).toEqual(BARS.map((_, i) => i + 1));
    for (const feature of features) {
      expect(iouWith(feature, numberOf(feature)), String(numberOf(feature))).toBe(1);
      const odd = numberOf(feature) % 2 === 1;
      expect(feature.properties).toMatchObject(odd ? { class: "odd", value: 3 } : { class: "even", value: 7 });
      // pixels of 0.25 square metres of the plane; UTM's scale of 0.9996 makes 0.08 % of it
      const pixels = truth.filter((number) => number === numberOf(feature)).length;
      expect(Number(feature.properties["area"]) / (pixels * 0.25)).toBeCloseTo(1, 2);
    }
  });

  test("what it will cost is told by a few windows", async () => {
    const fn = finder({ outlines: true, batchSize: 2 });
    const [{ windows }, estimate] = [await detectObjects(fn, scene()), await estimateDetection(fn, scene())];
    expect(estimate).toMatchObject({ windows, pixels: WIDTH * HEIGHT, measuredBatches: 3 });
    for (const cost of [estimate.seconds, estimate.memoryMb]) expect(cost).toBeGreaterThan(0);
    const empty = await estimateDetection(fn, scene(), { minScore: 1 });
    expect(empty.diskMb).toBe(0);
    expect(estimate.diskMb).toBeGreaterThan(0);
    await expect(estimateDetection(fn, scene(), { minScore: 2 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("the same for every batch size, number of calls at once, and in eight views", async () => {
    const run = async (batchSize: number, concurrency: number, options: DetectOptions = {}): Promise<unknown> =>
      (await detectObjects(finder({ outlines: true, batchSize, concurrency }), scene(), { overlap: 32, ...options })).features;
    const expected = await run(1, 1);
    expect(await run(5, 3)).toEqual(expected);
    expect(((await run(4, 2, { tta: true })) as Feature[]).map(({ geometry }) => geometry)).toEqual(
      (expected as Feature[]).map(({ geometry }) => geometry),
    );
  });

  test("outlines are simplified, fields are named as Esri does", async () => {
    const corners = ({ features }: Features): number =>
      features.reduce((sum, { geometry }) => sum + (geometry?.type === "Polygon" ? geometry.coordinates[0]!.length : Number.NaN), 0);
    const exact = await detectObjects(finder({ outlines: true }), scene(), { overlap: 32 });
    const simple = await detectObjects(finder({ outlines: true }), scene(), { overlap: 32, simplify: 0.6, esriFields: true });
    expect(corners(simple)).toBeLessThan(corners(exact) / 4);
    for (const { properties } of simple.features) expect(Object.keys(properties)).toEqual(["Class", "Confidence", "value", "area"]);
  });
});

describe("boxes", () => {
  test("straight things longer than windows are one box", async () => {
    const { features } = await detectObjects(finder({ outlines: false }), scene(), { overlap: 32 });
    for (const number of [2, 3]) {
      const own = features.filter((feature) => numberOf(feature) === number);
      expect(own).toHaveLength(1);
      const [, , length, width] = BARS[number - 1]!;
      expect(planarArea(own[0]!.geometry!)).toBeCloseTo(length * width * 0.25, 6);
    }
  });

  test("excludeEdge keeps what some window holds whole", async () => {
    const { features } = await detectObjects(finder({ outlines: false }), scene(), { overlap: 64, excludeEdge: true });
    expect(features.map(numberOf)).toEqual(Array.from({ length: 12 }, (_, i) => i + 4));
  });

  test("scores below the least are left out, land outside the mask and pixels without data too", async () => {
    const numbers = async (options: DetectOptions, valid?: (row: number, col: number) => boolean): Promise<number[]> =>
      (await detectObjects(finder({ outlines: true }), scene(valid), { overlap: 32, ...options })).features.map(numberOf);
    expect(await numbers({ minScore: 0.945 })).toEqual([1, 2, 3, 4, 5]);
    const mask = {
      name: "mask",
      crs: null,
      features: [{ properties: {}, geometry: { type: "Polygon" as const, coordinates: [[[500_000, 4_999_810], [500_190, 4_999_810], [500_190, 4_999_760], [500_000, 4_999_760], [500_000, 4_999_810]]] } }], // prettier-ignore
    };
    expect(await numbers({ mask })).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await numbers({}, (row) => row < 100)).toEqual([1, 3, 10, 11, 12, 13, 14]);
  });
});

describe("what does not fit", () => {
  test("rasters without a place, options out of range, functions that break their word", async () => {
    const fn = finder({ outlines: false });
    const nowhere = { ...scene(), transform: null };
    await expect(detectObjects(fn, nowhere)).rejects.toMatchObject({ code: "RASTER_NO_TRANSFORM" });
    await expect(detectObjects(fn, scene(), { minScore: 2 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(detectObjects(fn, scene(), { nmsOverlap: Number.NaN })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(detectObjects({ ...fn, detect: () => Promise.resolve([]) }, scene())).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const wild = {
      ...fn,
      detect: async ({ size }: PixelBlock) => Array.from({ length: size }, () => [{ box: [0, 0, 9, 9] as const, score: 1, classIndex: 2 }]),
    };
    await expect(detectObjects(wild, scene())).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
    await expect(detectObjects(fn, scene(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});
