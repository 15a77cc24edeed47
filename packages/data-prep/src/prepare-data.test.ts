import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { GeoLearnError, parseCrs } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  askPeer,
  collectWarnings,
  GRID,
  labelsOf,
  Scratch,
  sharedData,
  square,
  withData,
  withPeers,
  writeRaster,
} from "./data-prep.testing.ts";
import { exportTrainingData } from "./export/export-training-data.ts";
import type { ExportOptions } from "./export/options.ts";
import type { LearningData, PixelBatch } from "./learning-data.ts";
import { prepareData } from "./prepare-data.ts";
import type { PrepareDataOptions } from "./prepare/options.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const task = "pixelClassification";
let raster: string;
let chips: string;
const houses = labelsOf([square(4, 4, 60, 40), square(100, 80, 40, 50), square(20, 90, 30, 30), square(150, 10, 20, 100)]);

beforeAll(async () => {
  const [width, height] = [192, 160];
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = (i * 2654435761) >>> 24;
  raster = await writeRaster(scratch.path("scene.tif"), { data, bands: 3, width, height }, { sampleType: "uint8" });
  chips = scratch.path("chips");
  await exportTrainingData({ raster, labels: houses, out: chips, chipSize: 32, stride: 16, allTiles: true, workers: 0 });
});

async function all(data: LearningData, side: "train" | "valid", epoch = 0, from = 0): Promise<PixelBatch[]> {
  const batches: PixelBatch[] = [];
  for await (const batch of data[side].read({ epoch, from })) batches.push(batch);
  return batches;
}

function codeOf(source: Parameters<typeof prepareData>[0], options: Partial<PrepareDataOptions> = {}): Promise<string> {
  return prepareData(source, { task, workers: 0, ...options } as PrepareDataOptions<typeof task>).then(
    async (data) => {
      await data.close();
      return "no error";
    },
    (error: unknown) => (GeoLearnError.is(error) ? error.code : String(error)),
  );
}

/** A copy of the chips that a test may damage. */
function copy(name: string): string {
  const folder = scratch.path(name);
  cpSync(chips, folder, { recursive: true });
  for (const cached of ["split.json", "chip_statistics.json"]) rmSync(join(folder, cached), { force: true });
  return folder;
}

describe("batches", () => {
  it("depend on seed, epoch and index alone, for any number of workers and any start", async () => {
    const augment = { rotate: 20, noise: 0.1, brightness: 0.1 };
    const plain = await prepareData(chips, { task, batchSize: 4, seed: 7, workers: 0, augment });
    const threads = await prepareData(chips, { task, batchSize: 4, seed: 7, workers: 2, augment, cacheBytes: 0, prefetch: 5 });
    const whole = await all(plain, "train", 3);
    expect(whole).toHaveLength(plain.train.batches);
    expect(await all(threads, "train", 3)).toEqual(whole);
    expect(await all(threads, "train", 3, whole.length - 2)).toEqual(whole.slice(-2));
    expect((await all(plain, "train", 4))[0]!.names).not.toEqual(whole[0]!.names);
    const other = await prepareData(chips, { task, batchSize: 4, seed: 8, workers: 0, augment });
    expect((await all(other, "train", 3))[0]!.images).not.toEqual(whole[0]!.images);
    for (const data of [plain, threads, other]) await data.close();
  });

  it("train on every chip once an epoch but a short rest, validate in order with padding", async () => {
    const data = await prepareData(chips, { task, batchSize: 8, workers: 0 });
    const train = await all(data, "train");
    const names = train.flatMap((batch) => batch.names);
    expect(names).toHaveLength(Math.floor(data.train.count / 8) * 8);
    expect(new Set(names).size).toBe(names.length);
    const valid = await all(data, "valid");
    expect(valid.flatMap((batch) => batch.names)).toEqual(data.valid.names);
    const last = valid.at(-1)!;
    expect(last.size).toBe(8);
    expect(last.targets.subarray(last.real * 32 * 32).every((target) => target === -1)).toBe(true);
    expect(data.classes.map(({ value, name }) => [value, name])).toEqual([
      [0, "background"],
      [1, "building"],
    ]);
    expect(data.resolution).toBeCloseTo(1.0004, 3);
    await data.close();
  });

  it("repeat chips when there are fewer than a batch", async () => {
    const { warnings, onWarning } = collectWarnings();
    const data = await prepareData(chips, { task, batchSize: 256, workers: 0, onWarning });
    const [batch, ...none] = await all(data, "train");
    expect([batch!.real, none.length]).toEqual([256, 0]);
    expect(warnings.map(({ code }) => code)).toContain("FEW_CHIPS");
    await data.close();
  });

  it("stop when they are cancelled", async () => {
    const data = await prepareData(chips, { task, batchSize: 4, workers: 0 });
    const controller = new AbortController();
    const reading = data.train.read({ signal: controller.signal })[Symbol.asyncIterator]();
    await reading.next();
    controller.abort(new Error("enough"));
    await expect(reading.next()).rejects.toThrow("enough");
    await data.close();
  });
});

describe("statistics", () => {
  it.skipIf(!withPeers)("are numpy's in float64 over the training side", async () => {
    const data = await prepareData(chips, { task, workers: 0 });
    const peer = askPeer<{ mean: number[]; std: number[]; min: number[]; max: number[] }>({
      do: "statistics",
      chips,
      stems: data.train.names,
    });
    data.statistics.forEach(({ mean, std, min, max }, band) => {
      expect(mean).toBeCloseTo(peer.mean[band]!, 9);
      expect(std).toBeCloseTo(peer.std[band]!, 9);
      expect([min, max]).toEqual([peer.min[band], peer.max[band]]);
    });
    await data.close();
  });

  it("are kept, and made again for chips that changed", async () => {
    const folder = copy("cached");
    const first = await prepareData(folder, { task, workers: 0 });
    await first.close();
    const stored = readFileSync(join(folder, "chip_statistics.json"), "utf8");
    const again = await prepareData(folder, { task, workers: 0 });
    expect(again.statistics).toEqual(first.statistics);
    expect(again.train.names).toEqual(first.train.names);
    await again.close();
    // another image under the same name
    const name = first.train.names[0]!;
    const data = new Uint8Array(3 * 32 * 32).fill(200);
    await writeRaster(join(folder, "images", `${name}.tif`), { data, bands: 3, width: 32, height: 32 }, { sampleType: "uint8" });
    const changed = await prepareData(folder, { task, workers: 0 });
    expect(changed.statistics).not.toEqual(first.statistics);
    expect(readFileSync(join(folder, "chip_statistics.json"), "utf8")).not.toBe(stored);
    await changed.close();
  });

  it("leave out missing samples and refuse a band without any", async () => {
    const [width, height] = [96, 64];
    const data = Float32Array.from({ length: 2 * width * height }, (_, i) =>
      i % 7 === 0 ? -9999 : i % 11 === 0 ? Number.NaN : 5000 + (i % 5),
    );
    const path = await writeRaster(scratch.path("float.tif"), { data, bands: 2, width, height }, { sampleType: "float32", nodata: -9999 });
    const own = await prepareData({ raster: path, labels: houses, chipSize: 32, stride: 32 }, { task, workers: 0 });
    for (const { min, max, mean, std } of own.statistics) {
      expect([min, max]).toEqual([5000, 5004]);
      expect(mean).toBeCloseTo(5002, 0);
      expect(std).toBeCloseTo(Math.sqrt(2), 1);
    }
    const [batch] = await all(own, "valid");
    expect(batch!.images.every(Number.isFinite)).toBe(true);
    await own.close();

    const empty = await writeRaster(
      scratch.path("nan.tif"),
      { data: new Float32Array(2 * width * height).map((_, i) => (i < width * height ? 1 : Number.NaN)), bands: 2, width, height },
      { sampleType: "float32" },
    );
    expect(await codeOf({ raster: empty, labels: houses, chipSize: 32 })).toBe("ALL_NODATA");
    const { warnings, onWarning } = collectWarnings();
    const constant = await prepareData({ raster: empty, labels: houses, chipSize: 32 }, { task, workers: 0, bands: [0], onWarning });
    expect(constant.statistics[0]).toMatchObject({ mean: 1, std: 0 });
    expect(warnings.map(({ code }) => code)).toContain("CONSTANT_BAND");
    await constant.close();
  });
});

describe("options", () => {
  it("choose bands, crop, rename and ignore classes", async () => {
    const data = await prepareData(chips, { task, workers: 0, bands: [2, 0], chipSize: 16, classMapping: { 1: "house" }, augment: false });
    expect([data.bands, data.bandIndices, data.chipWidth]).toEqual([2, [2, 0], 16]);
    expect(data.classes[1]!.name).toBe("house");
    const [batch] = await all(data, "train");
    expect(batch!.images).toHaveLength(8 * 16 * 16 * 2);
    const [background, house] = data.classWeights();
    expect((background! + house!) / 2).toBeCloseTo(1, 12);
    expect(background! / house!).toBeCloseTo(data.classPixels[1]! / data.classPixels[0]!, 9);
    await data.close();
  });

  it("crop larger chips: anywhere for training, the middle for validation; what is measured is the whole chip", async () => {
    const base = { task, workers: 0, augment: false, split: "random", batchSize: 1, workingFolder: scratch.folder } as const;
    const whole = await prepareData(chips, base);
    const cropped = await prepareData(chips, { ...base, chipSize: 16 });
    expect([cropped.statistics, cropped.classPixels, cropped.train.names]).toEqual([
      whole.statistics,
      whole.classPixels,
      whole.train.names,
    ]);
    const images = new Map(
      [...(await all(whole, "train")), ...(await all(whole, "valid"))].map(({ names, images: one }) => [names[0]!, one]),
    );
    /** Where in its chip a crop lies. */
    const placeOf = ({ names, images: crop }: PixelBatch): string => {
      const chip = images.get(names[0]!)!;
      for (let row = 0; row <= 16; row++) {
        for (let col = 0; col <= 16; col++) {
          if (crop.every((value, i) => chip[((row + Math.floor(i / 48)) * 32 + col) * 3 + (i % 48)] === value)) return `${col},${row}`;
        }
      }
      return "nowhere";
    };
    expect(new Set((await all(cropped, "valid")).map(placeOf))).toEqual(new Set(["8,8"]));
    const [first, second] = [(await all(cropped, "train", 0)).map(placeOf), (await all(cropped, "train", 1)).map(placeOf)];
    expect(new Set(first).size).toBeGreaterThan(10);
    expect(first).not.toContain("nowhere");
    expect(second).not.toEqual(first);
    for (const data of [whole, cropped]) await data.close();
  });

  it("are refused when they make no sense", async () => {
    const wrong: [string, Partial<PrepareDataOptions>][] = [
      ["INVALID_ARGUMENT", { batchSize: 0 }],
      ["INVALID_ARGUMENT", { valSplit: 1.5 }],
      ["CHIPS_MISMATCH", { chipSize: 64 }],
      ["BANDS_MISMATCH", { bands: [3] }],
      ["BANDS_MISMATCH", { bands: ["infrared"] }],
      ["CLASS_UNKNOWN", { ignoreClasses: ["lake"] }],
      ["LABELS_EMPTY", { ignoreClasses: [0] }],
      ["TASK_MISMATCH", { task: "objectDetection" }],
      ["FILE_NOT_FOUND", { split: "nowhere.txt" }],
    ];
    for (const [code, options] of wrong)
      expect([JSON.stringify(options), await codeOf(chips, options)]).toEqual([JSON.stringify(options), code]);
    expect(await codeOf(scratch.path("no-folder"))).toBe("FILE_NOT_FOUND");
  });
});

describe("folders of ArcGIS", () => {
  it("are read with back-slashes, a world file without CRS, stale statistics and no MetaDataMode", async () => {
    const folder = copy("esri");
    const original = await prepareData(chips, { task, workers: 0, augment: false, split: "random" });
    // image chips without georeference but with world files, as PNG exports have them
    for (const file of readdirSync(join(folder, "images")).filter((name) => name.endsWith(".tif"))) {
      const { readFile } = await import("node:fs/promises");
      const { openRaster } = await import("@geolearn/core");
      const chip = await openRaster(new Uint8Array(await readFile(join(folder, "images", file))));
      const { data } = await chip.read();
      await writeRaster(
        join(folder, "images", file),
        { data, bands: 3, width: 32, height: 32 },
        { sampleType: "uint8", transform: null, crs: null },
      );
    }
    const definition = JSON.parse(readFileSync(join(folder, "esri_model_definition.emd"), "utf8")) as Record<string, unknown>;
    for (const key of ["MetaDataMode", "GeoLearn", "MinCellSize", "MaxCellSize"]) delete definition[key];
    definition["ImageHeight"] = "e.g. 256";
    writeFileSync(join(folder, "esri_model_definition.emd"), JSON.stringify(definition));
    const accumulated = JSON.parse(readFileSync(join(folder, "esri_accumulated_stats.json"), "utf8")) as Record<string, unknown>;
    delete accumulated["MetaDataMode"];
    writeFileSync(join(folder, "esri_accumulated_stats.json"), JSON.stringify({ ...accumulated, NumTiles: 99_999 }));
    writeFileSync(join(folder, "stats.txt"), "images = 482 *3*448*448\n");
    const { warnings, onWarning } = collectWarnings();
    const data = await prepareData(folder, { task, workers: 0, augment: false, split: "random", onWarning });
    expect(data.statistics).toEqual(original.statistics);
    expect((await all(data, "valid"))[0]!.targets).toEqual((await all(original, "valid"))[0]!.targets);
    expect(data.resolution).toBeNull();
    expect(warnings.map(({ code }) => code)).toEqual(["CHIPS_WITHOUT_CRS", "SPLIT_LEAKS"]);
    await data.close();
    const blocks = await prepareData(folder, { task, workers: 0 });
    expect(blocks.valid.count).toBeGreaterThan(0);
    await blocks.close();
    await original.close();
  });

  it("with a label value that the .emd does not name are explained", async () => {
    const folder = copy("absent");
    const label = new Uint8Array(32 * 32).fill(5);
    await writeRaster(join(folder, "labels/000000003.tif"), { data: label, bands: 1, width: 32, height: 32 }, { sampleType: "uint8" });
    await expect(prepareData(folder, { task, workers: 0 })).rejects.toMatchObject({
      code: "CLASS_UNKNOWN",
      message: expect.stringContaining("5 (1024 pixels)") as string,
      hint: expect.stringContaining("classMapping") as string,
    });
    const named = await prepareData(folder, { task, workers: 0, classMapping: { 5: "pool" } });
    expect(named.classes.map(({ name }) => name)).toEqual(["background", "building", "pool"]);
    await named.close();
    const ignored = await prepareData(folder, { task, workers: 0, ignoreClasses: [5] });
    expect([ignored.classes.length, ignored.ignoredClasses]).toEqual([2, ["5"]]);
    await ignored.close();
  });

  it("without map.txt pair files by their stems; without anything say what was found", async () => {
    const folder = copy("no-map");
    unlinkSync(join(folder, "map.txt"));
    expect(await codeOf(folder)).toBe("no error");
    const empty = scratch.path("empty");
    mkdirSync(empty);
    writeFileSync(join(empty, "readme.md"), "");
    await expect(prepareData(empty, { task })).rejects.toThrow(/no chip folder/);
  });

  it("of two dates are one image with the bands of both", async () => {
    const [width, height] = [192, 160];
    const later = new Uint8Array(3 * width * height).map((_, i) => (i * 40503 + 7) >>> 3);
    const laterRaster = await writeRaster(scratch.path("later.tif"), { data: later, bands: 3, width, height }, { sampleType: "uint8" });
    const shape = { labels: houses, chipSize: 32, stride: 16, allTiles: true, workers: 0 } as const;
    await exportTrainingData({ raster: laterRaster, out: scratch.path("later-chips"), ...shape });
    const folder = copy("dates");
    cpSync(scratch.path("later-chips", "images"), join(folder, "images2"), { recursive: true });
    const options = { task, workers: 0, split: "random", augment: false, seed: 5 } as const;
    const [both, earlier, after] = (await Promise.all(
      [folder, chips, scratch.path("later-chips")].map((source) =>
        prepareData(source, { ...options, workingFolder: scratch.path(`work-${source.length}`) }),
      ),
    )) as [LearningData, LearningData, LearningData];
    expect(both.bands).toBe(6);
    expect([both.dates, earlier.dates]).toEqual([["earlier", "earlier", "earlier", "later", "later", "later"], undefined]);
    expect(both.bandNames).toEqual([
      ...earlier.bandNames.map((name) => `${name} before`),
      ...earlier.bandNames.map((name) => `${name} after`),
    ]);
    // The split is drawn, so the validation chips of all three are the same ones.
    const [[x], [a], [b]] = [await all(both, "valid"), await all(earlier, "valid"), await all(after, "valid")] as [
      PixelBatch[],
      PixelBatch[],
      PixelBatch[],
    ];
    expect([a!.names, b!.names]).toEqual([x!.names, x!.names]);
    expect(x!.targets).toEqual(a!.targets);
    for (let pixel = 0; pixel < x!.targets.length; pixel++) {
      expect([...x!.images.subarray(6 * pixel, 6 * pixel + 6)]).toEqual([
        ...a!.images.subarray(3 * pixel, 3 * pixel + 3),
        ...b!.images.subarray(3 * pixel, 3 * pixel + 3),
      ]);
    }
    for (const data of [both, earlier, after]) await data.close();
    unlinkSync(join(folder, "images2", "000000001.tif"));
    expect(await codeOf(folder)).toBe("FILE_NOT_FOUND");
  });

  it("that are damaged or hostile are refused", async () => {
    const cases: [string, string, (folder: string) => void | Promise<void>][] = [
      ["CHIPS_CORRUPT", "escape", (f) => writeFileSync(join(f, "map.txt"), "images\\000000000.tif  ..\\..\\x.tif \n")],
      ["CHIPS_CORRUPT", "proto", (f) => writeFileSync(join(f, "esri_model_definition.emd"), '{"__proto__": {"a": 1}}')],
      ["CHIPS_CORRUPT", "twice", (f) => writeFileSync(join(f, "map.txt"), "images/000000000.tif  labels/000000000.tif\n".repeat(2))],
      ["FILE_NOT_FOUND", "missing", (f) => unlinkSync(join(f, "images/000000002.tif"))],
      [
        "RASTER_CORRUPT",
        "cut",
        (f) => writeFileSync(join(f, "images/000000002.tif"), readFileSync(join(f, "images/000000002.tif")).subarray(0, 300)),
      ],
      [
        "CHIPS_MISMATCH",
        "size",
        async (f) => {
          const image = { data: new Uint8Array(3 * 16 * 16), bands: 3, width: 16, height: 16 };
          await writeRaster(join(f, "images/000000002.tif"), image, { sampleType: "uint8" });
          await writeRaster(join(f, "labels/000000002.tif"), { ...image, data: new Uint8Array(256), bands: 1 }, { sampleType: "uint8" });
        },
      ],
      [
        "CHIPS_MISMATCH",
        "bands",
        (f) =>
          writeRaster(
            join(f, "images/000000002.tif"),
            { data: new Uint8Array(1024), bands: 1, width: 32, height: 32 },
            { sampleType: "uint8" },
          ).then(() => undefined),
      ],
    ];
    for (const [code, name, damage] of cases) {
      const folder = copy(`damaged-${name}`);
      await damage(folder);
      expect([name, await codeOf(folder)]).toEqual([name, code]);
    }
  });

  it.each([
    ["objectdetection", 'Did you mean `task: "objectDetection"`?'],
    ["instance_segmentation", 'Did you mean `task: "instanceSegmentation"`?'],
    ["detection", 'Say what the chips are for: `task: "pixelClassification"`, `task: "objectDetection"`, '],
    [undefined, 'Say what the chips are for: `task: "pixelClassification"`, `task: "objectDetection"`, '],
  ])("are not prepared for the task %j", async (given, hint) => {
    await expect(prepareData("chips", { task: given as typeof task })).rejects.toMatchObject({
      code: "TASK_MISMATCH",
      hint: expect.stringContaining(hint) as string,
    });
  });

  it.skipIf(!withData)("of boxes are told from those of pixels", async () => {
    await expect(prepareData(join(sharedData, "palms-kolovai-arcgis-export"), { task })).rejects.toMatchObject({ code: "TASK_MISMATCH" });
  });
});

describe("several folders", () => {
  it("are one data set, and must be alike", async () => {
    const second = scratch.path("second");
    await exportTrainingData({ raster, labels: houses, out: second, chipSize: 32, stride: 32, workers: 0 });
    const data = await prepareData([chips, second], { task, workers: 0, workingFolder: scratch.folder });
    expect(data.train.names.some((name) => name.startsWith("chips/"))).toBe(true);
    expect([...data.train.names, ...data.valid.names].some((name) => name.startsWith("second/"))).toBe(true);
    await data.close();
    const small = scratch.path("small");
    await exportTrainingData({ raster, labels: houses, out: small, chipSize: 16, workers: 0 });
    expect(await codeOf([chips, small])).toBe("CHIPS_MISMATCH");
  });
});

describe("windows straight out of a raster", () => {
  it("are those of the export", async () => {
    const folder = scratch.path("compare");
    await exportTrainingData({ raster, labels: houses, out: folder, chipSize: 32, stride: 16, workers: 0 });
    const exported = await prepareData(folder, { task, workers: 0, seed: 3 });
    const direct = await prepareData({ raster, labels: houses, chipSize: 32, stride: 16 }, { task, workers: 0, seed: 3 });
    expect(direct.train.names).toEqual(exported.train.names);
    expect(direct.statistics).toEqual(exported.statistics);
    expect(await all(direct, "train")).toEqual(await all(exported, "train"));
    await exported.close();
    await direct.close();
  });

  it("are as large as the network wants them, unless another size is given for them", async () => {
    const options = { task, workers: 0, valSplit: 1 } as const;
    const like = await prepareData({ raster, labels: houses }, { ...options, chipSize: 32 });
    const given = await prepareData({ raster, labels: houses, chipSize: 32 }, options);
    expect([like.valid.count, like.chipWidth]).toEqual([given.valid.count, 32]);
    expect(await all(like, "valid")).toEqual(await all(given, "valid"));
    const larger = await prepareData({ raster, labels: houses, chipSize: 64 }, { ...options, chipSize: 32 });
    expect(larger.valid.count).toBeLessThan(like.valid.count);
    await expect(prepareData({ raster, labels: houses, chipSize: 16 }, { ...options, chipSize: 32 })).rejects.toMatchObject({
      code: "CHIPS_MISMATCH",
      hint: "Give the same `chipSize` beside `raster` and `labels`, or leave it out there.",
    });
    for (const data of [like, given, larger]) await data.close();
  });

  it("drawn at random are seeded, and balanced by class on request", async () => {
    const rare = labelsOf([square(100, 100, 6, 6, { k: 2 }), square(0, 0, 40, 160, { k: 1 })]);
    const source = { raster, labels: rare, classField: "k", chipSize: 32, samples: 60 };
    const share = async (balanced: boolean, seed: number): Promise<{ share: number; first: PixelBatch }> => {
      const data = await prepareData({ ...source, balanced }, { task, workers: 0, seed, augment: false, valSplit: 0, split: "random" });
      const result = { share: data.classPixels[2]! / data.classPixels.reduce((a, b) => a + b, 0), first: (await all(data, "train"))[0]! };
      expect(data.train.count).toBe(60);
      await data.close();
      return result;
    };
    const [even, plain, again] = [await share(true, 1), await share(false, 1), await share(true, 1)];
    expect(even.share).toBeGreaterThan(3 * plain.share);
    expect(again.first).toEqual(even.first);
  });

  it("outside the mask are ignored", async () => {
    const mask = { name: "mask", crs: parseCrs(32633), features: [square(0, 0, 40, 160)] };
    const data = await prepareData(
      { raster, labels: houses, mask, chipSize: 32, stride: 16 },
      { task, workers: 0, valSplit: 0, augment: false },
    );
    const batches = await all(data, "train");
    expect(batches.some(({ targets }) => targets.includes(-1))).toBe(true);
    expect(GRID[0]).toBe(1);
    await data.close();
  });
});

describe("options that there are not", () => {
  const prepare = (source: unknown, options: unknown): Promise<unknown> => prepareData(source as string, options as PrepareDataOptions);
  const exported = (options: unknown): Promise<unknown> => exportTrainingData(options as ExportOptions);

  it.each<[string, () => Promise<unknown>, string, string]>([
    ["batch_size", () => prepare(chips, { task, batch_size: 2 }), "prepareData()", "Did you mean `batchSize`?"],
    ["brightnes", () => prepare(chips, { task, augment: { brightnes: 0.2 } }), "`augment`", "Did you mean `brightness`?"],
    [
      "samplng",
      () => prepare({ raster, labels: houses, samplng: "grid" }, { task }),
      "source of prepareData()",
      "Did you mean `sampling`?",
    ],
    [
      "chipsize",
      () => exported({ raster, labels: houses, out: scratch.path("no"), chipsize: 64 }),
      "exportTraining",
      "Did you mean `chipSize`?",
    ],
    ["tileHeight", () => exported({ raster, labels: houses, out: scratch.path("no"), tileHeight: 64 }), "exportTraining", "`stride`"],
  ])("%s is refused", async (field, work, where, hint) => {
    await expect(work()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(where) as string,
      hint: expect.stringContaining(hint) as string,
      data: { field },
    });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["prepareData(chips)", () => prepare(chips, undefined), 'task: "pixelClassification"'],
    ["prepareData()", () => prepare(undefined, { task }), "chip folder"],
    ['augment: "flips"', () => prepare(chips, { task, augment: "flips" }), "augment: true"],
    ["augment: null", () => prepare(chips, { task, augment: null }), "augment: true"],
    ["exportTrainingData()", () => exported(undefined), "`raster`, `labels` and `out`"],
  ])("%s is told what is to be given", async (_, work, hint) => {
    await expect(work()).rejects.toMatchObject({ code: "INVALID_ARGUMENT", hint: expect.stringContaining(hint) as string });
  });
});
