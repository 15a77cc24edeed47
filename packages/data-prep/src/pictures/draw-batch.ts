/**
 * `showBatch`: training chips as the network gets them, under each the same chip with its labels, names below and a legend. Of two dates the earlier one is above,
 * the later one, with the labels, below.
 */

import { dirname } from "node:path";

import {
  checkOptions,
  type ClassDefinition,
  createImage,
  encodePng,
  Figure,
  GeoLearnError,
  type OptionRules,
  pasteImage,
  renderBands,
  type Rgb,
  type RgbaImage,
  rules,
  scaleNearest,
  showValue,
  type Task,
  writeAtomic,
  makeFolder,
} from "@geolearn/core";

import { bandsByDate } from "../bands-by-date.ts";
import type { BatchFrame, PreparedData, ShowBatchOptions } from "../learning-data.ts";
import { shownPictures } from "./display.ts";
import { shownBands } from "./shown-bands.ts";
import { drawText, fillRectangle, fitText, GLYPH_HEIGHT, textWidth } from "./pixel-font.ts";

const GAP = 8;
const CAPTION = GLYPH_HEIGHT * 2 + 8;
/** Side at which chips are drawn at least and at most, pixels. */
const SMALLEST = 160;
const LARGEST = 320;
const INK: Rgb = [33, 37, 41];
const PAPER: Rgb = [255, 255, 255];
/** Colour of pixels nothing is learnt from. */
export const IGNORED: Rgb = [128, 128, 128];

/** How the labels of one kind are drawn. */
export interface Overlay<B> {
  /** The picture of a chip with its labels, in the size of a cell. */
  draw(image: RgbaImage, batch: B, slot: number, cell: { readonly width: number; readonly height: number }): RgbaImage;
  /** Whether gray for ignored pixels stands in the legend. */
  ignored(batch: B, shown: number): boolean;
}

type Drawable = BatchFrame & { readonly images: Float32Array };

/** `shownBands` knows which bands there are. */
const RULES: OptionRules<ShowBatchOptions> = { rgb: rules.any };

/**
 * Draws the first training batch.
 *
 * @param path where to write the PNG; without one it is only returned, and shown inline in a notebook
 */
export async function drawBatch<B extends Drawable>(
  data: PreparedData<Task, B>,
  overlay: Overlay<B>,
  path?: string,
  options: ShowBatchOptions = {},
): Promise<Uint8Array> {
  checkPath(path);
  checkOptions(options, RULES, "showBatch()");
  shownBands(data, options.rgb);
  const batch = await firstBatch(data);
  const picture = drawChips(batch, data, overlay, options);
  const png = encodePng(picture);
  if (path !== undefined) {
    await makeFolder(dirname(path));
    await writeAtomic(path, png);
  }
  new Figure("Training chips", { png }).show();
  return png;
}

/** @throws INVALID_ARGUMENT for what is no path; UNSUPPORTED_FORMAT for another extension than .png */
function checkPath(path: unknown): void {
  if (path === undefined) return;
  if (typeof path !== "string") {
    throw new GeoLearnError("INVALID_ARGUMENT", `showBatch() got ${showValue(path)} for the path, expected text.`, {
      hint: 'The path comes first: `showBatch("batch.png")`, or undefined to write no file.',
    });
  }
  if (/\.png$/i.test(path)) return;
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `A batch is drawn as PNG; "${path}" does not end in .png.`, {
    hint: 'Use a path such as "batch.png".',
  });
}

async function firstBatch<B>(data: PreparedData<Task, B>): Promise<B> {
  for await (const batch of data.train.read({ epoch: 0 })) return batch;
  throw new GeoLearnError("INVALID_ARGUMENT", "There is no training batch to show.", { hint: "Use a smaller `valSplit`." });
}

function drawChips<B extends Drawable>(batch: B, data: PreparedData<Task, B>, overlay: Overlay<B>, { rgb }: ShowBatchOptions): RgbaImage {
  const { chipWidth: width, chipHeight: height, classes } = data;
  const shown = Math.min(batch.real, 8);
  const columns = Math.min(4, shown);
  const factor = scaleFor(Math.max(width, height));
  const cellWidth = Math.round(width * factor);
  const cellHeight = Math.round(height * factor);
  const rowHeight = 2 * cellHeight + GAP / 2 + CAPTION + GAP;
  const rows = Math.ceil(shown / columns);
  const legend = layoutLegend(classes, overlay.ignored(batch, shown), columns * (cellWidth + GAP) - GAP);
  const note = bandsByDate(data.dates) === null ? 0 : CAPTION;
  const canvas = createImage(columns * (cellWidth + GAP) + GAP, GAP + rows * rowHeight + note + legend.height + GAP, PAPER);
  const area = width * height * data.bands;
  const images = Array.from({ length: shown }, (_, slot) => batch.images.subarray(slot * area, (slot + 1) * area));
  const pictures = shownPictures(data, images, rgb);
  const [above, below] = [pictures[0]!, pictures.at(-1)!];

  for (let slot = 0; slot < shown; slot++) {
    const left = GAP + (slot % columns) * (cellWidth + GAP);
    const top = GAP + Math.floor(slot / columns) * rowHeight;
    const pixels = { data: images[slot]!, bands: data.bands, width, height, layout: "pixels" as const };
    const labelled = overlay.draw(renderBands(pixels, below), batch, slot, { width: cellWidth, height: cellHeight });
    pasteImage(canvas, scaleNearest(renderBands(pixels, above), cellWidth, cellHeight), left, top);
    pasteImage(canvas, labelled, left, top + cellHeight + GAP / 2);
    drawText(canvas, fitText(batch.names[slot] ?? "", cellWidth, 2), left, top + 2 * cellHeight + GAP / 2 + 4, INK, 2);
  }
  if (note > 0) drawText(canvas, fitText("earlier above, later below", canvas.width - 2 * GAP, 2), GAP, GAP + rows * rowHeight + 4, INK, 2);
  legend.draw(canvas, GAP, GAP + rows * rowHeight + note);
  return canvas;
}

function scaleFor(side: number): number {
  if (side < SMALLEST) return Math.ceil(SMALLEST / side);
  return side > LARGEST ? LARGEST / side : 1;
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
