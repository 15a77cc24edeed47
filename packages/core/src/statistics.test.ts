import { afterAll, describe, expect, test } from "vitest";

import { openRaster } from "./raster/open-raster.ts";
import { Peers, withPeers } from "./raster/peers.testing.ts";
import type { Raster, Samples } from "./raster/raster.ts";
import { collectStatistics, rasterStatistics } from "./statistics.ts";
import type { Window } from "./window.ts";

/** Plain two-pass statistics, around a value near all others so that the sums themselves stay exact. */
function twoPass(values: readonly number[], near = 0): { mean: number; std: number } {
  const mean = near + values.reduce((sum, value) => sum + (value - near), 0) / values.length;
  return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0)) };
}

test("large offsets and uneven pieces cost no accuracy", () => {
  const values = Array.from({ length: 100_003 }, (_, i) => 1e9 + ((i * 7919) % 1000) / 8);
  const expected = twoPass(values, 1e9);
  for (const piece of [1, 17, 4096, 100_003]) {
    const collector = collectStatistics();
    for (let i = 0; i < values.length; i += piece) collector.add(Float64Array.from(values.slice(i, i + piece)));
    const { min, max, mean, std, count } = collector.result();
    expect([min, max, count]).toEqual([1e9, 1e9 + 999 / 8, values.length]);
    expect(Math.abs(mean - expected.mean)).toBeLessThan(1e-6);
    expect(Math.abs(std / expected.std - 1)).toBeLessThan(1e-9);
  }
});

test("a constant image has no spread, whatever its size", () => {
  const collector = collectStatistics();
  const piece = new Float32Array(2 ** 20).fill(200.7);
  for (let i = 0; i < 4; i++) collector.add(piece);
  expect(collector.result()).toEqual({ min: piece[0], max: piece[0], mean: piece[0], std: 0, count: 2 ** 22 });
});

test("a sample of a raster wider than any list of its windows", async () => {
  const [width, height] = [2 ** 31 - 1, 2 ** 31 - 1];
  const windows: Window[] = [];
  const raster = {
    ...{ width, height, blockWidth: 256, blockHeight: 256, bands: 1, alphaBand: null, nodata: null },
    read: (window: Window) => {
      windows.push(window);
      return Promise.resolve({ data: Uint8Array.of(7), mask: null });
    },
  } as unknown as Raster;
  expect(await rasterStatistics(raster, { sample: 16e6 })).toMatchObject([{ min: 7, max: 7 }]);
  expect(windows.length).toBeGreaterThan(10);
  expect(windows.length).toBeLessThan(20);
  for (const { col, row, width: w, height: h } of windows) {
    expect([col % 2048, row % 512, col + w <= width, row + h <= height]).toEqual([0, 0, true, true]);
  }
  expect(windows.at(-1)!.row - windows[0]!.row).toBeGreaterThan(0.8 * height);
});

test("only valid, finite samples count; none gives NaN", () => {
  const collector = collectStatistics();
  collector.add(Float32Array.of(1, NaN, 3, Infinity, -9999, 50), Uint8Array.of(1, 1, 1, 1, 1, 0), -9999);
  expect(collector.result()).toEqual({ min: 1, max: 3, mean: 2, std: 1, count: 2 });
  const nothing = collectStatistics();
  nothing.add(new Uint8Array(3) as Samples, new Uint8Array(3));
  expect(nothing.result()).toEqual({ min: NaN, max: NaN, mean: NaN, std: NaN, count: 0 });
});

describe.skipIf(!withPeers)("of rasters", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());

  test("block by block equal to the whole array; a sample comes close", async () => {
    const path = peers.path("a.tif");
    const [array] = peers.run([
      {
        do: "make",
        path,
        width: 900,
        height: 700,
        bands: 3,
        dtype: "int16",
        nodata: -1,
        kind: "noise",
        hole: [100, 100, 200, 300],
        options: { tiled: true, blockxsize: 64, blockysize: 64 },
      },
      { do: "read", path },
    ]);
    const raster = await openRaster(path);
    const found = await rasterStatistics(raster);
    const sampled = await rasterStatistics(raster, { sample: 100_000 });
    found.forEach((band, i) => {
      const values = [...array!.data.subarray(i * 630_000, (i + 1) * 630_000)].filter((value) => value !== -1);
      const expected = twoPass(values);
      expect([band.count, band.min, band.max]).toEqual([
        values.length,
        Math.min(...values.slice(0, 1e5)),
        Math.max(...values.slice(0, 1e5)),
      ]);
      expect(Math.abs(band.mean - expected.mean)).toBeLessThan(1e-9);
      expect(Math.abs(band.std - expected.std)).toBeLessThan(1e-9);
      expect(Math.abs(sampled[i]!.mean - expected.mean)).toBeLessThan(1);
    });
    await raster.close();
  });
});
