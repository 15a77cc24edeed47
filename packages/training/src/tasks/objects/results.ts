/** Chips with the objects that are there, and beside them with those found. */

import {
  type ClassDefinition,
  encodePng,
  type Figure,
  type MaskWindow,
  overlayClasses,
  renderBands,
  type Rgb,
  type RgbaImage,
  scaleNearest,
  tileImages,
} from "@geolearn/core";
import type { ShownPicture } from "@geolearn/data-prep";

import { SIDE_TITLE } from "../../figures/side-title.ts";
import { dataUrl, escapeMarkup, FONT, INK, QUIET_INK, svgFigure } from "../../figures/svg.ts";
import type { Side } from "../task.ts";

/** An object of a chip; what was found has a score. */
export interface DrawnObject {
  /** xmin, ymin, xmax, ymax in pixels. */
  readonly box: readonly [number, number, number, number];
  readonly label: number;
  readonly score: number | null;
  /** Its pixels, where there are masks. */
  readonly mask: MaskWindow | null;
}

/** One chip with truth and prediction. */
export interface ObjectExample {
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  /** `[height, width, bands]`. */
  readonly image: Float32Array;
  readonly truth: readonly DrawnObject[];
  readonly found: readonly DrawnObject[];
}

const SIDE = 280;
const GAP = 8;
const HEADER = 48;

/** A grid of truth and prediction, one chip a row; scores stand at the boxes found. */
export async function objectFigure(
  examples: readonly ObjectExample[],
  classes: readonly ClassDefinition[],
  shown: ShownPicture,
  side: Side = "valid",
): Promise<Figure> {
  const first = examples[0];
  const rowHeight = first ? Math.round((SIDE * first.height) / first.width) : SIDE;
  const width = 2 * (SIDE + GAP) + GAP;
  const height = HEADER + examples.length * (rowHeight + GAP) + 20 + GAP;
  const panels = examples.flatMap((example, row) =>
    [example.truth, example.found].map((objects, col) => {
      const [x, y] = [GAP + col * (SIDE + GAP), HEADER + row * (rowHeight + GAP)];
      const picture = masked(pictureOf(example, shown), objects, classes);
      const factor = Math.max(1, Math.floor((2 * SIDE) / picture.width));
      const png = encodePng(scaleNearest(picture, picture.width * factor, picture.height * factor));
      const scale = SIDE / example.width;
      const boxes = objects.map((object) => boxMarkup(object, classes, scale));
      return `<svg x="${x}" y="${y}" width="${SIDE}" height="${rowHeight}"><image width="${SIDE}" height="${rowHeight}" href="${dataUrl(png)}"/>${boxes.join("")}</svg>`;
    }),
  );
  const headings = ["truth", "prediction"].map(
    (title, col) => `<text x="${GAP + col * (SIDE + GAP)}" y="40" fill="${QUIET_INK}">${title}</text>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="11" fill="${INK}">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${GAP}" y="20" font-size="14" font-weight="bold">${SIDE_TITLE[side]}</text>
${headings.join("\n")}
${panels.join("\n")}
<g transform="translate(${GAP} ${height - 20 - GAP})">${legend(classes)}</g>
</svg>`;
  return svgFigure("Results", svg);
}

function boxMarkup({ box: [x0, y0, x1, y1], label, score }: DrawnObject, classes: readonly ClassDefinition[], scale: number): string {
  const own: Rgb = classes[label]?.color ?? [255, 255, 255];
  const color = `rgb(${own.join(",")})`;
  const [x, y, w, h] = [x0, y0, x1 - x0, y1 - y0].map((value) => Number((value * scale).toFixed(1)));
  const rect = `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
  if (score === null) return rect;
  const text = score.toFixed(2);
  const [left, top] = [Math.max(0, x!), Math.max(0, y!)];
  return `${rect}<rect x="${left}" y="${top}" width="${6 * text.length}" height="12" fill="${color}"/><text x="${left + 2}" y="${top + 9}" font-size="9" fill="${inkOn(own)}">${text}</text>`;
}

/** Black or white, whichever is read better on a colour (its luma after ITU-R BT.601). */
const inkOn = ([r, g, b]: Rgb): string => (0.299 * r + 0.587 * g + 0.114 * b > 150 ? "black" : "white");

function legend(classes: readonly ClassDefinition[]): string {
  let x = 0;
  return classes
    .map(({ name, color }) => {
      const entry = `<rect x="${x}" y="2" width="12" height="12" fill="none" stroke-width="2" stroke="rgb(${color.join(",")})"/><text x="${x + 18}" y="12">${escapeMarkup(name)}</text>`;
      x += 34 + 6.6 * name.length;
      return entry;
    })
    .join("");
}

/** The same without words and legend, for viewers that want pixels. */
export function objectPicture(examples: readonly ObjectExample[], classes: readonly ClassDefinition[], shown: ShownPicture): RgbaImage {
  const pictures = examples.flatMap((example) =>
    [example.truth, example.found].map((objects) => {
      const picture = masked(pictureOf(example, shown), objects, classes);
      for (const { box, label } of objects) drawBox(picture, box, classes[label]?.color ?? [255, 255, 255]);
      return picture;
    }),
  );
  return tileImages(pictures, 2);
}

function pictureOf({ image, bands, width, height }: ObjectExample, shown: ShownPicture): RgbaImage {
  return renderBands({ data: image, bands, width, height, layout: "pixels" }, shown);
}

/** The picture with the masks of its objects laid over it; of several the likeliest is on top. */
function masked(picture: RgbaImage, objects: readonly DrawnObject[], classes: readonly ClassDefinition[]): RgbaImage {
  if (objects.every(({ mask }) => mask === null)) return picture;
  const indices = new Int32Array(picture.width * picture.height).fill(-1);
  for (const { mask, label } of objects.toReversed()) {
    if (mask === null) continue;
    const { left, top, width, bits } = mask;
    bits.forEach((bit, i) => {
      if (bit === 1) indices[(top + Math.floor(i / width)) * picture.width + left + (i % width)] = label;
    });
  }
  return overlayClasses(picture, indices, classes, 0.5);
}

/** Lines of one pixel inside a box. */
function drawBox({ data, width, height }: RgbaImage, [x0, y0, x1, y1]: DrawnObject["box"], [r, g, b]: Rgb): void {
  const clamp = (value: number, most: number): number => Math.min(most - 1, Math.max(0, Math.floor(value)));
  const [left, top, right, bottom] = [
    clamp(x0, width),
    clamp(y0, height),
    clamp(Math.ceil(x1) - 1, width),
    clamp(Math.ceil(y1) - 1, height),
  ];
  const dot = (x: number, y: number): void => data.set([r, g, b, 255], 4 * (y * width + x));
  for (let x = left; x <= right; x++) [top, bottom].forEach((y) => dot(x, y));
  for (let y = top; y <= bottom; y++) [left, right].forEach((x) => dot(x, y));
}
