/** Test-time augmentation: the same block seen in the eight positions of a square (flips and quarter turns). */

import type { InferenceFunction, PixelBlock } from "../inference-function.ts";
import type { Merge } from "./accumulator.ts";

/** One position: first swap of rows and columns, then flips. */
export interface View {
  readonly transpose: boolean;
  readonly flipRows: boolean;
  readonly flipColumns: boolean;
}

const FLIPS = [
  { flipRows: false, flipColumns: false },
  { flipRows: false, flipColumns: true },
  { flipRows: true, flipColumns: false },
  { flipRows: true, flipColumns: true },
] as const;

/** The eight positions of a square; the four without quarter turns for other rectangles. */
export function viewsOf(width: number, height: number): readonly View[] {
  const turns = width === height ? [false, true] : [false];
  return turns.flatMap((transpose) => FLIPS.map((flips) => ({ transpose, ...flips })));
}

/** Position in the source, `[row, col]` flattened, of each position of the view. */
function sourceIndex(width: number, height: number, view: View): Int32Array {
  const index = new Int32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const y = view.transpose ? col : row;
      const x = view.transpose ? row : col;
      index[row * width + col] = (view.flipRows ? height - 1 - y : y) * width + (view.flipColumns ? width - 1 - x : x);
    }
  }
  return index;
}

/** Looks at images `[size, height, width, channels]` in a view. */
export function applyView<T extends Float32Array | Uint8Array>(images: T, size: number, height: number, width: number, view: View): T {
  const index = sourceIndex(width, height, view);
  const plane = height * width;
  const channels = images.length / (size * plane);
  const out = images.slice() as T;
  for (let image = 0; image < size; image++) {
    for (let pixel = 0; pixel < plane; pixel++) {
      const to = (image * plane + pixel) * channels;
      const from = (image * plane + index[pixel]!) * channels;
      for (let channel = 0; channel < channels; channel++) out[to + channel] = images[from + channel]!;
    }
  }
  return out;
}

/** Runs a function on all views of a block, turns the results back and merges them in the order of the views. */
export async function processViews(
  fn: InferenceFunction,
  block: PixelBlock,
  margin: number,
  merge: Merge,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const views = viewsOf(block.width, block.height);
  const width = block.width - 2 * margin;
  const height = block.height - 2 * margin;
  let merged: Float32Array | null = null;
  for (const view of views) {
    const pixels = applyView(block.pixels, block.size, block.height, block.width, view);
    const mask = applyView(block.mask, block.size, block.height, block.width, view);
    // The result is used up before the next view is computed, so all may share its room.
    const result = await fn.process({ ...block, pixels, mask }, signal);
    merged ??= new Float32Array(result.length).fill(merge === "mean" ? 0 : merge === "max" ? -Infinity : Infinity);
    mergeBack(merged, result, block.size, height, width, view, merge);
  }
  const total = merged ?? new Float32Array(0);
  if (merge === "mean") for (let i = 0; i < total.length; i++) total[i]! /= views.length;
  return total;
}

function mergeBack(
  merged: Float32Array,
  result: Float32Array,
  size: number,
  height: number,
  width: number,
  view: View,
  merge: Merge,
): void {
  const index = sourceIndex(width, height, view);
  const plane = height * width;
  const bands = result.length / (size * plane);
  const pick = merge === "max" ? Math.max : Math.min;
  for (let image = 0; image < size; image++) {
    for (let pixel = 0; pixel < plane; pixel++) {
      const to = (image * plane + index[pixel]!) * bands;
      const from = (image * plane + pixel) * bands;
      for (let band = 0; band < bands; band++) {
        const score = result[from + band]!;
        merged[to + band] = merge === "mean" ? merged[to + band]! + score : pick(merged[to + band]!, score);
      }
    }
  }
}
