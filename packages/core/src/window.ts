/** Rectangles of pixels, half open: a window covers columns `col` up to but not including `col + width`. */

/** A pixel rectangle to read or write. */
export interface Window {
  readonly col: number;
  readonly row: number;
  readonly width: number;
  readonly height: number;
}

/** The common part of two windows, or null when they do not meet. */
export function intersectWindows(a: Window, b: Window): Window | null {
  const col = Math.max(a.col, b.col);
  const row = Math.max(a.row, b.row);
  const width = Math.min(a.col + a.width, b.col + b.width) - col;
  const height = Math.min(a.row + a.height, b.row + b.height) - row;
  return width > 0 && height > 0 ? { col, row, width, height } : null;
}

/** Windows of at most `size` pixels a side, row by row, that cover `width` x `height` exactly once. */
export function* blockWindows(width: number, height: number, sizeX: number, sizeY: number = sizeX): Generator<Window> {
  for (let row = 0; row < height; row += sizeY) {
    for (let col = 0; col < width; col += sizeX) {
      yield { col, row, width: Math.min(sizeX, width - col), height: Math.min(sizeY, height - row) };
    }
  }
}
