/** Windows at random: evenly over the ground, or around pixels of every class equally often. */

import { blockWindows, GeoLearnError, type Rng, type Window, windowTransform } from "@geolearn/core";

import type { InputPart } from "../export/inputs.ts";
import { applyIgnore } from "../export/row-blocks.ts";
import { IGNORE_VALUE } from "./chip.ts";

/** A window of one part. */
export interface PartWindow {
  readonly part: number;
  readonly col: number;
  readonly row: number;
}

/** How windows are drawn. */
export interface DrawOptions {
  readonly width: number;
  readonly height: number;
  readonly count: number;
  readonly balanced: boolean;
  readonly rng: Rng;
  readonly signal: AbortSignal | undefined;
}

/** Side of the squares in which labels are counted. */
const CELL = 512;

/** Labelled pixels of one square. */
interface Cell {
  readonly part: number;
  readonly window: Window;
  /** Pixels per class value; ignored pixels are not counted. */
  readonly pixels: ReadonlyMap<number, number>;
}

/**
 * Draws windows whose middle is a pixel with a known label (0 is one). Balanced: the class is drawn first, then one of its
 * pixels, and the window lies anywhere around it.
 *
 * @throws ALL_NODATA when no pixel with image data can be learnt from; LABELS_EMPTY when none has a label
 */
export async function drawWindows(parts: readonly InputPart[], options: DrawOptions): Promise<PartWindow[]> {
  const cells = await countCells(parts, options.signal);
  if (cells.length === 0) {
    throw new GeoLearnError(
      "ALL_NODATA",
      `Every pixel of ${parts.map(({ raster }) => raster.name).join(", ")} is nodata, not finite, or outside the mask.`,
      { hint: "`geolearn info` on the raster tells its nodata value and statistics." },
    );
  }
  const classes = [...new Set(cells.flatMap(({ pixels }) => [...pixels.keys()]))].sort((a, b) => a - b);
  if (!classes.some((value) => value > 0)) {
    throw new GeoLearnError("LABELS_EMPTY", `No labelled pixel lies on ${parts[0]!.raster.name}.`, {
      hint: "Check that the labels lie on the raster: `geolearn check --raster ... --labels ...`.",
    });
  }
  const { rng, count, balanced } = options;
  // all draws first, grouped by square: each square is burnt once
  const wanted = new Map<
    Cell,
    { readonly slot: number; readonly value: number | null; readonly rank: number; readonly u: number; readonly v: number }[]
  >();
  for (let slot = 0; slot < count; slot++) {
    const value = balanced ? classes[rng.int(classes.length)]! : null;
    const weight = ({ pixels }: Cell): number => (value === null ? sum(pixels.values()) : (pixels.get(value) ?? 0));
    const total = cells.reduce((n, cell) => n + weight(cell), 0);
    let rank = Math.floor(rng.next() * total);
    const cell = cells.find((candidate) => {
      if (rank < weight(candidate)) return true;
      rank -= weight(candidate);
      return false;
    })!;
    const draw = { slot, value, rank, u: rng.next(), v: rng.next() };
    const own = wanted.get(cell);
    if (own === undefined) wanted.set(cell, [draw]);
    else own.push(draw);
  }

  const windows: PartWindow[] = [];
  for (const [cell, draws] of wanted) {
    const labels = await labelsOf(parts[cell.part]!, cell.window, options.signal);
    for (const { slot, value, rank, u, v } of draws) {
      const at = nthPixel(labels, value, rank);
      const col = cell.window.col + (at % cell.window.width);
      const row = cell.window.row + Math.floor(at / cell.window.width);
      windows[slot] = around(parts[cell.part]!, cell.part, col, row, balanced ? [u, v] : [0.5, 0.5], options);
    }
  }
  return windows;
}

async function countCells(parts: readonly InputPart[], signal: AbortSignal | undefined): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const [part, input] of parts.entries()) {
    for (const window of blockWindows(input.raster.width, input.raster.height, CELL)) {
      signal?.throwIfAborted();
      const labels = await labelsOf(input, window, signal);
      const pixels = new Map<number, number>();
      for (const value of labels) if (value !== IGNORE_VALUE) pixels.set(value, (pixels.get(value) ?? 0) + 1);
      if (pixels.size > 0) cells.push({ part, window, pixels });
    }
  }
  return cells;
}

/** Labels of a window with everything ignored that a chip would ignore. */
async function labelsOf(
  { raster, labels, inside, bands }: InputPart,
  window: Window,
  signal: AbortSignal | undefined,
): Promise<Uint16Array> {
  const grid = {
    transform: windowTransform(raster.transform ?? [1, 0, 0, 0, 1, 0], window.col, window.row),
    width: window.width,
    height: window.height,
  };
  const values = (await labels.burn(grid, signal)).slice();
  const { mask } = await raster.read(window, { bands, ...(signal === undefined ? {} : { signal }) });
  applyIgnore(values, mask, inside === null ? undefined : inside(grid));
  return values;
}

/** Position of the `rank`-th pixel with a label, or with this label. */
function nthPixel(labels: Uint16Array, value: number | null, rank: number): number {
  let left = rank;
  for (let i = 0; i < labels.length; i++) {
    const own = labels[i]!;
    if (own === IGNORE_VALUE || (value !== null && own !== value)) continue;
    if (left === 0) return i;
    left--;
  }
  return labels.length - 1;
}

/** The window with a pixel at a share of its width and height, moved inside the raster. */
function around(
  { raster }: InputPart,
  part: number,
  col: number,
  row: number,
  [u, v]: readonly [number, number],
  { width, height }: DrawOptions,
): PartWindow {
  const clamp = (at: number, chip: number, length: number): number => Math.max(0, Math.min(at, length - chip));
  return {
    part,
    col: clamp(col - Math.floor(u * width), width, raster.width),
    row: clamp(row - Math.floor(v * height), height, raster.height),
  };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
