import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { encodePng, type Features, openRaster } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { checkTrainingData } from "../check/check-training-data.ts";
import { describeChips } from "../check/describe-chips.ts";
import { openTileChips } from "../chips/tile-folder.ts";
import {
  askPeer,
  codeOf,
  collectWarnings,
  digests,
  labelsOf,
  Scratch,
  sharedData,
  square,
  withData,
  withPeers,
  writeRaster,
} from "../data-prep.testing.ts";
import { exportTrainingData } from "../export/export-training-data.ts";
import type { TileBatch, TileData } from "../learning-data.ts";
import { prepareData } from "../prepare-data.ts";
import type { ChipFolderFormat } from "./formats.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

async function scene(name: string): Promise<string> {
  const [width, height] = [96, 80];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => 1 + ((i * 7) % 251));
  return writeRaster(scratch.path(name), { data, bands: 3, width, height }, { sampleType: "uint8" });
}

const things: Features = labelsOf([
  square(4.3, 4.2, 10.4, 12.7, { kind: "barn" }),
  square(40, 30, 15, 10, { kind: "shed & co" }),
  square(75.5, 65.5, 40, 10, { kind: "shed & co" }),
  square(30.1, 2.2, 4, 40, { kind: "barn" }),
  square(60, 20, 8, 8, { kind: "tower" }),
]);
const geometries = things.features.map(({ geometry }) => ({ geometry, value: 1 }));
const options = { labels: things, classField: "kind", chipSize: 32, workers: 0 } as const;

async function classesOf(folder: string): Promise<[string, string[]][]> {
  const chips = await openTileChips(folder);
  const names = new Map(chips.classes.map(({ value, name }) => [value, name]));
  return Promise.all(
    chips.chips.map(async ({ name }, i): Promise<[string, string[]]> => [
      name,
      (await chips.read(i)).classValues.map((value) => names.get(value)!),
    ]),
  );
}

describe("chips around features", () => {
  it.skipIf(!withPeers).each([
    ["fixedSize", false],
    ["fixedSize", true],
    ["boundingBox", false],
    ["boundingBox", true],
  ] as const)("%s, blackened: %s, hold the pixels rasterio cuts out", async (cropMode, blacken) => {
    const raster = await scene("around.tif");
    const out = scratch.path(`around-${cropMode}-${blacken}`);
    const result = await exportTrainingData({ ...options, raster, out, format: "labeledTiles", cropMode, blacken });
    expect(result.chips).toBe(5);
    const { wrong, windows } = askPeer<{ wrong: number; windows: number[][] }>({
      do: "around",
      chips: out,
      raster,
      features: geometries,
      blacken,
    });
    expect(wrong).toBe(0);
    const expected =
      cropMode === "boundingBox"
        ? [
            [4, 4, 11, 13],
            [40, 30, 15, 10],
            [75, 65, 21, 11],
            [30, 2, 5, 41],
            [60, 20, 8, 8],
          ]
        : // the middle of the box in the middle of the chip, moved inside the raster
          [
            [0, 0, 32, 32],
            [32, 19, 32, 32],
            [64, 48, 32, 32],
            [16, 6, 32, 32],
            [48, 8, 32, 32],
          ];
    expect(windows).toEqual(expected);
    expect(await classesOf(out)).toEqual([
      ["000000000", ["barn"]],
      ["000000001", ["shed & co"]],
      ["000000002", ["shed & co"]],
      ["000000003", ["barn"]],
      ["000000004", ["tower"]],
    ]);
    const definition = JSON.parse(readFileSync(join(out, "esri_model_definition.emd"), "utf8")) as Record<string, unknown>;
    expect(definition).toMatchObject({
      MetaDataMode: "Labeled_Tiles",
      BlackenAroundFeature: blacken,
      CropTileMode: cropMode === "boundingBox" ? "Bounding_Box" : "Fixed_Size",
    });
  });

  it("features cut by the raster's border count by their share, and turned copies follow each chip", async () => {
    const raster = await scene("share.tif");
    const out = scratch.path("share");
    // the third lies with 20.5 of 40 columns in the raster
    const { chips } = await exportTrainingData({ ...options, raster, out, format: "labeledTiles", minOverlap: 0.6, rotation: 180 });
    expect(chips).toBe(8);
    expect((await classesOf(out)).map(([, names]) => names[0])).toEqual([
      "barn",
      "barn",
      "shed & co",
      "shed & co",
      "barn",
      "barn",
      "tower",
      "tower",
    ]);
    const [upright, turned] = await Promise.all(
      [0, 1].map(async (index) => {
        const image = await openRaster(join(out, `images/00000000${index}.tif`));
        const { data } = await image.read(undefined, { bands: [0] });
        await image.close();
        return [...data];
      }),
    );
    expect(turned).toEqual(upright!.toReversed());
  });

  it("imagenet has a folder per class, which is all that is needed to read it", async () => {
    const raster = await scene("imagenet.tif");
    const out = scratch.path("imagenet");
    await exportTrainingData({ ...options, raster, out, format: "imagenet", chipFormat: "png" });
    expect(readdirSync(join(out, "images")).toSorted()).toEqual(["barn", "shed & co", "tower"]);
    expect(existsSync(join(out, "labels"))).toBe(false);
    expect(readFileSync(join(out, "map.txt"), "latin1").split("\n")[0]).toBe("images\\barn\\000000000.png ");
    const expected = [
      ["barn/000000000", ["barn"]],
      ["barn/000000003", ["barn"]],
      ["shed & co/000000001", ["shed & co"]],
      ["shed & co/000000002", ["shed & co"]],
      ["tower/000000004", ["tower"]],
    ];
    expect(await classesOf(out)).toEqual(expected);
    expect((await describeChips(out)).classes.map(({ name, chips }) => [name, chips])).toEqual([
      ["barn", 2],
      ["shed & co", 2],
      ["tower", 1],
    ]);
    expect(await classesOf(join(out, "images"))).toEqual(expected);
    const clash = labelsOf([square(4, 4, 9, 9, { kind: "a/b" }), square(40, 4, 9, 9, { kind: "a:b" })]);
    expect(await codeOf(exportTrainingData({ ...options, labels: clash, raster, out: scratch.path("clash"), format: "imagenet" }))).toBe(
      "INVALID_ARGUMENT",
    );
  });
});

describe("chips of a grid", () => {
  it.skipIf(!withPeers)("multiLabeledTiles names the classes of the features a chip shows", async () => {
    const out = scratch.path("multi");
    await exportTrainingData({
      ...options,
      raster: await scene("multi.tif"),
      out,
      format: "multiLabeledTiles",
      minOverlap: 0.2,
      allTiles: true,
      stride: 16,
    });
    const names = ["barn", "shed & co", "tower"];
    const asked = things.features.map(({ geometry, properties }) => ({ geometry, value: names.indexOf(properties["kind"] as string) }));
    const { rows } = askPeer<{ rows: [string, number][] }>({ do: "objects", chips: out, features: asked, min_overlap: 0.2 });
    const own = await classesOf(out);
    expect(own.filter(([, list]) => list.length > 1).length).toBeGreaterThan(3);
    expect(own.filter(([, list]) => list.length === 0).length).toBeGreaterThan(1);
    for (const [stem, list] of own) {
      const expected = rows.filter((row) => row[0] === stem).map((row) => names[row[1]]!);
      expect(list).toEqual([...new Set(expected)].toSorted());
    }
    const comma = labelsOf([square(4, 4, 9, 9, { kind: "a,b" })]);
    expect(
      await codeOf(
        exportTrainingData({
          ...options,
          labels: comma,
          raster: await scene("comma.tif"),
          out: scratch.path("comma"),
          format: "multiLabeledTiles",
        }),
      ),
    ).toBe("INVALID_ARGUMENT");
  });

  it.skipIf(!withPeers)("exportTiles are the raster's pixels alone, with labels only where these lie", async () => {
    const raster = await scene("plain.tif");
    const out = scratch.path("plain");
    const { chips } = await exportTrainingData({ raster, out, format: "exportTiles", chipSize: 32, stride: 32, workers: 0 });
    expect(chips).toBe(9);
    expect(askPeer({ do: "images", chips: out, raster, tolerance: 0 })).toEqual({ wrong: 0, samples: 9 * 3 * 32 * 32 });
    expect(readFileSync(join(out, "map.txt"), "latin1").split("\n")[0]).toBe("images\\000000000.tif ");
    expect(existsSync(join(out, "labels"))).toBe(false);
    const some = await exportTrainingData({ ...options, raster, out: scratch.path("plain-some"), format: "exportTiles", stride: 32 });
    expect(some.chips).toBeLessThan(9);
    const keys = (folder: string, file: string): string[] => Object.keys(JSON.parse(readFileSync(join(folder, file), "utf8")) as object);
    const real = join(sharedData, "esri-emd-samples/classified-tiles-export-metadata");
    if (!withData) return;
    for (const file of ["esri_accumulated_stats.json", "esri_model_definition.emd"]) {
      // a second raster is not exported
      expect(keys(out, file)).toEqual(expect.arrayContaining(keys(real, file).filter((key) => !key.endsWith("2"))));
    }
    expect(await codeOf(prepareData(out, { task: "objectClassification" }))).toBe("TASK_MISMATCH");
  });
});

describe("promises of every format", () => {
  const formats: readonly ChipFolderFormat[] = ["labeledTiles", "multiLabeledTiles", "imagenet", "exportTiles"];

  it.each(formats)("%s is the same for any number of workers, stopped and continued, and appended to", async (format) => {
    const raster = await scene(`${format}.tif`);
    for (const workers of [0, 2])
      await exportTrainingData({ ...options, raster, out: scratch.path(`${format}-${workers}`), format, workers });
    const whole = digests(scratch.path(`${format}-0`));
    expect(digests(scratch.path(`${format}-2`))).toEqual(whole);
    const out = scratch.path(`${format}-stopped`);
    const stop = new AbortController();
    const onProgress = ({ done }: { readonly done: number }): void => {
      if (done >= 1) stop.abort();
    };
    await expect(exportTrainingData({ ...options, raster, out, format, signal: stop.signal, onProgress })).rejects.toMatchObject({
      name: "AbortError",
    });
    const result = await exportTrainingData({ ...options, raster, out, format });
    expect(result.resumed).toBe(true);
    expect(digests(out)).toEqual(whole);
    expect((await exportTrainingData({ ...options, raster, out, format })).resumed).toBe(true);
    const more = await exportTrainingData({ ...options, raster, out, format, minOverlap: 0.01, startIndex: "next" });
    expect(more.firstIndex).toBe(result.endIndex);
    expect(readFileSync(join(out, "map.txt"), "latin1").trimEnd().split("\n")).toHaveLength(more.endIndex);
  });

  it("chips around features are estimated, too", async () => {
    const estimate = await exportTrainingData({
      ...options,
      raster: await scene("estimate.tif"),
      out: scratch.path("no"),
      format: "labeledTiles",
      estimate: true,
    });
    expect(estimate.chips).toBe(5);
    expect(existsSync(scratch.path("no"))).toBe(false);
  });

  it("options that do not fit are refused", async () => {
    const raster = await scene("refused.tif");
    const out = scratch.path("refused");
    expect(await codeOf(exportTrainingData({ ...options, raster, out, format: "kitti", blacken: true }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(exportTrainingData({ ...options, raster, out, format: "pascalVoc", cropMode: "boundingBox" }))).toBe(
      "INVALID_ARGUMENT",
    );
    expect(await codeOf(exportTrainingData({ raster, out, format: "labeledTiles" }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(exportTrainingData({ raster, out }))).toBe("INVALID_ARGUMENT");
  });
});

async function batchesOf(data: TileData, side: "train" | "valid"): Promise<TileBatch[]> {
  const all: TileBatch[] = [];
  for await (const batch of data[side].read()) all.push(batch);
  return all;
}

/** Folders of PNG chips of 8 x 8 pixels. */
function folders(name: string, files: readonly string[]): string {
  const folder = scratch.path(name);
  files.forEach((file, i) => {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(
      join(folder, file),
      encodePng({ width: 8, height: 8, channels: 1, data: Uint8Array.from({ length: 64 }, (_, k) => (k * (i + 3)) % 200) }),
    );
  });
  return folder;
}

describe("objectClassification", () => {
  const base = { task: "objectClassification", split: "random", batchSize: 2, workers: 0 } as const;

  it("chips as large as their objects become one size", async () => {
    const raster = await scene("sizes.tif");
    const out = scratch.path("sizes");
    await exportTrainingData({ ...options, raster, out, format: "labeledTiles", cropMode: "boundingBox" });
    const data = await prepareData(out, { ...base, valSplit: 0, augment: false });
    expect([data.chipWidth, data.chipHeight, data.multiLabel]).toEqual([32, 32, false]);
    expect(data.classChips).toEqual([2, 2, 1]);
    expect(data.crop).toEqual({ mode: "boundingBox", blacken: false });
    const [batch] = await batchesOf(data, "train");
    expect(batch!.images).toHaveLength(2 * 32 * 32 * 3);
    expect(batch!.images.every((value) => value >= 1 && value <= 251)).toBe(true);
    await data.close();
    const small = await prepareData(out, { ...base, valSplit: 0, resizeTo: { width: 16, height: 8 } });
    expect([small.chipWidth, small.chipHeight]).toEqual([16, 8]);
    await small.close();
    expect(await codeOf(prepareData(out, { ...base, resizeTo: 0 }))).toBe("INVALID_ARGUMENT");
  });

  it("how chips lie around their features is told, and folders of two manners are refused", async () => {
    const raster = await scene("manners.tif");
    const [fixed, black] = [scratch.path("fixed"), scratch.path("black")];
    await exportTrainingData({ ...options, raster, out: fixed, format: "labeledTiles" });
    await exportTrainingData({ ...options, raster, out: black, format: "imagenet", blacken: true });
    const crops = [];
    for (const out of [fixed, black, folders("loose", ["a/1.png", "a/2.png", "b/1.png", "b/2.png"])]) {
      const data = await prepareData(out, { ...base, valSplit: 0 });
      crops.push(data.crop);
      await data.close();
    }
    expect(crops).toEqual([{ mode: "fixedSize", blacken: false }, { mode: "fixedSize", blacken: true }, null]);
    expect(await codeOf(prepareData([fixed, black], { ...base, valSplit: 0 }))).toBe("CHIPS_MISMATCH");
  });

  it("several classes a chip are a row of zeros and ones", async () => {
    const out = scratch.path("several");
    await exportTrainingData({ ...options, raster: await scene("several.tif"), out, format: "multiLabeledTiles", allTiles: true });
    const data = await prepareData(out, { ...base, valSplit: 1, batchSize: 4 });
    expect([data.multiLabel, data.crop]).toEqual([true, null]);
    const names = new Map(await classesOf(out));
    let seen = 0;
    for (const { labels, names: chips, real, size } of await batchesOf(data, "valid")) {
      expect(labels).toBeInstanceOf(Uint8Array);
      expect(labels).toHaveLength(size * 3);
      for (let slot = 0; slot < size; slot++) {
        const own = data.classes.filter((_, i) => labels[slot * 3 + i] === 1).map(({ name }) => name);
        expect(own).toEqual(slot < real ? names.get(chips[slot]!) : []);
        seen += own.length;
      }
    }
    expect(seen).toBeGreaterThan(8);
    await data.close();
  });

  it("bad folders end in a typed error", async () => {
    expect(await codeOf(prepareData(folders("one-class", ["a/1.png", "a/2.png", "b/3.png"]), { ...base, ignoreClasses: ["b"] }))).toBe(
      "LABELS_EMPTY",
    );
    const mixed = folders("mixed", ["a/1.png", "b/2.png"]);
    writeFileSync(join(mixed, "b/2.png"), encodePng({ width: 9, height: 8, channels: 1, data: new Uint8Array(72) }));
    expect(await codeOf(prepareData(mixed, base))).toBe("CHIPS_MISMATCH");
    const resized = await prepareData(mixed, { ...base, valSplit: 0, resizeTo: 8 });
    expect((await batchesOf(resized, "train"))[0]!.images).toHaveLength(2 * 64);
    await resized.close();
    expect(await codeOf(prepareData(folders("no-place", ["a/1.png", "b/2.png"]), { ...base, split: "blocks" }))).toBe("SPLIT_IMPOSSIBLE");
    const raster = await scene("straight.tif");
    expect(await codeOf(prepareData({ raster, labels: things, classField: "kind" }, base))).toBe("UNSUPPORTED_FORMAT");
    const twice = scratch.path("twice");
    for (const part of ["images", "labels"]) mkdirSync(join(twice, part), { recursive: true });
    writeFileSync(join(twice, "images/a.png"), encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) }));
    const named = (name: string): string =>
      `<object><name>${name}</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>8</xmax><ymax>8</ymax></bndbox></object>`;
    writeFileSync(join(twice, "labels/a.xml"), `<annotation>${named("1")}${named("2")}</annotation>`);
    writeFileSync(join(twice, "esri_model_definition.emd"), JSON.stringify({ MetaDataMode: "Labeled_Tiles" }));
    expect(await codeOf(prepareData(twice, base))).toBe("CHIPS_CORRUPT");
  });

  it.skipIf(!withData)("EuroSAT: ten folders are ten classes, each chip in its own", async () => {
    const { warnings, onWarning } = collectWarnings();
    const working = scratch.path("eurosat");
    mkdirSync(working);
    const folder = join(sharedData, "eurosat-rgb");
    const data = await prepareData(folder, { ...base, batchSize: 8, valSplit: 0.3, workingFolder: working, onWarning });
    expect(data.classes.map(({ name }) => name)).toEqual(
      readdirSync(folder)
        .filter((name) => !name.includes("."))
        .toSorted(),
    );
    expect(data.train.count + data.valid.count).toBe(70);
    // 30 % of seven chips a class: two or three of each
    const drawn = data.classes.map(({ name }) => data.valid.names.filter((chip) => chip.startsWith(`${name}/`)).length);
    expect(drawn.toSorted((a, b) => a - b)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 3]);
    expect([data.chipWidth, data.chipHeight, data.bands]).toEqual([64, 64, 3]);
    for (const { labels, names, real } of await batchesOf(data, "valid")) {
      for (let slot = 0; slot < real; slot++) expect(names[slot]!.startsWith(`${data.classes[labels[slot]!]!.name}/`)).toBe(true);
    }
    await data.showBatch(join(working, "batch.png"));
    expect(existsSync(join(working, "batch.png"))).toBe(true);
    expect(warnings.map(({ code }) => code)).toEqual(["SPLIT_UNCHECKED"]);
    await data.close();
  });

  it("check counts chips", async () => {
    const folder = folders("checked", ["a/1.png", "a/2.png", "b/3.png"]);
    expect(await checkTrainingData({ chips: folder })).toMatchObject({ unit: "chips", chips: 3, unlabelledChips: 0, labelShift: null });
  });
});
