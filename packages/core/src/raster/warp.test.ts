import { afterAll, describe, expect, test } from "vitest";

import type { Affine } from "../affine.ts";
import { openRaster } from "./open-raster.ts";
import { difference, Peers, withPeers } from "./peers.testing.ts";
import type { Resampling } from "./raster.ts";
import { warpRaster } from "./warp.ts";

const source = { do: "make", width: 300, height: 240, transform: [10, 0, 500000, 0, -10, 5100000], crs: "EPSG:32633" } as const;

interface Case {
  readonly name: string;
  readonly crs: string;
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
}

const grids: readonly Case[] = [
  { name: "half a pixel off", crs: "EPSG:32633", transform: [10, 0, 500005, 0, -10, 5099996], width: 290, height: 230 },
  { name: "finer", crs: "EPSG:32633", transform: [4, 0, 500203, 0, -4, 5099207], width: 300, height: 280 },
  { name: "coarser", crs: "EPSG:32633", transform: [37, 0, 500100, 0, -37, 5099900], width: 70, height: 55 },
  { name: "the next zone", crs: "EPSG:32632", transform: [10, 0, 964100, 0, -10, 5117800], width: 330, height: 270 },
  { name: "degrees", crs: "EPSG:4326", transform: [0.00013, 0, 15.0, 0, -0.00009, 46.054], width: 320, height: 260 },
  { name: "web mercator", crs: "EPSG:3857", transform: [15, 0, 1669700, 0, -15, 5789000], width: 290, height: 230 },
];

describe.skipIf(!withPeers)("warps like GDAL without approximation", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());
  const kinds: { kind: string; resampling: Resampling; most: number; share: number }[] = [
    { kind: "noise", resampling: "nearest", most: 255, share: 0.001 },
    { kind: "smooth", resampling: "bilinear", most: 1, share: 0.06 },
    { kind: "smooth", resampling: "cubic", most: 1, share: 0.02 },
    { kind: "smooth", resampling: "average", most: 3, share: 0.25 },
  ];
  for (const grid of grids) {
    test.each(kinds)(`${grid.name}: $resampling`, async ({ kind, resampling, most, share }) => {
      const path = peers.path(`${kind}.tif`);
      const { name: _, ...target } = grid;
      const [expected] = peers.run([
        { ...source, path, kind, bands: 2, nodata: 0 },
        { do: "warp", path, ...target, resampling },
      ]);
      const raster = await openRaster(path);
      const warped = warpRaster(raster, { ...target, resampling });
      const { data, mask } = await warped.read();
      const edge = borderOf(expected!.data, grid.width, grid.height);
      const inside = (array: typeof data): typeof data => array.map((value, i) => (edge[i % edge.length] === 1 ? 0 : value)) as typeof data;
      const found = difference(inside(data), inside(expected!.data));
      expect(found.most).toBeLessThanOrEqual(most);
      // positions in Web Mercator agree with PROJ to a nanometre, while GDAL's own are off by up to 0.012 pixels there
      expect(found.share).toBeLessThanOrEqual(grid.crs === "EPSG:3857" ? Math.max(share, 0.015) : share);
      expect(mask === null ? 1 : mask.some((value) => value === 1)).toBeTruthy();
      await warped.close();
    });
  }

  test("reads by windows and as a whole are the same", async () => {
    const path = peers.path("noise2.tif");
    peers.run([{ ...source, path, kind: "noise", nodata: 0 }]);
    const { name: _, ...target } = grids[3]!;
    const warped = warpRaster(await openRaster(path), { ...target, resampling: "cubic" });
    const whole = await warped.read();
    const part = await warped.read({ col: 31, row: 77, width: 120, height: 99 });
    for (let y = 0; y < 99; y++) {
      const from = (77 + y) * target.width + 31;
      expect(part.data.subarray(y * 120, (y + 1) * 120)).toEqual(whole.data.subarray(from, from + 120));
    }
    await warped.close();
  });
});

/** 1 where a pixel or its neighbour has no value in the peer's answer: the rules at the very edge differ by kernel. */
function borderOf(data: ArrayLike<number>, width: number, height: number): Uint8Array {
  const edge = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let j = -3; j <= 3; j++) {
        for (let i = -3; i <= 3; i++) {
          const [u, v] = [x + i, y + j];
          if (u < 0 || v < 0 || u >= width || v >= height || data[v * width + u] === 0) edge[y * width + x] = 1;
        }
      }
    }
  }
  return edge;
}
