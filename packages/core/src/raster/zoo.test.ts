import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, test } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { openRaster } from "./open-raster.ts";
import { difference, Peers, withPeers } from "./peers.testing.ts";
import type { Raster, Samples } from "./raster.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");
const folder = join(root, "../shared/data/geotiff-zoo");
const present = existsSync(join(folder, "manifest.json"));
if (!present) process.stderr.write(`skipped: ${folder} is not there\n`);

interface Entry {
  readonly width: number;
  readonly height: number;
  readonly count: number;
  readonly dtype: string;
  readonly crs_epsg: number | null;
  readonly transform: readonly number[];
  readonly nodata: number | "NaN" | null;
  readonly lossy?: boolean;
  readonly error?: string;
  readonly overviews: readonly number[];
  readonly blocks: readonly [number, number];
  readonly colorinterp: readonly string[];
  readonly mask_flags: readonly string[];
  readonly gcps: number;
  readonly bands: readonly { readonly md5: string; readonly min: number; readonly max: number; readonly mean: number }[];
}

/** Files that are refused, with the code and a word of the reason. GDAL refuses those it calls an error, too. */
const refused: Readonly<Record<string, readonly [code: string, reason: RegExp]>> = {
  "generated/BROKEN_corrupt_tile.tif": ["RASTER_CORRUPT", /block/],
  "generated/BROKEN_empty.tif": ["UNSUPPORTED_FORMAT", /empty/],
  "generated/BROKEN_not_a_tiff.tif": ["UNSUPPORTED_FORMAT", /not a TIFF/],
  "generated/BROKEN_truncated_8bytes.tif": ["RASTER_CORRUPT", /cut short/],
  "generated/BROKEN_truncated_half.tif": ["RASTER_CORRUPT", /cut short/],
  "original/corrupt.tif": ["RASTER_CORRUPT", /block/],
  "original/sar_hh.tif": ["RASTER_UNSUPPORTED", /complex/],
  "generated/uint8_lzma.tif": ["RASTER_UNSUPPORTED", /LZMA/],
  "generated/uint8_webp_lossless.tif": ["RASTER_UNSUPPORTED", /WebP/],
  "generated/uint8_webp_q80.tif": ["RASTER_UNSUPPORTED", /WebP/],
  "original/rgba8.nztm2000.tiff": ["RASTER_UNSUPPORTED", /WebP/],
  "original/rgba8_strip.tiff": ["RASTER_UNSUPPORTED", /WebP/],
  "original/rgba8_tiled.tiff": ["RASTER_UNSUPPORTED", /WebP/],
  "original/sparse.tiff": ["RASTER_UNSUPPORTED", /WebP/],
};

describe.skipIf(!present)("every file of the GeoTIFF collection", () => {
  const manifest = present ? (JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Record<string, Entry>) : {};
  for (const [name, entry] of Object.entries(manifest)) {
    test(name, async () => {
      const refusal = refused[name];
      if (refusal !== undefined) {
        const error: unknown = await readAll(join(folder, name)).catch((thrown: unknown) => thrown);
        expect(GeoLearnError.is(error)).toBe(true);
        const { code, message, hint } = error as GeoLearnError;
        expect([code, hint === undefined]).toEqual([refusal[0], false]);
        expect(message).toMatch(refusal[1]);
        return;
      }
      expect(entry.error, "GDAL cannot read it either").toBeUndefined();
      const raster = await openRaster(join(folder, name));
      expectHeader(raster, entry);
      await expectPixels(raster, entry);
      await raster.close();
    });
  }
});

describe.skipIf(!present || !withPeers)("against rasterio, pixel by pixel", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());

  test("masks are equal, lossy pixels within 2", { timeout: 120_000 }, async () => {
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Record<string, Entry>;
    const names = Object.keys(manifest).filter(
      (name) => refused[name] === undefined && manifest[name]!.width * manifest[name]!.height < 4e6,
    );
    const answers = peers.run(names.map((name) => ({ do: "read", path: join(folder, name) })));
    for (const [i, name] of names.entries()) {
      const raster = await openRaster(join(folder, name));
      const { data, mask } = await raster.read();
      const { data: expected, mask: valid } = answers[i]!;
      const lossy = manifest[name]!.lossy === true;
      expect([name, difference(data, expected).most <= (lossy ? 2 : 0)]).toEqual([name, true]);
      const full = mask ?? new Uint8Array(valid.length).fill(1);
      // rasterio calls NaN valid unless it is the nodata value
      const finite = full.map((_, pixel) => (hasFinite(expected, pixel, full.length) ? 1 : 0));
      expect([
        name,
        difference(
          full,
          valid.map((value, pixel) => value & finite[pixel]!),
        ).most,
      ]).toEqual([name, 0]);
      await raster.close();
    }
  });
});

function hasFinite(data: Samples, pixel: number, pixels: number): boolean {
  for (let i = pixel; i < data.length; i += pixels) if (Number.isFinite(data[i]!)) return true;
  return false;
}

async function readAll(path: string): Promise<void> {
  const raster = await openRaster(path);
  try {
    await raster.read();
  } finally {
    await raster.close();
  }
}

function expectHeader(raster: Raster, entry: Entry): void {
  expect([raster.width, raster.height, raster.bands, raster.sampleType]).toEqual([entry.width, entry.height, entry.count, entry.dtype]);
  expect([raster.blockHeight, raster.blockWidth]).toEqual(entry.blocks);
  expect(raster.nodata).toEqual(entry.nodata === "NaN" ? NaN : (entry.nodata ?? null));
  expect(raster.crs?.epsg ?? null).toEqual(entry.crs_epsg ?? null);
  const identity = entry.transform.join() === "1,0,0,0,1,0";
  if (raster.transform === null) expect(identity).toBe(true);
  else {
    raster.transform.forEach((value, i) =>
      expect(Math.abs(value - entry.transform[i]!)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value))),
    );
  }
  expect(raster.bandInfo.map(({ interpretation }) => interpretation)).toEqual(entry.colorinterp);
  const factors = raster.overviews.map(({ width }) => Math.round(raster.width / width));
  expect(factors).toEqual(entry.overviews);
}

async function expectPixels(raster: Raster, entry: Entry): Promise<void> {
  const { data } = await raster.read();
  const pixels = raster.width * raster.height;
  for (const [i, band] of entry.bands.entries()) {
    const samples = data.subarray(i * pixels, (i + 1) * pixels);
    if (entry.lossy !== true) {
      expect(
        createHash("md5")
          .update(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
          .digest("hex"),
      ).toBe(band.md5);
      continue;
    }
    let sum = 0;
    let min = Infinity;
    let max = -Infinity;
    for (const value of samples) {
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    expect(Math.abs(sum / pixels - band.mean)).toBeLessThan(0.2);
    expect(Math.abs(min - band.min)).toBeLessThanOrEqual(2);
    expect(Math.abs(max - band.max)).toBeLessThanOrEqual(2);
  }
}
