/** A raw LZ4 block (github.com/lz4/lz4, lz4_Block_format.md). */

import { copyBack } from "./snappy.ts";

/**
 * Decompresses to exactly `size` bytes.
 *
 * @throws Error when the bytes are damaged or hold another number
 */
export function decodeLz4(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  let done = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Error("its LZ4 block ends early");
    return bytes[at++]!;
  };
  /** A length of 15 goes on in the following bytes. */
  const lengthOf = (start: number): number => {
    let length = start;
    if (start !== 15) return length;
    for (let byte = 255; byte === 255; length += byte) byte = next();
    return length;
  };
  while (at < bytes.length) {
    const token = next();
    const literals = lengthOf(token >> 4);
    if (at + literals > bytes.length || done + literals > size) throw new Error("an LZ4 literal is too long");
    out.set(bytes.subarray(at, at + literals), done);
    at += literals;
    done += literals;
    if (at === bytes.length) break; // the last sequence has no copy
    const offset = next() + 256 * next();
    done = copyBack(out, done, offset, lengthOf(token & 15) + 4);
  }
  if (done !== size) throw new Error(`its LZ4 block holds ${done} of ${size} bytes`);
  return out;
}
