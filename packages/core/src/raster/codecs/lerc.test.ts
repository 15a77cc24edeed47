import { afterAll, describe, expect, test } from "vitest";

import { openRaster } from "../open-raster.ts";
import { difference, Peers, withPeers } from "../peers.testing.ts";
import { decodeLerc } from "./lerc.ts";

const base = { do: "make", width: 190, height: 150, kind: "noise" } as const;
const tiled = { tiled: true, blockxsize: 64, blockysize: 64 };
const hole = [40, 50, 90, 80];

describe.skipIf(!withPeers)("reads LERC like rasterio", () => {
  const peers = new Peers();
  afterAll(() => peers.remove());

  test.each([
    // noise of 8 bits is stored as it is
    { name: "noise", bands: 1, dtype: "uint8", options: { compress: "lerc" } },
    { name: "noise of three bands", bands: 3, dtype: "uint8", options: { ...tiled, compress: "lerc", interleave: "pixel" } },
    { name: "smooth bytes", kind: "smooth", bands: 3, dtype: "uint8", options: { compress: "lerc", interleave: "pixel" } },
    {
      name: "one value",
      kind: "steps",
      bands: 1,
      dtype: "int16",
      options: { tiled: true, blockxsize: 16, blockysize: 16, compress: "lerc" },
    },
    { name: "holes of NaN", bands: 1, dtype: "float32", nodata: "nan", hole, options: { ...tiled, compress: "lerc" } },
    {
      name: "holes of NaN in two bands",
      bands: 2,
      dtype: "float64",
      nodata: "nan",
      hole,
      options: { compress: "lerc_zstd", interleave: "pixel" },
    },
    {
      name: "alpha",
      kind: "steps",
      bands: 4,
      dtype: "uint8",
      options: { ...tiled, compress: "lerc_deflate", photometric: "RGB", alpha: "YES" },
    },
    { name: "uint32", bands: 2, dtype: "uint32", options: { ...tiled, compress: "lerc_deflate" } },
    { name: "int8", kind: "classes", bands: 1, dtype: "int8", options: { compress: "lerc" } },
  ])("$name", async ({ name, ...options }) => {
    const path = peers.path(`${name}.tif`);
    const [expected] = peers.run([
      { ...base, ...options, path },
      { do: "read", path },
    ]);
    const raster = await openRaster(path);
    const { data } = await raster.read();
    expect(difference(data, expected!.data)).toEqual({ most: 0, share: 0 });
    await raster.close();
  });
});

describe("a blob is refused", () => {
  /** The header of a blob of version 2.2, whose checksum nobody checks, of 4 x 4 bytes; then its last bytes. */
  function blob(changes: Readonly<Record<number, number>>, rest: readonly number[] = Array.from({ length: 32 }, () => 0)): Uint8Array {
    const bytes = new Uint8Array(58 + rest.length);
    const view = new DataView(bytes.buffer);
    bytes.set(Buffer.from("Lerc2 "));
    const fields = { 6: 2, 10: 4, 14: 4, 18: 16, 22: 8, 26: bytes.length, 30: 1, ...changes };
    for (const [at, value] of Object.entries(fields)) view.setInt32(Number(at), value, true);
    bytes.set(rest, 58);
    return bytes;
  }

  test.each<[string, Uint8Array, RegExp]>([
    ["of a version to come", blob({ 6: 6 }), /version/],
    ["of more pixels", blob({ 14: 40_000 }), /40000 x 4 pixels/],
    ["of more valid pixels than pixels", blob({ 18: 17 }), /valid pixels/],
    ["of negative length", blob({ 26: -1 }), /bytes/],
    ["of length 0, which would be decoded again and again", blob({ 26: 0 }), /bytes/],
    ["of an unknown type", blob({ 30: 9 }), /type/],
    ["with another after it", new Uint8Array([...blob({}), ...blob({})]), /more than one/],
    ["whose mask overflows", blob({ 18: 8 }, [6, 0, 0, 0, 0x00, 0x80, 255, 0, 0, 0, ...Array.from({ length: 20 }, () => 0)]), /./],
    ["that is too short", blob({}).slice(0, 40), /header/],
  ])("%s", async (_, bytes, message) => {
    const attempt = decodeLerc(bytes, "uint8", 4, 4, 1).then(
      () => "decoded",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    expect(await attempt).not.toBe("decoded");
    expect(await attempt).toMatch(message);
  });
});
