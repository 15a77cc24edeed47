import { describe, expect, test } from "vitest";

import { decodeZstd } from "./zstd.ts";

// frames put together by hand after RFC 8878, section 3.1.1
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const content = Uint8Array.from({ length: 300 }, (_, i) => i % 7);
const stored = [...blockHeader(300, 0, true), ...content];
/** One segment; the size is stated in two bytes as 300 - 256. */
const sized = new Uint8Array([...MAGIC, 0x60, 44, 0, ...stored]);
/** A window of 1 KiB and no size, as streaming writers leave it. */
const streamed = new Uint8Array([...MAGIC, 0x00, 0x00, ...stored]);
/** 16 MiB of one byte in 518 bytes, without a size. */
const bomb = new Uint8Array([
  ...MAGIC,
  0x00,
  0x58,
  ...Array.from({ length: 128 }, (_, i) => [...blockHeader(131_072, 1, i === 127), 7]).flat(),
]);

function blockHeader(size: number, type: number, last: boolean): number[] {
  const header = (size << 3) | (type << 1) | (last ? 1 : 0);
  return [header & 255, (header >> 8) & 255, (header >> 16) & 255];
}

describe("a frame is decoded", () => {
  test("that states its size", async () => {
    expect(await decodeZstd(sized, 300, [])).toEqual(content);
  });

  test("that does not state its size, when it has one of those it may have", async () => {
    expect(await decodeZstd(streamed, 4096, [200, 300])).toEqual(content);
  });

  test("with bytes after it, another frame among them", async () => {
    expect(await decodeZstd(new Uint8Array([...sized, ...bomb]), 4096, [])).toEqual(content);
  });

  test("that is large", async () => {
    const decoded = await decodeZstd(bomb, 2 ** 25, [2 ** 24]);
    expect(decoded.length).toBe(2 ** 24);
    expect(decoded.every((value) => value === 7)).toBe(true);
  });
});

test.each<[string, Uint8Array, readonly number[]]>([
  ["one that claims more than the limit", new Uint8Array([...MAGIC, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, ...stored]), []],
  ["one that holds more than it may", bomb, [300]],
  ["one that holds less than it may", streamed, [301]],
  ["one without a size where any is possible", streamed, []],
  ["one that ends early", sized.slice(0, 250), []],
  ["one whose last block is missing", new Uint8Array([...MAGIC, 0x00, 0x00, ...blockHeader(3, 0, false), 1, 2, 3]), [3]],
  ["a block of the reserved type", new Uint8Array([...MAGIC, 0x00, 0x00, ...blockHeader(4, 3, true), 1, 2, 3, 4]), [4]],
  ["a compressed block of nonsense", new Uint8Array([...MAGIC, 0x00, 0x00, ...blockHeader(4, 2, true), 255, 255, 255, 255]), [4]],
  ["another magic number", new Uint8Array([...MAGIC.toReversed(), ...sized.slice(4)]), []],
  ["nothing", new Uint8Array(0), []],
])("refused at once: %s", async (_, bytes, sizes) => {
  const start = performance.now();
  await expect(decodeZstd(bytes, 4096, sizes)).rejects.toThrow(/zstd/);
  expect(performance.now() - start).toBeLessThan(2000);
});
