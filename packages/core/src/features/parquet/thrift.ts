/**
 * Thrift's compact protocol, in which a Parquet file holds its footer and the heads of its pages: fields by their number, of
 * types that the bytes themselves name. Every length is checked against the bytes that are left before anything is made of it.
 */

/** A value; integers beyond 2^53 are Infinity. */
export type ThriftValue = boolean | number | Uint8Array | readonly ThriftValue[] | ThriftStruct;

const MAX_DEPTH = 24;

/** Fields of a struct by their number. */
export class ThriftStruct {
  readonly #fields: ReadonlyMap<number, ThriftValue>;

  constructor(fields: ReadonlyMap<number, ThriftValue>) {
    this.#fields = fields;
  }

  /** An integer or a double, or `otherwise` where there is none. */
  number(field: number, otherwise = 0): number {
    const value = this.#fields.get(field);
    return typeof value === "number" ? value : otherwise;
  }

  boolean(field: number, otherwise: boolean): boolean {
    const value = this.#fields.get(field);
    return typeof value === "boolean" ? value : otherwise;
  }

  bytes(field: number): Uint8Array | null {
    const value = this.#fields.get(field);
    return value instanceof Uint8Array ? value : null;
  }

  text(field: number): string | null {
    const bytes = this.bytes(field);
    return bytes === null ? null : new TextDecoder().decode(bytes);
  }

  struct(field: number): ThriftStruct | null {
    const value = this.#fields.get(field);
    return value instanceof ThriftStruct ? value : null;
  }

  structs(field: number): ThriftStruct[] {
    return this.#list(field).filter((item) => item instanceof ThriftStruct);
  }

  texts(field: number): string[] {
    return this.#list(field)
      .filter((item) => item instanceof Uint8Array)
      .map((item) => new TextDecoder().decode(item));
  }

  #list(field: number): readonly ThriftValue[] {
    const value = this.#fields.get(field);
    return Array.isArray(value) ? (value as readonly ThriftValue[]) : [];
  }
}

/** A struct, and where the bytes behind it begin. */
export interface ThriftResult {
  readonly struct: ThriftStruct;
  readonly end: number;
}

/** Reads a struct from the start of the bytes; null when it does not end within them. @throws Error for what is no thrift */
export function readThrift(bytes: Uint8Array): ThriftResult | null {
  const reader = new Reader(bytes);
  try {
    const struct = reader.struct(0);
    return { struct, end: reader.at };
  } catch (error) {
    if (error === ENDS_EARLY) return null;
    throw error;
  }
}

const ENDS_EARLY = new Error("the bytes end early");

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  struct(depth: number): ThriftStruct {
    if (depth > MAX_DEPTH) throw new Error(`structs nest deeper than ${MAX_DEPTH} levels`);
    const fields = new Map<number, ThriftValue>();
    let field = 0;
    for (;;) {
      const head = this.#byte();
      if (head === 0) return new ThriftStruct(fields);
      const type = head & 15;
      field = head >> 4 === 0 ? this.#zigzag() : field + (head >> 4);
      // a boolean field has its value in its type
      fields.set(field, type <= 2 ? type === 1 : this.#value(type, depth));
    }
  }

  #value(type: number, depth: number): ThriftValue {
    switch (type) {
      case 1:
      case 2:
        return this.#byte() === 1;
      case 3:
        return (this.#byte() << 24) >> 24;
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        return this.#view.getFloat64(this.#take(8), true);
      case 8: {
        const length = this.#varint();
        const start = this.#take(length);
        return this.#bytes.subarray(start, start + length);
      }
      case 9:
      case 10:
        return this.#list(depth);
      case 12:
        return this.struct(depth + 1);
      default:
        throw new Error(`there is no type ${type}`);
    }
  }

  #list(depth: number): ThriftValue[] {
    if (depth > MAX_DEPTH) throw new Error(`lists nest deeper than ${MAX_DEPTH} levels`);
    const head = this.#byte();
    const length = head >> 4 === 15 ? this.#varint() : head >> 4;
    // an element takes a byte at least
    if (length > this.#bytes.length - this.at) throw ENDS_EARLY;
    const items: ThriftValue[] = [];
    for (let i = 0; i < length; i += 1) items.push(this.#value(head & 15, depth + 1));
    return items;
  }

  /** An unsigned integer, seven bits a byte. */
  #varint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value <= MAX_SAFE ? Number(value) : Infinity;
    }
    throw new Error("an integer has more than 64 bits");
  }

  /** A signed integer: even numbers are positive, odd ones negative. */
  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    if (length > this.#bytes.length - this.at) throw ENDS_EARLY;
    this.at += length;
    return this.at - length;
  }
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
