import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { openRaster } from "./open-raster.ts";
import { difference, type PeerArray, Peers, withPeers } from "./peers.testing.ts";
import type { Resampling } from "./raster.ts";

const transform = [10, 0, 465000, 0, -10, 5080000];
const base = { do: "make", width: 700, height: 500, transform, crs: "EPSG:32633" } as const;
const tiled = { tiled: true, blockxsize: 128, blockysize: 128, compress: "deflate" };

describe.skipIf(!withPeers)("reads like rasterio", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());

  describe("windows", () => {
    const windows = [
      [0, 0, 700, 500],
      [5, 7, 1, 1],
      [127, 127, 2, 2],
      [100, 60, 300, 333],
      [699, 0, 1, 500],
    ];
    const kinds = [
      { name: "tiled.tif", bands: 3, dtype: "uint8", options: { ...tiled, interleave: "pixel" } },
      { name: "striped.tif", bands: 2, dtype: "int16", options: { compress: "lzw", predictor: 2 } },
      { name: "planes.tif", bands: 4, dtype: "uint16", options: { ...tiled, interleave: "band" } },
      { name: "float.tif", bands: 2, dtype: "float32", options: { ...tiled, predictor: 3 } },
      { name: "zstd.tif", bands: 3, dtype: "uint8", options: { ...tiled, compress: "zstd", predictor: 2 } },
      { name: "lerc.tif", bands: 3, dtype: "float32", options: { ...tiled, compress: "lerc_zstd" } },
      { name: "fax.tif", bands: 1, dtype: "uint8", kind: "bits", options: { compress: "ccittfax4", nbits: 1, blockysize: 64 } },
      { name: "fax-noise.tif", bands: 1, dtype: "uint8", kind: "bit noise", options: { compress: "ccittfax4", nbits: 1 } },
      { name: "lerc8.tif", bands: 3, dtype: "uint8", options: { ...tiled, compress: "lerc", interleave: "pixel" } },
    ];
    test.each(kinds)("$name", async ({ name, ...options }) => {
      const path = peers.path(name);
      const wanted = [[0], Array.from({ length: options.bands }, (_, i) => options.bands - 1 - i)];
      const cases = windows.flatMap((window) => wanted.map((bands) => ({ window, bands })));
      const expected = peers.run([
        { ...base, kind: "noise", ...options, path },
        ...cases.map(({ window, bands }) => ({ do: "read", path, window, bands: bands.map((band) => band + 1) }) as const),
      ]);
      const raster = await openRaster(path);
      for (const [i, { window, bands }] of cases.entries()) {
        const [col, row, width, height] = window as [number, number, number, number];
        const { data, mask } = await raster.read({ col, row, width, height }, { bands });
        expect(difference(data, expected[i]!.data)).toEqual({ most: 0, share: 0 });
        expect(mask).toBeNull();
      }
      await raster.close();
    });
  });

  describe("masks", () => {
    const hole = [40, 50, 90, 80];
    const kinds = [
      { name: "nodata.tif", bands: 3, dtype: "int16", nodata: -9999, hole },
      { name: "nan.tif", bands: 1, dtype: "float32", nodata: "nan", hole },
      { name: "mask.tif", bands: 3, dtype: "uint8", mask: hole },
      { name: "float-nodata.tif", bands: 2, dtype: "float32", nodata: -3.4e38, hole },
    ];
    test.each(kinds)("$name", async ({ name, ...options }) => {
      const path = peers.path(name);
      const [expected] = peers.run([
        { ...base, ...options, path, kind: "smooth", options: tiled },
        { do: "read", path },
      ]);
      const raster = await openRaster(path);
      const { mask } = await raster.read();
      expect(difference(mask!, expected!.mask)).toEqual({ most: 0, share: 0 });
      const outside = await raster.read({ col: -3, row: -2, width: 5, height: 4 });
      expect([...outside.mask!]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1]);
      expect(outside.data[0]).toEqual(raster.nodata ?? 0);
      await raster.close();
    });
  });

  describe("resampling", () => {
    let path: string;
    let expected: Map<string, PeerArray>;
    const cases: { kind: string; resampling: Resampling; shape: readonly [number, number]; tolerance: number; share: number }[] = [
      { kind: "noise", resampling: "nearest", shape: [250, 350], tolerance: 0, share: 0 },
      { kind: "noise", resampling: "nearest", shape: [123, 211], tolerance: 255, share: 0.001 },
      { kind: "noise", resampling: "nearest", shape: [1000, 1400], tolerance: 0, share: 0 },
      { kind: "smooth", resampling: "average", shape: [250, 350], tolerance: 1, share: 0.01 },
      { kind: "smooth", resampling: "average", shape: [100, 175], tolerance: 1, share: 0.01 },
      { kind: "smooth", resampling: "bilinear", shape: [250, 350], tolerance: 1, share: 0.05 },
      { kind: "smooth", resampling: "bilinear", shape: [1000, 1400], tolerance: 1, share: 0.05 },
      { kind: "smooth", resampling: "cubic", shape: [1000, 1400], tolerance: 1, share: 0.05 },
      { kind: "smooth", resampling: "cubic", shape: [250, 350], tolerance: 1, share: 0.05 },
      { kind: "classes", resampling: "mode", shape: [100, 140], tolerance: 7, share: 0.01 },
    ];
    const key = (kind: string, resampling: string, shape: readonly number[]): string => `${kind} ${resampling} ${shape.join("x")}`;
    beforeAll(() => {
      path = peers.path("resample-");
      const made = ["noise", "smooth", "classes"].map((kind) => ({ ...base, path: `${path}${kind}.tif`, kind, options: tiled }));
      const reads = cases.map(({ kind, resampling, shape }) => ({ do: "read", path: `${path}${kind}.tif`, shape, resampling }) as const);
      const answers = peers.run([...made, ...reads]);
      expected = new Map(cases.map(({ kind, resampling, shape }, i) => [key(kind, resampling, shape), answers[i]!]));
    });
    test.each(cases)("$kind $resampling $shape", async ({ kind, resampling, shape, tolerance, share }) => {
      const raster = await openRaster(`${path}${kind}.tif`);
      const [height, width] = shape;
      const { data } = await raster.read(undefined, { width, height, resampling });
      const found = difference(data, expected.get(key(kind, resampling, shape))!.data);
      expect(found.most).toBeLessThanOrEqual(tolerance);
      expect(found.share).toBeLessThanOrEqual(share);
      await raster.close();
    });
  });

  test.each([false, true])("overviews (external: %s) serve reduced reads", async (external) => {
    const path = peers.path(`overviews-${external}.tif`);
    const [expected] = peers.run([
      { ...base, path, kind: "noise", bands: 3, options: tiled, overviews: [2, 4], overview_resampling: "average", external },
      { do: "read", path, shape: [125, 175], resampling: "nearest" },
    ]);
    const raster = await openRaster(path);
    expect(raster.overviews).toEqual([
      { width: 350, height: 250 },
      { width: 175, height: 125 },
    ]);
    const { data, transform: place } = await raster.read(undefined, { width: 175, height: 125 });
    expect(difference(data, expected!.data)).toEqual({ most: 0, share: 0 });
    expect(place).toEqual([40, 0, 465000, 0, -40, 5080000]);
    await raster.close();
  });
});
