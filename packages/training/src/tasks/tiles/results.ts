/** Chips with the classes they have and those they are given. */

import { type ClassDefinition, encodePng, type Figure, renderBands, type RgbaImage, scaleNearest, tileImages } from "@geolearn/core";
import type { ShownPicture } from "@geolearn/data-prep";

import { SIDE_TITLE } from "../../figures/side-title.ts";
import { dataUrl, escapeMarkup, FONT, INK, QUIET_INK, svgFigure } from "../../figures/svg.ts";
import type { Side } from "../task.ts";

/** One chip with truth and prediction. */
export interface TileExample {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  /** `[height, width, bands]`. */
  readonly image: Float32Array;
  /** Positions of its classes. */
  readonly truth: readonly number[];
  /** Positions and scores of the classes it is given, the surest first. */
  readonly found: readonly { readonly index: number; readonly score: number }[];
}

const SIDE = 180;
const GAP = 10;
const HEADER = 34;
const WORDS = 40;
const COLUMNS = 4;
const RIGHT = "#1b7f4b";
const WRONG = "#b3261e";
const FRAME = 4;
const CHARACTERS = 30;

/** A grid of chips; below each its classes and, green where they are right, those it is given. */
export async function tileFigure(
  examples: readonly TileExample[],
  classes: readonly ClassDefinition[],
  shown: ShownPicture,
  side: Side = "valid",
): Promise<Figure> {
  const columns = Math.max(2, Math.min(COLUMNS, examples.length));
  const first = examples[0];
  const tall = first ? Math.round((SIDE * first.height) / first.width) : SIDE;
  const width = columns * (SIDE + GAP) + GAP;
  const height = HEADER + Math.ceil(examples.length / columns) * (tall + WORDS + GAP);
  const cells = examples.map((example, i) => {
    const [x, y] = [GAP + (i % columns) * (SIDE + GAP), HEADER + Math.floor(i / columns) * (tall + WORDS + GAP)];
    const picture = pictureOf(example, shown);
    const factor = Math.max(1, Math.floor((2 * SIDE) / picture.width));
    const png = encodePng(scaleNearest(picture, picture.width * factor, picture.height * factor));
    const truth = example.truth.map((k) => classes[k]!.name).join(", ");
    const found = example.found.map(({ index, score }) => `${classes[index]!.name} ${score.toFixed(2)}`).join(", ");
    const words = (text: string, row: number, color: string): string =>
      `<text x="${x}" y="${y + tall + 15 + 16 * row}" fill="${color}">${escapeMarkup(clip(text === "" ? "none" : text))}</text>`;
    return `<image x="${x}" y="${y}" width="${SIDE}" height="${tall}" href="${dataUrl(png)}"/>${words(truth, 0, INK)}${words(found, 1, isRight(example) ? RIGHT : WRONG)}`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="11" fill="${INK}">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${GAP}" y="20" font-size="14" font-weight="bold">${SIDE_TITLE[side]}</text>
<text x="${GAP + 130}" y="20" fill="${QUIET_INK}">truth, and below it the prediction with its score</text>
${cells.join("\n")}
</svg>`;
  return svgFigure("Results", svg);
}

/** The same without words: each chip in a frame, its left half of the colour of its class, the right half of that it is given. */
export function tilePicture(examples: readonly TileExample[], classes: readonly ClassDefinition[], shown: ShownPicture): RgbaImage {
  const pictures = examples.map((example) => {
    const picture = pictureOf(example, shown);
    const colors = [example.truth[0], example.found[0]?.index].map((k) => (k === undefined ? ([0, 0, 0] as const) : classes[k]!.color));
    const { data, width, height } = picture;
    const frame = Math.min(FRAME, Math.floor(Math.min(width, height) / 4));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (Math.min(x, y, width - 1 - x, height - 1 - y) >= frame) continue;
        data.set([...colors[x < width / 2 ? 0 : 1]!, 255], 4 * (y * width + x));
      }
    }
    return picture;
  });
  return tileImages(pictures, 2);
}

function isRight({ truth, found }: TileExample): boolean {
  return truth.length === found.length && found.every(({ index }) => truth.includes(index));
}

function pictureOf({ image, bands, width, height }: TileExample, shown: ShownPicture): RgbaImage {
  return renderBands({ data: image, bands, width, height, layout: "pixels" }, shown);
}

function clip(text: string): string {
  return text.length > CHARACTERS ? `${text.slice(0, CHARACTERS - 1)}…` : text;
}
