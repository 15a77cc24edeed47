/** Objects that are to be seen: where the image has no data, nothing is. */

import { rasterize } from "@geolearn/core";

import type { CutObject, Grid } from "./cut-object.ts";

/**
 * The objects of which a share of at least `minOverlap`, and more than nothing, lies in the chip and in valid pixels.
 *
 * @param valid 1 where the chip's image is valid; null when all of it is
 */
export function shownObjects(objects: readonly CutObject[], valid: Uint8Array | null, grid: Grid, minOverlap: number): CutObject[] {
  return objects.filter((object) => {
    const share = valid === null ? object.share : object.share * validShare(object, valid, grid);
    return share > 0 && share >= minOverlap;
  });
}

/** Share of an object's pixels that are valid; of one that holds no pixel's centre, whether the pixel in its middle is. */
function validShare({ geometry, box }: CutObject, valid: Uint8Array, { transform, width, height }: Grid): number {
  const own = rasterize([{ geometry, value: 1 }], { transform, width, height });
  let all = 0;
  let seen = 0;
  for (let i = 0; i < own.length; i++) {
    all += own[i]!;
    seen += own[i]! & valid[i]!;
  }
  if (all > 0) return seen / all;
  const middle = (from: number, to: number, length: number): number => Math.min(length - 1, Math.floor((from + to) / 2));
  return valid[middle(box[1], box[3], height) * width + middle(box[0], box[2], width)]!;
}
