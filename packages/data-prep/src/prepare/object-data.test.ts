import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Affine, composeAffine, createRng, encodePng, type Features, openRaster } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { resolveAugmentation } from "../augment/options.ts";
import { drawRecipe, plainRecipe, type Recipe } from "../augment/recipe.ts";
import { assembleObjects, type ObjectPixels, type ObjectSetup } from "../batches/assemble-objects.ts";
import { checkTrainingData } from "../check/check-training-data.ts";
import { describeChips } from "../check/describe-chips.ts";
import { openObjectChips } from "../chips/object-folder.ts";
import {
  askPeer,
  codeOf,
  collectWarnings,
  labelsOf,
  Scratch,
  sharedData,
  square,
  withData,
  withPeers,
  writeRaster,
} from "../data-prep.testing.ts";
import { exportTrainingData } from "../export/export-training-data.ts";
import type { ObjectBatch, ObjectData, ObjectTask } from "../learning-data.ts";
import type { Box } from "../objects/box.ts";
import { maskFromPixels } from "../objects/object-mask.ts";
import { prepareData } from "../prepare-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

async function batchesOf(data: ObjectData, side: "train" | "valid", epoch = 0): Promise<ObjectBatch[]> {
  const all: ObjectBatch[] = [];
  for await (const batch of data[side].read({ epoch })) all.push(batch);
  return all;
}

interface Shown {
  readonly name: string;
  readonly classIndex: number;
  readonly box: number[];
}

/** What a batch holds, slot by slot; checks that empty slots are empty. */
function objectsOf(batch: ObjectBatch): Shown[] {
  const { boxes, classIndices, counts, maxObjects, size } = batch;
  expect(maxObjects % 8).toBe(0);
  expect([boxes.length, classIndices.length, counts.length]).toEqual([size * maxObjects * 4, size * maxObjects, size]);
  const all: Shown[] = [];
  for (let slot = 0; slot < size; slot++) {
    for (let i = 0; i < maxObjects; i++) {
      const at = slot * maxObjects + i;
      const box = [...boxes.subarray(at * 4, at * 4 + 4)];
      if (i < counts[slot]!) all.push({ name: batch.names[slot]!, classIndex: classIndices[at]!, box });
      else expect([classIndices[at], ...box]).toEqual([-1, 0, 0, 0, 0]);
    }
  }
  return all;
}

/** Digest of the mask of the `nth` object of a batch. */
function digest({ masks, counts, maxObjects, size }: ObjectBatch, nth: number): string {
  if (masks === undefined) return "";
  const slots = Array.from({ length: size }, (_, slot) => Array.from({ length: counts[slot]! }, (_, i) => slot * maxObjects + i)).flat();
  const area = masks.length / (size * maxObjects);
  return createHash("sha256")
    .update(masks.subarray(slots[nth]! * area, (slots[nth]! + 1) * area))
    .digest("hex");
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** 96 x 96 pixels whose single band holds the number of the object that lies there; objects do not overlap. */
const SIDE = 96;
const things: Features = labelsOf([
  square(4, 5, 20, 11, { kind: 2 }),
  square(40, 30, 25, 9, { kind: 7 }),
  square(70, 50, 20, 30, { kind: 2 }),
  square(10, 60, 7, 28, { kind: 7 }),
  square(30, 70, 3, 3, { kind: 7 }),
]);

async function numbered(name: string): Promise<string> {
  const data = new Uint8Array(SIDE * SIDE);
  const frames = [
    [4, 5, 20, 11],
    [40, 30, 25, 9],
    [70, 50, 20, 30],
    [10, 60, 7, 28],
    [30, 70, 3, 3],
  ] as const;
  frames.forEach(([col, row, width, height], i) => {
    for (let y = row; y < row + height; y++) data.fill(i + 1, y * SIDE + col, y * SIDE + col + width);
  });
  return writeRaster(scratch.path(name), { data, bands: 1, width: SIDE, height: SIDE }, { sampleType: "uint8" });
}

const source = async (
  name: string,
): Promise<{ raster: string; labels: Features; classField: string; chipSize: number; stride: number }> => ({
  raster: await numbered(name),
  labels: things,
  classField: "kind",
  chipSize: 48,
  stride: 24,
});

describe("batches of objects", () => {
  it("boxes and masks move with the pixels under the eight flips and turns, crops included", async () => {
    const data = await prepareData(await source("moved.tif"), {
      task: "instanceSegmentation",
      chipSize: 40,
      batchSize: 3,
      valSplit: 0,
      minOverlap: 0,
      seed: 5,
      workers: 0,
    });
    expect(data.classes.map(({ value }) => value)).toEqual([2, 7]);
    const area = 40 * 40;
    let seen = 0;
    for (let epoch = 0; epoch < 6; epoch++) {
      for (const batch of await batchesOf(data, "train", epoch)) {
        objectsOf(batch);
        for (let slot = 0; slot < batch.size; slot++) {
          const image = batch.images.subarray(slot * area, (slot + 1) * area);
          const there = new Set([...image].filter((value) => value > 0));
          expect(batch.counts[slot]).toBe(there.size);
          for (let i = 0; i < batch.counts[slot]!; i++) {
            const at = slot * batch.maxObjects + i;
            const mask = batch.masks!.subarray(at * area, (at + 1) * area);
            const id = image[mask.indexOf(1)]!;
            expect(there.delete(id)).toBe(true);
            const cols: number[] = [];
            const rows: number[] = [];
            let wrong = 0;
            image.forEach((value, pixel) => {
              if ((value === id) !== (mask[pixel] === 1)) wrong++;
              if (value !== id) return;
              cols.push(pixel % 40);
              rows.push(Math.floor(pixel / 40));
            });
            expect(wrong).toBe(0);
            const box = [...batch.boxes.subarray(at * 4, at * 4 + 4)];
            expect(box).toEqual([Math.min(...cols), Math.min(...rows), Math.max(...cols) + 1, Math.max(...rows) + 1]);
            expect(data.classes[batch.classIndices[at]!]!.value).toBe([2, 7, 2, 7, 7][id - 1]);
            seen++;
          }
        }
      }
    }
    expect(seen).toBeGreaterThan(40);
    await data.close();
  });

  it("are the same for any number of workers, and can be read from anywhere", async () => {
    const read = async (workers: number): Promise<ObjectBatch[]> => {
      const data = await prepareData(await source("workers.tif"), {
        task: "instanceSegmentation",
        batchSize: 2,
        valSplit: 0,
        augment: { zoom: 1.4, brightness: 0.3, noise: 0.1 },
        workers,
      });
      const all = await batchesOf(data, "train", 3);
      for await (const batch of data.train.read({ epoch: 3, from: 2 })) {
        expect(batch).toEqual(all[2]);
        break;
      }
      await data.close();
      return all;
    };
    const [here, there] = [await read(0), await read(2)];
    expect(here.length).toBeGreaterThan(3);
    expect(there).toEqual(here);
  });

  it("windows straight from the raster hold what an export writes", async () => {
    const options = await source("straight.tif");
    for (const [format, task] of [
      ["kitti", "objectDetection"],
      ["rcnnMasks", "instanceSegmentation"],
    ] as const) {
      const out = scratch.path(`straight-${format}`);
      await exportTrainingData({ ...options, out, format, minOverlap: 0.3, workers: 0 });
      const of = async (from: string | typeof options): Promise<unknown[]> => {
        const data = await prepareData(from, { task: task as ObjectTask, valSplit: 1, batchSize: 4, workers: 0 });
        const all = await batchesOf(data, "valid");
        expect(all.every(({ masks }) => (masks !== undefined) === (task === "instanceSegmentation"))).toBe(true);
        await data.close();
        // mask folders hold objects class by class
        return all.map((batch) => ({
          images: batch.images,
          objects: objectsOf(batch)
            .map((shown, i) => [shown, digest(batch, i)])
            .toSorted(byText),
        }));
      };
      expect(await of(options)).toEqual(await of(out));
    }
  });
});

const WIDTH = 40;
const HEIGHT = 30;

function setup(changes: Partial<ObjectSetup> = {}): ObjectSetup {
  const indexOf = new Int32Array(65536).fill(-1);
  indexOf[1] = 0;
  return {
    kind: "objects",
    width: WIDTH,
    height: HEIGHT,
    bands: [0],
    means: [0],
    deviations: [1],
    batchSize: 1,
    indexOf,
    minOverlap: 0.3,
    masks: false,
    ...changes,
  };
}

function chipWith(boxes: readonly Box[]): ObjectPixels {
  return {
    image: new Uint8Array(WIDTH * HEIGHT),
    mask: null,
    width: WIDTH,
    height: HEIGHT,
    nodata: null,
    sampleType: "uint8",
    objects: boxes.map((box) => ({ classValue: 1, box, mask: null })),
  };
}

function shownBoxes(own: ObjectSetup, chip: ObjectPixels, recipe: Recipe): number[][] {
  const { boxes, counts } = assembleObjects(own, { chips: [chip], recipes: [recipe] });
  return Array.from({ length: counts[0]! }, (_, i) => [...boxes.subarray(4 * i, 4 * i + 4)]);
}

describe("zoom", () => {
  const sizes = { sourceWidth: WIDTH, sourceHeight: HEIGHT, width: WIDTH, height: HEIGHT };

  it.skipIf(!withPeers)("boxes are those of shapely, and those cut below the share are gone", () => {
    const rng = createRng([11]);
    const cases = Array.from({ length: 80 }, () => {
      const boxes = Array.from({ length: 6 }, (): Box => {
        const [x, y] = [rng.next() * 38, rng.next() * 28];
        return [x, y, x + 0.5 + rng.next() * (39.5 - x), y + 0.5 + rng.next() * (29.5 - y)];
      });
      return { boxes, recipe: drawRecipe(rng, resolveAugmentation({ zoom: [0.5, 3] }), sizes) };
    });
    const expected = askPeer<number[][][]>({
      do: "moved",
      width: WIDTH,
      height: HEIGHT,
      min_overlap: 0.3,
      cases: cases.map(({ boxes, recipe }) => ({ boxes, map: recipe.toSource })),
    });
    let dropped = 0;
    cases.forEach(({ boxes, recipe }, i) => {
      const own = shownBoxes(setup(), chipWith(boxes), recipe);
      dropped += boxes.length - own.length;
      expect(own.length).toBe(expected[i]!.length);
      // float32 of numbers up to 40
      own.forEach((box, k) => box.forEach((side, s) => expect(Math.abs(side - expected[i]![k]![s]!)).toBeLessThan(1e-5)));
    });
    expect(dropped).toBeGreaterThan(30);
  });

  it("keeps the mask's share of pixels, too", () => {
    const pixels = Array.from({ length: 100 }, (_, i) => (10 + Math.floor(i / 10)) * WIDTH + 30 + (i % 10));
    const mask = maskFromPixels(pixels, WIDTH);
    const chip = { ...chipWith([]), objects: [{ classValue: 1, box: [30, 10, 40, 20] as Box, mask }] };
    const shift = (by: number): Recipe => ({ ...plainRecipe(sizes), toSource: [1, 0, -by, 0, 1, 0] });
    const own = setup({ masks: true, minOverlap: 0.5 });
    expect(shownBoxes(own, chip, shift(4))).toEqual([[34, 10, 40, 20]]);
    expect(shownBoxes(own, chip, shift(5))).toEqual([[35, 10, 40, 20]]);
    expect(shownBoxes(own, chip, shift(6))).toEqual([]);
    // turned by any angle the box lies around the turned mask, not around the turned box
    const half = Math.SQRT1_2;
    const turned: Affine = composeAffine([1, 0, 35, 0, 1, 15], composeAffine([half, -half, 0, half, half, 0], [1, 0, -20, 0, 1, -15]));
    const [box] = shownBoxes(own, chip, { ...plainRecipe(sizes), toSource: turned, exact: false });
    // a square of 10 on its corner reaches 14.14 pixels
    expect(box).toEqual([13, 8, 27, 22]);
  });

  it("classes nothing is learnt from are not shown", () => {
    const chip = { ...chipWith([[1, 1, 5, 5]]), objects: [{ classValue: 9, box: [1, 1, 5, 5] as Box, mask: null }] };
    const batch = assembleObjects(setup(), { chips: [chip], recipes: [plainRecipe(sizes)] });
    expect([batch.counts[0], batch.maxObjects]).toEqual([0, 8]);
  });
});

/** A folder of PNG chips of 16 x 16 pixels with KITTI labels. */
function kitti(name: string, labels: Readonly<Record<string, string>>, classes: readonly object[] = [{ Value: 1, Name: "tree" }]): string {
  const folder = scratch.path(name);
  for (const part of ["images", "labels"]) mkdirSync(join(folder, part), { recursive: true });
  for (const [stem, text] of Object.entries(labels)) {
    const data = Uint8Array.from({ length: 256 }, (_, i) => (i * 31) % 255);
    writeFileSync(join(folder, "images", `${stem}.png`), encodePng({ width: 16, height: 16, channels: 1, data }));
    writeFileSync(join(folder, "labels", `${stem}.txt`), text);
  }
  writeFileSync(join(folder, "esri_model_definition.emd"), JSON.stringify({ MetaDataMode: "KITTI_rectangles", Classes: classes }));
  return folder;
}

const ROW = "1 0 0 0 2.5 3.5 8 9\n";

describe("input that is not as it should be", () => {
  const random = { task: "objectDetection", split: "random", batchSize: 2, workers: 0 } as const;

  it("chips without objects stay: they teach what is none; one class is enough", async () => {
    const data = await prepareData(kitti("some-empty", { a: ROW, b: "", c: "", d: ROW }), { ...random, valSplit: 0 });
    const batches = await batchesOf(data, "train");
    expect(batches.flatMap(({ counts }) => [...counts]).toSorted((a, b) => a - b)).toEqual([0, 0, 1, 1]);
    expect(batches.every(({ boxes, images }) => boxes.every(Number.isFinite) && images.every(Number.isFinite))).toBe(true);
    expect(data.classObjects).toEqual([2]);
    expect(data.classes.map(({ name }) => name)).toEqual(["tree"]);
    await data.close();
  });

  it("short batches of the validation side hold empty places", async () => {
    const data = await prepareData(kitti("short", { a: ROW, b: ROW, c: ROW }), { ...random, valSplit: 1 });
    const [, last] = await batchesOf(data, "valid");
    expect([last!.real, last!.size, [...last!.counts]]).toEqual([1, 2, [1, 0]]);
    await data.close();
  });

  it.each([
    ["no object at all", () => kitti("none", { a: "", b: "" }), "LABELS_EMPTY"],
    ["only boxes without a size", () => kitti("flat", { a: "1 0 0 0 3 3 3 9\n", b: "" }), "LABELS_EMPTY"],
    ["a class value beyond the list", () => kitti("beyond", { a: ROW, b: "9 0 0 0 1 1 4 4\n" }), "CLASS_UNKNOWN"],
    ["a side that is no number", () => kitti("nan", { a: "1 0 0 0 1 nan 4 4\n" }), "CHIPS_CORRUPT"],
  ])("%s is a typed error", async (_, folder, code) => {
    // who brings chips has no raster to look at
    await expect(prepareData(folder(), random)).rejects.toMatchObject({ code, hint: expect.not.stringContaining("--raster") as string });
  });

  it("chips of another size are refused by name", async () => {
    const folder = kitti("two-sizes", { a: ROW, b: ROW });
    writeFileSync(join(folder, "images/b.png"), encodePng({ width: 20, height: 16, channels: 1, data: new Uint8Array(320) }));
    await expect(prepareData(folder, random)).rejects.toMatchObject({
      code: "CHIPS_MISMATCH",
      message: expect.stringContaining("b.png") as string,
    });
  });

  it("tasks and labels that do not fit say what would", async () => {
    const folder = kitti("tasks", { a: ROW, b: ROW });
    expect(await codeOf(prepareData(folder, { ...random, task: "instanceSegmentation" }))).toBe("TASK_MISMATCH");
    expect(await codeOf(prepareData(folder, { ...random, task: "pixelClassification" }))).toBe("TASK_MISMATCH");
    expect(await codeOf(prepareData(folder, { ...random, augment: { rotate: 10 } }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(prepareData(folder, { ...random, minOverlap: 2 }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(prepareData(folder, { ...random, mask: things }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(prepareData({ ...(await source("mask.tif")), mask: things, samples: 4 }, random))).toBe("INVALID_ARGUMENT");
    const tiles = scratch.path("tiles");
    await exportTrainingData({ ...(await source("tiles.tif")), out: tiles, workers: 0 });
    expect(await codeOf(prepareData(tiles, random))).toBe("TASK_MISMATCH");
  });

  it("a new name that moves the values of others does not mix them up with what was counted before", async () => {
    const folder = kitti("moving", { a: "tree 0 0 0 1 1 4 4\n", b: "tree 0 0 0 1 1 4 4\n" }, []);
    const counted = async (): Promise<[string, number][]> => {
      const data = await prepareData(folder, { ...random, valSplit: 0 });
      await data.close();
      return data.classes.map(({ name }, i) => [name, data.classObjects[i]!]);
    };
    expect(await counted()).toEqual([["tree", 2]]);
    kitti("moving", { c: "bush 0 0 0 1 1 4 4\n" }, []);
    expect(await counted()).toEqual([
      ["bush", 1],
      ["tree", 2],
    ]);
  });

  it("classes are left out and joined by name", async () => {
    const classes = [1, 2, 3].map((value) => ({ Value: value, Name: `class ${value}` }));
    const rows = "1 0 0 0 1 1 4 4\n2 0 0 0 5 5 9 9\n3 0 0 0 1 8 4 12\n";
    const data = await prepareData(kitti("joined", { a: rows, b: rows }, classes), {
      ...random,
      valSplit: 0,
      augment: false,
      ignoreClasses: ["class 3"],
      classMapping: { 1: "thing", 2: "thing" },
    });
    expect(data.classes.map(({ name }) => name)).toEqual(["thing"]);
    expect(data.classObjects).toEqual([4]);
    const [batch] = await batchesOf(data, "train");
    expect([...batch!.counts]).toEqual([2, 2]);
    await data.close();
  });
});

describe("looking at chips with objects", () => {
  it("showBatch outlines boxes in the colour of their class", async () => {
    const classes = [{ Value: 1, Name: "tree", Color: [250, 10, 20] }];
    const data = await prepareData(kitti("shown", { a: ROW }, classes), {
      task: "objectDetection",
      split: "random",
      valSplit: 0,
      batchSize: 1,
      augment: false,
      workers: 0,
    });
    const path = scratch.path("shown.png");
    await data.showBatch(path);
    const picture = await openRaster(path);
    const { data: samples } = await picture.read();
    const at = (col: number, row: number): number[] =>
      [0, 1, 2].map((band) => samples[(band * picture.height + row) * picture.width + col]!);
    // chips of 16 pixels are drawn ten times as large, the labelled one 4 pixels below the plain one
    const [left, top] = [8, 8 + 160 + 4];
    for (const [col, row] of [
      [25, 35],
      [79, 60],
      [50, 89],
      [26, 88],
    ] as const) {
      expect(at(left + col, top + row)).toEqual([250, 10, 20]);
    }
    expect(at(left + 50, top + 60)).not.toEqual([250, 10, 20]);
    expect(at(left + 25, 8 + 35)).not.toEqual([250, 10, 20]);
    await picture.close();
    await data.close();
  });

  it("describeChips and checkTrainingData count objects", async () => {
    const folder = kitti("counted", { a: ROW + ROW, b: "", c: ROW }, [
      { Value: 1, Name: "tree" },
      { Value: 2, Name: "bush" },
    ]);
    const described = await describeChips(folder);
    expect(described).toMatchObject({
      unit: "objects",
      format: "KITTI_rectangles",
      chips: 3,
      unlabelledChips: 1,
      ignoredPixels: 0,
      undeclared: [],
    });
    expect(described.classes.map(({ name, objects, chips, share, pixels }) => [name, objects, chips, share, pixels])).toEqual([
      ["tree", 3, 2, 1, 0],
      ["bush", 0, 0, 0, 0],
    ]);
    const check = await checkTrainingData({ chips: folder });
    expect(check).toMatchObject({ unit: "objects", labelShift: null, unlabelledChips: 1, ignoredShare: 0 });
    expect(check.findings.map(({ code }) => code)).toEqual(["UNLABELLED", "DUPLICATES"]);
  });
});

describe.skipIf(!withData)("real data", () => {
  it("palms of ArcGIS: split by place, boxes of the validation side as the files have them", async () => {
    const folder = scratch.path("palms");
    cpSync(join(sharedData, "palms-kolovai-arcgis-export"), folder, { recursive: true });
    const { warnings, onWarning } = collectWarnings();
    const data = await prepareData(folder, { task: "objectDetection", batchSize: 8, valSplit: 0.2, seed: 3, onWarning, workers: 0 });
    expect(warnings.map(({ code }) => code)).not.toContain("SPLIT_LEAKS");
    expect(data.classes.map(({ name }) => name)).toEqual(["Palm"]);
    const chips = await openObjectChips(folder);
    const boxes = new Map<string, string>();
    for (const [i, { name }] of chips.chips.entries())
      boxes.set(name, JSON.stringify((await chips.read(i)).objects.map(({ box }) => [...new Float32Array(box)])));
    const shown = new Map<string, number[][]>();
    for (const batch of await batchesOf(data, "valid"))
      for (const { name, box } of objectsOf(batch)) shown.set(name, [...(shown.get(name) ?? []), box]);
    expect([...shown.keys()].toSorted()).toEqual(data.valid.names);
    for (const [name, own] of shown) expect(JSON.stringify(own)).toBe(boxes.get(name));
    expect(data.train.count).toBeGreaterThan(20);
    for (const batch of await batchesOf(data, "train")) {
      expect(batch.images.every(Number.isFinite)).toBe(true);
      for (const { box } of objectsOf(batch)) {
        expect(box.every((side) => side >= 0 && side <= 448)).toBe(true);
        expect(box[2]! > box[0]! && box[3]! > box[1]!).toBe(true);
      }
    }
    expect((await checkTrainingData({ chips: folder })).leakage).toMatchObject({ chips: 0 });
    expect(JSON.parse(readFileSync(join(folder, "split.json"), "utf8"))).toMatchObject({ method: "blocks" });
    await data.close();
  });
});
