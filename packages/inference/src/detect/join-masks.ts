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
  // for: +1 of each window that gives the pixel to the object, -1 of each that saw it and does not
  const votes = new Int16Array(width * height);
  for (const { window, mask } of seen) {
    const [x0, y0] = [Math.max(left, window[0]), Math.max(top, window[1])];
    const [x1, y1] = [Math.min(left + width, window[2]), Math.min(top + height, window[3])];
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) votes[(y - top) * width + x - left]!--;
    for (let y = 0; y < mask.height; y++) {
      const to = (y + mask.top - top) * width + mask.left - left;
      for (let x = 0; x < mask.width; x++) if (mask.bits[y * mask.width + x] === 1) votes[to + x]! += 2;
    }
  }
  // where no window looked nothing was given, so that those pixels stay at 0
  const bits = new Uint8Array(width * height);
  const looked = lookedAt(seen, left, top, width, height);
  for (let i = 0; i < bits.length; i++) bits[i] = looked[i] === 1 && votes[i]! >= 0 ? 1 : 0;
  return { left, top, width, height, bits };
}

function lookedAt(seen: readonly SeenMask[], left: number, top: number, width: number, height: number): Uint8Array {
  const looked = new Uint8Array(width * height);
  for (const { window } of seen) {
    const [x0, x1] = [Math.max(left, window[0]) - left, Math.min(left + width, window[2]) - left];
    for (let y = Math.max(top, window[1]); y < Math.min(top + height, window[3]); y++)
      looked.fill(1, (y - top) * width + x0, (y - top) * width + x1);
  }
  return looked;
}
