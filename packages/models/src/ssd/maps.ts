/** Which maps of an image a SingleShotDetector looks at. */

import { GeoLearnError } from "@geolearn/core";

import type { Grid } from "../detection/anchors.ts";
import { ENCODED, FINEST, finestMap, isGrids, type SSDConfig } from "./config.ts";

/** Sides of the smallest images: on smaller ones the last map of some encoders would have no cell. */
export const SMALLEST_SIDE = 32;
/**
 * The maps that fit images of a size. With scales: halved until a single cell is left (six maps for 256 pixels, seven for 512, as in the paper). With grids: for
 * each the coarsest map with at least its cells along both sides.
 *
 * @throws INVALID_ARGUMENT for images below 32 pixels, and for a grid finer than a quarter of the image
 *
 * @example
 * ssdMaps({ width: 128, height: 128 }); // [8, 16, 32, 64, 128]
 */
export function ssdMaps(
  image: Grid,
  { variant = "standard", anchors = {} }: Pick<SSDConfig, "variant" | "anchors"> = {},
): readonly number[] {
  checkImage(image);
  const [longer, shorter] = [Math.max(image.height, image.width), Math.min(image.height, image.width)];
  if (isGrids(anchors) && Array.isArray(anchors.grids))
    return anchors.grids.toSorted((a, b) => b - a).map((cells) => mapOf(cells, shorter));
  const maps = [finestMap(variant)];
  while (maps.at(-1)! < Math.max(ENCODED, longer)) maps.push(2 * maps.at(-1)!);
  return maps;
}

/** @throws INVALID_ARGUMENT for images that are too small */
export function checkImage({ height, width }: Grid): void {
  if (Math.min(height, width) >= SMALLEST_SIDE) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `The ssd network got chips of ${width} x ${height} pixels; sides must be at least ${SMALLEST_SIDE}.`,
    {
      hint: "Use larger chips.",
      data: { width, height, smallest: SMALLEST_SIDE },
    },
  );
}

/** The coarsest map that has so many cells along a side. */
function mapOf(cells: number, side: number): number {
  let stride = FINEST;
  while (Math.ceil(side / stride) > 1 && Math.ceil(side / (2 * stride)) >= cells) stride *= 2;
  if (Math.ceil(side / stride) >= cells) return stride;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `A grid of ${cells} cells is finer than the finest map of chips of ${side} pixels, ${Math.ceil(side / FINEST)}.`,
    {
      hint: "Use fewer cells, smaller `zooms`, or larger chips.",
      data: { cells, side },
    },
  );
}
