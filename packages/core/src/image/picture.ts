/** Small RGBA pictures drawn pixel by pixel: class maps, overlays, enlargements, grids. Text is drawn by SVG, not here. */

import type { ClassDefinition, Rgb } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import type { PixelImage } from "./png.ts";

/** A picture with an alpha channel. */
export interface RgbaImage extends PixelImage {
  readonly channels: 4;
}

/** A picture filled with one colour. */
export function createImage(width: number, height: number, color: Rgb = [255, 255, 255], alpha = 255): RgbaImage {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i += 4) {
    data[i] = color[0];
    data[i + 1] = color[1];
    data[i + 2] = color[2];
    data[i + 3] = alpha;
  }
  return { width, height, channels: 4, data };
}

/** Options of {@link renderClasses} and {@link overlayClasses}. */
export interface ClassColorOptions {
  /** Colour of pixels that belong to no class; null leaves them transparent or uncovered. @defaultValue null */
  readonly ignoredColor?: Rgb | null;
  /** Class index that is left uncovered, e.g. 0 for the background of an overlay. @defaultValue none */
  readonly skip?: number;
}

/** Class indices (position in `classes`; anything else is ignored) painted in the colours of the classes. */
export function renderClasses(
  indices: ArrayLike<number>,
  width: number,
  height: number,
  classes: readonly ClassDefinition[],
  options: ClassColorOptions = {},
): RgbaImage {
  const image = createImage(width, height, [0, 0, 0], 0);
  paintClasses(image.data, indices, classes, 1, options);
  return image;
}

/** A copy of `image` with class colours laid over it at `opacity` (0 to 1). */
export function overlayClasses(
  image: RgbaImage,
  indices: ArrayLike<number>,
  classes: readonly ClassDefinition[],
  opacity = 0.5,
  options: ClassColorOptions = {},
): RgbaImage {
  const data = image.data.slice();
  paintClasses(data, indices, classes, opacity, options);
  return { ...image, data };
}

function paintClasses(
  data: Uint8Array,
  indices: ArrayLike<number>,
  classes: readonly ClassDefinition[],
  opacity: number,
  { ignoredColor = null, skip }: ClassColorOptions,
): void {
  const pixels = data.length / 4;
  if (indices.length < pixels) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A picture of ${pixels} pixels got ${indices.length} class indices.`, {
      hint: "Give one class index a pixel.",
    });
  }
  for (let p = 0, i = 0; p < pixels; p++, i += 4) {
    const index = indices[p]!;
    if (index === skip) continue;
    const color = classes[index]?.color ?? ignoredColor;
    if (!color) continue;
    // Over an empty pixel the colour counts fully, else it is mixed.
    const share = data[i + 3] === 0 ? 1 : opacity;
    for (let c = 0; c < 3; c++) data[i + c] = Math.round(data[i + c]! * (1 - share) + color[c]! * share);
    data[i + 3] = Math.max(data[i + 3]!, Math.round(255 * opacity));
  }
}

/** The picture enlarged by a whole factor, or reduced to every `1/factor`-th pixel; pixels stay squares of one colour. */
export function scaleNearest(image: RgbaImage, width: number, height: number): RgbaImage {
  const out = new Uint8Array(width * height * 4);
  const source = new Uint32Array(image.data.slice().buffer);
  const target = new Uint32Array(out.buffer);
  for (let row = 0, i = 0; row < height; row++) {
    const from = Math.floor(((row + 0.5) * image.height) / height) * image.width;
    for (let col = 0; col < width; col++, i++) target[i] = source[from + Math.floor(((col + 0.5) * image.width) / width)]!;
  }
  return { width, height, channels: 4, data: out };
}

/** Copies `source` into `target` (in place) with its upper left corner at (col, row); what hangs over is cut. */
export function pasteImage(target: RgbaImage, source: RgbaImage, col: number, row: number): void {
  const fromCol = Math.max(0, -col);
  const toCol = Math.min(source.width, target.width - col);
  if (toCol <= fromCol) return;
  for (let y = Math.max(0, -row); y < source.height && row + y < target.height; y++) {
    const line = source.data.subarray((y * source.width + fromCol) * 4, (y * source.width + toCol) * 4);
    target.data.set(line, ((row + y) * target.width + col + fromCol) * 4);
  }
}

/** Pictures of one size in rows and columns with a gap between; places without a picture stay background. */
export function tileImages(images: readonly RgbaImage[], columns: number, gap = 4, background: Rgb = [255, 255, 255]): RgbaImage {
  const first = images[0];
  if (!first || columns < 1) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `A grid got ${images.length} pictures for ${columns} columns; at least one of each is needed.`,
    );
  }
  const across = Math.min(columns, images.length);
  const rows = Math.ceil(images.length / columns);
  const grid = createImage(across * (first.width + gap) + gap, rows * (first.height + gap) + gap, background);
  images.forEach((image, i) => {
    pasteImage(grid, image, gap + (i % columns) * (first.width + gap), gap + Math.floor(i / columns) * (first.height + gap));
  });
  return grid;
}
