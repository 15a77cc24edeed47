import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { openRaster } from "./open-raster.ts";
import { difference, Peers, withPeers } from "./peers.testing.ts";
import type { Samples } from "./raster.ts";

const folder = mkdtempSync(join(tmpdir(), "geolearn-behaviour-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!withPeers)("reading", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());
  const base = { do: "make", width: 1500, height: 1200, bands: 3, kind: "noise" } as const;

  test("concurrent windows of one raster agree with one read of all", async () => {
    const path = peers.path("concurrent.tif");
    peers.run([{ ...base, path, options: { tiled: true, blockxsize: 256, blockysize: 256, compress: "deflate", predictor: 2 } }]);
    const raster = await openRaster(path);
    const windows = Array.from({ length: 40 }, (_, i) => ({ col: (i * 211) % 1000, row: (i * 397) % 800, width: 300, height: 300 }));
    const parts = await Promise.all(windows.map((window) => raster.read(window)));
    const whole = await raster.read();
    for (const [i, { col, row }] of windows.entries()) {
      for (let band = 0; band < 3; band++) {
        for (const y of [0, 149, 299]) {
          const from = (band * 1200 + row + y) * 1500 + col;
          const line = parts[i]!.data.subarray((band * 300 + y) * 300, (band * 300 + y + 1) * 300);
          expect(line).toEqual(whole.data.subarray(from, from + 300));
        }
      }
    }
    await raster.close();
  });

  test("a cancelled read stops; another one of the same blocks goes on", async () => {
    const path = peers.path("cancel.tif");
    peers.run([{ ...base, path, options: { tiled: true, blockxsize: 128, blockysize: 128, compress: "zstd" } }]);
    const raster = await openRaster(path);
    const controller = new AbortController();
    const cancelled = raster.read(undefined, { signal: controller.signal });
    const other = raster.read();
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ name: "AbortError" });
    expect((await other).data.length).toBe(1500 * 1200 * 3);
    await raster.close();
  });

  test("an uncompressed image in a single strip is read in parts", async () => {
    const path = peers.path("strip.tif");
    const big = { ...base, width: 3000, height: 2000, path, options: { blockysize: 2000 } };
    const [expected] = peers.run([big, { do: "read", path, window: [10, 900, 500, 300] }]);
    const raster = await openRaster(path);
    expect(raster.blockHeight).toBeLessThan(1000);
    const { data } = await raster.read({ col: 10, row: 900, width: 500, height: 300 });
    expect(difference(data, expected!.data)).toEqual({ most: 0, share: 0 });
    await raster.close();
  });

  test("a reduced view cut into pieces equals the one made at once", async () => {
    const path = peers.path("pieces.tif");
    peers.run([
      { ...base, width: 9000, height: 8000, bands: 1, kind: "classes", nodata: 3, path, options: { tiled: true, compress: "deflate" } },
    ]);
    const raster = await openRaster(path);
    for (const resampling of ["nearest", "average"] as const) {
      const whole = await raster.read(undefined, { width: 90, height: 80, resampling });
      const part = await raster.read({ col: 1000, row: 2000, width: 3000, height: 2000 }, { width: 30, height: 20, resampling });
      for (let y = 0; y < 20; y++) {
        expect(part.data.subarray(y * 30 + 1, y * 30 + 29)).toEqual(whole.data.subarray((20 + y) * 90 + 11, (20 + y) * 90 + 39));
      }
    }
    await raster.close();
  });

  test("an auxiliary file places a raster that does not place itself", async () => {
    const path = peers.path("aux.tif");
    peers.run([{ ...base, width: 20, height: 10, path }]);
    writeFileSync(
      `${path}.aux.xml`,
      '<PAMDataset><SRS dataAxisToSRSAxisMapping="1,2">PROJCS["WGS 84 / UTM zone 33N",AUTHORITY["EPSG","32633"]]</SRS><GeoTransform> 5.0e+05, 2.0, 0, 5.1e+06, 0, -2.0</GeoTransform></PAMDataset>',
    );
    const raster = await openRaster(path);
    expect([raster.crs?.epsg, raster.transform]).toEqual([32633, [2, 0, 500000, 0, -2, 5100000]]);
    await raster.close();
  });

  test("bytes in memory stay the caller's", async () => {
    const path = peers.path("bytes.tif");
    const [expected] = peers.run([
      { ...base, width: 600, path, options: { compress: "zstd" } },
      { do: "read", path },
    ]);
    const { readFileSync } = await import("node:fs");
    const bytes = readFileSync(path);
    const before = Buffer.from(bytes);
    const raster = await openRaster(bytes);
    const { data } = await raster.read();
    expect(difference(data, expected!.data as Samples)).toEqual({ most: 0, share: 0 });
    expect(bytes.equals(before)).toBe(true);
    await raster.close();
  });
});

test("what is not there, and what is no raster", async () => {
  await expect(openRaster(join(folder, "none.tif"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  await expect(openRaster(folder)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  writeFileSync(join(folder, "text.tif"), "just words");
  await expect(openRaster(join(folder, "text.tif"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
});
