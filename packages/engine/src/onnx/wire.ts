/**
 * Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/), read field by field from bytes of strangers. Nothing is
 * allocated from a declared length before it is known to lie within the message.
 */

import { GeoLearnError } from "@geolearn/core";

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The refusal of a file that contradicts itself. */
export function corrupt(file: string, what: string): GeoLearnError {
  return new GeoLearnError("MODEL_CORRUPT", `${file} ${what}.`, { hint: "Export or copy the ONNX file again." });
}

/** The part of a name or text a message can bear. */
export function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** One protobuf message. `next()` goes to a field; its value is then read once, or skipped by the following `next()`. */
export class MessageReader {
  /** Number of the present field. */
  field = 0;
  /** Where the present field begins, its key included. */
  fieldStart = 0;
  private wire = 0;
  private at: number;
  private pending = false;

  constructor(
    readonly file: string,
    private readonly bytes: Uint8Array,
    private readonly start = 0,
    private readonly end = bytes.length,
  ) {
    this.at = start;
  }

  /** Goes to the next field. */
  next(): boolean {
    if (this.pending) this.skip();
    if (this.at >= this.end) return false;
    this.fieldStart = this.at;
    const key = this.varint();
    this.wire = key % 8;
    this.field = Math.floor(key / 8);
    if (this.field < 1 || this.field > 0x1fffffff) throw corrupt(this.file, `has a field numbered ${this.field}`);
    if (this.wire !== VARINT && this.wire !== FIXED64 && this.wire !== LENGTH_DELIMITED && this.wire !== FIXED32)
      throw corrupt(this.file, `has a field of wire type ${this.wire}, which ONNX does not use`);
    this.pending = true;
    return true;
  }

  /** The bytes of the present field, its key included; the field counts as read. */
  fieldBytes(): Uint8Array {
    this.skip();
    return this.bytes.subarray(this.fieldStart, this.at);
  }

  /** A whole number; 64-bit values beyond 2^53 are rounded. */
  integer(): number {
    this.take(VARINT);
    return this.varint();
  }

  /** A 32-bit float. */
  float(): number {
    this.take(FIXED32);
    this.need(4);
    this.at += 4;
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at - 4, 4).getFloat32(0, true);
  }

  /** A view of bytes; no copy. */
  raw(): Uint8Array {
    const [start, end] = this.span();
    return this.bytes.subarray(start, end);
  }

  /** Text, which must be UTF-8 of at most `limit` bytes. */
  text(limit = 1 << 16): string {
    const bytes = this.raw();
    if (bytes.length > limit) throw corrupt(this.file, `has a name of ${bytes.length} bytes; at most ${limit} are read`);
    try {
      return utf8.decode(bytes);
    } catch {
      throw corrupt(this.file, "has a name that is not UTF-8");
    }
  }

  /** A message inside this one. */
  message(): MessageReader {
    const [start, end] = this.span();
    return new MessageReader(this.file, this.bytes, start, end);
  }

  /** The message in the present field, which does not count as read. */
  peek(): MessageReader {
    const { at } = this;
    const inner = this.message();
    this.at = at;
    this.pending = true;
    return inner;
  }

  /** This message from its beginning. */
  copy(): MessageReader {
    return new MessageReader(this.file, this.bytes, this.start, this.end);
  }

  /** Whole numbers of a repeated field, packed or not, added to `into`. */
  integers(into: number[], unsigned = false): void {
    const sign = (value: number): number => (unsigned && value < 0 ? value + 2 ** 64 : value);
    if (this.wire === VARINT) {
      into.push(sign(this.integer()));
      return;
    }
    const inner = this.message();
    while (inner.at < inner.end) into.push(sign(inner.varint()));
  }

  /** How many whole numbers the present repeated field holds. */
  countVarints(): number {
    if (this.wire === VARINT) {
      this.integer();
      return 1;
    }
    let count = 0;
    let open = false;
    for (const byte of this.raw()) {
      open = byte >= 0x80;
      if (!open) count++;
    }
    if (open) throw corrupt(this.file, "ends in the middle of a number");
    return count;
  }

  /** How many numbers of `size` bytes the present repeated field holds. */
  countFixed(size: 4 | 8): number {
    if (this.wire !== LENGTH_DELIMITED) {
      this.skip();
      return 1;
    }
    const { length } = this.raw();
    if (length % size !== 0) throw corrupt(this.file, `has ${length} bytes of numbers that take ${size} each`);
    return length / size;
  }

  /** 32-bit floats of a repeated field, packed or not, added to `into`. */
  floats(into: number[]): void {
    if (this.wire === FIXED32) {
      into.push(this.float());
      return;
    }
    this.fixed(4, (view, at) => into.push(view.getFloat32(at, true)));
  }

  /** 64-bit floats of a repeated field, packed or not, added to `into`. */
  doubles(into: number[]): void {
    if (this.wire === FIXED64) {
      this.take(FIXED64);
      this.need(8);
      into.push(new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8).getFloat64(0, true));
      this.at += 8;
      return;
    }
    this.fixed(8, (view, at) => into.push(view.getFloat64(at, true)));
  }

  private fixed(size: number, add: (view: DataView, at: number) => void): void {
    const bytes = this.raw();
    if (bytes.length % size !== 0) throw corrupt(this.file, `has ${bytes.length} bytes of numbers that take ${size} each`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += size) add(view, at);
  }

  private skip(): void {
    if (!this.pending) return;
    if (this.wire === VARINT) this.integer();
    else if (this.wire === LENGTH_DELIMITED) this.span();
    else {
      const size = this.wire === FIXED32 ? 4 : 8;
      this.take(this.wire);
      this.need(size);
      this.at += size;
    }
  }

  private take(wire: number): void {
    if (this.wire !== wire) throw corrupt(this.file, `has field ${this.field} in wire type ${this.wire} where ${wire} is due`);
    this.pending = false;
  }

  private need(count: number): void {
    if (count > this.end - this.at)
      throw corrupt(this.file, `ends in the middle of a value: ${count} bytes due, ${this.end - this.at} left`);
  }

  private span(): [start: number, end: number] {
    this.take(LENGTH_DELIMITED);
    const length = this.varint();
    if (length < 0) throw corrupt(this.file, "declares a negative length");
    this.need(length);
    const start = this.at;
    this.at += length;
    return [start, this.at];
  }

  /** Two's complement of 64 bits. */
  private varint(): number {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      this.need(1);
      const byte = this.bytes[this.at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return (high | 0) * 2 ** 32 + (low >>> 0);
    }
    throw corrupt(this.file, "has a number of more than ten bytes");
  }
}
