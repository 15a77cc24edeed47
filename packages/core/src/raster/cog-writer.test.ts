import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Rgb } from "../classes.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { type Fault, withFault } from "../files/faults.testing.ts";
import { createRng } from "../rng.ts";
import { createCog, createRaster } from "./cog-writer.ts";
import { encodeGeoTiff } from "./encode-geotiff.ts";
import { openRaster } from "./open-raster.ts";
import type { SampleType, Samples } from "./raster.ts";
import { createSamples, sampleRange } from "./samples.ts";
import type { RasterProfile } from "./write.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(python);
if (!withPeers) process.stdout.write("raster writer: tests against rasterio are skipped, no Python environment (GEOLEARN_PEERS)\n");

const crs = parseCrs(32633);
const northUp = [10, 0, 500_000, 0, -10, 5_000_000] as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-cog-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Smooth values with some noise, over the range of the type. */
function samples(type: SampleType, length: number, seed: number): Samples {
  const rng = createRng(seed);
  const out = createSamples(type, length);
  const high = Math.min(sampleRange(type)[1], 3e9);
  const low = type.startsWith("u") ? 0 : type.startsWith("float") ? -1e6 : -high - 1;
  for (let i = 0; i < length; i++) {
    const value = low + (high - low) * (0.5 + 0.45 * Math.sin(i / 50)) + rng.int(5);
    out[i] = type.startsWith("float") ? value : Math.min(high, Math.floor(value));
  }
  return out;
}

async function write(path: string, data: Samples, profile: RasterProfile, stripRows: number, classicLimit?: number): Promise<void> {
  const { width, height, bands } = profile;
  const writer = classicLimit === undefined ? await createRaster(path, profile) : await createCog(path, profile, classicLimit);
  for (let row = 0; row < height; row += stripRows) {
    const rows = Math.min(stripRows, height - row);
    const strip = createSamples(profile.sampleType, bands * rows * width);
    for (let b = 0; b < bands; b++)
      strip.set(data.subarray((b * height + row) * width, (b * height + row + rows) * width), b * rows * width);
    await writer.appendRows(strip, rows);
    strip.fill(0); // the array is the caller's again
  }
  await writer.close();
}

interface Seen {
  readonly dtype: string;
  readonly equal: boolean;
  readonly nodata: string | null;
  readonly transform: number[];
  readonly epsg: number | null;
  readonly bands: number;
  readonly descriptions: (string | null)[];
  readonly colormap: Record<string, number[]> | null;
  readonly tags: Record<string, string>;
  readonly bandTags: Record<string, string>;
  readonly layout: string | null;
  readonly colorinterp: string[];
  readonly overviews: number[];
  readonly statistics: number[] | null;
  readonly half?: number[] | null;
  readonly halfShape?: number[];
  readonly bigTiff: boolean;
  readonly cog: [boolean, string[], string[]] | null;
}

/** What rasterio and rio-cogeo say of files. */
function look(cases: readonly { path: string; raw: string; cog?: boolean }[]): Seen[] {
  const output = execFileSync(python, [join(root, "tests/oracles/raster_writes.py")], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output.replaceAll(/\bNaN\b/g, "null")) as Seen[];
}

function bytes(data: Samples): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

async function keep(name: string, data: Samples): Promise<string> {
  const path = join(folder, `${name}.raw`);
  await writeFile(path, bytes(data));
  return path;
}

describe("createRaster", () => {
  it.skipIf(!withPeers)("is read back by rasterio and valid for rio-cogeo: types x bands x sizes", async () => {
    const cases = [];
    const types: SampleType[] = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"];
    const sizes = [
      [1, 1],
      [31, 17],
      [64, 64],
      [203, 131],
      [600, 70],
      // narrower than a tile and taller than 512 pixels
      [40, 700],
    ] as const;
    let k = 0;
    for (const sampleType of types) {
      for (const bands of [1, 3, 5]) {
        for (const [width, height] of sizes) {
          const data = samples(sampleType, bands * width * height, ++k);
          const path = join(folder, `m${k}.tif`);
          const compression = k % 7 === 0 ? "none" : "deflate";
          const bigTiff = k % 5 === 0;
          await write(
            path,
            data,
            { width, height, bands, sampleType, transform: northUp, crs, blockSize: 64, compression, bigTiff },
            1 + (k % 40),
          );
          cases.push({ path, raw: await keep(`m${k}`, data), sampleType, bands, width, height, bigTiff });
        }
      }
    }
    for (const [i, seen] of look(cases).entries()) {
      const { sampleType, bands, width, height, bigTiff } = cases[i]!;
      expect(seen).toMatchObject({
        dtype: sampleType,
        equal: true,
        bands,
        epsg: 32633,
        transform: [...northUp],
        layout: "COG",
        nodata: null,
        bigTiff,
      });
      expect(seen.cog).toEqual([true, [], []]);
      const levels = Math.max(0, Math.ceil(Math.log2(Math.max(width, height) / 64)));
      expect(seen.overviews).toHaveLength(levels);
    }
  });

  it.skipIf(!withPeers)("becomes BigTIFF by itself where the file would pass the limit of classic offsets, not before", async () => {
    const data = samples("uint16", 3 * 300 * 200, 4);
    const profile: RasterProfile = { width: 300, height: 200, bands: 3, sampleType: "uint16", transform: northUp, crs, blockSize: 64 };
    const classic = join(folder, "classic.tif");
    await write(classic, data, profile, 50);
    const size = (await stat(classic)).size;
    // The estimate counts the directories with 64-bit offsets, so it lies some hundred bytes above the classic file.
    const limits = { below: size + 2000, above: size - 2000 };
    const raw = await keep("limit", data);
    const cases = [];
    for (const [name, limit] of Object.entries(limits)) {
      const path = join(folder, `limit-${name}.tif`);
      await write(path, data, profile, 50, limit);
      cases.push({ path, raw });
    }
    const [below, above] = look(cases);
    expect(below).toMatchObject({ bigTiff: false, equal: true, layout: "COG", cog: [true, [], []], overviews: [2, 4, 8] });
    expect(above).toMatchObject({ bigTiff: true, equal: true, layout: "COG", cog: [true, [], []], overviews: [2, 4, 8] });
    expect(Buffer.compare(await readFile(cases[0]!.path), await readFile(classic))).toBe(0);
    const raster = await openRaster(cases[1]!.path);
    expect(Buffer.compare(bytes((await raster.read()).data), bytes(data))).toBe(0);
    await raster.close();
  });

  it.skipIf(!withPeers)("carries nodata, colours, names, statistics, rotation and alpha", async () => {
    const width = 90;
    const height = 70;
    const classes = samples("uint8", width * height, 5).map((v) => (v % 4 === 3 ? 255 : v % 4));
    const names = new Map([
      [1, 'building <&> "house"'],
      [2, "Straße"],
    ]);
    const colors = new Map<number, Rgb>([
      [1, [255, 0, 0]],
      [2, [10, 20, 30]],
    ]);
    const floats = samples("float32", 2 * width * height, 6);
    floats[7] = NaN;
    const rgba = samples("uint8", 4 * width * height, 8);
    const grid = { width, height, blockSize: 32 };
    const base = { ...grid, transform: northUp, crs };
    await write(
      join(folder, "c.tif"),
      classes,
      { ...base, bands: 1, sampleType: "uint8", nodata: 255, colorTable: colors, classNames: names, metadata: { AUTHOR: "a & b" } },
      13,
    );
    await write(
      join(folder, "f.tif"),
      floats,
      { ...base, bands: 2, sampleType: "float32", nodata: NaN, bandNames: ["height", "slope"], transform: [1, 2, 3, 4, -5, 6] },
      70,
    );
    await write(
      join(folder, "a.tif"),
      rgba,
      { ...base, bands: 4, sampleType: "uint8", alpha: true, crs: null, transform: [10, 0, 5, 0, 10, 7] },
      1,
    );
    await write(join(folder, "n.tif"), rgba, { ...grid, bands: 4, sampleType: "uint8", transform: null, crs: null, overviews: "none" }, 9);
    const [c, f, a, n] = look([
      { path: join(folder, "c.tif"), raw: await keep("c", classes) },
      { path: join(folder, "f.tif"), raw: await keep("f", floats) },
      { path: join(folder, "a.tif"), raw: await keep("a", rgba) },
      { path: join(folder, "n.tif"), raw: await keep("n", rgba) },
    ]);
    for (const seen of [c!, f!, a!, n!]) expect(seen.equal).toBe(true);
    expect(c).toMatchObject({ nodata: "255.0", colormap: { 1: [255, 0, 0], 2: [10, 20, 30] }, colorinterp: ["palette"] });
    expect(c!.bandTags).toMatchObject({ CLASS_NAME_1: 'building <&> "house"', CLASS_NAME_2: "Straße" });
    expect(c!.tags["AUTHOR"]).toBe("a & b");
    expect(f).toMatchObject({ nodata: "nan", descriptions: ["height", "slope"], transform: [1, 2, 3, 4, -5, 6] });
    expect(a).toMatchObject({ colorinterp: ["red", "green", "blue", "alpha"], epsg: null, transform: [10, 0, 5, 0, 10, 7] });
    expect(n).toMatchObject({ overviews: [], epsg: null });
    for (const seen of [c!, f!]) {
      const [min, max, mean, std] = seen.statistics!;
      expect(Number(seen.bandTags["STATISTICS_MINIMUM"])).toBe(min);
      expect(Number(seen.bandTags["STATISTICS_MAXIMUM"])).toBe(max);
      expect(Number(seen.bandTags["STATISTICS_MEAN"])).toBeCloseTo(mean!, 6);
      expect(Math.abs(Number(seen.bandTags["STATISTICS_STDDEV"]) / std! - 1)).toBeLessThan(1e-9);
    }
  });

  it.skipIf(!withPeers)("halves by mean, mode or nearest, without missing samples", async () => {
    const nodata = 0;
    // Two by two: mean of valid 2 and 4; all missing; mode of 5 5 7 and nodata; one odd column at the end.
    const data = Uint8Array.of(2, 0, 0, 0, 7, 5, 9, 4, 0, 0, 0, 5, 0, 9);
    const expected = { average: [3, 0, 6, 9], mode: [2, 0, 5, 9], nearest: [2, 0, 7, 9] };
    const cases = [];
    for (const overviews of ["average", "mode", "nearest"] as const) {
      // Blown up to sixteen pixels and more, because tiles are.
      const big = new Uint8Array(28 * 16 * 2).fill(1);
      for (let r = 0; r < 2; r++) for (let x = 0; x < 7; x++) big[r * 28 + x] = data[r * 7 + x]!;
      const path = join(folder, `h-${overviews}.tif`);
      await write(
        path,
        big,
        { width: 28, height: 32, bands: 1, sampleType: "uint8", transform: northUp, crs, nodata, blockSize: 16, overviews },
        3,
      );
      cases.push({ path, raw: await keep(`h-${overviews}`, big), overviews });
    }
    for (const [i, seen] of look(cases).entries()) {
      expect(seen.halfShape).toEqual([16, 14]);
      const { overviews } = cases[i]!;
      // The fourth pair of columns is 9, 9 and two ones of the filling.
      const fourth = overviews === "nearest" ? 9 : overviews === "mode" ? 9 : 5;
      expect(seen.half!.slice(0, 4)).toEqual([...expected[overviews].slice(0, 3), fourth]);
      expect(new Set(seen.half!.slice(4))).toEqual(new Set([1]));
    }
  });

  it("is read back by our own reader", async () => {
    const path = join(folder, "own.tif");
    const data = samples("uint8", 100 * 80, 3).map((value) => value % 3);
    const classNames = new Map([
      [0, "background"],
      [1, 'building <&> "house"'],
    ]);
    const colorTable = new Map<number, Rgb>([[1, [255, 0, 9]]]);
    const profile: RasterProfile = {
      width: 100,
      height: 80,
      bands: 1,
      sampleType: "uint8",
      transform: northUp,
      crs,
      nodata: 255,
      blockSize: 32,
    };
    await write(path, data, { ...profile, classNames, colorTable, bandNames: ["class & co"] }, 11);
    const raster = await openRaster(path);
    expect(raster).toMatchObject({ classNames, nodata: 255, transform: northUp, width: 100, height: 80 });
    expect(raster.colorTable?.get(1)).toEqual([255, 0, 9]);
    expect(raster.crs?.epsg).toBe(32633);
    expect(raster.bandInfo[0]!.name).toBe("class & co");
    expect(raster.overviews).toEqual([
      { width: 50, height: 40 },
      { width: 25, height: 20 },
    ]);
    expect(Buffer.compare((await raster.read()).data as Uint8Array, data as Uint8Array)).toBe(0);
    await raster.close();
  });

  it("gives the same bytes whatever the strips and the timing", async () => {
    const data = samples("uint16", 3 * 300 * 200, 9);
    const profile: RasterProfile = { width: 300, height: 200, bands: 3, sampleType: "uint16", transform: northUp, crs, blockSize: 32 };
    const files = [];
    for (const strip of [1, 7, 64, 200]) {
      const path = join(folder, `d${strip}.tif`);
      await write(path, data, profile, strip);
      files.push(await readFile(path));
    }
    for (const file of files) expect(Buffer.compare(file, files[0]!)).toBe(0);
  });

  it("refuses what no GeoTIFF can hold, before anything is written", async () => {
    const good: RasterProfile = { width: 4, height: 4, bands: 1, sampleType: "uint8", transform: northUp, crs };
    const bad: Partial<RasterProfile>[] = [
      { width: 0 },
      { height: 1.5 },
      { bands: 0 },
      { nodata: 256 },
      { nodata: -1 },
      { nodata: NaN },
      { blockSize: 100 },
      { level: 0 },
      { bandNames: ["a", "b"] },
      { alpha: true },
      { transform: [NaN, 0, 0, 0, 1, 0] },
      { colorTable: new Map([[256, [0, 0, 0]]]) },
      { colorTable: new Map([[1, [0, 0, 300]]]) },
      { sampleType: "float32", colorTable: new Map() },
    ];
    const path = join(folder, "never.tif");
    for (const change of bad) {
      await expect(createRaster(path, { ...good, ...change })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await expect(createRaster(join(folder, "no", "x.tif"), good)).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect((await readdir(folder)).filter((name) => name.includes("never") || name.endsWith(".tmp"))).toEqual([]);
  });

  it("says what is wrong with rows, and leaves nothing", async () => {
    const profile: RasterProfile = { width: 4, height: 4, bands: 1, sampleType: "uint8", transform: northUp, crs };
    const path = join(folder, "rows.tif");
    for (const misuse of [
      (w: Awaited<ReturnType<typeof createRaster>>) => w.appendRows(new Uint8Array(5), 1),
      (w: Awaited<ReturnType<typeof createRaster>>) => w.appendRows(new Int8Array(4), 1),
      (w: Awaited<ReturnType<typeof createRaster>>) => w.appendRows(new Uint8Array(20), 5),
      (w: Awaited<ReturnType<typeof createRaster>>) => w.close(),
    ]) {
      const writer = await createRaster(path, profile);
      await expect(misuse(writer)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await writer.abort();
      await writer.abort();
      await expect(writer.appendRows(new Uint8Array(4), 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    expect((await readdir(folder)).filter((name) => name.includes("rows"))).toEqual([]);
  });

  for (const fault of ["ENOSPC", "EIO", "EMFILE", "short"] as Fault[]) {
    it(`holds the former or the new file when call n fails with ${fault}`, async () => {
      const place = await mkdtemp(join(folder, "fault-"));
      const path = join(place, "x.tif");
      // More than the spool keeps in memory, so that its scratch file is used too.
      const data = new Uint32Array(1024 * 1300);
      const profile: RasterProfile = {
        width: 1024,
        height: 2600,
        bands: 1,
        sampleType: "uint32",
        transform: northUp,
        crs,
        compression: "none",
      };
      const work = async (): Promise<void> => {
        const writer = await createRaster(path, profile);
        await writer.appendRows(data, 1300);
        await writer.appendRows(data, 1300);
        await writer.close();
      };
      let calls = 0;
      for (let n = 0; ; n += n < 12 ? 1 : 5) {
        await writeFile(path, "former");
        const { reached, error } = await withFault(n, fault, work);
        expect(await readdir(place)).toEqual(["x.tif"]);
        if (error === null) expect((await readFile(path)).length).toBeGreaterThan(1000);
        else {
          expect(GeoLearnError.is(error, fault === "ENOSPC" ? "DISK_FULL" : "WRITE_FAILED")).toBe(true);
          expect(await readFile(path, "utf8")).toBe("former");
        }
        if (!reached) break;
        calls = n;
      }
      expect(calls).toBeGreaterThan(20);
    }, 120_000);
  }
});

describe("encodeGeoTiff", () => {
  it.skipIf(!withPeers)("is read back by rasterio", async () => {
    const cases = [];
    let k = 0;
    for (const sampleType of ["uint8", "uint16", "int16", "int32", "float32", "float64"] as SampleType[]) {
      for (const [bands, width, height] of [
        [1, 1, 1],
        [3, 256, 256],
        [12, 65, 33],
      ] as const) {
        for (const compression of ["deflate", "none"] as const) {
          const data = samples(sampleType, bands * width * height, ++k);
          const before = data.slice();
          const path = join(folder, `e${k}.tif`);
          await writeFile(
            path,
            await encodeGeoTiff({ data, bands, width, height }, { sampleType, transform: northUp, crs, compression, nodata: 1 }),
          );
          expect(Buffer.compare(new Uint8Array(data.buffer), new Uint8Array(before.buffer))).toBe(0);
          cases.push({ path, raw: await keep(`e${k}`, data), cog: false });
        }
      }
    }
    for (const seen of look(cases)) expect(seen).toMatchObject({ equal: true, epsg: 32633, transform: [...northUp], nodata: "1.0" });
  });

  it("refuses samples that do not fit the profile", async () => {
    const image = { data: new Uint8Array(4), bands: 1, width: 2, height: 2 };
    const profile = { sampleType: "uint8", transform: null, crs: null } as const;
    await expect(encodeGeoTiff({ ...image, width: 3 }, profile)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(encodeGeoTiff(image, { ...profile, sampleType: "int8" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
