/** The outline of an object from the masks of several windows. */

import type { PixelBox, PixelMask } from "./detection.ts";

/** A mask, and the pixels of the scene its window saw. */
export interface SeenMask {
  readonly window: PixelBox;
  readonly mask: PixelMask;
}

/** Pixels that at least half of the windows that saw them give to the object. */
export function joinMasks(seen: readonly SeenMask[]): PixelMask {
  if (seen.length === 1) return seen[0]!.mask;
  const left = Math.min(...seen.map(({ mask }) => mask.left));
  const top = Math.min(...seen.map(({ mask }) => mask.top));
  const width = Math.max(...seen.map(({ mask }) => mask.left + mask.width)) - left;
  const height = Math.max(...seen.map(({ mask }) => mask.top + mask.height)) - top;
  const looked = new Uint16Array(width * height);
  const given = new Uint16Array(width * height);
  for (const { window, mask } of seen) {
    const [x0, y0] = [Math.max(left, window[0]), Math.max(top, window[1])];
    const [x1, y1] = [Math.min(left + width, window[2]), Math.min(top + height, window[3])];
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) looked[(y - top) * width + x - left]!++;
    for (let y = 0; y < mask.height; y++) {
      const to = (y + mask.top - top) * width + mask.left - left;
      for (let x = 0; x < mask.width; x++) given[to + x]! += mask.bits[y * mask.width + x]!;
    }
  }
  return { left, top, width, height, bits: Uint8Array.from(given, (votes, i) => (votes > 0 && 2 * votes >= looked[i]! ? 1 : 0)) };
}
