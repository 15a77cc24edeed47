/** Training chips with their classes in colour: background uncovered, ignored pixels gray. */

import { overlayClasses, scaleNearest } from "@geolearn/core";

import { IGNORE_INDEX, type LearningData, type ShowBatchOptions } from "../learning-data.ts";
import { drawBatch, IGNORED } from "./draw-batch.ts";

/** Draws the first training batch of chips with a class per pixel. */
export async function drawPixels(data: LearningData, path?: string, options?: ShowBatchOptions): Promise<Uint8Array> {
  const { classes, chipWidth, chipHeight } = data;
  const area = chipWidth * chipHeight;
  const background = classes[0]?.value === 0 ? { skip: 0 } : {};
  return drawBatch(
    data,
    {
      draw(image, { targets }, slot, cell) {
        const own = targets.subarray(slot * area, (slot + 1) * area);
        const overlay = overlayClasses(image, own, classes, 0.55, { ignoredColor: IGNORED, ...background });
        return scaleNearest(overlay, cell.width, cell.height);
      },
      ignored: ({ targets }, shown) => targets.subarray(0, shown * area).includes(IGNORE_INDEX),
    },
    path,
    options,
  );
}
