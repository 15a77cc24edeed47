/** Deflate by the streams of the web platform. Their level cannot be chosen, and bytes behind the end of the data are an error. */

import type { InflateLimits } from "./deflate.ts";

type Format = "deflate" | "deflate-raw";

/** Inflates data in zlib's wrapping, the checksum verified. @throws Error when damaged or too much */
export function inflateZlib(bytes: Uint8Array, limits: InflateLimits): Promise<Uint8Array> {
  return inflate("deflate", bytes, limits);
}

/** Inflates bare data. @throws Error when damaged or too much */
export function inflateRaw(bytes: Uint8Array, limits: InflateLimits): Promise<Uint8Array> {
  return inflate("deflate-raw", bytes, limits);
}

/** Deflates into zlib's wrapping. */
export function deflateZlib(bytes: Uint8Array, _level: number): Promise<Uint8Array> {
  return collect(through(new CompressionStream("deflate"), bytes), Infinity, 0);
}

/** Deflates without wrapping. */
export function deflateRaw(bytes: Uint8Array, _level: number): Promise<Uint8Array> {
  return collect(through(new CompressionStream("deflate-raw"), bytes), Infinity, 0);
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let word = byte;
  for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ 0xedb88320 : word >>> 1;
  return word;
});

/** The checksum of zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}

function inflate(format: Format, bytes: Uint8Array, { expected = 0, limit }: InflateLimits): Promise<Uint8Array> {
  return collect(through(new DecompressionStream(format), bytes), limit, expected);
}

interface Transform {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

function through(transform: unknown, bytes: Uint8Array): ReadableStream<Uint8Array> {
  const { readable, writable } = transform as Transform;
  const writer = writable.getWriter();
  // A failure comes out at the reading end.
  writer.write(bytes).catch(() => undefined);
  writer.close().catch(() => undefined);
  return readable;
}

/** All bytes of a stream, in one array that is as large as expected and grows when it must. */
async function collect(stream: ReadableStream<Uint8Array>, limit: number, expected: number): Promise<Uint8Array> {
  let out = new Uint8Array(Math.min(expected, limit));
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return out.subarray(0, length);
    if (length + value.length > limit) {
      await reader.cancel().catch(() => undefined);
      throw new Error(`it inflates to more than ${limit} bytes`);
    }
    if (length + value.length > out.length) {
      const larger = new Uint8Array(Math.max(length + value.length, 2 * out.length));
      larger.set(out.subarray(0, length));
      out = larger;
    }
    out.set(value, length);
    length += value.length;
  }
}
