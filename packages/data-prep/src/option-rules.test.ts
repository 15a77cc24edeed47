import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { checkTrainingData } from "./check/check-training-data.ts";
import { digests, labelsOf, Scratch, square, writeRaster } from "./data-prep.testing.ts";
import { exportTrainingData } from "./export/export-training-data.ts";
import type { ExportOptions } from "./export/options.ts";
import { prepareData } from "./prepare-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const labels = labelsOf([square(4, 4, 20, 12), square(40, 30, 20, 30)]);
let raster: string;
let chips: string;
let boxes: string;

beforeAll(async () => {
  const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i * 31) % 251);
  raster = await writeRaster(scratch.path("scene.tif"), { data, bands: 1, width: 64, height: 64 }, { sampleType: "uint8" });
  [chips, boxes] = [scratch.path("chips"), scratch.path("boxes")];
  await exportTrainingData({ raster, labels, out: chips, chipSize: 16, workers: 0 });
  await exportTrainingData({ raster, labels, out: boxes, chipSize: 16, format: "pascalVoc", workers: 0 });
});

const SIDES = (least: number): string => `a whole number from ${least} to 8192, or { width, height } of such`;
const LENGTH = 'a length above 0, metres on the ground or such as "2 crs"';
const EXTENT = "[xmin, ymin, xmax, ymax], or { bounds, crs }";

/** Options as JavaScript may give them. */
type Loose = Readonly<Record<string, unknown>>;

describe("exportTrainingData", () => {
  it.each(["raster", "out"])("misses %s", async (field) => {
    const options = { raster, labels, out: scratch.path("never"), [field]: undefined } as unknown as ExportOptions;
    await expect(exportTrainingData(options)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`exportTrainingData(): \`${field}\` is undefined; expected a path`) as string,
      hint: `Give \`${field}\`.`,
    });
    expect(existsSync(scratch.path("never"))).toBe(false);
  });

  it.each<[string, unknown, string, string]>([
    ["chipSize", 0, "0", SIDES(1)],
    ["chipSize", "256", '"256"', SIDES(1)],
    ["chipSize", { width: 16 }, '{"width":16}', SIDES(1)],
    ["chipSize", [16, 16], "[16,16]", SIDES(1)],
    ["stride", -1, "-1", SIDES(0)],
    ["stride", 7.5, "7.5", SIDES(0)],
    ["stride", Number.NaN, "NaN", SIDES(0)],
    ["stride", "8", '"8"', SIDES(0)],
    ["stride", { width: 8, height: -8 }, '{"width":8,"height":-8}', SIDES(0)],
    ["rotation", -90, "-90", "0 or a number from 1 to less than 360"],
    ["rotation", 0.001, "0.001", "0 or a number from 1 to less than 360"],
    ["rotation", "90", '"90"', "0 or a number from 1 to less than 360"],
    ["minOverlap", 30, "30", "a number from 0 to 1"],
    ["minOverlap", "0.3", '"0.3"', "a number from 0 to 1"],
    ["bufferRadius", 0, "0", LENGTH],
    ["bufferRadius", "-2 m", '"-2 m"', LENGTH],
    ["bufferRadius", "two metres", '"two metres"', LENGTH],
    ["bufferRadius", { value: Number.NaN, unit: "m" }, '{"value":null,"unit":"m"}', LENGTH],
    ["cellSize", Number.NaN, "NaN", LENGTH],
    ["cellSize", 0, "0", LENGTH],
    ["extent", [0, 0, 10], "[0,0,10]", EXTENT],
    ["extent", "0,0,10,10", '"0,0,10,10"', EXTENT],
    ["extent", { bounds: [0, 0, 1, 1] }, '{"bounds":[0,0,1,1]}', EXTENT],
    ["startIndex", "5", '"5"', 'a whole number from 0 to 999999999, "next"'],
    ["startIndex", -1, "-1", 'a whole number from 0 to 999999999, "next"'],
    ["ignoreValue", -1, "-1", "a whole number from 0 to 65535"],
    ["ignoreValue", 1, "1", "a value that no class has"],
    ["resume", 1, "1", "true or false"],
    ["labels", 5, "5", "a path, features that were read, or a raster"],
    ["mask", true, "true", "a path, or features that were read"],
    ["classField", 3, "3", "a text"],
    ["classes", [{ value: 1.5, name: "house" }], '[{"value":1.5,"name":"house"}]', "a list of classes, each with a value and a name"],
    ["bands", "red", '"red"', "a list of bands, by number from 0 or by name"],
    ["allTiles", "no", '"no"', "true or false"],
    ["signal", true, "true", "the signal of an AbortController"],
    ["compression", "lzw", '"lzw"', '"deflate" or "none"'],
    ["chipFormat", "gif", '"gif"', '"tiff", "png" or "jpeg"'],
    ["level", 0, "0", "a whole number from 1 to 9"],
    ["level", 6.5, "6.5", "a whole number from 1 to 9"],
    ["quality", "90", '"90"', "a whole number from 1 to 100"],
    ["workers", -1, "-1", "a whole number from 0 to 256"],
    ["workers", 1.5, "1.5", "a whole number from 0 to 256"],
  ])("refuses %s: %j before anything is written", async (option, value, shown, expected) => {
    const out = scratch.path(`refused-${option}`);
    const own = { chipSize: 16, workers: 0, [option]: value };
    const refused = {
      code: "INVALID_ARGUMENT",
      message: `exportTrainingData(): \`${option}\` is ${shown}; expected ${expected}.`,
      data: { field: option, value },
      hint: expect.any(String) as string,
    };
    const run = (options: Loose): Promise<unknown> => exportTrainingData({ raster, labels, ...options } as unknown as ExportOptions);
    await expect(run({ ...own, out })).rejects.toMatchObject(refused);
    await expect(run({ ...own, out, estimate: true })).rejects.toMatchObject(refused);
    expect(existsSync(out)).toBe(false);
    const before = digests(chips);
    await expect(run({ ...own, out: chips, overwrite: true })).rejects.toMatchObject(refused);
    expect(digests(chips)).toEqual(before);
  });

  it("shows values of a class field as they stand in it", async () => {
    const mixed = labelsOf([square(4, 4, 20, 12, { kind: 1 }), square(40, 30, 20, 30, { kind: "2b" })]);
    const work = exportTrainingData({ raster, labels: mixed, classField: "kind", out: scratch.path("mixed"), chipSize: 16, workers: 0 });
    await expect(work).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'The class field "kind" of labels/buildings.geojson holds "2b"; expected integers.',
    });
  });

  it("reads a stride of 0 as ArcGIS does: chips side by side, in a folder and in memory", async () => {
    const out = scratch.path("side-by-side");
    const options = { raster, labels, chipSize: 16, allTiles: true };
    const { chips: written } = await exportTrainingData({ ...options, out, stride: 0, workers: 0 });
    expect(written).toBe(16);
    const data = await prepareData({ ...options, stride: 0 }, { task: "pixelClassification", valSplit: 1, workers: 0 });
    expect(data.valid.count).toBe(16);
    await data.close();
  });

  it("and prepareData step by the same half of a chip of an odd size", async () => {
    const options = { raster, labels, chipSize: 9, allTiles: true };
    const { chips: written } = await exportTrainingData({ ...options, out: scratch.path("odd"), workers: 0 });
    const data = await prepareData(options, { task: "pixelClassification", valSplit: 1, workers: 0 });
    expect(data.valid.count).toBe(written);
    await data.close();
  });
});

describe("prepareData", () => {
  const prepare = (source: unknown, options: Loose): Promise<unknown> =>
    (prepareData as (source: unknown, options: unknown) => Promise<unknown>)(source, {
      task: "pixelClassification",
      workers: 0,
      ...options,
    });

  it.each<[string, unknown, string, string]>([
    ["batchSize", "8", '"8"', "a whole number from 1 to 4096"],
    ["batchSize", 2.5, "2.5", "a whole number from 1 to 4096"],
    ["valSplit", "0.2", '"0.2"', "a number from 0 to 1"],
    ["valSplit", 20, "20", "a number from 0 to 1"],
    ["valSplit", Number.NaN, "NaN", "a number from 0 to 1"],
    ["seed", -1, "-1", "a whole number from 0"],
    ["seed", "7", '"7"', "a whole number from 0"],
    ["prefetch", 0, "0", "a whole number from 1 to 64"],
    ["workers", 0.5, "0.5", "a whole number from 0 to 64"],
    ["chipSize", "16", '"16"', SIDES(1)],
    ["chipSize", 0, "0", SIDES(1)],
    ["chipSize", { width: 8 }, '{"width":8}', SIDES(1)],
    ["augment", "yes", '"yes"', "true or false, or an object"],
    ["classes", ["house"], '["house"]', "a list of classes, each with a value and a name"],
    ["mask", [1], "[1]", "a path, or features that were read"],
    ["workingFolder", 1, "1", "a path"],
    ["onWarning", "log", '"log"', "a function"],
    ["cacheBytes", -1, "-1", "a number from 0"],
    ["cacheBytes", Number.NaN, "NaN", "a number from 0"],
    ["cacheBytes", "1e9", '"1e9"', "a number from 0"],
  ])("refuses %s: %j", async (option, value, shown, expected) => {
    await expect(prepare(chips, { [option]: value })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `prepareData(): \`${option}\` is ${shown}; expected ${expected}.`,
      data: { field: option, value },
    });
  });

  it.each<[Loose, string]>([
    [{ rotate: "20" }, '`augment`: `rotate` is "20"; expected a number from 0 to 180.'],
    [{ brightness: -1 }, "`augment`: `brightness` is -1; expected a number from 0 to 10."],
    [{ zoom: "1.3" }, '`augment`: `zoom` is "1.3"; expected a number from 0.1 to 10, or two with the smaller first.'],
    [{ zoom: [1.3, 0.8] }, "`augment`: `zoom` is [1.3,0.8]; expected a number from 0.1 to 10, or two with the smaller first."],
    [{ zoom: { from: 1 } }, '`augment`: `zoom` is {"from":1}; expected a number from 0.1 to 10, or two with the smaller first.'],
    [{ zoom: 0 }, "`augment`: `zoom` is 0; expected a number from 0.1 to 10, or two with the smaller first."],
  ])("refuses augment: %j", async (augment, message) => {
    await expect(prepare(chips, { augment })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });

  it.each([
    ["resizeTo", 32, "pixelClassification", 'the task "objectClassification", whose chips have a class as wholes'],
    ["resizeTo", 32, "objectDetection", 'the task "objectClassification", whose chips have a class as wholes'],
    ["resizeTo", 32, "instanceSegmentation", 'the task "objectClassification", whose chips have a class as wholes'],
    ["minOverlap", 0.5, "pixelClassification", 'the tasks "objectDetection" and "instanceSegmentation", whose chips show objects'],
    ["minOverlap", 0.5, "objectClassification", 'the tasks "objectDetection" and "instanceSegmentation", whose chips show objects'],
  ])("refuses %s: %j for %s, which would ignore it", async (option, value, task, tasks) => {
    const source = task === "objectDetection" ? boxes : chips;
    await expect(prepare(source, { task, [option]: value })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `\`${option}\` is for ${tasks}; the task is "${task}".`,
      data: { field: option, value, task },
    });
  });

  it.each<[Loose, string, string]>([
    [{ ignoreClasses: [5] }, "CLASS_UNKNOWN", "`ignoreClasses` names 5; the classes are 1 building, 0 background."],
    [{ ignoreClasses: ["5"] }, "CLASS_UNKNOWN", '`ignoreClasses` names "5"; the classes are 1 building, 0 background.'],
    [
      { ignoreClasses: "building" },
      "INVALID_ARGUMENT",
      'prepareData(): `ignoreClasses` is "building"; expected a list of class names or values.',
    ],
    [{ bands: "0" }, "INVALID_ARGUMENT", 'prepareData(): `bands` is "0"; expected a list of bands, by number from 0 or by name.'],
    [
      { split: 0.2 },
      "INVALID_ARGUMENT",
      'prepareData(): `split` is 0.2; expected "blocks", "random" or a file with the names of validation chips.',
    ],
    [
      { task: undefined },
      "TASK_MISMATCH",
      'prepareData(): `task` is undefined; expected "pixelClassification", "objectDetection", "instanceSegmentation", "objectClassification".',
    ],
  ])("refuses %j", async (options, code, message) => {
    await expect(prepare(chips, options)).rejects.toMatchObject({ code, message });
  });

  const write = 'Write values and their names: `classMapping: { 1: "building" }`. The classes are 1 building.';
  it.each<[unknown, string, string]>([
    [{ house: 1 }, '{"house":1}', 'Write `classMapping: { 1: "house" }`: the value, then its name.'],
    [{ house: "1", other: 0 }, '{"house":"1","other":0}', 'Write `classMapping: { 1: "house", 0: "other" }`: the value, then its name.'],
    [{ building: "house" }, '{"building":"house"}', 'Write `classMapping: { 1: "house" }`: the value, then its name.'],
    [{ 0: "ground", house: 1 }, '{"0":"ground","house":1}', 'Write `classMapping: { 0: "ground", 1: "house" }`: the value, then its name.'],
    [{ lake: "water" }, '{"lake":"water"}', write],
    [{ 1: 2 }, '{"1":2}', write],
    [{ 1.5: "house" }, '{"1.5":"house"}', write],
    [{ 70_000: "house" }, '{"70000":"house"}', write],
    ["house", '"house"', write],
    [null, "null", write],
  ])("refuses classMapping: %j and tells how it is written", async (classMapping, shown, hint) => {
    await expect(prepare(chips, { classMapping })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `prepareData(): \`classMapping\` is ${shown}; expected a name for each class value.`,
      hint,
      data: { field: "classMapping", value: classMapping },
    });
  });

  it("shows positions of batches as they were given", async () => {
    const data = await prepareData(chips, { task: "pixelClassification", workers: 0 });
    const reading = data.train.read({ epoch: "1" as unknown as number })[Symbol.asyncIterator]();
    await expect(reading.next()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'read(): `epoch` is "1"; expected a whole number from 0.',
    });
    await data.close();
  });

  it("refuses minOverlap of objects", async () => {
    await expect(prepare(boxes, { task: "objectDetection", minOverlap: "0.3" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'prepareData(): `minOverlap` is "0.3"; expected a number from 0 to 1.',
    });
  });

  it.each<[string, unknown, string, string]>([
    ["chipSize", "16", '"16"', SIDES(1)],
    ["stride", -8, "-8", SIDES(0)],
    ["stride", "8", '"8"', SIDES(0)],
    ["balanced", 1, "1", "true or false"],
    ["samples", "10", '"10"', "a whole number from 1 to 10000000"],
    ["samples", 0, "0", "a whole number from 1 to 10000000"],
    ["sampling", "rand", '"rand"', '"grid" or "random"'],
    ["cellSize", -1, "-1", LENGTH],
    ["bufferRadius", "wide", '"wide"', LENGTH],
    ["extent", [1, 2], "[1,2]", EXTENT],
  ])("refuses %s: %j beside raster and labels before they are opened", async (option, value, shown, expected) => {
    await expect(prepare({ raster: "missing.tif", labels, chipSize: 16, [option]: value }, {})).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `The source of prepareData(): \`${option}\` is ${shown}; expected ${expected}.`,
      data: { field: option, value },
    });
  });
});

describe("checkTrainingData", () => {
  const check = checkTrainingData as (source: unknown, options?: unknown) => Promise<unknown>;

  it.each<[unknown, unknown, string]>([
    ["chips", {}, 'The source of checkTrainingData() got "chips" for options; expected an object.'],
    [{ chips: "" }, {}, 'The source of checkTrainingData(): `chips` is ""; expected a path.'],
    [{ chips: "chips", mask: "land.gpkg" }, {}, "The source of checkTrainingData() has no option `mask`."],
    [{ raster: "a.tif", labels: "b.gpkg", chipSize: 0 }, {}, `The source of checkTrainingData(): \`chipSize\` is 0; expected ${SIDES(1)}.`],
    [{ chips: "chips" }, { onProgres: () => 0 }, "checkTrainingData() has no option `onProgres`."],
  ])("refuses %j with %j", async (source, options, message) => {
    await expect(check(source, options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });
});
