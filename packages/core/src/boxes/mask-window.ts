/** Masks of single objects as the pixels of a window around them, between what networks draw on a grid and runs over the whole image. */

import type { RleMask } from "./rle-mask.ts";

/** Pixels of an object inside a window of an image or a scene. */
export interface MaskWindow {
  /** Pixels left of the window and above it. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** 1 = the object, row by row. */
  readonly bits: Uint8Array;
}

/** How sure a network is, for each cell of a grid over a box, that it belongs to the object. */
export interface MaskGrid {
  readonly width: number;
  readonly height: number;
  /** 0 to 1, row by row. */
  readonly scores: ArrayLike<number>;
}

type Corners = readonly [xmin: number, ymin: number, xmax: number, ymax: number];

/**
 * A mask over a box as pixels whose middles lie in the box: bilinear between the middles of its cells, belonging where it is at least 0.5; null where
 * no pixel inside `bounds` does.
 */
export function pasteMask(grid: MaskGrid, [x0, y0, x1, y1]: Corners, bounds: Corners): MaskWindow | null {
  const [left, top] = [Math.max(Math.ceil(x0 - 0.5), bounds[0]), Math.max(Math.ceil(y0 - 0.5), bounds[1])];
  const [width, height] = [Math.min(Math.ceil(x1 - 0.5), bounds[2]) - left, Math.min(Math.ceil(y1 - 0.5), bounds[3]) - top];
  if (width <= 0 || height <= 0) return null;
  const bits = new Uint8Array(width * height);
  const columns = Array.from({ length: width }, (_, x) => between(((left + x + 0.5 - x0) / (x1 - x0)) * grid.width - 0.5, grid.width));
  let any = false;
  for (let y = 0; y < height; y++) {
    const [r, below, v] = between(((top + y + 0.5 - y0) / (y1 - y0)) * grid.height - 0.5, grid.height);
    const [upper, lower] = [r * grid.width, below * grid.width];
    for (let x = 0; x < width; x++) {
      const [c, next, u] = columns[x]!;
      const { scores } = grid;
      const value =
        (1 - v) * ((1 - u) * scores[upper + c]! + u * scores[upper + next]!) +
        v * ((1 - u) * scores[lower + c]! + u * scores[lower + next]!);
      if (value < 0.5) continue;
      bits[y * width + x] = 1;
      any = true;
    }
  }
  return any ? { left, top, width, height, bits } : null;
}

/** The cells around a position, and how far it is on the way from one to the other; beyond the outermost middles nothing changes. */
function between(position: number, cells: number): readonly [number, number, number] {
  const at = Math.min(cells - 1, Math.max(0, position));
  const cell = Math.floor(at);
  return [cell, Math.min(cells - 1, cell + 1), at - cell];
}

/** The mask of a whole image as runs; the window, if any, must lie inside the image. */
export function encodeWindow(window: MaskWindow | null, width: number, height: number): RleMask {
  const counts: number[] = [];
  let [set, run] = [0, 0];
  const take = (value: number, pixels: number): void => {
    if (value !== set && pixels > 0) {
      counts.push(run);
      [set, run] = [value, 0];
    }
    run += pixels;
  };
  if (window !== null) {
    const { left, top, width: columns, height: rows, bits } = window;
    take(0, left * height);
    for (let col = 0; col < columns; col++) {
      take(0, top);
      for (let row = 0; row < rows; row++) take(bits[row * columns + col]!, 1);
      take(0, height - top - rows);
    }
    take(0, (width - left - columns) * height);
  } else take(0, width * height);
  counts.push(run);
  return { width, height, counts: Uint32Array.from(counts) };
}
