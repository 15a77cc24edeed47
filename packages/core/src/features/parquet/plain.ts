/** Values as they are (PLAIN), and those whose bytes were taken apart (BYTE_STREAM_SPLIT). */

import type { PhysicalType } from "./schema.ts";

/** A value before its meaning is applied. */
export type RawValue = boolean | number | bigint | Uint8Array;

const WIDTHS: Readonly<Partial<Record<PhysicalType, number>>> = { int32: 4, int64: 8, int96: 12, float: 4, double: 8 };

/**
 * Reads `count` values from the start of the bytes.
 *
 * @param typeLength - bytes of a value of type fixed
 * @throws Error when there are fewer
 */
export function readPlain(bytes: Uint8Array, type: PhysicalType, typeLength: number, count: number): RawValue[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === "boolean") {
    need(bytes, Math.ceil(count / 8));
    return Array.from({ length: count }, (_, i) => ((bytes[i >> 3]! >> (i & 7)) & 1) === 1);
  }
  if (type === "bytes") return readTexts(bytes, view, count);
  const width = widthOf(type, typeLength);
  need(bytes, count * width);
  const values: RawValue[] = new Array<RawValue>(count);
  for (let i = 0; i < count; i += 1) values[i] = valueAt(view, bytes, i * width, type, width);
  return values;
}

/** Reads values of which first all lowest bytes stand, then all second ones, and so on. @throws Error */
export function readSplit(bytes: Uint8Array, type: PhysicalType, typeLength: number, count: number): RawValue[] {
  if (type === "boolean" || type === "bytes" || type === "int96") throw new Error(`values of type ${type} cannot be taken apart`);
  const width = widthOf(type, typeLength);
  need(bytes, count * width);
  const whole = new Uint8Array(count * width);
  for (let byte = 0; byte < width; byte += 1) {
    for (let i = 0; i < count; i += 1) whole[i * width + byte] = bytes[byte * count + i]!;
  }
  return readPlain(whole, type, typeLength, count);
}

function readTexts(bytes: Uint8Array, view: DataView, count: number): Uint8Array[] {
  // each has its length before it
  need(bytes, 4 * count);
  const values: Uint8Array[] = new Array<Uint8Array>(count);
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    if (at + 4 > bytes.length) throw new Error("its values end early");
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > bytes.length) throw new Error(`a value claims ${length} bytes`);
    values[i] = bytes.subarray(at, at + length);
    at += length;
  }
  return values;
}

function valueAt(view: DataView, bytes: Uint8Array, at: number, type: PhysicalType, width: number): RawValue {
  switch (type) {
    case "int32":
      return view.getInt32(at, true);
    case "int64":
      return view.getBigInt64(at, true);
    case "float":
      return view.getFloat32(at, true);
    case "double":
      return view.getFloat64(at, true);
    default:
      return bytes.subarray(at, at + width);
  }
}

function widthOf(type: PhysicalType, typeLength: number): number {
  const width = WIDTHS[type] ?? typeLength;
  if (!(width > 0)) throw new Error(`its values have ${width} bytes each`);
  return width;
}

function need(bytes: Uint8Array, length: number): void {
  if (length > bytes.length) throw new Error(`its values take ${length} bytes and ${bytes.length} are left`);
}
