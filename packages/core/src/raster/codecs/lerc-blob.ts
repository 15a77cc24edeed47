/** The header and the mask of a Lerc2 blob, which geotiff's decoder neither bounds nor gives back. */

import type { Samples } from "../raster.ts";

/** A type of samples. */
interface ValuesType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike): Samples;
}

/** The types of samples by their number in the header. */
const TYPES: readonly ValuesType[] = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array];
const LAST_VERSION = 5;
const END_OF_MASK = -32768;

/** What a blob says of itself. */
export interface LercHeader {
  readonly width: number;
  readonly height: number;
  /** Values per pixel. */
  readonly depth: number;
  readonly validPixels: number;
  /** Bytes of the blob. */
  readonly length: number;
  readonly Type: ValuesType;
  /** Where the mask begins. */
  readonly maskAt: number;
}

/** @throws Error when the bytes do not begin with a Lerc2 header, or with one of another version than 1 to 5. */
export function readLercHeader(bytes: Uint8Array): LercHeader {
  if (bytes.length < 66 || !startsBlob(bytes)) throw new Error("its LERC blob has no Lerc2 header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getInt32(6, true);
  if (version < 1 || version > LAST_VERSION)
    throw new Error(`its LERC blob is of version 2.${version}; 2.${LAST_VERSION} is the last that is read`);
  const sizeAt = version >= 3 ? 14 : 10;
  const restAt = sizeAt + (version >= 4 ? 12 : 8);
  const type = view.getInt32(restAt + 12, true);
  const Type = TYPES[type];
  if (Type === undefined) throw new Error(`its LERC blob has samples of the unknown type ${type}`);
  return {
    height: view.getInt32(sizeAt, true),
    width: view.getInt32(sizeAt + 4, true),
    depth: version >= 4 ? view.getInt32(sizeAt + 8, true) : 1,
    validPixels: view.getInt32(restAt, true),
    length: view.getInt32(restAt + 8, true),
    Type,
    maskAt: restAt + 40,
  };
}

/** True when a blob begins here. */
export function startsBlob(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && String.fromCharCode(...bytes.subarray(0, 6)) === "Lerc2 ";
}

/** 1 for each valid pixel; null when all are. @throws Error or RangeError when the mask is damaged. */
export function readLercMask(bytes: Uint8Array, { width, height, validPixels, maskAt }: LercHeader): Uint8Array | null {
  const pixels = width * height;
  if (validPixels === pixels) return null;
  const mask = new Uint8Array(pixels);
  if (validPixels === 0) return mask;
  const bits = unpackRuns(bytes, maskAt, Math.ceil(pixels / 8));
  for (let i = 0; i < pixels; i++) mask[i] = (bits[i >> 3]! >> (7 - (i & 7))) & 1;
  return mask;
}

/** Runs: a count and as many bytes, or a negative count and the byte to repeat. */
function unpackRuns(bytes: Uint8Array, maskAt: number, length: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Uint8Array(length);
  let at = maskAt + 4;
  let done = 0;
  for (;;) {
    const count = view.getInt16(at, true);
    at += 2;
    if (count === END_OF_MASK) break;
    const size = Math.abs(count);
    if (size === 0 || done + size > length) throw new Error("the mask of its LERC blob is damaged");
    if (count > 0) out.set(bytes.subarray(at, at + size), done);
    else out.fill(view.getUint8(at), done, done + size);
    at += count > 0 ? size : 1;
    done += size;
  }
  if (done !== length) throw new Error("the mask of its LERC blob is damaged");
  return out;
}
