/** Where the bytes of a raster file come from. */

import { GeoLearnError } from "../../errors.ts";

/** Random access to bytes: a file, memory, or a remote object read by ranges. */
export interface ByteSource {
  /** Path or address, for messages; never with a query string. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Bytes worth reading in one request rather than two: ranges with a smaller gap are read together. */
  readonly gap: number;
  /** Exactly `length` bytes, which the caller may change or hand over. @throws RASTER_CORRUPT when the source ends before, FILE_NOT_FOUND, NETWORK_FAILED */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A source over bytes in memory. */
export function memorySource(given: Uint8Array, name = "memory"): ByteSource {
  // slice() of a Node Buffer would share its memory
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  return {
    name,
    size: bytes.byteLength,
    gap: 0,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      checkRange(this, offset, length);
      return bytes.slice(offset, offset + length);
    },
    async close() {},
  };
}

/** Throws unless the range lies inside the source. */
export function checkRange(source: Pick<ByteSource, "name" | "size">, offset: number, length: number): void {
  const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (inside && offset + length <= source.size) return;
  throw new GeoLearnError(
    "RASTER_CORRUPT",
    `${source.name} refers to bytes ${offset} to ${offset + length}, but has ${source.size} bytes: it is cut short or damaged.`,
    { hint: "Copy or download the file again.", data: { offset, length, size: source.size } },
  );
}
