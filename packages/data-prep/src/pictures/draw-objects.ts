/** Training chips with the boxes, and the masks where there are, of their objects in the colours of their classes. */

import { overlayClasses, type Rgb, type RgbaImage, scaleNearest } from "@geolearn/core";

import { IGNORE_INDEX, type ObjectBatch, type ObjectData, type ShowBatchOptions } from "../learning-data.ts";
import { drawBatch } from "./draw-batch.ts";
import { fillRectangle } from "./pixel-font.ts";

/** Draws the first training batch of chips with objects. */
export async function drawObjects(data: ObjectData, path?: string, options?: ShowBatchOptions): Promise<Uint8Array> {
  const { classes, chipWidth, chipHeight } = data;
  return drawBatch(
    data,
    {
      draw(image, batch, slot, cell) {
        const painted =
          batch.masks === undefined ? image : overlayClasses(image, maskIndices(batch, slot, chipWidth * chipHeight), classes, 0.55);
        const picture = scaleNearest(painted, cell.width, cell.height);
        const [scaleX, scaleY] = [cell.width / chipWidth, cell.height / chipHeight];
        for (let i = 0; i < batch.counts[slot]!; i++) {
          const at = slot * batch.maxObjects + i;
          const [xmin, ymin, xmax, ymax] = batch.boxes.subarray(at * 4, at * 4 + 4);
          const sides = [xmin! * scaleX, ymin! * scaleY, xmax! * scaleX, ymax! * scaleY].map(Math.round);
          outline(picture, sides, classes[batch.classIndices[at]!]!.color);
        }
        return picture;
      },
      ignored: () => false,
    },
    path,
    options,
  );
}

/** Class index per pixel, of the later object where masks overlap. */
function maskIndices({ masks, classIndices, counts, maxObjects }: ObjectBatch, slot: number, area: number): Int32Array {
  const indices = new Int32Array(area).fill(IGNORE_INDEX);
  for (let i = 0; i < counts[slot]!; i++) {
    const at = slot * maxObjects + i;
    const mask = masks!.subarray(at * area, (at + 1) * area);
    mask.forEach((value, pixel) => value === 1 && (indices[pixel] = classIndices[at]!));
  }
  return indices;
}

/** Lines of two pixels inside a box. */
function outline(picture: RgbaImage, [left, top, right, bottom]: readonly number[], color: Rgb): void {
  const width = Math.max(2, right! - left!);
  const height = Math.max(2, bottom! - top!);
  fillRectangle(picture, left!, top!, width, 2, color);
  fillRectangle(picture, left!, top! + height - 2, width, 2, color);
  fillRectangle(picture, left!, top!, 2, height, color);
  fillRectangle(picture, left! + width - 2, top!, 2, height, color);
}
