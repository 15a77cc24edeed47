/** Windows of a scene, read ahead and put into blocks. */

import { sharedMemory } from "#platform";

import type { PixelBlock } from "../inference-function.ts";
import type { WindowPlan } from "../windows/window-plan.ts";
import type { WindowReader } from "../windows/window-reader.ts";
import type { RangeWatch } from "./range-watch.ts";
import type { RegionMask } from "./region-mask.ts";

/** What is known about the rows of the scene under one row of windows. */
export interface SceneRows {
  /** 1 = the result is wanted and the pixel is valid, `[coreHeight][width]` from the first row of the windows. */
  readonly valid: Uint8Array;
  /** Flags where the scene leaves the training range, the same shape; null when not asked for. */
  readonly flags: Uint8Array | null;
}

/** One window of a batch. */
export interface BatchEntry {
  readonly row: number;
  readonly column: number;
  /** Position in the block, or -1 for a window without any wanted pixel, which is not computed. */
  readonly slot: number;
  readonly rows: SceneRows;
}

/** Windows in the order of the plan, and the block of those that are computed. */
export interface Batch {
  readonly entries: readonly BatchEntry[];
  readonly block: PixelBlock;
  /** Gives the memory of the block back; nothing of it may be used afterwards. */
  readonly recycle: () => void;
}

/** What {@link readBatches} needs. */
export interface BatchSource {
  readonly plan: WindowPlan;
  readonly reader: WindowReader;
  readonly bands: number;
  /** Bands of the result, which blocks get memory for; 0 for results that are no pixels. */
  readonly outputBands: number;
  readonly batchSize: number;
  readonly firstRow: number;
  readonly region: RegionMask | null;
  readonly watch: RangeWatch | null;
  readonly flags: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Reads all windows from `firstRow` on. A batch ends when its block is full; windows that are left out ride along. */
export async function* readBatches(source: BatchSource): AsyncGenerator<Batch, void, undefined> {
  const { plan, reader, batchSize, signal } = source;
  const size = (plan.coreWidth + 2 * plan.margin) * (plan.coreHeight + 2 * plan.margin);
  const memory = new BlockMemory(source);
  let entries: BatchEntry[] = [];
  let { pixels, mask, out } = memory.take();
  let filled = 0;
  const take = (): Batch => {
    const batch = memory.batch(entries, { pixels, mask, out }, filled);
    entries = [];
    filled = 0;
    return batch;
  };
  for (let row = source.firstRow; row < plan.rows.length; row++) {
    reader.prefetchRow(row);
    const rows = createRows(source, row);
    for (let column = 0; column < plan.columns.length; column++) {
      signal?.throwIfAborted();
      await reader.read(row, column, pixels, mask, filled);
      // The next row is read while this one is computed; its first window must not have to wait for it.
      if (column === 0) reader.prefetchRow(row + 1);
      const wanted = noteWindow(source, rows, row, column, pixels, mask, filled * size);
      entries.push({ row, column, slot: wanted ? filled++ : -1, rows });
      if (filled < batchSize) continue;
      yield take();
      ({ pixels, mask, out } = memory.take());
    }
  }
  if (entries.length > 0) yield take();
}

interface BlockArrays {
  readonly pixels: Float32Array;
  readonly mask: Uint8Array;
  readonly out: Float32Array;
}

/** Blocks that are used again and again; shared memory, so that passing one to a thread copies nothing. */
class BlockMemory {
  readonly #free: BlockArrays[] = [];
  readonly #source: BatchSource;

  constructor(source: BatchSource) {
    this.#source = source;
  }

  take(): BlockArrays {
    const { plan, bands, outputBands, batchSize } = this.#source;
    const pixels = batchSize * (plan.coreWidth + 2 * plan.margin) * (plan.coreHeight + 2 * plan.margin);
    const floats = (count: number): Float32Array => new Float32Array(sharedMemory(4 * count));
    return (
      this.#free.pop() ?? {
        pixels: floats(pixels * bands),
        mask: new Uint8Array(sharedMemory(pixels)),
        out: floats(batchSize * plan.coreWidth * plan.coreHeight * outputBands),
      }
    );
  }

  batch(entries: readonly BatchEntry[], arrays: BlockArrays, size: number): Batch {
    const { plan, bands, outputBands, batchSize } = this.#source;
    const { pixels, mask, out } = arrays;
    const part = <T extends Float32Array | Uint8Array>(array: T): T => array.subarray(0, (array.length / batchSize) * size) as T;
    const [width, height] = [plan.coreWidth + 2 * plan.margin, plan.coreHeight + 2 * plan.margin];
    const block = { pixels: part(pixels), mask: part(mask), size, height, width, bands, ...(outputBands > 0 && { out: part(out) }) };
    return { entries, block, recycle: () => void this.#free.push(arrays) };
  }
}

function createRows({ plan, region, flags }: BatchSource, row: number): SceneRows {
  const valid = new Uint8Array(plan.coreHeight * plan.width).fill(1);
  const rows = Math.min(plan.coreHeight, plan.height - plan.rows[row]!);
  region?.apply(valid, plan.rows[row]!, rows);
  return { valid, flags: flags ? new Uint8Array(valid.length) : null };
}

/** Notes what a window tells about the rows. @returns whether any pixel of it is wanted */
function noteWindow(
  { plan, watch }: BatchSource,
  rows: SceneRows,
  row: number,
  column: number,
  pixels: Float32Array,
  mask: Uint8Array,
  start: number,
): boolean {
  const { coreWidth, coreHeight, margin, width, height } = plan;
  const tileWidth = coreWidth + 2 * margin;
  const far = watch?.look(pixels, mask, start, tileWidth * (coreHeight + 2 * margin)) ?? 0;
  const cols = Math.min(coreWidth, width - plan.columns[column]!);
  const lines = Math.min(coreHeight, height - plan.rows[row]!);
  let wanted = false;
  for (let y = 0; y < lines; y++) {
    const from = start + (y + margin) * tileWidth + margin;
    const to = y * width + plan.columns[column]!;
    for (let x = 0; x < cols; x++) {
      if (mask[from + x] === 0) rows.valid[to + x] = 0;
      if (rows.valid[to + x] === 0) continue;
      wanted = true;
      if (rows.flags !== null) rows.flags[to + x] = far | watch!.pixelFlag(pixels, from + x);
    }
  }
  return wanted;
}
