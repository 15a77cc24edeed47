/** Chips of two dates: what is cut from the later raster, wherever its grid lies. */

import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { type Affine, GeoLearnError, openRaster, stackDates } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { askPeer, codeOf, digests, GRID, labelsOf, Scratch, square, withPeers, writeRaster } from "../data-prep.testing.ts";
import { prepareData } from "../prepare-data.ts";
import { exportTrainingData } from "./export-training-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

interface Shape {
  readonly width?: number;
  readonly height?: number;
  readonly transform?: Affine | null;
  readonly nodata?: number | null;
  readonly bands?: number;
  readonly at?: (col: number, row: number, band: number) => number;
}

/** A raster of bytes whose samples follow a formula of their place. */
async function dated(name: string, shape: Shape = {}): Promise<string> {
  const { width = 96, height = 80, transform = GRID, nodata = null, bands = 3 } = shape;
  const at = shape.at ?? ((col: number, row: number, band: number): number => 1 + ((col * (3 + band) + row * 7 + 31 * band) % 200));
  const data = new Uint8Array(bands * width * height);
  for (let i = 0; i < data.length; i++) {
    const pixel = i % (width * height);
    data[i] = at(pixel % width, Math.floor(pixel / width), Math.floor(i / (width * height)));
  }
  return writeRaster(scratch.path(name), { data, bands, width, height }, { sampleType: "uint8", nodata, transform });
}

const laterAt = (col: number, row: number, band: number): number => 2 + ((col * 5 + row * (11 + band)) % 230);
const houses = labelsOf([square(4, 4, 20, 12), square(40, 30, 25, 30)]);
const SHAPE = { labels: houses, chipSize: 32, stride: 32, allTiles: true, workers: 0 } as const;

async function pixels(path: string): Promise<{ data: number[]; nodata: number | null }> {
  const raster = await openRaster(path);
  const { data } = await raster.read();
  await raster.close();
  return { data: [...data], nodata: raster.nodata };
}

describe("an additional raster", () => {
  it.each([0, 90])("on the same grid gives the chips an export of its own gives, turned by %i degrees too", async (rotation) => {
    const raster = await dated("a1.tif");
    const later = await dated("a2.tif", { at: laterAt });
    const out = scratch.path(`same-${rotation}`);
    const result = await exportTrainingData({ raster, additionalRaster: later, out, ...SHAPE, rotation });
    expect(result.bands).toBe(3);
    for (const [source, folder] of [
      [raster, "images"],
      [later, "images2"],
    ] as const) {
      const alone = scratch.path(`alone-${folder}-${rotation}`);
      await exportTrainingData({ raster: source, out: alone, ...SHAPE, rotation });
      expect(readdirSync(join(out, folder))).toEqual(readdirSync(join(alone, "images")));
      for (const file of readdirSync(join(alone, "images"))) {
        expect(readFileSync(join(out, folder, file)).equals(readFileSync(join(alone, "images", file))), file).toBe(true);
      }
      const [definition, own] = [out, alone].map(
        (path) => JSON.parse(readFileSync(join(path, "esri_model_definition.emd"), "utf8")) as Record<string, unknown>,
      );
      const number = folder === "images" ? "" : "2";
      for (const key of ["AllTilesStats", "InputRastersProps"]) expect(definition![`${key}${number}`]).toEqual(own![key]);
    }
    expect(readFileSync(join(out, "map.txt"), "utf8").split("\n")[0]).toBe("images\\000000000.tif  labels\\000000000.tif ");
    const data = await prepareData(out, { task: "pixelClassification", workers: 0, split: "random" });
    expect(data.bands).toBe(6);
    await data.close();
  });

  it("tiles without labels are pairs in map.txt, as ArcGIS writes them", async () => {
    const [raster, additionalRaster] = [await dated("t1.tif"), await dated("t2.tif", { at: laterAt })];
    const out = scratch.path("tiles");
    await exportTrainingData({
      raster,
      additionalRaster,
      out,
      format: "exportTiles",
      chipSize: 32,
      stride: 32,
      chipFormat: "png",
      workers: 0,
    });
    expect(readFileSync(join(out, "map.txt"), "utf8").split("\n")[0]).toBe("images\\000000000.png  images2\\000000000.png ");
    expect(existsSync(join(out, "labels"))).toBe(false);
  });

  it("is resumed, appended to and replaced with its own chips, and made the same by workers", async () => {
    const [raster, additionalRaster] = [await dated("r1.tif"), await dated("r2.tif", { at: laterAt })];
    const out = scratch.path("resumed");
    const all = { raster, additionalRaster, out, ...SHAPE };
    const first = await exportTrainingData(all);
    const whole = digests(out);
    rmSync(join(out, "images2/000000003.tif"));
    expect(await codeOf(exportTrainingData(all))).toBe("OUTPUT_EXISTS");
    await exportTrainingData({ ...all, overwrite: true, workers: 2 });
    expect(digests(out)).toEqual(whole);
    expect((await exportTrainingData(all)).resumed).toBe(true);
    const more = await exportTrainingData({ ...all, stride: 16, startIndex: "next" });
    expect(more.firstIndex).toBe(first.endIndex);
    expect(readdirSync(join(out, "images2"))).toEqual(readdirSync(join(out, "images")));
    expect(await codeOf(exportTrainingData({ raster, out, ...SHAPE, stride: 8, startIndex: "next" }))).toBe("CHIPS_MISMATCH");
    const estimate = await exportTrainingData({ ...all, estimate: true });
    const single = await exportTrainingData({ raster, out, ...SHAPE, estimate: true });
    expect(estimate.bytes).toBeGreaterThan(1.5 * single.bytes);
    // a stopped export goes on and leaves the same bytes
    const stopped = scratch.path("stopped");
    const stop = new AbortController();
    const onProgress = ({ done }: { done: number }): void => void (done > 3 && stop.abort());
    await exportTrainingData({ ...all, out: stopped, signal: stop.signal, onProgress }).catch(() => undefined);
    expect((await exportTrainingData({ ...all, out: stopped })).resumed).toBe(true);
    expect(digests(stopped)).toEqual(whole);
    // another later date is another export
    copyFileSync(await dated("r3.tif", { at: (col) => col }), additionalRaster);
    expect(await codeOf(exportTrainingData({ ...all, out: stopped }))).toBe("OUTPUT_EXISTS");
  });

  it("that covers a part leaves the rest unlearnt, in the words of the earlier date", async () => {
    const raster = await dated("p1.tif", { nodata: 255 });
    // 32 columns further right, so that the first column of chips lies outside
    const additionalRaster = await dated("p2.tif", { at: laterAt, nodata: 0, width: 64, transform: [1, 0, 500_032, 0, -1, 5_000_000] });
    const out = scratch.path("part");
    const result = await exportTrainingData({ raster, additionalRaster, out, ...SHAPE, chipSize: 48, stride: 48 });
    const chip = await pixels(join(out, "images2/000000000.tif"));
    const labels = await pixels(join(out, "labels/000000000.tif"));
    expect(chip.nodata).toBe(255);
    for (let i = 0; i < 48 * 48; i++) {
      const outside = i % 48 < 32;
      expect(labels.data[i] === result.ignoreValue).toBe(outside);
      expect(chip.data[i]).toBe(outside ? 255 : laterAt((i % 48) - 32, Math.floor(i / 48), 0));
    }
  });

  it.each<[string, string, Shape]>([
    ["RASTER_MISMATCH", "of other ground", { transform: [1, 0, 700_000, 0, -1, 5_000_000] }],
    ["RASTER_MISMATCH", "of other bands", { bands: 4 }],
    ["RASTER_NO_TRANSFORM", "without a position", { transform: null }],
  ])("is refused by %s: %s", async (code, name, shape) => {
    const [raster, additionalRaster] = [await dated("w1.tif"), await dated(`${name}.tif`, shape)];
    const out = scratch.path(`refused ${name}`);
    expect(await codeOf(exportTrainingData({ raster, additionalRaster, out, ...SHAPE }))).toBe(code);
    expect(existsSync(out)).toBe(false);
  });

  it("is refused for formats of objects, with a hint", async () => {
    const raster = await dated("o.tif");
    const error: unknown = await exportTrainingData({
      raster,
      additionalRaster: raster,
      out: scratch.path("objects"),
      ...SHAPE,
      format: "pascalVoc",
    }).catch((thrown: unknown) => thrown);
    expect(GeoLearnError.is(error, "INVALID_ARGUMENT") && error.hint).toMatch(/classifiedTiles/);
  });
});

describe("two dates as one raster", () => {
  it("reads bands in any order and knows what is missing of either date", async () => {
    const earlier = await openRaster(await dated("s1.tif", { nodata: null }));
    const later = await openRaster(
      await dated("s2.tif", { at: (col, row, band) => (col === 5 && band === 1 ? 0 : laterAt(col, row, band)), nodata: 0 }),
    );
    const both = stackDates(earlier, later, { bands: [2, 1] });
    expect(both.bandInfo.map(({ name }) => name)).toEqual(["band 3 before", "band 2 before", "band 3 after", "band 2 after"]);
    const window = { col: 4, row: 10, width: 3, height: 2 };
    const { data, mask } = await both.read(window, { bands: [3, 0] });
    const [a, b] = [await earlier.read(window), await later.read(window)];
    expect([...data]).toEqual([...b.data.subarray(6, 12), ...a.data.subarray(12, 18)]);
    // the earlier date has no nodata value that a single missing band could get
    expect([...mask!]).toEqual([1, 0, 1, 1, 0, 1]);
    await both.close();
  });

  it.skipIf(!withPeers)("the later one on the earlier one's grid is what rasterio warps", async () => {
    const earlier = await openRaster(await dated("g1.tif"));
    const smooth = (col: number, row: number, band: number): number =>
      Math.round(100 + 60 * Math.sin(col / 9 + band) + 30 * Math.cos(row / 7));
    const path = await dated("g2.tif", { at: smooth, width: 70, height: 60, transform: [1.3, 0, 500_010.4, 0, -1.3, 4_999_990.7] });
    const both = stackDates(earlier, await openRaster(path));
    const { data, mask } = await both.read(undefined, { bands: [4] });
    const theirs = askPeer<{ data: number[]; valid: number[] }>({
      do: "warp",
      path,
      band: 2,
      transform: GRID,
      width: 96,
      height: 80,
      crs: "EPSG:32633",
    });
    let compared = 0;
    for (let i = 0; i < data.length; i++) {
      const inner = theirs.valid[i] === 1 && mask![i] === 1;
      if (!inner) continue;
      compared++;
      // rounding to bytes; GDAL approximates positions to an eighth of a pixel
      expect(Math.abs(data[i]! - theirs.data[i]!), String(i)).toBeLessThanOrEqual(2);
    }
    expect(compared).toBeGreaterThan(5000);
    await both.close();
  });
});
