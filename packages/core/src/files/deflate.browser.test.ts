import zlib from "node:zlib";

import { describe, expect, test } from "vitest";

import * as web from "./deflate.browser.ts";
import * as node from "./deflate.ts";

const text = new TextEncoder().encode("some text, some text, some text ".repeat(3000));
const noise = Uint8Array.from({ length: 50_000 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);

describe.each([
  ["text", text],
  ["noise", noise],
  ["nothing", new Uint8Array(0)],
])("deflate of the web platform: %s", (_name, plain) => {
  const expected = plain.length;

  test("reads what zlib wrote, and the other way round", async () => {
    expect(await web.inflateZlib(zlib.deflateSync(plain), { expected, limit: expected })).toEqual(plain);
    expect(await web.inflateRaw(zlib.deflateRawSync(plain), { limit: expected })).toEqual(plain);
    expect(await node.inflateZlib(await web.deflateZlib(plain, 6), { limit: expected + 1 })).toEqual(plain);
    expect(Buffer.compare(await node.inflateRaw(await web.deflateRaw(plain, 6), { limit: expected }), plain)).toBe(0);
    expect(web.crc32(plain)).toBe(zlib.crc32(plain));
  });

  test("does not believe in sizes", async () => {
    expect(await web.inflateZlib(zlib.deflateSync(plain), { expected: 10, limit: expected + 5 })).toEqual(plain);
    if (expected === 0) return;
    for (const inflate of [web.inflateZlib, node.inflateZlib]) {
      await expect((async () => inflate(zlib.deflateSync(plain), { expected, limit: expected - 1 }))()).rejects.toThrow();
    }
  });

  test("notices damage", async () => {
    const packed = zlib.deflateSync(plain);
    const wrongSum = packed.slice();
    wrongSum[packed.length - 1]! ^= 1;
    for (const damaged of [wrongSum, packed.subarray(0, packed.length - 1), Uint8Array.of(0xff, 0xff, 0xff)]) {
      for (const inflate of [web.inflateZlib, node.inflateZlib]) {
        await expect((async () => inflate(damaged, { expected, limit: expected + 10 }))()).rejects.toThrow();
      }
    }
  });
});
