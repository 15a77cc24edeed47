import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { encodePng, type Features, openRaster, readFeatures } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { openObjectChips } from "../chips/object-folder.ts";
import { openObjectWindows } from "../chips/window-source.ts";
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
import type { ChipFolderFormat } from "./formats.ts";
import { exportTrainingData } from "../export/export-training-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

async function scene(name: string): Promise<string> {
  const [width, height] = [96, 80];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7) % 251);
  return writeRaster(scratch.path(name), { data, bands: 3, width, height }, { sampleType: "uint8" });
}

/** Two classes; some cross chip borders, two overlap, one is smaller than a pixel, one is a circle by its corners. */
const things = labelsOf([
  square(4.3, 4.2, 20.4, 12.7, { kind: 1 }),
  square(40, 30, 25, 30, { kind: 3 }),
  square(45.2, 35.2, 40, 10, { kind: 3 }),
  square(30.1, 2.2, 4, 40, { kind: 1 }),
  square(10.6, 50.6, 0.3, 0.3, { kind: 1 }),
  disc(70, 15, 8.5, { kind: 3 }),
]);

function disc(col: number, row: number, radius: number, properties: Record<string, number>): Features["features"][number] {
  const ring = Array.from({ length: 24 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 24;
    return [500_000 + col + radius * Math.cos(angle), 5_000_000 - row + radius * Math.sin(angle)];
  });
  return { geometry: { type: "Polygon", coordinates: [[...ring, ring[0]!]] }, properties };
}

const asked = things.features.map(({ geometry, properties }) => ({ geometry, value: properties["kind"] as number }));
const options = { labels: things, classField: "kind", chipSize: 32, stride: 20, workers: 0 } as const;

type Row = [stem: string, value: number, box: number[], area: number];

/** Every object of a folder as the reader gives it. */
async function readAll(folder: string): Promise<[string, number, number[]][]> {
  const chips = await openObjectChips(folder);
  const rows: [string, number, number[]][] = [];
  for (const [i, { name }] of chips.chips.entries()) {
    for (const { classValue, box } of (await chips.read(i)).objects) rows.push([name, classValue, [...box]]);
  }
  await chips.close();
  return rows;
}

/** Rows in one order, however an export sorts objects of a chip. */
function sorted<T extends readonly unknown[]>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => (JSON.stringify(a.slice(0, 3)) < JSON.stringify(b.slice(0, 3)) ? -1 : 1));
}

describe.each(["pascalVoc", "kitti"] as const)("%s", (format) => {
  it.skipIf(!withPeers)("boxes are those of shapely on every chip, turned copies too, and come back in reading", async () => {
    const out = scratch.path(`boxes-${format}`);
    const result = await exportTrainingData({
      ...options,
      raster: await scene(`${format}.tif`),
      out,
      format,
      rotation: 120,
      minOverlap: 0.25,
    });
    const { rows } = askPeer<{ rows: Row[] }>({ do: "objects", chips: out, features: asked, min_overlap: 0.25 });
    // the thing of 0.3 pixels is one of them
    expect(rows.length).toBeGreaterThan(60);
    const expected = sorted(rows.map(([stem, value, box]) => [stem, value, box.map((side) => Number(side.toFixed(2)))] as const));
    const own = sorted(await readAll(out));
    expect(own.map(([stem, value]) => [stem, value])).toEqual(expected.map(([stem, value]) => [stem, value]));
    own.forEach(([, , box], i) => box.forEach((side, k) => expect(Math.abs(side - expected[i]![2][k]!)).toBeLessThan(0.0101)));

    const stats = JSON.parse(readFileSync(join(out, "esri_accumulated_stats.json"), "utf8")) as {
      FeatureStats: { NumFeaturesPerClass: number[]; FeatureAreaPerClass: { Min: number; Max: number; Sum: number }[] };
    };
    for (const [i, value] of [1, 3].entries()) {
      const areas = rows.filter((row) => row[1] === value).map(([, , , area]) => area);
      expect(stats.FeatureStats.NumFeaturesPerClass[i]).toBe(areas.length);
      const counted = stats.FeatureStats.FeatureAreaPerClass[i]!;
      expect(counted.Sum).toBeCloseTo(
        areas.reduce((a, b) => a + b, 0),
        5,
      );
      expect(counted.Min).toBeCloseTo(Math.min(...areas), 7);
      expect(counted.Max).toBeCloseTo(Math.max(...areas), 6);
    }
    expect(result.classes.map(({ value, objects, pixels }) => [value, objects, pixels])).toEqual(
      [1, 3].map((value) => [value, rows.filter((row) => row[1] === value).length, 0]),
    );
  });
});

describe("rcnnMasks", () => {
  it.skipIf(!withPeers)("masks are those of rasterio pixel for pixel, several classes and turned copies", async () => {
    const out = scratch.path("masks");
    const raster = await scene("masks.tif");
    await exportTrainingData({ ...options, raster, out, format: "rcnnMasks", rotation: 120, minOverlap: 0.25 });
    const { wrong, masks } = askPeer<{ wrong: number; masks: number }>({ do: "masks", chips: out, features: asked, min_overlap: 0.25 });
    expect(masks).toBeGreaterThan(30);
    expect(wrong).toBe(0);
    expect(readdirSync(join(out, "labels")).sort()).toEqual(["1", "3"]);
  });

  it("map.txt has a row per class a chip shows, and reading joins them", async () => {
    const out = scratch.path("mask-rows");
    await exportTrainingData({ ...options, raster: await scene("mask-rows.tif"), out, format: "rcnnMasks", chipSize: 96, allTiles: true });
    const map = readFileSync(join(out, "map.txt"), "latin1");
    expect(map).toBe("images\\000000000.tif  labels\\1\\000000000.tif \nimages\\000000000.tif  labels\\3\\000000000.tif \n");
    const chips = await openObjectChips(out);
    expect(chips.chips).toHaveLength(1);
    const { objects } = await chips.read(0);
    // the thing of 0.3 pixels holds no pixel's centre
    expect(objects.map(({ classValue, box }) => [classValue, box])).toEqual([
      [1, [4, 4, 25, 17]],
      [1, [30, 2, 34, 42]],
      [3, [40, 30, 65, 60]],
      [3, [45, 35, 85, 45]],
      [3, expect.anything()],
    ]);
    for (const { mask, box } of objects) {
      expect([mask!.col, mask!.row, mask!.col + mask!.width, mask!.row + mask!.height]).toEqual(box);
      expect(mask!.data.includes(1)).toBe(true);
    }
    // the later of two that overlap lies above
    expect(objects[2]!.mask!.data.reduce((a, b) => a + b, 0)).toBe(25 * 30 - 20 * 10);
  });

  it("a map.txt with one row a chip means the same masks", async () => {
    const out = scratch.path("one-row");
    await exportTrainingData({ ...options, raster: await scene("one-row.tif"), out, format: "rcnnMasks" });
    const all = await readAll(out);
    const map = join(out, "map.txt");
    const rows = readFileSync(map, "latin1").trimEnd().split("\n");
    const images = [...new Set(rows.map((row) => row.split("  ")[0]!))];
    expect(images.length).toBeLessThan(rows.length);
    const first = images.map((image) => rows.find((row) => row.startsWith(`${image}  `))!);
    const bare = images.map((image) => `${image}  ${image.replace("images\\", "labels\\")} `);
    for (const lines of [first, bare]) {
      writeFileSync(map, `${lines.join("\n")}\n`);
      expect(await readAll(out)).toEqual(all);
    }
  });

  it("more than 255 objects of a class get 16 bits", async () => {
    const many = labelsOf(Array.from({ length: 300 }, (_, i) => square(3 * (i % 30), 3 * Math.floor(i / 30), 2, 2)));
    const out = scratch.path("many");
    await exportTrainingData({ raster: await scene("many.tif"), labels: many, out, format: "rcnnMasks", chipSize: 96, workers: 0 });
    const mask = await openRaster(join(out, "labels/1/000000000.tif"));
    expect(mask.sampleType).toBe("uint16");
    expect(Math.max(...(await mask.read()).data)).toBe(300);
    await mask.close();
  });
});

describe("every format of objects", () => {
  const formats: readonly ChipFolderFormat[] = ["pascalVoc", "kitti", "rcnnMasks"];

  it.each(formats)("%s is the same for any number of workers, stopped and continued, and grows by appending", async (format) => {
    const raster = await scene(`${format}-keep.tif`);
    for (const workers of [0, 2])
      await exportTrainingData({ ...options, raster, out: scratch.path(`${format}-${workers}`), format, workers });
    const whole = digests(scratch.path(`${format}-0`));
    expect(digests(scratch.path(`${format}-2`))).toEqual(whole);

    const out = scratch.path(`${format}-stopped`);
    const stop = new AbortController();
    const stopped = exportTrainingData({
      ...options,
      raster,
      out,
      format,
      signal: stop.signal,
      onProgress: ({ done }) => done >= 4 && stop.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(out)).not.toContain("map.txt");
    const result = await exportTrainingData({ ...options, raster, out, format });
    expect(result.resumed).toBe(true);
    expect(digests(out)).toEqual(whole);

    const again = await exportTrainingData({
      ...options,
      raster,
      out,
      format,
      startIndex: "next",
      extent: { bounds: [500_000, 4_999_960, 500_040, 5_000_000], crs: 32633 },
    });
    expect(again.firstIndex).toBe(result.endIndex);
    const chips = await openObjectChips(out);
    expect(chips.chips).toHaveLength(again.endIndex);
    const stats = JSON.parse(readFileSync(join(out, "esri_accumulated_stats.json"), "utf8")) as {
      NumTiles: number;
      FeatureStats: { NumFeaturesTotal: number };
    };
    expect(stats.NumTiles).toBe(again.endIndex);
    expect(stats.FeatureStats.NumFeaturesTotal).toBe((await readAll(out)).length);
    expect(await codeOf(exportTrainingData({ ...options, raster, out, format: "classifiedTiles", startIndex: "next" }))).toBe(
      "CHIPS_MISMATCH",
    );
  });

  it.each(formats)("%s: only chips wholly inside the mask, and those without objects when asked", async (format) => {
    const raster = await scene(`${format}-mask.tif`);
    const mask = labelsOf([square(0, 0, 60, 80)]);
    const out = scratch.path(`${format}-mask`);
    const labels = labelsOf([things.features[0]!]);
    const result = await exportTrainingData({ ...options, labels, raster, out, format, mask, stride: 32, allTiles: true });
    // columns 0 and 32 of three; the second and third reach over 60
    expect(result.chips).toBe(3);
    expect(result.skipped.ignored).toBe(6);
    const chips = await openObjectChips(out);
    const counts = await Promise.all(chips.chips.map(async (_, i) => (await chips.read(i)).objects.length));
    expect(counts).toEqual([1, 0, 0]);
  });

  it("estimates without writing", async () => {
    const out = scratch.path("estimate");
    const estimate = await exportTrainingData({
      ...options,
      raster: await scene("estimate.tif"),
      out,
      format: "pascalVoc",
      estimate: true,
    });
    expect(estimate.chips).toBeGreaterThan(5);
    expect(() => readdirSync(out)).toThrow();
  });

  it("points become circles by their radius, and without one the way out is told", async () => {
    const raster = await scene("points.tif");
    const points = labelsOf([
      { geometry: { type: "Point", coordinates: [500_020.5, 4_999_980.5] }, properties: {} },
      { geometry: { type: "Point", coordinates: [500_000, 4_999_940] }, properties: {} },
    ]);
    const out = scratch.path("points");
    await exportTrainingData({ raster, labels: points, out, format: "pascalVoc", bufferRadius: "5 crs", chipSize: 96, workers: 0 });
    expect((await readAll(out)).map(([, , box]) => box)).toEqual([
      [15.5, 14.5, 25.5, 24.5],
      [0, 55, 5, 65],
    ]);
    const without = exportTrainingData({ raster, labels: points, out: scratch.path("points-no"), format: "pascalVoc" });
    await expect(without).rejects.toMatchObject({ code: "LABELS_EMPTY", hint: expect.stringContaining("bufferRadius") as string });
  });

  it("objects where the image has no data are not there; of those half hidden the share counts", async () => {
    const [width, height] = [64, 64];
    const data = Uint8Array.from({ length: width * height }, (_, i) => (i % width < 32 ? 0 : 9));
    const raster = await writeRaster(scratch.path("hidden.tif"), { data, bands: 1, width, height }, { sampleType: "uint8", nodata: 0 });
    // hidden, half hidden, seen, and two thinner than a pixel
    const labels = labelsOf([
      square(4, 4, 10, 10),
      square(27, 20, 10, 10),
      square(40, 40, 8, 8),
      square(8.6, 50.6, 0.3, 0.3),
      square(50.6, 8.6, 0.3, 0.3),
    ]);
    const found = async (minOverlap: number): Promise<number[][]> => {
      const out = scratch.path(`hidden-${minOverlap}`);
      await exportTrainingData({ raster, labels, out, format: "kitti", chipSize: 64, minOverlap, workers: 0 });
      const straight = await openObjectWindows({ raster, labels, chipSize: 64 }, { seed: 0, masks: false, minOverlap });
      const objects = (await straight.read(0)).objects.map(({ box }) => box.map((side) => Number(side.toFixed(2))));
      const own = (await readAll(out)).map(([, , box]) => box);
      expect(objects).toEqual(own);
      return own;
    };
    const seen = [
      [40, 40, 48, 48],
      [50.6, 8.6, 50.9, 8.9],
    ];
    expect(await found(0.5)).toEqual([[27, 20, 37, 30], ...seen]);
    expect(await found(0.6)).toEqual(seen);
  });

  it("a class raster has no objects", async () => {
    const raster = await scene("class-raster.tif");
    const classes = await writeRaster(
      scratch.path("classes.tif"),
      { data: new Uint8Array(96 * 80).fill(1), bands: 1, width: 96, height: 80 },
      { sampleType: "uint8" },
    );
    expect(await codeOf(exportTrainingData({ raster, labels: classes, out: scratch.path("no"), format: "kitti" }))).toBe(
      "UNSUPPORTED_FORMAT",
    );
    expect(await codeOf(exportTrainingData({ ...options, raster, out: scratch.path("no"), format: "yolo9000" as "kitti" }))).toBe(
      "UNSUPPORTED_FORMAT",
    );
  });

  it("labels under which no object is left say so, and leave nothing behind", async () => {
    const raster = await scene("cut.tif");
    const wide = labelsOf([square(-50, -50, 300, 300)]);
    const out = scratch.path("cut");
    expect(
      await codeOf(exportTrainingData({ raster, labels: wide, out, format: "kitti", chipSize: 32, minOverlap: 0.5, workers: 0 })),
    ).toBe("LABELS_EMPTY");
    expect(readdirSync(out)).toEqual([]);
  });
});

/** A folder of PNG chips, 20 x 10 pixels, with label files. */
function pictures(name: string, labels: Readonly<Record<string, string>>, definition?: object): string {
  const folder = scratch.path(name);
  for (const part of ["images", "labels"]) mkdirSync(join(folder, part), { recursive: true });
  for (const [file, text] of Object.entries(labels)) {
    const stem = file.replace(/\..*/, "");
    writeFileSync(join(folder, "images", `${stem}.png`), encodePng({ width: 20, height: 10, channels: 3, data: new Uint8Array(600) }));
    writeFileSync(join(folder, "labels", file), text);
  }
  if (definition !== undefined) writeFileSync(join(folder, "esri_model_definition.emd"), JSON.stringify(definition));
  return folder;
}

function voc(...objects: readonly (readonly [name: string, ...box: (number | string)[]])[]): string {
  const text = objects.map(
    ([name, a, b, c, d]) =>
      `<object><name>${name}</name><bndbox><xmin>${a}</xmin><ymin>${b}</ymin><xmax>${c}</xmax><ymax>${d}</ymax></bndbox></object>`,
  );
  return `<annotation><filename>x</filename>${text.join("")}</annotation>`;
}

describe("labels of others", () => {
  it("boxes beyond the chip are clipped, those outside or without a size left out, each counted", async () => {
    const folder = pictures("odd-boxes", {
      "a.xml": voc(
        ["ship", -5, 2.25, 8.5, 9.75],
        ["ship", 3, 3, 3, 9],
        ["boat", 30, 2, 40, 9],
        ["boat", 0, 0, 20, 10],
        ["ship", 8, 8, 4, 9],
      ),
      "b.xml": voc(),
    });
    const { warnings, onWarning } = collectWarnings();
    const chips = await openObjectChips(folder, { onWarning });
    expect(chips.classes.map(({ value, name }) => [value, name])).toEqual([
      [1, "boat"],
      [2, "ship"],
    ]);
    expect((await chips.read(0)).objects.map(({ classValue, box }) => [classValue, box])).toEqual([
      [2, [0, 2.25, 8.5, 9.75]],
      [1, [0, 0, 20, 10]],
    ]);
    expect((await chips.read(1)).objects).toEqual([]);
    expect(warnings.map(({ code, message }) => [code, /(\d+ of \d+) boxes/.exec(message)?.[1]])).toEqual([
      ["BOXES_CLIPPED", "1 of 5"],
      ["BOXES_OUTSIDE", "1 of 5"],
      ["BOXES_WITHOUT_SIZE", "2 of 5"],
    ]);
  });

  it("KITTI's rows of any blanks are read, regions nobody labelled are not", async () => {
    const folder = pictures("kitti-odd", {
      "a.txt": "Car 0.00 0 1.5   2 3 14.5 9   1 1 1 0 0 0 0\r\nDontCare -1 -1 -10 0 0 5 5 -1 -1 -1 -1000 -1000 -1000 -10\n\n",
    });
    const chips = await openObjectChips(folder);
    expect((await chips.read(0)).objects).toEqual([{ classValue: 1, box: [2, 3, 14.5, 9], mask: null }]);
  });

  it.each([
    ["a document type", { "a.xml": `<!DOCTYPE x [<!ENTITY e "x">]>${voc()}` }, "CHIPS_CORRUPT"],
    ["text for a number", { "a.xml": voc(["1", "a", 1, 2, 3]) }, "CHIPS_CORRUPT"],
    ["an infinite side", { "a.xml": voc(["1", 0, 0, "1e999", 3]) }, "CHIPS_CORRUPT"],
    ["half an element", { "a.xml": "<annotation><object>" }, "CHIPS_CORRUPT"],
    ["no annotation", { "a.xml": "<x/>" }, "CHIPS_CORRUPT"],
    ["an object without a name", { "a.xml": voc(["", 0, 0, 3, 3]) }, "CHIPS_CORRUPT"],
    ["a row too short", { "a.txt": "1 0 0 0 1 2 3" }, "CHIPS_CORRUPT"],
    ["a class value out of range", { "a.txt": "70000 0 0 0 1 2 3 4" }, "INVALID_ARGUMENT"],
  ])("%s is refused", async (_, labels, code) => {
    expect(await codeOf(openObjectChips(pictures(`bad-${createHash("md5").update(JSON.stringify(labels)).digest("hex")}`, labels)))).toBe(
      code,
    );
  });

  it("a name outside the class list is refused; entities of XML are read", async () => {
    const definition = { MetaDataMode: "PASCAL_VOC_rectangles", Classes: [{ Value: 4, Name: "a & b" }] };
    const folder = pictures("names", { "a.xml": voc(["a &amp; b", 1, 1, 3, 3], ["4", 1, 1, 5, 5]) }, definition);
    expect((await (await openObjectChips(folder)).read(0)).objects.map(({ classValue }) => classValue)).toEqual([4, 4]);
    const other = pictures("other-names", { "a.xml": voc(["c", 1, 1, 3, 3]) }, definition);
    expect(await codeOf(openObjectChips(other))).toBe("CLASS_UNKNOWN");
  });

  it("chips of several sizes, missing files and other layouts are refused", async () => {
    const folder = pictures("sizes", { "a.xml": voc(), "b.xml": voc() });
    writeFileSync(join(folder, "images/b.png"), encodePng({ width: 21, height: 10, channels: 3, data: new Uint8Array(630) }));
    const chips = await openObjectChips(folder);
    expect(await codeOf(chips.read(1))).toBe("CHIPS_MISMATCH");
    const torn = pictures("torn", { "a.xml": voc(), "b.xml": voc() });
    writeFileSync(join(torn, "map.txt"), "images\\a.png  labels\\d.xml \nimages\\b.png  labels\\c.xml \n");
    const error = (await openObjectChips(torn).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ code: "FILE_NOT_FOUND", data: { paths: ["c", "d"].map((name) => join(torn, `labels/${name}.xml`)) } });
    expect(error.message).toMatch(/c\.xml, .*d\.xml, which are not there/);
    const tiles = scratch.path("tiles");
    await exportTrainingData({ ...options, raster: await scene("tiles.tif"), out: tiles });
    expect(await codeOf(openObjectChips(tiles))).toBe("TASK_MISMATCH");
  });
});

/** Element names of an XML in their order, repeated objects once. */
function skeleton(xml: string): string[] {
  const one = xml.replace(/(<\/object>\s*)<object>[\s\S]*<\/object>/, "$1");
  return [...one.matchAll(/<([a-z/?][^\s>]*)/gi)].map((match) => match[1]!);
}

describe.skipIf(!withData)("real data", () => {
  const palms = join(sharedData, "palms-kolovai-arcgis-export");

  it.skipIf(!withPeers)("ArcGIS' palms: 60 chips, 178 boxes, its decimals kept, its stale stats.txt not believed", async () => {
    const { warnings, onWarning } = collectWarnings();
    const chips = await openObjectChips(palms, { onWarning });
    expect(chips.chips).toHaveLength(60);
    expect(chips.classes).toEqual([{ value: 1, name: "Palm", color: [255, 0, 0] }]);
    const own = await readAll(palms);
    expect(own).toHaveLength(178);
    const written = askPeer<[string, string, number[]][]>({ do: "voc", chips: join(palms, "labels") });
    expect(own).toEqual(written.map(([stem, name, box]) => [stem, Number(name), box]));
    expect(own.filter(([, , [xmin, ymin, xmax, ymax]]) => xmin === 0 || ymin === 0 || xmax === 448 || ymax === 448).length).toBeGreaterThan(
      20,
    );
    expect(warnings.map(({ code }) => code)).not.toContain("BOXES_CLIPPED");
  });

  it.skipIf(!withPeers)("trees of NEON: class names, boxes in pixels, the odd plot clipped", async () => {
    const folder = join(sharedData, "trees-neon");
    const chips = await openObjectChips(folder);
    expect(chips.chips).toHaveLength(20);
    expect(chips.classes.map(({ value, name }) => [value, name])).toEqual([[1, "Tree"]]);
    const written = askPeer<[string, string, number[]][]>({ do: "voc", chips: folder }).filter(([stem]) => stem !== "SJER_061");
    const own = await readAll(folder);
    expect(own).toHaveLength(written.length);
    expect(own.map(([stem, , box]) => [stem, box])).toEqual(
      written.map(([stem, , box]) => [stem, box.map((side) => Math.min(400, Math.max(0, side)))]),
    );
    const { warnings, onWarning } = collectWarnings();
    const odd = await openObjectChips(join(folder, "odd"), { onWarning });
    const { objects, height } = await odd.read(0);
    expect(height).toBe(212);
    expect(objects.every(({ box }) => box[3] <= 212)).toBe(true);
    expect(warnings.map(({ code }) => code).sort()).toEqual(["BOXES_CLIPPED", "BOXES_OUTSIDE"]);
  });

  it("our export has the files, elements and keys of ArcGIS'", async () => {
    const out = scratch.path("like-esri");
    const raster = await scene("like-esri.tif");
    await exportTrainingData({ ...options, raster, out, format: "pascalVoc", chipFormat: "jpeg" });
    const text = (folder: string, file: string): string => readFileSync(join(folder, file), "latin1");
    expect(skeleton(text(out, "labels/000000000.xml"))).toEqual(skeleton(text(palms, "labels/000000001.xml")));
    const form = (row: string): string => row.replace(/\d+/g, "0");
    expect(form(text(out, "map.txt").split("\n")[0]!)).toBe(form(text(palms, "map.txt").split("\n")[0]!));
    const words = (stats: string): string =>
      stats
        .replace(/[\d.]+/g, "0")
        .replace(/^\S+( +0)/m, "name$1")
        .split("\n")
        .slice(0, 5)
        .join("\n");
    expect(words(text(out, "stats.txt"))).toBe(words(text(palms, "stats.txt")));
    const keys = (value: unknown): unknown =>
      typeof value !== "object" || value === null
        ? typeof value
        : Array.isArray(value)
          ? value.slice(0, 1).map(keys)
          : Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, keys(inner)]));
    const shape = (folder: string, file: string): Record<string, unknown> =>
      keys(JSON.parse(text(folder, file))) as Record<string, unknown>;
    expect(shape(out, "esri_accumulated_stats.json")).toMatchObject(shape(palms, "esri_accumulated_stats.json"));
    const { ImageHeight, ImageWidth, ExtractBands, ...definition } = shape(palms, "esri_model_definition.emd");
    expect([ImageHeight, ImageWidth, ExtractBands]).toEqual(["string", "string", "string"]); // hints in the old file, values in ours
    expect(shape(out, "esri_model_definition.emd")).toMatchObject(definition);
    const newer = shape(join(sharedData, "esri-emd-samples/classified-tiles-export-metadata"), "esri_model_definition.emd");
    const own = Object.keys(shape(out, "esri_model_definition.emd"));
    // a second raster is not exported
    expect(Object.keys(newer).filter((key) => !key.endsWith("2") && !own.includes(key))).toEqual([]);
  });

  it.skipIf(!withPeers)(
    "ships of Kiel keep their outlines' boxes; footprints of Kampala, one of them crossing itself, are exported whole",
    async () => {
      const ship = join(sharedData, "ships-sentinel2/ship_210017000_2022-08-12.tif");
      const labels = await readFeatures(ship.replace(".tif", "_labels.geojson"));
      const out = scratch.path("ships");
      await exportTrainingData({ raster: ship, labels, out, format: "pascalVoc", chipSize: 64, stride: 64, workers: 0 });
      const features = labels.features.map(({ geometry }) => ({ geometry, value: 1 }));
      const { rows } = askPeer<{ rows: Row[] }>({ do: "objects", chips: out, features, min_overlap: 0 });
      const own = sorted(await readAll(out));
      expect(own.length).toBe(rows.length);
      sorted(rows).forEach(([, , box], i) => box.forEach((side, k) => expect(Math.abs(side - own[i]![2][k]!)).toBeLessThan(0.0101)));

      const kampala = join(sharedData, "buildings-kampala");
      const houses = scratch.path("kampala");
      const result = await exportTrainingData({
        raster: join(kampala, "image.tif"),
        labels: join(kampala, "buildings.geojson"),
        out: houses,
        format: "rcnnMasks",
        chipSize: 512,
        stride: 512,
        minOverlap: 0.3,
        workers: 0,
      });
      expect(result.classes[0]!.objects).toBeGreaterThan(80);
      expect((await readAll(houses)).length).toBe(result.classes[0]!.objects);
    },
  );

  it("a folder that lost its metadata is read by its files alone", async () => {
    const copy = scratch.path("bare");
    cpSync(palms, copy, { recursive: true });
    for (const file of ["map.txt", "stats.txt", "esri_model_definition.emd", "esri_accumulated_stats.json"]) rmSync(join(copy, file));
    expect(await readAll(copy)).toHaveLength(178);
  });
});
