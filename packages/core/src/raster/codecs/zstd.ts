/** Zstandard blocks (RFC 8878): the frame is checked here and decoded by geotiff. */

import { decodeByGeoTiff, ZSTD } from "./geotiff-decoders.ts";

const MAGIC = 0xfd2fb528;
const DICTIONARY_BYTES = [0, 1, 2, 4];

/** Where the parts of a frame are, in bytes. */
interface Frame {
  /** Size of the content where the frame states it. */
  readonly contentSize: number | null;
  /** Where the content size stands or, unstated, would stand. */
  readonly contentSizeAt: number;
  readonly end: number;
}

/**
 * Decompresses the first frame. The decoder's memory and time are bounded by what a frame says of its size; one that does not
 * say is decoded without a bound, and for ever when damaged. Such a frame, as streaming writers leave them, is given the size
 * that the block must have.
 *
 * @param limit - bytes a frame may claim
 * @param sizes - bytes the content may have where the frame does not say, most likely first
 * @throws Error when the frame is damaged or of another size.
 */
export async function decodeZstd(bytes: Uint8Array, limit: number, sizes: readonly number[]): Promise<Uint8Array> {
  const frame = findFrame(bytes);
  const whole = bytes.slice(0, frame.end);
  if (frame.contentSize !== null) {
    if (frame.contentSize > limit) throw new Error(`its zstd frame claims ${frame.contentSize} bytes`);
    const content = await decode(whole, frame.contentSize);
    if (content !== null) return content;
  } else {
    for (const size of new Set(sizes)) {
      const content = await decode(withContentSize(whole, frame.contentSizeAt, size), size);
      if (content !== null) return content;
    }
  }
  throw new Error("its zstd frame is damaged or of another size");
}

/** Null unless the content has exactly `size` bytes: after an error the decoder returns bytes of any number and origin. */
async function decode(frame: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array | null> {
  const content = new Uint8Array(await decodeByGeoTiff(ZSTD, frame));
  return content.length === size ? content : null;
}

function findFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 9 || view.getUint32(0, true) !== MAGIC) throw new Error("its zstd frame has no header");
  const descriptor = bytes[4]!;
  const single = (descriptor & 32) !== 0;
  const contentSizeAt = 5 + (single ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]!;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && !single ? 0 : 1 << sizeFlag;
  const contentSize = sizeBytes === 0 ? null : readContentSize(view, contentSizeAt, sizeBytes);
  const hasChecksum = (descriptor & 4) !== 0;
  const end = findEndOfBlocks(bytes, contentSizeAt + sizeBytes) + (hasChecksum ? 4 : 0);
  if (end > bytes.length) throw new Error("its zstd frame ends early");
  return { contentSize, contentSizeAt, end };
}

/** @throws RangeError when the header ends early. */
function readContentSize(view: DataView, at: number, length: number): number {
  if (length === 1) return view.getUint8(at);
  if (length === 2) return view.getUint16(at, true) + 256;
  return length === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

/** Follows the three-byte headers of the blocks to behind the last one; may lie behind the end of the bytes. */
function findEndOfBlocks(bytes: Uint8Array, first: number): number {
  let at = first;
  while (at + 3 <= bytes.length) {
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    const repeated = ((header >> 1) & 3) === 1;
    at += 3 + (repeated ? 1 : header >> 3);
    if ((header & 1) === 1) return at;
  }
  return Infinity;
}

function withContentSize(frame: Uint8Array, at: number, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(frame.length + 4);
  out.set(frame.subarray(0, at));
  // flag 2 of the descriptor: the content size takes four bytes
  out[4] = frame[4]! | 0x80;
  new DataView(out.buffer).setUint32(at, size, true);
  out.set(frame.subarray(at), at + 4);
  return out;
}
