import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";

import { afterAll, describe, expect, test } from "vitest";

import { openRaster } from "./open-raster.ts";
import { difference, Peers, withPeers } from "./peers.testing.ts";
import { parseWorldFile, worldFileNames } from "./world-file.ts";

test("world files speak of the first pixel's centre", () => {
  expect(parseWorldFile("2\n0\n0\n-3\n101\n198.5\n")).toEqual([2, 0, 100, 0, -3, 200]);
  expect(parseWorldFile("1.5\r\n0.5\r\n-0.5\r\n-1.5\r\n10\r\n20")).toEqual([1.5, -0.5, 9.5, 0.5, -1.5, 20.5]);
  expect(parseWorldFile("1 2 3")).toBeNull();
  expect(parseWorldFile("0 0 0 0 5 5")).toBeNull();
  expect(worldFileNames("a/b.c/scene.jpeg").slice(0, 3)).toEqual(["a/b.c/scene.jgw", "a/b.c/scene.jpegw", "a/b.c/scene.wld"]);
});

/** A PNG written by hand: an 8-bit palette, stored in the seven passes of Adam7. */
function interlacedPng(width: number, height: number, indices: Uint8Array, palette: Uint8Array): Uint8Array {
  const chunk = (kind: string, content: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), content]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(content.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 1], 8);
  const rows: number[] = [];
  for (const [x0, y0, dx, dy] of [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const) {
    for (let y = y0; y < height; y += dy) {
      if (x0 >= width) break;
      rows.push(0);
      for (let x = x0; x < width; x += dx) rows.push(indices[y * width + x]!);
    }
  }
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const data = deflateSync(Uint8Array.from(rows));
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("PLTE", palette),
    chunk("tRNS", new Uint8Array([255, 0])),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

test("interlaced palette PNG from memory: colours, and the transparent index as nodata", async () => {
  for (const [width, height] of [
    [13, 9],
    [1, 1],
    [3, 2],
    [64, 40],
  ] as const) {
    const indices = Uint8Array.from({ length: width * height }, (_, i) => (i * 7) % 5);
    const raster = await openRaster(
      interlacedPng(
        width,
        height,
        indices,
        Uint8Array.from({ length: 15 }, (_, i) => i * 10),
      ),
    );
    const { data, mask } = await raster.read();
    expect(data).toEqual(indices);
    expect(raster.nodata).toBe(1);
    expect([...(mask ?? new Uint8Array(indices.length).fill(1))]).toEqual([...indices].map((index) => (index === 1 ? 0 : 1)));
    expect(raster.colorTable!.get(2)).toEqual([60, 70, 80]);
    await raster.close();
  }
});

describe.skipIf(!withPeers)("pictures like rasterio", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());
  const base = { do: "make", width: 203, height: 117 } as const;

  test.each([
    { name: "gray.png", bands: 1 },
    { name: "gray-alpha.png", bands: 2 },
    { name: "rgb.png", bands: 3 },
    { name: "rgba.png", bands: 4 },
    { name: "rgb16.png", bands: 3, dtype: "uint16" },
    { name: "bits1.png", bands: 1, kind: "steps", from: { NBITS: "1" } },
    { name: "bits4.png", bands: 1, kind: "classes", from: { NBITS: "4" } },
    { name: "rgb.jpg", bands: 3 },
    { name: "gray.jpg", bands: 1 },
    { name: "rgb-444.jpg", bands: 3, from: { QUALITY: "95" } },
    { name: "progressive.jpg", bands: 3, from: { PROGRESSIVE: "ON" } },
  ])("$name", async ({ name, from, ...options }) => {
    const made = peers.path(`${name}.tif`);
    const path = peers.path(name);
    const driver = name.endsWith("png") ? "PNG" : "JPEG";
    const [expected] = peers.run([
      { ...base, kind: "smooth", ...options, path: made },
      { do: "copy", from: made, path, options: { driver, ...from } },
      { do: "read", path },
    ]);
    writeFileSync(`${path.slice(0, -3)}${name.endsWith("png") ? "pgw" : "jgw"}`, "0.5\n0\n0\n-0.5\n1000.25\n1999.75\n");
    const raster = await openRaster(path);
    const { data } = await raster.read();
    expect(difference(data, expected!.data).most).toBeLessThanOrEqual(name.endsWith("png") ? 0 : 2);
    expect(raster.transform).toEqual([0.5, 0, 1000, 0, -0.5, 2000]);
    expect(raster.alphaBand).toBe(options.bands === 2 ? 1 : options.bands === 4 ? 3 : null);
    await raster.close();
  });

  test("chips beside one another make a mosaic", async () => {
    const folder = peers.path("chips");
    mkdirSync(folder);
    for (const [i, x] of [0, 203].entries()) {
      peers.run([
        { ...base, bands: 3, path: peers.path(`chip${i}.tif`), kind: "noise", seed: i },
        { do: "copy", from: peers.path(`chip${i}.tif`), path: join(folder, `chip${i}.png`), options: { driver: "PNG" } },
      ]);
      writeFileSync(join(folder, `chip${i}.pgw`), `1\n0\n0\n-1\n${x + 0.5}\n-0.5\n`);
    }
    const raster = await openRaster(folder);
    expect([raster.width, raster.height]).toEqual([406, 117]);
    await raster.close();
  });
});
