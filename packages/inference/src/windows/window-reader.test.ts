import type { Window } from "@geolearn/core";
import { describe, expect, test } from "vitest";

import { memoryRaster } from "../testing/rasters.ts";
import { CellCache } from "./cell-cache.ts";
import { planWindows } from "./window-plan.ts";
import { WindowReader } from "./window-reader.ts";

const value = (band: number, row: number, col: number): number => (row * 31 + col * 7 + band * 101) & 255;

function reader(
  width: number,
  height: number,
  tile: number,
  options: { margin?: number; budget?: number; onRead?: (window: Window) => void; view?: Window } = {},
) {
  const raster = memoryRaster({ width, height, bands: 2, value, ...(options.onRead === undefined ? {} : { onRead: options.onRead }) });
  const view = options.view ?? { col: 0, row: 0, width, height };
  const plan = planWindows({
    width: view.width,
    height: view.height,
    tileWidth: tile,
    tileHeight: tile,
    overlap: 0,
    margin: options.margin ?? 0,
  });
  return new WindowReader(raster, {
    view,
    plan,
    bands: [1, 0],
    fill: [0, 0],
    dropNodata: [false, false],
    ...(options.budget === undefined ? {} : { budget: options.budget }),
  });
}

describe("windows", () => {
  test("beyond the raster it is mirrored as numpy.pad(mode='reflect') does, also when it is smaller than a window", async () => {
    // numpy.pad(numpy.arange(3), (0, 7), mode="reflect")
    const reflected = [0, 1, 2, 1, 0, 1, 2, 1, 0, 1];
    const pixels = new Float32Array(2 * 100);
    const mask = new Uint8Array(100);
    await reader(3, 1, 10).read(0, 0, pixels, mask, 0);
    for (let row = 0; row < 10; row++) {
      for (let col = 0; col < 10; col++) {
        expect(pixels[2 * (row * 10 + col)]).toBe(value(1, 0, reflected[col]!));
        expect(pixels[2 * (row * 10 + col) + 1]).toBe(value(0, 0, reflected[col]!));
      }
    }
    expect(mask.every((valid) => valid === 1)).toBe(true);
  });

  test("a view has its surroundings in the margin", async () => {
    const pixels = new Float32Array(2 * 64);
    await reader(50, 50, 8, { margin: 2, view: { col: 20, row: 10, width: 4, height: 4 } }).read(0, 0, pixels, new Uint8Array(64), 0);
    for (let i = 0; i < 64; i++) expect(pixels[2 * i]).toBe(value(1, 8 + Math.floor(i / 8), 18 + (i % 8)));
  });

  test("every cell is read once when a line of cells fits the budget; with less memory pixels stay the same", async () => {
    const reads: Window[] = [];
    const plenty = reader(300, 700, 32, { onRead: (window) => reads.push(window) });
    const scarce = reader(300, 700, 32, { budget: 30_000 });
    const [a, b] = [new Float32Array(2 * 32 * 32), new Float32Array(2 * 32 * 32)];
    const mask = new Uint8Array(32 * 32);
    for (let row = 0; row < 22; row++) {
      plenty.prefetchRow(row + 1);
      scarce.prefetchRow(row + 1);
      for (let column = 0; column < 10; column++) {
        await plenty.read(row, column, a, mask, 0);
        await scarce.read(row, column, b, mask, 0);
        expect(b).toEqual(a);
      }
    }
    const pixels = reads.reduce((sum, { width, height }) => sum + width * height, 0);
    expect(pixels).toBe(300 * 700);
    expect(scarce.bytes).toBeLessThan(60_000);
  });
});

describe("cells", () => {
  test("follow the blocks of the raster", () => {
    const tiled = { ...memoryRaster({ width: 10, height: 10, value }), width: 20_000, height: 20_000, blockWidth: 512, blockHeight: 512 };
    const cells = new CellCache(tiled, { bands: [0, 1, 2] });
    expect([cells.cellWidth, cells.cellHeight]).toEqual([20_000, 512]);
    const wide = new CellCache({ ...tiled, width: 1_000_000 }, { bands: [0, 1, 2] });
    expect(wide.cellWidth % 512).toBe(0);
    expect(wide.bytes).toBeLessThanOrEqual(192 * 1024 * 1024);
    const strips = new CellCache({ ...tiled, blockWidth: 20_000, blockHeight: 8 }, { bands: [0, 1, 2] });
    expect(strips.cellHeight % 8).toBe(0);
    expect(strips.cellHeight).toBeGreaterThanOrEqual(256);
  });

  test("a failed read is told to whoever needs the cell", async () => {
    const raster = memoryRaster({ width: 10, height: 10, value, onRead: () => Promise.reject(new Error("damaged")) });
    const cells = new CellCache(raster, { bands: [0] });
    cells.prefetch(0, 0, 10, 10);
    await expect(cells.cover(0, 0, 4, 4)).rejects.toThrow("damaged");
  });
});
