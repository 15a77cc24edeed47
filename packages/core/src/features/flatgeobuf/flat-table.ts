/**
 * Tables of a FlatBuffer, read where they stand. Every offset is checked against the bytes before it is followed, so
 * damaged bytes end in an error and never in a wrong value from elsewhere.
 */

import { corrupt } from "../damage.ts";

/** A vector in the bytes: where its first element is, and how many there are. */
export interface FlatVector {
  readonly at: number;
  readonly length: number;
}

/** One table. Fields are named by their slot, counted from 0 in the order of the schema. */
export class FlatTable {
  readonly view: DataView;
  readonly #at: number;
  readonly #vtable: number;
  readonly #slots: number;
  readonly #where: string;

  private constructor(view: DataView, at: number, where: string) {
    this.view = view;
    this.#at = at;
    this.#where = where;
    this.#inside(at, 4);
    this.#vtable = at - view.getInt32(at, true);
    this.#inside(this.#vtable, 4);
    const size = view.getUint16(this.#vtable, true);
    if (size < 4) this.#corrupt("a table has no fields");
    this.#inside(this.#vtable, size);
    this.#slots = (size - 4) >> 1;
  }

  /** The root table of `bytes`, which begin behind their size. @throws FEATURES_CORRUPT; `where` names them */
  static root(bytes: Uint8Array, where: string): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 4) throw corrupt(where, "it has fewer than 4 bytes");
    return new FlatTable(view, view.getUint32(0, true), where);
  }

  uint8(slot: number, otherwise: number): number {
    const at = this.#field(slot, 1);
    return at === 0 ? otherwise : this.view.getUint8(at);
  }

  uint16(slot: number, otherwise: number): number {
    const at = this.#field(slot, 2);
    return at === 0 ? otherwise : this.view.getUint16(at, true);
  }

  int32(slot: number, otherwise: number): number {
    const at = this.#field(slot, 4);
    return at === 0 ? otherwise : this.view.getInt32(at, true);
  }

  /** An unsigned integer of 64 bits; Infinity where it is larger than can be counted. */
  uint64(slot: number): number {
    const at = this.#field(slot, 8);
    if (at === 0) return 0;
    const value = Number(this.view.getBigUint64(at, true));
    return Number.isSafeInteger(value) ? value : Infinity;
  }

  string(slot: number): string | null {
    const vector = this.vector(slot, 1);
    if (vector === null) return null;
    return new TextDecoder().decode(new Uint8Array(this.view.buffer, this.view.byteOffset + vector.at, vector.length));
  }

  /** A vector of elements of `elementBytes` bytes each, or null where the field is absent. */
  vector(slot: number, elementBytes: number): FlatVector | null {
    const field = this.#field(slot, 4);
    if (field === 0) return null;
    const at = this.#follow(field);
    const length = this.view.getUint32(at, true);
    this.#inside(at + 4, length * elementBytes);
    return { at: at + 4, length };
  }

  table(slot: number): FlatTable | null {
    const field = this.#field(slot, 4);
    return field === 0 ? null : new FlatTable(this.view, this.#follow(field), this.#where);
  }

  /** Tables of a vector of tables. */
  *tables(slot: number): Generator<FlatTable> {
    const vector = this.vector(slot, 4);
    if (vector === null) return;
    for (let i = 0; i < vector.length; i += 1) yield new FlatTable(this.view, this.#follow(vector.at + 4 * i), this.#where);
  }

  /** Where the value of a field is, or 0 where the table leaves it out. */
  #field(slot: number, bytes: number): number {
    if (slot >= this.#slots) return 0;
    const offset = this.view.getUint16(this.#vtable + 4 + 2 * slot, true);
    if (offset === 0) return 0;
    this.#inside(this.#at + offset, bytes);
    return this.#at + offset;
  }

  /** The place an offset at `at` points to. */
  #follow(at: number): number {
    const target = at + this.view.getUint32(at, true);
    this.#inside(target, 4);
    return target;
  }

  #inside(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.view.byteLength) this.#corrupt("it refers to bytes behind its end");
  }

  #corrupt(reason: string): never {
    throw corrupt(this.#where, reason);
  }
}
