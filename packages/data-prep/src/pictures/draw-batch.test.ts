import { readFileSync } from "node:fs";

import { createImage, openRaster, parseCrs, type Rgb, type RgbaImage } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { labelsOf, Scratch, square, writeRaster } from "../data-prep.testing.ts";
import type { LearningData, PixelBatch } from "../learning-data.ts";
import { exportTrainingData } from "../export/export-training-data.ts";
import { prepareData } from "../prepare-data.ts";
import { drawText } from "./pixel-font.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const SIDE = 32;
/** Chips of 32 pixels are drawn five times as large: at least 160 pixels. */
const SCALE = 5;
const CELL = SIDE * SCALE;
const GAP = 8;
const CAPTION = 22;
const ROW = 2 * CELL + GAP / 2 + CAPTION + GAP;
const PAPER = [255, 255, 255];
const INK: Rgb = [33, 37, 41];
const GRAY = [128, 128, 128];

/** Six chips of a scene of 128 x 64 whose samples reach from 0 to 255 in steps of 51, so that no stretch changes them. */
async function open(masked: boolean): Promise<LearningData> {
  const [width, height] = [4 * SIDE, 2 * SIDE];
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = (((i * 2654435761) >>> 16) % 6) * 51;
  const raster = await writeRaster(scratch.path("scene.tif"), { data, bands: 3, width, height }, { sampleType: "uint8" });
  const squares = [0, 1, 2, 3].flatMap((col) => [
    square(col * SIDE + 4, 5 + col, 9, 12, { class: 1 }),
    square(col * SIDE + 16, 40 - col, 14, 7, { class: 2 }),
  ]);
  const surveyed = square(0, 0, 118, 57);
  const mask = masked ? { mask: { name: "surveyed", crs: parseCrs(32633), features: [surveyed] } } : {};
  return prepareData(
    { raster, labels: labelsOf(squares), classField: "class", chipSize: SIDE, stride: SIDE, allTiles: true, ...mask },
    { task: "pixelClassification", batchSize: 6, valSplit: 0, augment: false, seed: 3, workers: 0 },
  );
}

async function firstBatch(data: LearningData): Promise<PixelBatch> {
  for await (const batch of data.train.read()) return batch;
  throw new Error("no batch");
}

/** The picture as its decoder sees it: colour and opacity of each pixel. */
async function decode(path: string): Promise<{ width: number; height: number; at(col: number, row: number): number[] }> {
  const raster = await openRaster(path);
  const { data, bands } = await raster.read();
  const { width, height } = raster;
  await raster.close();
  return { width, height, at: (col, row) => Array.from({ length: bands }, (_, b) => data[(b * height + row) * width + col]!) };
}

/** Where a picture differs from another one that is laid on it at (left, top). */
function differences(picture: Awaited<ReturnType<typeof decode>>, expected: RgbaImage, left: number, top: number): number {
  let count = 0;
  for (let row = 0; row < expected.height; row++) {
    for (let col = 0; col < expected.width; col++) {
      const i = (row * expected.width + col) * 4;
      if (picture.at(left + col, top + row).join() !== Array.from(expected.data.subarray(i, i + 4)).join()) count++;
    }
  }
  return count;
}

function textImage(text: string, width: number): RgbaImage {
  const image = createImage(width, 16);
  drawText(image, text, 0, 0, INK, 2);
  return image;
}

describe("showBatch", () => {
  it("draws the chips of the first batch in their order, names below, and under each its labels", async () => {
    const data = await open(true);
    const path = scratch.path("pictures", "batch.png");
    const png = await data.showBatch(path);
    expect(Buffer.compare(readFileSync(path), png)).toBe(0);
    const picture = await decode(path);
    const batch = await firstBatch(data);
    await data.close();
    expect([batch.real, new Set(batch.targets)]).toEqual([6, new Set([-1, 0, 1, 2])]);
    expect([picture.width, picture.height]).toEqual([4 * (CELL + GAP) + GAP, GAP + 2 * ROW + 20 + GAP]);

    const wrong: string[] = [];
    const seen = { ignored: 0, background: 0, classes: 0 };
    for (let slot = 0; slot < batch.real; slot++) {
      const [left, top] = [GAP + (slot % 4) * (CELL + GAP), GAP + Math.floor(slot / 4) * ROW];
      for (let row = 0; row < CELL; row++) {
        for (let col = 0; col < CELL; col++) {
          const pixel = slot * SIDE * SIDE + Math.floor(row / SCALE) * SIDE + Math.floor(col / SCALE);
          const image = Array.from(batch.images.subarray(pixel * 3, pixel * 3 + 3));
          const target = batch.targets[pixel]!;
          const color = target === -1 ? GRAY : data.classes[target]!.color;
          const labelled = target === 0 ? image : image.map((value, c) => Math.round(value * (1 - 0.55) + color[c]! * 0.55));
          seen[target === -1 ? "ignored" : target === 0 ? "background" : "classes"]++;
          if (picture.at(left + col, top + row).join() !== [...image, 255].join()) wrong.push(`image ${slot}: ${col}, ${row}`);
          if (picture.at(left + col, top + CELL + GAP / 2 + row).join() !== [...labelled, 255].join())
            wrong.push(`labels ${slot}: ${col}, ${row}`);
        }
      }
      const name = textImage(batch.names[slot]!, CELL);
      expect(differences(picture, name, left, top + 2 * CELL + GAP / 2 + 4), `name below chip ${slot}`).toBe(0);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(1000);
    // The places of the chips that are not there, and the gaps, stay paper.
    for (let row = GAP + ROW; row < GAP + 2 * ROW; row += 7) expect(picture.at(GAP + 2.5 * (CELL + GAP), row).slice(0, 3)).toEqual(PAPER);
    for (let row = 0; row < GAP; row++) expect(picture.at(100, row).slice(0, 3)).toEqual(PAPER);
  });

  it("draws the earlier of two dates above and the later one, with the labels, below", async () => {
    const [width, height] = [2 * SIDE, SIDE];
    const scene = async (name: string, seed: number): Promise<string> => {
      const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (((i * seed) >>> 16) % 6) * 51);
      return writeRaster(scratch.path(name), { data, bands: 3, width, height }, { sampleType: "uint8" });
    };
    const out = scratch.path("pairs");
    await exportTrainingData({
      ...{ raster: await scene("earlier.tif", 2654435761), additionalRaster: await scene("later.tif", 40503), out },
      ...{ labels: labelsOf([square(4, 5, 9, 12, { class: 1 })]), classField: "class", chipSize: SIDE, stride: SIDE, allTiles: true },
    });
    const settings = { task: "pixelClassification", batchSize: 2, valSplit: 0, augment: false, seed: 3, workers: 0 } as const;
    const data = await prepareData(out, settings);
    const path = scratch.path("pairs.png");
    await data.showBatch(path);
    const picture = await decode(path);
    const batch = await firstBatch(data);
    await data.close();
    const wrong: string[] = [];
    for (let slot = 0; slot < 2; slot++) {
      for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
        const at = (slot * SIDE * SIDE + pixel) * 6;
        const [earlier, later] = [0, 3].map((first) => Array.from(batch.images.subarray(at + first, at + first + 3)));
        const [left, top] = [GAP + slot * (CELL + GAP) + (pixel % SIDE) * SCALE, GAP + Math.floor(pixel / SIDE) * SCALE];
        if (picture.at(left, top).join() !== [...earlier!, 255].join()) wrong.push(`earlier ${slot}: ${pixel}`);
        const labelled = batch.targets[slot * SIDE * SIDE + pixel]! === 1;
        if (!labelled && picture.at(left, top + CELL + GAP / 2).join() !== [...later!, 255].join()) wrong.push(`later ${slot}: ${pixel}`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(differences(picture, textImage("earlier above, later below", 2 * CELL), GAP, GAP + ROW + 4)).toBe(0);
  });

  it("draws the bands that were chosen", async () => {
    const data = await open(false);
    const [usual, turned, named] = [scratch.path("usual.png"), scratch.path("turned.png"), scratch.path("named.png")];
    await data.showBatch(usual);
    await data.showBatch(turned, { rgb: [2, 1, 0] });
    await data.showBatch(named, { rgb: data.bandNames.toReversed() });
    const [first, second] = [await decode(usual), await decode(turned)];
    expect(second.at(GAP + 2, GAP + 2).slice(0, 3)).toEqual(
      first
        .at(GAP + 2, GAP + 2)
        .slice(0, 3)
        .toReversed(),
    );
    expect(Buffer.compare(readFileSync(named), readFileSync(turned))).toBe(0);
    await data.close();
  });

  it("refuses options, bands and paths that there are not", async () => {
    const data = await open(false);
    const show = (path: unknown, options?: unknown): Promise<unknown> => data.showBatch(path as string, options as object);
    await expect(show(undefined, { bands: [0] })).rejects.toMatchObject({ message: "showBatch() has no option `bands`." });
    await expect(show(undefined, { rgb: [3] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
    await expect(show({ rgb: [0] })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("for the path") as string,
    });
    await expect(show("batch.jpg")).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await data.close();
  });

  it.each([true, false])("has a legend of what is drawn (ignored pixels: %s)", async (masked) => {
    const data = await open(masked);
    const path = scratch.path("legend.png");
    await data.showBatch(path);
    const picture = await decode(path);
    await data.close();
    const top = GAP + 2 * ROW;
    const found: number[][] = [];
    let col = GAP;
    for (const text of ["background (uncovered)", "1", "2", "ignored"]) {
      if (picture.at(col, top).join() !== [...INK, 255].join()) break;
      found.push(picture.at(col + 7, top + 7).slice(0, 3));
      expect(differences(picture, textImage(text, text.length * 12), col + 20, top), text).toBe(0);
      col += 14 + 6 + text.length * 12 - 2 + 2 * GAP;
    }
    const [, first, second] = data.classes;
    expect(found).toEqual([PAPER, first!.color, second!.color, ...(masked ? [GRAY] : [])]);
    // nothing follows
    for (let x = col; x < picture.width; x++) expect(picture.at(x, top + 7).slice(0, 3)).toEqual(PAPER);
  });
});
