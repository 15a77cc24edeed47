/** The number types weight files are written in; all of them become float32. */

import { bfloatsToFloats, halfToFloat } from "@geolearn/engine";

/** Turns raw little-endian bytes (from the buffer's start, a whole number of values) into float32. */
export interface NumberType {
  /** Bytes of one value. */
  readonly bytes: number;
  readonly decode: (buffer: ArrayBuffer) => Float32Array;
}

/** By the names safetensors gives them. */
export const NUMBER_TYPES = {
  F64: { bytes: 8, decode: (buffer) => Float32Array.from(new Float64Array(buffer)) },
  F32: { bytes: 4, decode: (buffer) => new Float32Array(buffer) },
  F16: { bytes: 2, decode: (buffer) => Float32Array.from(new Uint16Array(buffer), halfToFloat) },
  BF16: { bytes: 2, decode: (buffer) => bfloatsToFloats(new Uint16Array(buffer)) },
  I64: { bytes: 8, decode: (buffer) => Float32Array.from(new BigInt64Array(buffer), Number) },
  U64: { bytes: 8, decode: (buffer) => Float32Array.from(new BigUint64Array(buffer), Number) },
  I32: { bytes: 4, decode: (buffer) => Float32Array.from(new Int32Array(buffer)) },
  U32: { bytes: 4, decode: (buffer) => Float32Array.from(new Uint32Array(buffer)) },
  I16: { bytes: 2, decode: (buffer) => Float32Array.from(new Int16Array(buffer)) },
  U16: { bytes: 2, decode: (buffer) => Float32Array.from(new Uint16Array(buffer)) },
  I8: { bytes: 1, decode: (buffer) => Float32Array.from(new Int8Array(buffer)) },
  U8: { bytes: 1, decode: (buffer) => Float32Array.from(new Uint8Array(buffer)) },
  BOOL: { bytes: 1, decode: (buffer) => Float32Array.from(new Uint8Array(buffer), (v) => (v === 0 ? 0 : 1)) },
} as const satisfies Readonly<Record<string, NumberType>>;

/** A copy of bytes that begins at the start of its own buffer, so that they are aligned and outlive the file's. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}
