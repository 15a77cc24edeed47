import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { openRaster } from "./open-raster.ts";
import { difference, type PeerArray, Peers, type PeerCommand, withPeers } from "./peers.testing.ts";
import type { Raster, Samples } from "./raster.ts";

describe.skipIf(!withPeers)("many files as one", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());
  const base = { do: "make", width: 100, height: 80, crs: "EPSG:32633", bands: 2 } as const;
  const at = (x: number, y: number): number[] => [2, 0, 600000 + x, 0, -2, 5000000 - y];

  function folderOf(name: string, makes: readonly Omit<PeerCommand, "do">[]): { folder: string; arrays: PeerArray[]; paths: string[] } {
    const folder = peers.path(name);
    mkdirSync(folder);
    const paths = makes.map((_, i) => join(folder, `tile${i}.tif`));
    const arrays = peers.run([
      ...makes.map((make, i): PeerCommand => ({ ...base, kind: "noise", seed: i + 1, ...make, path: paths[i] })),
      ...paths.map((path): PeerCommand => ({ do: "read", path })),
    ]);
    return { folder, arrays, paths };
  }

  test("tiles of a folder, a glob and a list; reads cross their borders", async () => {
    const { folder, arrays, paths } = folderOf("tiles", [
      { transform: at(0, 0) },
      { transform: at(200, 0) },
      { transform: at(0, 160) },
      { transform: at(200, 160) },
    ]);
    for (const source of [folder, join(folder, "*.tif"), paths]) {
      const raster = await openRaster(source);
      expect([raster.width, raster.height, raster.bands, raster.crs?.epsg]).toEqual([200, 160, 2, 32633]);
      const { data, mask } = await raster.read({ col: 90, row: 70, width: 20, height: 20 });
      expect(mask).toBeNull();
      for (let band = 0; band < 2; band++) {
        for (let y = 0; y < 20; y++) {
          for (let x = 0; x < 20; x++) {
            const [col, row] = [90 + x, 70 + y];
            const tile = arrays[(row >= 80 ? 2 : 0) + (col >= 100 ? 1 : 0)]!;
            expect(data[(band * 20 + y) * 20 + x]).toBe(tile.data[(band * 80 + (row % 80)) * 100 + (col % 100)]);
          }
        }
      }
      await raster.close();
    }
  });

  test("files of two ends of the country are refused, not spread over all between", async () => {
    const { paths } = folderOf("apart", [
      { transform: [0.1, 0, 500000, 0, -0.1, 5000000] },
      { transform: [0.1, 0, 500000, 0, -0.1, 5000000], crs: "EPSG:32630" },
    ]);
    for (const order of [paths, paths.toReversed()]) {
      await expect(openRaster(order)).rejects.toMatchObject({
        code: "RASTER_MISMATCH",
        message: expect.stringMatching(/too far apart for one mosaic: .* pixels, nearly all of them empty, and .* instead of /) as string,
      });
    }
    // two that are 60 km apart are no mistake
    const near = folderOf("near", [{ transform: at(0, 0) }, { transform: at(60000, 60000) }]);
    const raster = await openRaster(near.paths);
    expect([raster.width, raster.height]).toEqual([30100, 30080]);
    await raster.close();
  });

  test("where files overlap, the first with a value wins; gaps are missing", async () => {
    const { paths, arrays } = folderOf("overlap", [
      { transform: at(0, 0), nodata: 255, hole: [60, 10, 40, 30] },
      { transform: at(100, 0), nodata: 255 },
      { transform: at(400, 0), nodata: 255 },
    ]);
    const raster = await openRaster(paths);
    expect([raster.width, raster.height]).toEqual([300, 80]);
    const { data, mask } = await raster.read(undefined, { bands: [0] });
    const first = arrays[0]!.data;
    const second = arrays[1]!.data;
    for (const [col, row] of [
      [55, 5],
      [70, 5],
      [70, 20],
      [99, 39],
      [120, 40],
    ] as const) {
      const missing = col >= 60 && col < 100 && row >= 10 && row < 40;
      const expected = col < 100 && !missing ? first[row * 100 + col] : second[row * 100 + col - 50];
      expect(data[row * 300 + col]).toBe(expected);
    }
    expect(mask![40 * 300 + 170]).toBe(0);
    expect(data[40 * 300 + 170]).toBe(255);
    expect(mask![40 * 300 + 250]).toBe(1);
    await raster.close();
  });

  test("another zone and another resolution are warped to the first file's grid", async () => {
    const { paths } = folderOf("zones", [
      { kind: "smooth", transform: at(0, 0), nodata: 0 },
      { kind: "smooth", transform: [4, 0, 600200, 0, -4, 5000000], nodata: 0 },
      { kind: "smooth", transform: [2, 0, 127700, 0, -2, 5013400], crs: "EPSG:32634", nodata: 0 },
    ]);
    const raster = await openRaster(paths);
    const alone = await Promise.all(paths.map((path) => openRaster(path)));
    const whole = await raster.read(undefined, { bands: [0] });
    const pixelAt = (x: number, y: number): number =>
      whole.data[Math.floor((y - raster.transform![5]) / -2) * raster.width + Math.floor((x - raster.transform![2]) / 2)]!;
    const coarse = await alone[1]!.read();
    // centre of pixel (30, 20) of the coarse file
    expect(pixelAt(600200 + 30.5 * 4 + 0.1, 5000000 - 20.5 * 4 - 0.1)).toBe(coarse.data[20 * 100 + 30]);
    expect(raster.crs?.epsg).toBe(32633);
    expect(whole.mask).not.toBeNull();
    for (const one of [raster, ...alone]) await one.close();
  });

  test("hundreds of files with few open at a time", async () => {
    const { folder, paths } = folderOf("many", [{ transform: at(0, 0) }]);
    const sources: string[] = [];
    for (let i = 0; i < 300; i++) {
      const path = join(folder, `copy${i}.tif`);
      copyFileSync(paths[0]!, path);
      sources.push(path);
    }
    const before = openFiles();
    const raster = await openRaster(sources);
    const { mask } = await raster.read();
    expect(mask).toBeNull();
    expect(openFiles() - before).toBeLessThanOrEqual(64 + 16);
    await raster.close();
  });

  test("refuses files that do not go together", async () => {
    const { paths } = folderOf("mixed", [
      { transform: at(0, 0) },
      { transform: at(200, 0), bands: 3 },
      { transform: at(200, 0), dtype: "uint16" },
      { transform: at(0, 160), crs: null },
    ]);
    await expect(openRaster([paths[0]!, paths[1]!])).rejects.toMatchObject({ code: "RASTER_MISMATCH" });
    await expect(openRaster([paths[0]!, paths[2]!])).rejects.toMatchObject({ code: "RASTER_MISMATCH" });
    await expect(openRaster([paths[0]!, paths[3]!])).rejects.toMatchObject({ code: "CRS_MISMATCH" });
    await expect(openRaster(peers.path("none/*.tif"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(openRaster([])).rejects.toSatisfy((error) => GeoLearnError.is(error));
  });

  describe("VRT", () => {
    /** As gdalbuildvrt writes it, over the tiles of this suite. */
    function vrt(
      files: readonly { name: string; rect: readonly number[]; nodata?: number; band?: string }[],
      size: readonly [number, number],
      extra = "",
      nodata?: number,
    ): string {
      const band = (number: number): string =>
        `<VRTRasterBand dataType="Byte" band="${number}">${nodata === undefined ? "" : `<NoDataValue>${nodata}</NoDataValue>`}${files
          .map(({ name, rect, nodata: own }) => {
            const kind = own === undefined ? "SimpleSource" : "ComplexSource";
            return `<${kind}><SourceFilename relativeToVRT="1">${name}</SourceFilename><SourceBand>${number}</SourceBand><SourceProperties RasterXSize="100" RasterYSize="80" DataType="Byte" BlockXSize="100" BlockYSize="40" /><SrcRect xOff="0" yOff="0" xSize="100" ySize="80" /><DstRect xOff="${rect[0]}" yOff="${rect[1]}" xSize="${rect[2]}" ySize="${rect[3]}" />${own === undefined ? "" : `<NODATA>${own}</NODATA>`}</${kind}>`;
          })
          .join("")}</VRTRasterBand>`;
      return `<VRTDataset rasterXSize="${size[0]}" rasterYSize="${size[1]}"><SRS dataAxisToSRSAxisMapping="1,2">EPSG:32633</SRS><GeoTransform> 6.0000000000000000e+05, 2.0000000000000000e+00, 0, 5.0e+06, 0, -2.0e+00</GeoTransform>${extra}${band(1)}${band(2)}</VRTDataset>`;
    }

    async function expectLikePeer(path: string): Promise<Raster> {
      const [expected] = peers.run([{ do: "read", path }]);
      const raster = await openRaster(path);
      const { data, mask } = await raster.read();
      expect(difference(data, expected!.data)).toEqual({ most: 0, share: 0 });
      const full = mask ?? new Uint8Array(expected!.mask.length).fill(1);
      expect(difference(full as Samples, expected!.mask)).toEqual({ most: 0, share: 0 });
      return raster;
    }

    test("of simple and complex sources, scaled ones too", async () => {
      const { folder } = folderOf("vrt", [
        { transform: at(0, 0), nodata: 255, hole: [60, 10, 40, 30] },
        { transform: at(100, 0), nodata: 255 },
      ]);
      const files = [
        { name: "tile1.tif", rect: [50, 0, 100, 80], nodata: 255 },
        { name: "tile0.tif", rect: [0, 0, 100, 80], nodata: 255 },
      ];
      writeFileSync(join(folder, "complex.vrt"), vrt(files, [200, 90], "", 255));
      writeFileSync(
        join(folder, "simple.vrt"),
        vrt(
          files.map(({ name, rect }) => ({ name, rect })),
          [200, 90],
        ),
      );
      writeFileSync(join(folder, "half.vrt"), vrt([{ name: "tile0.tif", rect: [10, 5, 50, 40] }], [70, 60]));
      writeFileSync(join(folder, "double.vrt"), vrt([{ name: "tile0.tif", rect: [0, 0, 200, 160] }], [200, 160]));
      const complex = await expectLikePeer(join(folder, "complex.vrt"));
      expect([complex.crs?.epsg, complex.nodata, complex.transform]).toEqual([32633, 255, [2, 0, 600000, 0, -2, 5000000]]);
      await complex.close();
      for (const name of ["simple", "half", "double"]) await (await expectLikePeer(join(folder, `${name}.vrt`))).close();
    });

    test("as GDAL's own copy of a file with a mask", async () => {
      const { folder, paths } = folderOf("vrt-mask", [{ transform: at(0, 0), mask: [10, 10, 30, 20] }]);
      const path = join(folder, "copy.vrt");
      peers.run([{ do: "copy", from: paths[0], path, options: { driver: "VRT" } }]);
      await (await expectLikePeer(path)).close();
    });

    test("refuses addresses, other kinds, itself and entities", async () => {
      const { folder } = folderOf("vrt-evil", [{ transform: at(0, 0) }]);
      const write = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const rect = [0, 0, 100, 80];
      const open = async (path: string): Promise<unknown> => {
        const raster = await openRaster(path);
        try {
          return await raster.read();
        } finally {
          await raster.close();
        }
      };
      for (const name of ["/vsicurl/http://127.0.0.1/a.tif", "http://127.0.0.1/a.tif", "vsizip/x.zip"]) {
        await expect(open(write("remote.vrt", vrt([{ name, rect }], [100, 80])))).rejects.toMatchObject({ code: "NETWORK_NOT_ALLOWED" });
      }
      await expect(open(write("prefix.vrt", vrt([{ name: "NETCDF:x.nc:v", rect }], [100, 80])))).rejects.toMatchObject({
        code: "RASTER_UNSUPPORTED",
      });
      await expect(open(write("self.vrt", vrt([{ name: "self.vrt", rect }], [100, 80])))).rejects.toMatchObject({ code: "RASTER_CORRUPT" });
      await expect(open(write("missing.vrt", vrt([{ name: "nowhere.tif", rect }], [100, 80])))).rejects.toMatchObject({
        code: "FILE_NOT_FOUND",
      });
      const warped = vrt([{ name: "tile0.tif", rect }], [100, 80]).replace("<VRTDataset", '<VRTDataset subClass="VRTWarpedDataset"');
      await expect(open(write("warped.vrt", warped))).rejects.toMatchObject({ code: "RASTER_UNSUPPORTED" });
      const bomb = vrt([{ name: "tile0.tif", rect }], [100, 80], "<!DOCTYPE a [<!ENTITY b 'c'>]>");
      await expect(open(write("bomb.vrt", bomb))).rejects.toMatchObject({ code: "RASTER_CORRUPT" });
    });
  });
});

/** Open file descriptors of this process, where the system tells them. */
function openFiles(): number {
  return existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;
}
