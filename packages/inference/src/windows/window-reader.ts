/** Fills blocks with the pixels of windows. */

import type { Raster, Samples, Window } from "@geolearn/core";

import { type Cell, CellCache } from "./cell-cache.ts";
import type { WindowPlan } from "./window-plan.ts";

/** What a {@link WindowReader} needs to know. */
export interface WindowReaderOptions {
  /** The part of the raster that is the scene. */
  readonly view: Window;
  readonly plan: WindowPlan;
  /** Bands to read, from 0. */
  readonly bands: readonly number[];
  /** Value of missing samples, one per band. */
  readonly fill: readonly number[];
  /** For each band, whether a sample equal to the raster's nodata value is missing although its pixel is valid. */
  readonly dropNodata: readonly boolean[];
  /** Bytes of decoded samples to keep. */
  readonly budget?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads windows of a scene. Pixels beyond the raster are mirrored at its border (without repeating the border pixel), so a
 * scene smaller than a window is filled up with itself.
 */
export class WindowReader {
  readonly #raster: Raster;
  readonly #options: WindowReaderOptions;
  readonly #cache: CellCache;
  readonly #tileWidth: number;
  readonly #tileHeight: number;

  constructor(raster: Raster, options: WindowReaderOptions) {
    this.#raster = raster;
    this.#options = options;
    this.#tileWidth = options.plan.coreWidth + 2 * options.plan.margin;
    this.#tileHeight = options.plan.coreHeight + 2 * options.plan.margin;
    this.#cache = new CellCache(raster, {
      bands: options.bands,
      signal: options.signal,
      ...(options.budget === undefined ? {} : { budget: options.budget }),
    });
  }

  /** Bytes of decoded samples kept at most. */
  get bytes(): number {
    return this.#cache.bytes;
  }

  /** Starts reading a row of windows and forgets what lies above the row before it. */
  prefetchRow(row: number): void {
    const { view, plan } = this.#options;
    const first = (index: number): number => view.row + plan.rows[index]! - plan.margin;
    if (row > 0) this.#cache.forgetAbove(first(row - 1));
    if (row < plan.rows.length) this.#cache.prefetch(view.col, first(row), view.width, this.#tileHeight);
  }

  /**
   * Writes a window's samples `[tileHeight, tileWidth, bands]` and validity `[tileHeight, tileWidth]` into a block, as its
   * `index`-th entry.
   *
   * @throws what {@link Raster.read} throws.
   */
  async read(row: number, column: number, pixels: Float32Array, mask: Uint8Array, index: number): Promise<void> {
    const { view, plan } = this.#options;
    const rows = mirrored(view.row + plan.rows[row]! - plan.margin, this.#tileHeight, this.#raster.height);
    const columns = mirrored(view.col + plan.columns[column]! - plan.margin, this.#tileWidth, this.#raster.width);
    const [top, bottom] = range(rows);
    const [left, right] = range(columns);
    const cells = await this.#cache.cover(left, top, right - left, bottom - top);
    const size = this.#tileWidth * this.#tileHeight;
    for (let y = 0; y < this.#tileHeight; y++) {
      const line = cells.filter((cell) => cell.row <= rows[y]! && rows[y]! < cell.row + cell.pixels.height);
      const start = index * size + y * this.#tileWidth;
      this.#readLine(line, rows[y]!, columns, pixels, mask, start);
    }
  }

  #readLine(line: readonly Cell[], row: number, columns: Int32Array, pixels: Float32Array, mask: Uint8Array, start: number): void {
    let x = 0;
    while (x < columns.length) {
      const cell = line.find(({ col, pixels: { width } }) => col <= columns[x]! && columns[x]! < col + width)!;
      let end = x + 1;
      while (end < columns.length && cell.col <= columns[end]! && columns[end]! < cell.col + cell.pixels.width) end++;
      this.#readRun(cell, row, columns, x, end, pixels, mask, start);
      x = end;
    }
  }

  #readRun(
    cell: Cell,
    row: number,
    columns: Int32Array,
    from: number,
    to: number,
    pixels: Float32Array,
    mask: Uint8Array,
    start: number,
  ): void {
    const { data, mask: valid, width, height, bands } = cell.pixels;
    const offset = (row - cell.row) * width - cell.col;
    for (let band = 0; band < bands; band++) {
      copySamples(data, band * width * height + offset, columns, from, to, pixels, (start + from) * bands + band, bands);
    }
    if (valid === null) mask.fill(1, start + from, start + to);
    else for (let x = from; x < to; x++) mask[start + x] = valid[offset + columns[x]!]!;
    this.#fillMissing(data, valid !== null, from, to, pixels, mask, start);
  }

  #fillMissing(data: Samples, masked: boolean, from: number, to: number, pixels: Float32Array, mask: Uint8Array, start: number): void {
    const { fill, dropNodata } = this.#options;
    const bands = fill.length;
    const real = data instanceof Float32Array || data instanceof Float64Array;
    const nodata = this.#raster.nodata;
    const drops = nodata !== null && dropNodata.includes(true);
    if (!masked && !real && !drops) return;
    for (let x = from; x < to; x++) {
      const missing = mask[start + x] === 0;
      for (let band = 0, i = (start + x) * bands; band < bands; band++, i++) {
        const value = pixels[i]!;
        const unusable = missing || !Number.isFinite(value) || (drops && dropNodata[band]! && value === Math.fround(nodata));
        if (unusable) pixels[i] = fill[band]!;
      }
    }
  }
}

function copySamples(
  data: Samples,
  offset: number,
  columns: Int32Array,
  from: number,
  to: number,
  pixels: Float32Array,
  start: number,
  step: number,
): void {
  const first = columns[from]!;
  if (columns[to - 1]! - first === to - 1 - from) {
    const end = offset + first + to - from;
    for (let s = offset + first, i = start; s < end; s++, i += step) pixels[i] = data[s]!;
    return;
  }
  for (let x = from, i = start; x < to; x++, i += step) pixels[i] = data[offset + columns[x]!]!;
}

/** Positions `start`... inside [0, length), mirrored at both ends without repeating the end. */
function mirrored(start: number, count: number, length: number): Int32Array {
  const period = Math.max(1, 2 * (length - 1));
  const positions = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const position = (((start + i) % period) + period) % period;
    positions[i] = position < length ? position : period - position;
  }
  return positions;
}

function range(positions: Int32Array): [from: number, to: number] {
  let from = Infinity;
  let to = 0;
  for (const position of positions) {
    if (position < from) from = position;
    if (position >= to) to = position + 1;
  }
  return [from, to];
}
