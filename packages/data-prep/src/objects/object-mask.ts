/** Masks of single objects: the pixels of one object inside the window around them. */

import type { Box } from "./box.ts";

/** Pixels of an object; its data lie in shared memory. */
export interface ObjectMask {
  /** The window in the chip. */
  readonly col: number;
  readonly row: number;
  readonly width: number;
  readonly height: number;
  /** 1 = the object, row by row. */
  readonly data: Uint8Array;
}

/** The box around a mask. */
export function maskBox({ col, row, width, height }: ObjectMask): Box {
  return [col, row, col + width, row + height];
}

/** The box around pixels, at least one, given by their positions in a chip. */
export function boxOfPixels(pixels: readonly number[], chipWidth: number): Box {
  let [left, right, top, bottom] = [Infinity, -1, Infinity, -1];
  for (const pixel of pixels) {
    const col = pixel % chipWidth;
    const row = (pixel - col) / chipWidth;
    left = Math.min(left, col);
    right = Math.max(right, col);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  return [left, top, right + 1, bottom + 1];
}

/** The mask of pixels given by their positions in a chip, row by row; of no size when there are none. */
export function maskFromPixels(pixels: readonly number[], chipWidth: number): ObjectMask {
  if (pixels.length === 0) return { col: 0, row: 0, width: 0, height: 0, data: new Uint8Array(new SharedArrayBuffer(0)) };
  const [left, top, right, bottom] = boxOfPixels(pixels, chipWidth);
  const [width, height] = [right - left, bottom - top];
  const data = new Uint8Array(new SharedArrayBuffer(width * height));
  for (const pixel of pixels) {
    const col = pixel % chipWidth;
    data[((pixel - col) / chipWidth - top) * width + col - left] = 1;
  }
  return { col: left, row: top, width, height, data };
}
