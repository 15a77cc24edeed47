/** The three ways a path becomes pixels. Coordinates are pixels: column and row, (0.5, 0.5) is the first centre. */

import type { Samples } from "../raster/raster.ts";

/** Vertices of a line or a closed ring, in pixels. */
export interface Path {
  readonly xs: Float64Array;
  readonly ys: Float64Array;
}

/** What is burnt into. */
export interface Grid {
  readonly out: Samples;
  readonly width: number;
  readonly height: number;
}

/** Distance in pixels below which an end of an edge counts as lying on a grid line. */
const ON_GRID_LINE = 1e-4;
/** An edge whose ends differ by less than this in one direction is drawn as vertical or horizontal. */
const STRAIGHT = 0.01;
/** Smallest step of the walk, so that it always moves on. */
const SMALLEST_STEP = 1e-9;

/**
 * Pixels whose centre lies inside, by the even-odd rule over all rings. An edge through a centre counts for the pixel on
 * its right, a horizontal one for both rows it could belong to (rings run clockwise with y up).
 */
export function fillPolygon(rings: readonly Path[], value: number, grid: Grid): void {
  const { out, width, height } = grid;
  let top = Infinity;
  let bottom = -Infinity;
  for (const { ys } of rings) {
    for (let i = 0; i < ys.length; i++) {
      if (ys[i]! < top) top = ys[i]!;
      if (ys[i]! > bottom) bottom = ys[i]!;
    }
  }
  const firstRow = Math.max(0, Math.floor(top));
  const lastRow = Math.min(height - 1, Math.floor(bottom));
  if (firstRow > lastRow) return;

  // First count the crossings of each row of centres, then store them row after row.
  const starts = new Uint32Array(lastRow - firstRow + 2);
  for (const { xs, ys } of rings) {
    const n = xs.length;
    for (let i = 0, j = n - 1; i < n; j = i++) {
      const [y1, y2] = [ys[j]!, ys[i]!];
      if (y1 === y2) {
        // Only the edge that runs left, the lower side of the polygon, adds pixels; the upper one is in the spans below.
        if (xs[j]! > xs[i]! && y1 - 0.5 === Math.floor(y1) && y1 >= firstRow && y1 < lastRow + 1) {
          const row = Math.floor(y1);
          const from = Math.max(0, Math.floor(xs[i]! + 0.5));
          const to = Math.min(width, Math.floor(xs[j]! + 0.5));
          if (from < to) out.fill(value, row * width + from, row * width + to);
        }
        continue;
      }
      const from = Math.max(firstRow, Math.ceil(Math.min(y1, y2) - 0.5));
      const to = Math.min(lastRow + 1, Math.ceil(Math.max(y1, y2) - 0.5));
      for (let row = from; row < to; row++) starts[row - firstRow + 1]!++;
    }
  }
  for (let k = 1; k < starts.length; k++) starts[k]! += starts[k - 1]!;

  const crossings = new Int32Array(starts[starts.length - 1]!);
  const next = starts.slice(0, -1);
  for (const { xs, ys } of rings) {
    const n = xs.length;
    for (let i = 0, j = n - 1; i < n; j = i++) {
      const up = ys[j]! < ys[i]!;
      const [x1, y1, x2, y2] = up ? [xs[j]!, ys[j]!, xs[i]!, ys[i]!] : [xs[i]!, ys[i]!, xs[j]!, ys[j]!];
      if (y1 === y2) continue;
      const from = Math.max(firstRow, Math.ceil(y1 - 0.5));
      const to = Math.min(lastRow + 1, Math.ceil(y2 - 0.5));
      for (let row = from; row < to; row++) {
        const x = Math.floor(((row + 0.5 - y1) * (x2 - x1)) / (y2 - y1) + x1 + 0.5);
        crossings[next[row - firstRow]!++] = Math.min(Math.max(x, 0), width);
      }
    }
  }

  for (let row = firstRow; row <= lastRow; row++) {
    const from = starts[row - firstRow]!;
    const to = starts[row - firstRow + 1]!;
    if (to - from < 2) continue;
    sortRange(crossings, from, to);
    const base = row * width;
    for (let k = from; k + 1 < to; k += 2) {
      if (crossings[k]! < crossings[k + 1]!) out.fill(value, base + crossings[k]!, base + crossings[k + 1]!);
    }
  }
}

/** Sorts a short range in place by insertion, a long one natively. */
function sortRange(values: Int32Array, from: number, to: number): void {
  if (to - from > 32) {
    values.subarray(from, to).sort();
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!;
    let j = i - 1;
    while (j >= from && values[j]! > value) {
      values[j + 1] = values[j]!;
      j--;
    }
    values[j + 1] = value;
  }
}

/** Bresenham's line between the pixels that hold consecutive vertices; only the steps inside the grid are walked. */
export function burnLine({ xs, ys }: Path, value: number, { out, width, height }: Grid): void {
  for (let i = 1; i < xs.length; i++) {
    const [col, row] = [Math.floor(xs[i - 1]!), Math.floor(ys[i - 1]!)];
    const [across, down] = [Math.floor(xs[i]!) - col, Math.floor(ys[i]!) - row];
    const flat = Math.abs(across) >= Math.abs(down);
    const [start, delta, size] = flat ? [col, across, width] : [row, down, height];
    const [sideStart, sideDelta, sideSize] = flat ? [row, down, height] : [col, across, width];
    const step = delta < 0 ? -1 : 1;
    const sideStep = sideDelta < 0 ? -1 : 1;
    const [long, short] = [Math.abs(delta), Math.abs(sideDelta)];
    const first = Math.max(0, step > 0 ? -start : start - (size - 1));
    const last = Math.min(long, step > 0 ? size - 1 - start : start);
    let moved = long === 0 ? 0 : Math.floor((2 * short * first + long - 1) / (2 * long));
    let error = 2 * short * (first + 1) - long - 2 * long * moved;
    for (let k = first; k <= last; k++) {
      const side = sideStart + sideStep * moved;
      if (side >= 0 && side < sideSize) {
        const along = start + step * k;
        out[flat ? side * width + along : along * width + side] = value;
      }
      if (error > 0) {
        moved++;
        error -= 2 * long;
      }
      error += 2 * short;
    }
  }
}

/**
 * Every pixel a path passes through. With `edgesOfPolygon`, a straight edge that lies on a grid line adds nothing: the
 * pixels beyond it are only touched from outside.
 */
export function burnTouched({ xs, ys }: Path, value: number, { out, width, height }: Grid, edgesOfPolygon: boolean): void {
  const onGridLine = (p: number, q: number): boolean =>
    Math.abs(p - Math.round(p)) < ON_GRID_LINE && Math.abs(q - Math.round(q)) < ON_GRID_LINE;
  for (let i = 1; i < xs.length; i++) {
    let [x, y, xEnd, yEnd] = [xs[i - 1]!, ys[i - 1]!, xs[i]!, ys[i]!];
    if ((y < 0 && yEnd < 0) || (y > height && yEnd > height) || (x < 0 && xEnd < 0) || (x > width && xEnd > width)) continue;
    if (x > xEnd) [x, y, xEnd, yEnd] = [xEnd, yEnd, x, y];

    if (Math.floor(x) === Math.floor(xEnd) || Math.abs(x - xEnd) < STRAIGHT) {
      if (edgesOfPolygon && onGridLine(x, xEnd)) continue;
      const col = Math.floor(xEnd);
      if (col < 0 || col >= width) continue;
      const to = Math.min(height - 1, Math.floor(Math.max(y, yEnd) - ON_GRID_LINE));
      for (let row = Math.max(0, Math.floor(Math.min(y, yEnd))); row <= to; row++) out[row * width + col] = value;
      continue;
    }
    if (Math.floor(y) === Math.floor(yEnd) || Math.abs(y - yEnd) < STRAIGHT) {
      if (edgesOfPolygon && onGridLine(y, yEnd)) continue;
      const row = Math.floor(y);
      if (row < 0 || row >= height) continue;
      const from = Math.max(0, Math.floor(x));
      const to = Math.min(width - 1, Math.floor(xEnd - ON_GRID_LINE));
      if (from <= to) out.fill(value, row * width + from, row * width + to + 1);
      continue;
    }
    walk(x, y, xEnd, yEnd);
  }

  /** From left to right, pixel by pixel. */
  function walk(x: number, y: number, xEnd: number, yEnd: number): void {
    const slope = (yEnd - y) / (xEnd - x);
    if (xEnd > width) {
      yEnd -= (xEnd - width) * slope;
      xEnd = width;
    }
    if (x < 0) {
      y += (0 - x) * slope;
      x = 0;
    }
    if (yEnd > y) {
      if (y < 0) {
        x += (0 - y) / slope;
        y = 0;
      }
      // Moved on, not back: rows below the grid are left out anyway, and an end on its border is then decided as by GDAL.
      if (yEnd >= height) xEnd = Math.min(xEnd + (yEnd - height) / slope, width);
    } else {
      if (y >= height) {
        x += (height - y) / slope;
        y = height;
      }
      if (yEnd < 0) xEnd = Math.min(xEnd - yEnd / slope, width);
    }
    while (x >= 0 && x < xEnd) {
      const col = Math.floor(x);
      const row = Math.floor(y);
      if (row >= 0 && row < height) out[row * width + col] = value;
      else if (slope > 0 && row >= height) return;
      let stepX = Math.floor(x + 1) - x;
      let stepY = stepX * slope;
      if (Math.floor(y + stepY) !== row) {
        stepY = slope < 0 ? Math.min(row - y, -SMALLEST_STEP) : Math.max(row + 1 - y, SMALLEST_STEP);
        stepX = stepY / slope;
      }
      x += stepX;
      y += stepY;
    }
  }
}
