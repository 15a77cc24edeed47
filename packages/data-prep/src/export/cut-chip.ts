/** Cuts one chip out of row blocks. */

import type { Samples } from "@geolearn/core";

import type { RowBlock } from "./row-blocks.ts";

/** A window from the blocks' left edge and the raster's top. */
export interface ChipWindow {
  readonly col: number;
  readonly row: number;
  readonly width: number;
  readonly height: number;
}

/** The pixels of a chip. */
export interface CutChip {
  readonly image: Samples;
  readonly labels: Uint16Array;
  readonly valid: Uint8Array | null;
}

/**
 * Copies the window at (`col` from the blocks' left edge, `row` from the raster's top) out of consecutive blocks.
 */
export function cutChip(blocks: readonly RowBlock[], window: ChipWindow, bands: number): CutChip {
  const { col, row, width, height } = window;
  const first = blocks[0]!;
  const Constructor = first.image.constructor as new (length: number) => Samples;
  const image = new Constructor(bands * width * height);
  const labels = new Uint16Array(width * height);
  const valid = validPixels(blocks, window);
  for (const block of blocks) {
    const from = Math.max(row, block.row);
    const to = Math.min(row + height, block.row + block.rows);
    for (let y = from; y < to; y++) {
      const source = (y - block.row) * block.width + col;
      const target = (y - row) * width;
      labels.set(block.labels.subarray(source, source + width), target);
      for (let band = 0; band < bands; band++) {
        const plane = band * block.rows * block.width;
        image.set(block.image.subarray(plane + source, plane + source + width), band * width * height + target);
      }
    }
  }
  return { image, labels, valid };
}

/** Whether all ground of a window counts (`"whole"`), some lies outside the mask, or no pixel of the image is valid (`"missing"`). */
export function groundContent(blocks: readonly RowBlock[], window: ChipWindow, ignore: number): "whole" | "outside" | "missing" {
  const { col, row, width, height } = window;
  let image = false;
  let outside = false;
  for (const block of blocks) {
    const to = Math.min(row + height, block.row + block.rows);
    for (let y = Math.max(row, block.row); y < to; y++) {
      const start = (y - block.row) * block.width + col;
      for (let i = start; i < start + width; i++) {
        if (block.valid !== null && block.valid[i] === 0) continue;
        image = true;
        outside ||= block.labels[i] === ignore;
      }
    }
  }
  if (!image) return "missing";
  return outside ? "outside" : "whole";
}

/** 1 where the image of a window is valid; null when all of it is. */
export function validPixels(blocks: readonly RowBlock[], { col, row, width, height }: ChipWindow): Uint8Array | null {
  if (blocks.every((block) => block.valid === null)) return null;
  const valid = new Uint8Array(width * height).fill(1);
  for (const block of blocks) {
    if (block.valid === null) continue;
    const to = Math.min(row + height, block.row + block.rows);
    for (let y = Math.max(row, block.row); y < to; y++) {
      const source = (y - block.row) * block.width + col;
      valid.set(block.valid.subarray(source, source + width), (y - row) * width);
    }
  }
  return valid.includes(0) ? valid : null;
}

/** What the labels of a window hold; looks no further than it must. `"missing"`: nothing, because no pixel of the image is valid. */
export function labelContent(
  blocks: readonly RowBlock[],
  window: ChipWindow,
  ignore: number,
): "labelled" | "background" | "ignored" | "missing" {
  const { col, row, width, height } = window;
  let background = false;
  let image = false;
  for (const block of blocks) {
    const to = Math.min(row + height, block.row + block.rows);
    for (let y = Math.max(row, block.row); y < to; y++) {
      const start = (y - block.row) * block.width + col;
      for (let i = start; i < start + width; i++) {
        const value = block.labels[i]!;
        if (value === ignore) {
          image ||= block.valid === null || block.valid[i] === 1;
          continue;
        }
        if (value !== 0) return "labelled";
        background = true;
      }
    }
  }
  if (background) return "background";
  return image ? "ignored" : "missing";
}
