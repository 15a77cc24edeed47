/** Deflate (RFC 1950 and 1951) and its checksum, by Node. In a browser deflate.browser.ts takes its place (`imports` in package.json). */

import { promisify } from "node:util";
import zlib from "node:zlib";

/** How much may come out of inflating. */
export interface InflateLimits {
  /** Bytes that are likely: one allocation of this size is made. */
  readonly expected?: number;
  /** Bytes at most; more is an error. */
  readonly limit: number;
}

const inflateBare = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);
const deflateBare = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);
const deflateWrapped = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflate);

/** Inflates data in zlib's wrapping, the checksum verified; bytes behind the end are left alone. @throws Error when damaged or too much */
export function inflateZlib(bytes: Uint8Array, { expected = 0, limit }: InflateLimits): Promise<Uint8Array> | Uint8Array {
  const { buffer, byteOffset, byteLength } = zlib.inflateSync(bytes, {
    // larger than Node's buffer pool, so that the result can be transferred
    chunkSize: Math.max(expected + 64, 16384),
    maxOutputLength: limit,
    finishFlush: zlib.constants.Z_FINISH,
  });
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Inflates bare data. @throws Error when damaged or too much */
export function inflateRaw(bytes: Uint8Array, { limit }: InflateLimits): Promise<Uint8Array> {
  return inflateBare(bytes, { maxOutputLength: Math.max(limit, 1) });
}

/** Deflates into zlib's wrapping, at a level of 1 to 9. */
export function deflateZlib(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return deflateWrapped(bytes, { level, chunkSize: Math.max(1024, bytes.length >> 1) });
}

/** Deflates without wrapping, at a level of 1 to 9. */
export function deflateRaw(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  return deflateBare(bytes, { level });
}

/** The checksum of zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  return zlib.crc32(bytes);
}
