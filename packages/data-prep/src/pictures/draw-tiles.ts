/** Training chips in frames of the colours of their classes. */

import { scaleNearest } from "@geolearn/core";

import type { ShowBatchOptions, TileData } from "../learning-data.ts";
import { drawBatch } from "./draw-batch.ts";
import { fillRectangle } from "./pixel-font.ts";

/** Width of a frame, pixels of the picture. */
const FRAME = 6;

/** Draws the first training batch; a chip of several classes has a frame for each, one inside the other. */
export async function drawTiles(data: TileData, path?: string, options?: ShowBatchOptions): Promise<Uint8Array> {
  const { classes, multiLabel } = data;
  return drawBatch(
    data,
    {
      draw(image, { labels }, slot, { width, height }) {
        const picture = scaleNearest(image, width, height);
        const own = multiLabel ? classes.filter((_, index) => labels[slot * classes.length + index] === 1) : [classes[labels[slot]!]!];
        own.forEach(({ color }, ring) => {
          const at = ring * FRAME;
          fillRectangle(picture, at, at, width - 2 * at, FRAME, color);
          fillRectangle(picture, at, height - at - FRAME, width - 2 * at, FRAME, color);
          fillRectangle(picture, at, at, FRAME, height - 2 * at, color);
          fillRectangle(picture, width - at - FRAME, at, FRAME, height - 2 * at, color);
        });
        return picture;
      },
      ignored: () => false,
    },
    path,
    options,
  );
}
