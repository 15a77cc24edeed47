import { deflateSync } from "node:zlib";

import { describe, expect, test } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { openRaster } from "./open-raster.ts";

/** A TIFF made tag by tag, little-endian, with one directory at byte 8. */
interface Tag {
  readonly tag: number;
  readonly type: 3 | 4 | 2 | 12;
  readonly values: readonly number[] | Uint8Array;
  /** Claims another count than there are values. */
  readonly count?: number;
}

const bytesOf = { 2: 1, 3: 2, 4: 4, 12: 8 } as const;

function tiff(tags: readonly Tag[], data: Uint8Array = new Uint8Array(0), next = 0): Uint8Array {
  const directory = 8 + data.length;
  const extraAt = directory + 2 + tags.length * 12 + 4;
  const extras: Buffer[] = [];
  let extra = extraAt;
  const head = Buffer.alloc(8);
  head.write("II");
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(directory, 4);
  const entries = Buffer.alloc(2 + tags.length * 12 + 4);
  entries.writeUInt16LE(tags.length, 0);
  tags.forEach(({ tag, type, values, count }, i) => {
    const at = 2 + i * 12;
    const value = Buffer.alloc(Math.max(4, values.length * bytesOf[type]));
    values.forEach((number, j) => {
      if (type === 2) value.writeUInt8(number, j);
      else if (type === 3) value.writeUInt16LE(number, 2 * j);
      else if (type === 4) value.writeUInt32LE(number, 4 * j);
      else value.writeDoubleLE(number, 8 * j);
    });
    entries.writeUInt16LE(tag, at);
    entries.writeUInt16LE(type, at + 2);
    entries.writeUInt32LE(count ?? values.length, at + 4);
    if (values.length * bytesOf[type] <= 4) value.copy(entries, at + 8, 0, 4);
    else {
      entries.writeUInt32LE(extra, at + 8);
      extras.push(value);
      extra += value.length;
    }
  });
  entries.writeUInt32LE(next, entries.length - 4);
  return Buffer.concat([head, data, entries, ...extras]);
}

function image(changes: Readonly<Record<number, Tag | null>> = {}): Tag[] {
  const tags: Record<number, Tag | null> = {
    256: { tag: 256, type: 4, values: [4] },
    257: { tag: 257, type: 4, values: [4] },
    258: { tag: 258, type: 3, values: [8] },
    259: { tag: 259, type: 3, values: [1] },
    262: { tag: 262, type: 3, values: [1] },
    273: { tag: 273, type: 4, values: [8] },
    277: { tag: 277, type: 3, values: [1] },
    278: { tag: 278, type: 4, values: [4] },
    279: { tag: 279, type: 4, values: [16] },
    ...changes,
  };
  return Object.values(tags).filter((tag): tag is Tag => tag !== null);
}

const long = (tag: number, ...values: number[]): Tag => ({ tag, type: 4, values });
const short = (tag: number, ...values: number[]): Tag => ({ tag, type: 3, values });
const pixels = Uint8Array.from({ length: 16 }, (_, i) => i);
const compressed = (compression: number, data: Uint8Array, changes: Readonly<Record<number, Tag | null>> = {}): Uint8Array =>
  tiff(image({ 259: short(259, compression), 279: long(279, data.length), ...changes }), data);
const zeros = (length: number): Uint8Array => new Uint8Array(length);

/** A chain of n directories, each pointing to the next. */
function chain(n: number): Uint8Array {
  const head = Buffer.alloc(8 + n * 18);
  head.write("II");
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(8, 4);
  for (let i = 0; i < n; i++) {
    const at = 8 + i * 18;
    head.writeUInt16LE(1, at);
    head.writeUInt16LE(256, at + 2);
    head.writeUInt16LE(3, at + 4);
    head.writeUInt32LE(1, at + 6);
    head.writeUInt16LE(1, at + 10);
    head.writeUInt32LE(i + 1 < n ? at + 18 : 0, at + 14);
  }
  return head;
}

/** Two directories, each pointing to the other. */
function circle(): Uint8Array {
  const first = tiff(image(), pixels, 0);
  const at = 24 + 2 + image().length * 12;
  const second = Buffer.from(first.subarray(24, at + 4));
  second.writeUInt32LE(24, second.length - 4);
  const all = Buffer.concat([first, second]);
  all.writeUInt32LE(first.length, at);
  return all;
}

/** A raw LZW stream of 9-bit codes. */
function lzw(codes: readonly number[]): Uint8Array {
  const bits = codes.map((code) => code.toString(2).padStart(9, "0")).join("");
  return Uint8Array.from(bits.match(/.{1,8}/g)!, (byte) => parseInt(byte.padEnd(8, "0"), 2));
}

const good = tiff(image(), pixels);
const evil: Readonly<Record<string, Uint8Array>> = {
  "nothing": new Uint8Array(0),
  "a signature only": new Uint8Array([0x49, 0x49, 42, 0]),
  "no directory": Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]),
  "a directory past the end": Buffer.from([0x49, 0x49, 42, 0, 0xff, 0xff, 0xff, 0x7f]),
  "an empty directory": tiff([], pixels),
  "a directory that follows itself": tiff(image(), pixels, 24),
  "two directories in a circle": circle(),
  "a million directories": chain(1_000_000),
  "65535 entries in a small file": Buffer.concat([good.subarray(0, 24), Buffer.from([0xff, 0xff])]),
  "5000 entries": tiff(Array.from({ length: 5000 }, (_, i) => short(1000 + i, 1))),
  "a side of 2^31": tiff(image({ 256: long(256, 2 ** 31) }), pixels),
  "2^31 x 2^31 pixels": tiff(image({ 256: long(256, 2 ** 31 - 1), 257: long(257, 2 ** 31 - 1) }), pixels),
  "width 0": tiff(image({ 256: long(256, 0) }), pixels),
  "height 0": tiff(image({ 257: long(257, 0) }), pixels),
  "no size": tiff(image({ 256: null, 257: null }), pixels),
  "0 bands": tiff(image({ 277: short(277, 0) }), pixels),
  "65535 bands": tiff(image({ 277: short(277, 65535) }), pixels),
  "samples of 0 bits": tiff(image({ 258: short(258, 0) }), pixels),
  "samples of 65535 bits": tiff(image({ 258: short(258, 65535) }), pixels),
  "bands of different bits": tiff(image({ 258: short(258, 8, 16), 277: short(277, 2) }), pixels),
  "rows per strip 0": tiff(image({ 278: long(278, 0) }), pixels),
  "tiles of 2^30 pixels": tiff(image({ 322: long(322, 2 ** 15), 323: long(323, 2 ** 15), 324: long(324, 8), 325: long(325, 16) }), pixels),
  "tiles of size 0": tiff(image({ 322: long(322, 0), 323: long(323, 0), 324: long(324, 8), 325: long(325, 16) }), pixels),
  "too few strips": tiff(image({ 278: long(278, 1) }), pixels),
  "no strips": tiff(image({ 273: null, 279: null }), pixels),
  "offsets claimed to be 2^32 - 1": tiff(image({ 273: { ...long(273, 8), count: 2 ** 32 - 1 } }), pixels),
  "a strip past the end": tiff(image({ 273: long(273, 2 ** 31) }), pixels),
  "a strip of 4 GB": tiff(image({ 279: long(279, 2 ** 32 - 1) }), pixels),
  "a strip that is too short": tiff(image({ 279: long(279, 7) }), pixels),
  "a side of pixels but strips of one row each for 2^26 rows": tiff(image({ 257: long(257, 2 ** 26), 278: long(278, 1) }), pixels),
  "planar configuration 7": tiff(image({ 284: short(284, 7) }), pixels),
  "an unknown compression": compressed(12345, pixels),
  "predictor 9": compressed(8, deflateSync(pixels), { 317: short(317, 9) }),
  "a floating predictor on bytes": compressed(8, deflateSync(pixels), { 317: short(317, 3) }),
  "a deflate bomb of 200 MB": compressed(8, deflateSync(zeros(200_000_000))),
  "deflate cut short": compressed(8, deflateSync(pixels).subarray(0, 10)),
  "deflate of too little": compressed(8, deflateSync(pixels.subarray(0, 5))),
  "deflate with a wrong checksum": compressed(8, Buffer.concat([deflateSync(pixels).subarray(0, -1), Buffer.from([1])])),
  "LZW without end": compressed(5, lzw([256, 65, ...Array.from({ length: 3 }, (_, i) => 300 + i)])),
  "LZW of too little": compressed(5, lzw([256, 65, 257])),
  "PackBits of too little": compressed(32773, new Uint8Array([254, 7])),
  "zstd garbage": compressed(50000, pixels),
  "a zstd frame that claims 4 GB": compressed(50000, new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0])),
  "LERC garbage": compressed(34887, pixels),
  "a LERC blob that claims 2^30 pixels": compressed(34887, Buffer.concat([Buffer.from("Lerc2 "), Buffer.from(new Int32Array([4, 0, 32768, 32768, 1, 1, 8, 100, 1]).buffer), zeros(64)])),
  "JPEG garbage": compressed(7, pixels),
  "a JPEG of 65500 x 65500 pixels": compressed(7, Buffer.from("ffd8ffc0000b08ffdcffdc01011100ffda0008010100003f00ffd9", "hex")),
  "metadata of 100 MB": tiff([...image(), { tag: 42112, type: 2, values: [60], count: 100_000_000 }], pixels),
  "complex samples": tiff(image({ 258: short(258, 64), 339: short(339, 6) }), pixels),
  "64-bit integers": tiff(image({ 258: short(258, 64) }), pixels),
  "CMYK": tiff(image({ 262: short(262, 5) }), pixels),
  "YCbCr that is not JPEG": tiff(image({ 262: short(262, 6) }), pixels),
  "a BigTIFF header of nonsense": Buffer.from([0x49, 0x49, 43, 0, 9, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1]),
  "a BigTIFF offset of 2^63": Buffer.from([0x49, 0x49, 43, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]),
  "a PNG that claims 2^31 x 2^31": Buffer.from("89504e470d0a1a0a0000000d494844527fffffff7fffffff0802000000", "hex"),
  "a JPEG picture without an end": Buffer.from("ffd8ffe000104a4649460001", "hex"),
  "a VRT with an entity": Buffer.from('<VRTDataset rasterXSize="1" rasterYSize="1"><!DOCTYPE a [<!ENTITY a "b">]></VRTDataset>'),
}; // prettier-ignore

test("the plain file these are made from is read", async () => {
  const raster = await openRaster(good);
  expect([...(await raster.read()).data]).toEqual([...pixels]);
  await raster.close();
});

describe("hostile files are refused with a typed error, without waiting for a deadline", () => {
  test.each(Object.entries(evil))("%s", async (_, bytes) => {
    const before = process.memoryUsage().rss;
    const error: unknown = await openRaster(bytes)
      .then(
        (raster) => raster.read(),
        (thrown: unknown) => Promise.reject(thrown),
      )
      .catch((thrown: unknown) => thrown);
    expect(GeoLearnError.is(error), String(error)).toBe(true);
    expect((error as GeoLearnError).code).not.toBe("TIMEOUT");
    expect((error as GeoLearnError).hint).toBeDefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
  });
});

test("offsets that overlap are no harm: each block is decoded for itself", async () => {
  const raster = await openRaster(tiff(image({ 278: long(278, 2), 273: long(273, 8, 8), 279: long(279, 8, 8) }), pixels));
  expect([...(await raster.read()).data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
});

describe("odd but right", () => {
  test("windows that are none are refused", async () => {
    const raster = await openRaster(good);
    for (const window of [
      { col: NaN, row: 0, width: 1, height: 1 },
      { col: 0.5, row: 0, width: 1, height: 1 },
      { col: 0, row: 0, width: 0, height: 1 },
      { col: 0, row: 0, width: -1, height: 1 },
      { col: 0, row: 0, width: Infinity, height: 1 },
    ]) {
      await expect(raster.read(window)).rejects.toMatchObject({ code: "WINDOW_OUTSIDE" });
    }
    await expect(raster.read(undefined, { bands: [1] })).rejects.toMatchObject({ code: "BANDS_MISMATCH" });
    await expect(raster.read({ col: 0, row: 0, width: 2 ** 20, height: 2 ** 20 })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    await expect(raster.read(undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    const far = await raster.read({ col: 100, row: 100, width: 2, height: 2 });
    expect([[...far.data], [...far.mask!]]).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    await raster.close();
    await expect(raster.read()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("pixels without a finite value are missing", async () => {
    const values = new Float64Array([1, NaN, Infinity, -Infinity, -0, 5]);
    const data = new Uint8Array(values.buffer);
    const tags = image({ 256: long(256, 3), 257: long(257, 2), 258: short(258, 64), 339: short(339, 3), 279: long(279, 48) });
    const raster = await openRaster(tiff(tags, data));
    expect([...(await raster.read()).mask!]).toEqual([1, 0, 0, 0, 1, 1]);
  });

  test("nodata that no sample can have is none", async () => {
    const nodata = (text: string): Tag => ({ tag: 42113, type: 2, values: [...Buffer.from(`${text}\0`)] });
    for (const text of ["-9999", "nan", "1e+19", "", "abc", "0.5"]) {
      expect((await openRaster(tiff([...image(), nodata(text)], pixels))).nodata).toBeNull();
    }
    expect((await openRaster(tiff([...image(), nodata(" 7 ")], pixels))).nodata).toBe(7);
  });
});
