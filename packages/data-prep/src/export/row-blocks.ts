/** Strips of a panel, read once from top to bottom: pixels, labels and validity in memory that workers share. */

import { type Raster, type RasterArray, type Samples, windowTransform } from "@geolearn/core";

import { IGNORE_VALUE, toShared } from "../chips/chip.ts";
import type { LabelGrid, LabelLayer } from "./label-layer.ts";

/** Consecutive rows of a panel, or one turned chip. */
export interface RowBlock {
  /** First row, from the raster's top. */
  readonly row: number;
  readonly rows: number;
  readonly width: number;
  /** Samples band after band. */
  readonly image: Samples;
  /** Class values, {@link IGNORE_VALUE} outside the mask and where the image has no data. */
  readonly labels: Uint16Array;
  /** 1 = the image is valid; null when all of it is. */
  readonly valid: Uint8Array | null;
}

/** What blocks are made from. */
export interface BlockSource {
  readonly raster: Raster;
  readonly bands: readonly number[];
  readonly labels: LabelLayer;
  /** 1 inside surveyed land, null when nothing of the grid is. Absent when all land counts. */
  readonly inside: ((grid: LabelGrid) => Uint8Array | null) | null;
}

/** Reads the blocks a row of chips needs; rows are asked for from top to bottom. */
export class RowReader {
  readonly #source: BlockSource;
  readonly #col: number;
  readonly #width: number;
  readonly #blockRows: number;
  #held: RowBlock[] = [];
  #next: number;

  /** @param firstRow first row that will be asked for */
  constructor(source: BlockSource, col: number, width: number, firstRow: number) {
    this.#source = source;
    this.#col = col;
    this.#width = width;
    this.#blockRows = blockRows(source.raster.blockHeight);
    this.#next = Math.floor(firstRow / this.#blockRows) * this.#blockRows;
  }

  /** Blocks that hold rows `row` up to `row + rows`; blocks above are let go. */
  async blocks(row: number, rows: number, signal?: AbortSignal): Promise<readonly RowBlock[]> {
    this.#held = this.#held.filter((block) => block.row + block.rows > row);
    const end = row + rows;
    while (this.#next < end) {
      const start = this.#next;
      // a chip may hang over the lower border; the raster then gives missing pixels
      const limit = Math.max(this.#source.raster.height, end);
      const count = Math.min(this.#blockRows, limit - start);
      this.#held.push(await readBlock(this.#source, { col: this.#col, row: start, width: this.#width, height: count }, signal));
      this.#next = start + count;
    }
    return [...this.#held];
  }
}

/** Rows read at once: whole storage blocks, about 128 rows at least and 1024 at most. */
function blockRows(blockHeight: number): number {
  if (blockHeight > 1024) return 1024;
  return blockHeight * Math.max(1, Math.ceil(128 / blockHeight));
}

/** One window of a source with its labels. */
export async function readBlock(
  source: BlockSource,
  window: { readonly col: number; readonly row: number; readonly width: number; readonly height: number },
  signal?: AbortSignal,
): Promise<RowBlock> {
  const { raster, bands } = source;
  const pixels = await raster.read(window, { bands, ...(signal === undefined ? {} : { signal }) });
  const grid = {
    transform: windowTransform(raster.transform ?? [1, 0, 0, 0, 1, 0], window.col, window.row),
    width: window.width,
    height: window.height,
  };
  return toBlock(source, pixels, grid, window.row, signal);
}

/** Pixels with the labels of their grid as a block. */
export async function toBlock(
  source: BlockSource,
  pixels: RasterArray,
  grid: LabelGrid,
  row: number,
  signal?: AbortSignal,
): Promise<RowBlock> {
  const labels = await source.labels.burn(grid, signal);
  const shared = new Uint16Array(new SharedArrayBuffer(labels.byteLength));
  shared.set(labels);
  applyIgnore(shared, pixels.mask, source.inside === null ? undefined : source.inside(grid));
  return {
    row,
    rows: grid.height,
    width: grid.width,
    image: toShared(source.raster.sampleType, pixels.data),
    labels: shared,
    valid: pixels.mask === null ? null : (toShared("uint8", pixels.mask) as Uint8Array),
  };
}

/** Marks pixels without image data and outside the mask. `inside` undefined: all land counts; null: none does. */
export function applyIgnore(labels: Uint16Array, valid: Uint8Array | null, inside: Uint8Array | null | undefined): void {
  if (inside === null) {
    labels.fill(IGNORE_VALUE);
    return;
  }
  if (valid === null && inside === undefined) return;
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  for (let i = 0; i < labels.length; i++) {
    if ((valid !== null && valid[i] === 0) || (inside !== undefined && inside[i] === 0)) labels[i] = ignore;
  }
}
