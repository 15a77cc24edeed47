/** `showBatch`: training chips as the network gets them, with their labels laid over, names below and a legend. */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import {
  bandRanges,
  type ClassDefinition,
  createImage,
  encodePng,
  Figure,
  GeoLearnError,
  overlayClasses,
  pasteImage,
  renderBands,
  type Rgb,
  type RgbaImage,
  scaleNearest,
  writeAtomic,
} from "@geolearn/core";

import type { LearningData, PixelBatch } from "../learning-data.ts";
import { drawText, fillRectangle, fitText, GLYPH_HEIGHT, textWidth } from "./pixel-font.ts";

const GAP = 8;
const CAPTION = GLYPH_HEIGHT * 2 + 8;
/** Side at which chips are drawn at least and at most, pixels. */
const SMALLEST = 160;
const LARGEST = 320;
const INK: Rgb = [33, 37, 41];
const PAPER: Rgb = [255, 255, 255];
/** Colour of pixels nothing is learnt from. */
const IGNORED: Rgb = [128, 128, 128];

/**
 * Draws the first training batch: each chip, and under it the same chip with its classes in colour (background uncovered, ignored
 * pixels gray).
 *
 * @param path where to write the PNG; without one it is only returned, and shown inline in a notebook
 */
export async function drawBatch(data: LearningData, path?: string): Promise<Uint8Array> {
  const batch = await firstBatch(data);
  const picture = drawChips(batch, data);
  const png = encodePng(picture);
  if (path !== undefined) {
    await mkdir(dirname(path), { recursive: true });
    await writeAtomic(path, png);
  }
  new Figure("Training chips", { png }).show();
  return png;
}

async function firstBatch(data: LearningData): Promise<PixelBatch> {
  for await (const batch of data.train.read({ epoch: 0 })) return batch;
  throw new GeoLearnError("INVALID_ARGUMENT", "There is no training batch to show.", { hint: "Use a smaller `valSplit`." });
}

function drawChips(batch: PixelBatch, data: LearningData): RgbaImage {
  const { chipWidth: width, chipHeight: height, classes } = data;
  const shown = Math.min(batch.real, 8);
  const columns = Math.min(4, shown);
  const factor = scaleFor(Math.max(width, height));
  const cellWidth = Math.round(width * factor);
  const cellHeight = Math.round(height * factor);
  const rowHeight = 2 * cellHeight + GAP / 2 + CAPTION + GAP;
  const rows = Math.ceil(shown / columns);
  const ignored = batch.targets.subarray(0, shown * width * height).includes(-1);
  const legend = layoutLegend(classes, ignored, columns * (cellWidth + GAP) - GAP);
  const canvas = createImage(columns * (cellWidth + GAP) + GAP, GAP + rows * rowHeight + legend.height + GAP, PAPER);
  const ranges = commonRanges(batch, data);

  for (let slot = 0; slot < shown; slot++) {
    const left = GAP + (slot % columns) * (cellWidth + GAP);
    const top = GAP + Math.floor(slot / columns) * rowHeight;
    const area = width * height;
    const pixels = {
      data: batch.images.subarray(slot * area * data.bands, (slot + 1) * area * data.bands),
      bands: data.bands,
      width,
      height,
      layout: "pixels" as const,
    };
    const image = renderBands(pixels, { bands: shownBands(data), ranges });
    const targets = batch.targets.subarray(slot * area, (slot + 1) * area);
    const background = classes[0]?.value === 0 ? { skip: 0 } : {};
    const overlay = overlayClasses(image, targets, classes, 0.55, { ignoredColor: IGNORED, ...background });
    pasteImage(canvas, scaleNearest(image, cellWidth, cellHeight), left, top);
    pasteImage(canvas, scaleNearest(overlay, cellWidth, cellHeight), left, top + cellHeight + GAP / 2);
    drawText(canvas, fitText(batch.names[slot] ?? "", cellWidth, 2), left, top + 2 * cellHeight + GAP / 2 + 4, INK, 2);
  }
  legend.draw(canvas, GAP, GAP + rows * rowHeight);
  return canvas;
}

function scaleFor(side: number): number {
  if (side < SMALLEST) return Math.ceil(SMALLEST / side);
  return side > LARGEST ? LARGEST / side : 1;
}

/** Red, green and blue by name where bands bear names, else the first three, else the first. */
function shownBands({ bandNames, bands }: LearningData): number[] {
  const named = ["red", "green", "blue"].map((color) => bandNames.findIndex((name) => name.toLowerCase() === color));
  if (named.every((band) => band >= 0)) return named;
  return bands >= 3 ? [0, 1, 2] : [0];
}

/** One stretch for all chips, so that they can be compared. */
function commonRanges(batch: PixelBatch, data: LearningData): [number, number][] {
  const height = data.chipHeight * batch.real;
  const images = batch.images.subarray(0, data.chipWidth * height * data.bands);
  return bandRanges({ data: images, bands: data.bands, width: data.chipWidth, height, layout: "pixels" }, { bands: shownBands(data) });
}

interface LegendEntry {
  readonly name: string;
  /** Null where the image shows through. */
  readonly color: Rgb | null;
}

function layoutLegend(
  classes: readonly ClassDefinition[],
  ignored: boolean,
  width: number,
): { height: number; draw(image: RgbaImage, left: number, top: number): void } {
  const entries: LegendEntry[] = classes.map(({ name, value, color }) =>
    value === 0 ? { name: `${name} (uncovered)`, color: null } : { name, color },
  );
  if (ignored) entries.push({ name: "ignored", color: IGNORED });
  const box = GLYPH_HEIGHT * 2;
  const line = box + 6;
  const placed: { entry: LegendEntry; text: string; col: number; row: number }[] = [];
  let col = 0;
  let row = 0;
  for (const entry of entries) {
    const text = fitText(entry.name, Math.max(40, width - box - 8), 2);
    const own = box + 6 + textWidth(text, 2) + 2 * GAP;
    if (col > 0 && col + own > width) {
      col = 0;
      row++;
    }
    placed.push({ entry, text, col, row });
    col += own;
  }
  return {
    height: (row + 1) * line,
    draw(image, left, top) {
      for (const { entry, text, col: x, row: y } of placed) {
        fillRectangle(image, left + x, top + y * line, box, box, INK);
        fillRectangle(image, left + x + 1, top + y * line + 1, box - 2, box - 2, entry.color ?? PAPER);
        drawText(image, text, left + x + box + 6, top + y * line, INK, 2);
      }
    },
  };
}
