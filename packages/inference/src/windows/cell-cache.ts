/**
 * Reads a raster in large cells that follow its blocks, keeps those that windows still need, and lets reading run ahead of
 * the work. Each cell is decoded once as long as one line of cells fits the budget.
 */

import { type Raster, type RasterArray, sampleBytes } from "@geolearn/core";

/** A cell and where it lies. */
export interface Cell {
  readonly col: number;
  readonly row: number;
  readonly pixels: RasterArray;
}

/** Options of a {@link CellCache}. */
export interface CellCacheOptions {
  /** Bands to read, from 0. */
  readonly bands: readonly number[];
  /** Bytes of decoded samples to keep. @defaultValue 192 MiB */
  readonly budget?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reads cells of a raster; see the file's comment. */
export class CellCache {
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Cells kept at most. */
  readonly capacity: number;
  readonly #raster: Raster;
  readonly #bands: readonly number[];
  readonly #signal: AbortSignal | undefined;
  /** In order of last use, oldest first. */
  readonly #cells = new Map<string, Promise<Cell>>();

  constructor(raster: Raster, options: CellCacheOptions) {
    const budget = options.budget ?? 192 * 1024 * 1024;
    const pixelBytes = options.bands.length * sampleBytes(raster.sampleType) + 1;
    this.#raster = raster;
    this.#bands = options.bands;
    this.#signal = options.signal;
    this.cellHeight = Math.min(raster.height, blockMultiple(raster.blockHeight, 256, 1024));
    // A third of the budget at most, so that the cells in use and the next ones fit.
    const widest = Math.max(1, Math.floor(budget / 3 / (this.cellHeight * pixelBytes)));
    const step = raster.blockWidth > 0 && raster.blockWidth <= widest ? raster.blockWidth : 1;
    this.cellWidth = Math.min(raster.width, Math.max(1, Math.floor(widest / step) * step));
    this.capacity = Math.max(3, Math.floor(budget / (this.cellWidth * this.cellHeight * pixelBytes)));
  }

  /** Bytes of the cells kept at most. */
  get bytes(): number {
    const lines = Math.ceil(this.#raster.height / this.cellHeight) * Math.ceil(this.#raster.width / this.cellWidth);
    const pixelBytes = this.#bands.length * sampleBytes(this.#raster.sampleType) + 1;
    return Math.min(lines, this.capacity) * this.cellWidth * this.cellHeight * pixelBytes;
  }

  /** The cells that hold the part of the raster in rows [row, row + height) and columns [col, col + width), row by row. */
  async cover(col: number, row: number, width: number, height: number): Promise<readonly Cell[]> {
    const cells: Promise<Cell>[] = [];
    for (const [c, r] of this.#positions(col, row, width, height)) cells.push(this.#cell(c, r));
    return Promise.all(cells);
  }

  /** Starts reading without waiting; failures show when the cells are asked for. */
  prefetch(col: number, row: number, width: number, height: number): void {
    const wanted = [...this.#positions(col, row, width, height)].filter(([c, r]) => !this.#cells.has(`${c},${r}`));
    if (this.#cells.size + wanted.length > this.capacity && wanted.length > this.capacity / 2) return;
    for (const [c, r] of wanted) void this.#cell(c, r);
  }

  /** Forgets cells that end above this row. */
  forgetAbove(row: number): void {
    for (const key of this.#cells.keys()) {
      const top = Number(key.slice(key.indexOf(",") + 1));
      if (top + this.cellHeight <= row) this.#cells.delete(key);
    }
  }

  *#positions(col: number, row: number, width: number, height: number): Generator<readonly [number, number]> {
    const right = Math.min(col + width, this.#raster.width);
    const bottom = Math.min(row + height, this.#raster.height);
    const left = Math.floor(Math.max(0, col) / this.cellWidth) * this.cellWidth;
    const top = Math.floor(Math.max(0, row) / this.cellHeight) * this.cellHeight;
    for (let r = top; r < bottom; r += this.cellHeight) {
      for (let c = left; c < right; c += this.cellWidth) yield [c, r];
    }
  }

  #cell(col: number, row: number): Promise<Cell> {
    const key = `${col},${row}`;
    const known = this.#cells.get(key);
    this.#cells.delete(key);
    const cell = known ?? this.#read(col, row);
    this.#cells.set(key, cell);
    while (this.#cells.size > this.capacity) this.#cells.delete(this.#cells.keys().next().value!);
    return cell;
  }

  #read(col: number, row: number): Promise<Cell> {
    const width = Math.min(this.cellWidth, this.#raster.width - col);
    const height = Math.min(this.cellHeight, this.#raster.height - row);
    const reading = this.#raster
      .read({ col, row, width, height }, { bands: this.#bands, ...(this.#signal === undefined ? {} : { signal: this.#signal }) })
      .then((pixels) => ({ col, row, pixels }));
    reading.catch(() => {}); // whoever asks for the cell gets the error
    return reading;
  }
}

/** The multiple of a block's side that is at least `wanted`; `wanted` itself when blocks are larger than `limit`. */
function blockMultiple(block: number, wanted: number, limit: number): number {
  if (block <= 0 || block > limit) return wanted;
  return Math.ceil(wanted / block) * block;
}
