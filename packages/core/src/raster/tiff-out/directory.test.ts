import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openRaster } from "../open-raster.ts";
import { type Tag, directoriesSize, encodeDirectories, encodeSignature } from "./directory.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(python);
if (!withPeers) process.stdout.write("TIFF directories: the test against rasterio is skipped, no Python environment (GEOLEARN_PEERS)\n");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-directory-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Tiles of 64 x 64 bytes, two by two, at the given positions. */
function imageTags(positions: readonly number[]): Tag[] {
  return [
    { id: 256, type: "long", values: [128] },
    { id: 257, type: "long", values: [128] },
    { id: 258, type: "short", values: [8] },
    { id: 259, type: "short", values: [1] },
    { id: 262, type: "short", values: [1] },
    { id: 277, type: "short", values: [1] },
    { id: 322, type: "short", values: [64] },
    { id: 323, type: "short", values: [64] },
    { id: 324, type: "offset", values: positions },
    { id: 325, type: "long", values: positions.map(() => 64 * 64) },
  ];
}

describe("encodeDirectories", () => {
  // The file is a hole of 6 GiB with a few pages at its ends: it takes no room on disks that know holes.
  it.skipIf(!withPeers)("points beyond 4 GiB in a BigTIFF, as rasterio and our reader see it", async () => {
    const positions = [2 ** 31 + 10, 2 ** 32 - 64 * 64, 2 ** 32 + 2, 6 * 2 ** 30];
    const directories = [imageTags(positions)];
    const path = join(folder, "holes.tif");
    const file = await open(path, "w");
    await file.write(encodeSignature(true, 16), 0, 16, 0);
    const encoded = encodeDirectories(directories, true, 16);
    expect(encoded.length).toBe(directoriesSize(directories, true));
    await file.write(encoded, 0, encoded.length, 16);
    for (const [k, position] of positions.entries()) await file.write(new Uint8Array(64 * 64).fill(k + 1), 0, 64 * 64, position);
    await file.close();
    expect((await stat(path)).size).toBe(6 * 2 ** 30 + 64 * 64);

    const code =
      "import sys, rasterio; r = rasterio.open(sys.argv[1]).read(1); print([int(v) for v in r[::64, ::64].ravel()], r.min(), r.max(), r.sum())";
    const sum = (1 + 2 + 3 + 4) * 64 * 64;
    expect(execFileSync(python, ["-W", "ignore", "-c", code, path], { encoding: "utf8" }).trim()).toBe(`[1, 2, 3, 4] 1 4 ${sum}`);
    const raster = await openRaster(path);
    const { data } = await raster.read();
    await raster.close();
    expect([data[0], data[64], data[64 * 128], data[64 * 128 + 64]]).toEqual([1, 2, 3, 4]);
    expect((data as Uint8Array).reduce((total, value) => total + value, 0)).toBe(sum);
  });
});
