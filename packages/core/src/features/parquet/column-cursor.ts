/**
 * The values of a column in one row group, decoded page by page and taken one after another. With each value come its levels:
 * how far down the optional and repeated parts of the schema it is there, and at which repeated part a list goes on.
 */

import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import type { RandomSource } from "../random-source.ts";
import { decompress } from "./codecs.ts";
import { readDeltaPrefixes, readDeltaTexts, readDeltas } from "./delta.ts";
import type { ColumnChunk } from "./footer.ts";
import { readHybrid } from "./hybrid.ts";
import { type RawValue, readPlain, readSplit } from "./plain.ts";
import type { SchemaNode } from "./schema.ts";
import { type ThriftStruct, readThrift } from "./thrift.ts";

/** A decoded page. */
interface Page {
  /** Null where the column is in no list. */
  readonly repetition: Uint8Array | null;
  /** Null where no value can be missing. */
  readonly definition: Uint8Array | null;
  readonly count: number;
  /** The values that are there, or the numbers of their entries in the dictionary. */
  readonly values: readonly unknown[] | Uint32Array;
  readonly dictionary: readonly unknown[] | null;
}

const BLOCK = 1 << 20;
const FIRST_HEAD_BYTES = 1 << 12;
const MAX_HEAD_BYTES = 1 << 26;
const MAX_PAGE_BYTES = 1 << 28;
const MAX_PAGE_VALUES = 1 << 26;

const PAGE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;
const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  delta: 5,
  deltaLength: 6,
  deltaPrefix: 7,
  dictionary: 8,
  split: 9,
} as const;

/** Takes values of a column in their order. */
export class ColumnCursor {
  readonly node: SchemaNode;
  readonly #source: RandomSource;
  readonly #chunk: ColumnChunk;
  readonly #convert: (value: RawValue) => unknown;
  readonly #where: string;
  #at: number;
  #left: number;
  #dictionary: readonly unknown[] | null = null;
  #pages: Page[] = [];
  /** Of the first page: the next level, and the next value. */
  #level = 0;
  #value = 0;
  /** Beginnings of records that were decoded and not taken. */
  #begun = 0;
  #block: Uint8Array = new Uint8Array();
  #blockAt = 0;

  /** @param convert - what becomes of a value that is there */
  constructor(source: RandomSource, chunk: ColumnChunk, node: SchemaNode, convert: (value: RawValue) => unknown) {
    this.node = node;
    this.#source = source;
    this.#chunk = chunk;
    this.#convert = convert;
    this.#where = `the column "${node.path.join(".")}" of ${source.name}`;
    this.#at = chunk.start;
    this.#left = chunk.values;
  }

  /** Decodes pages until `records` whole records are there. @throws FEATURES_CORRUPT when the column has fewer, UNSUPPORTED_FORMAT */
  async fill(records: number): Promise<void> {
    while (this.#left > 0 && this.#whole() < records) await this.#guarded(() => this.#readPage());
    if (this.#whole() < records) throw corrupt(this.#where, "it has fewer values than the row group has rows");
  }

  /** The definition level of the next value. */
  get definition(): number {
    const page = this.#pages[0];
    if (page === undefined) throw corrupt(this.#where, "it ends within a record");
    return page.definition === null ? this.node.maxDefinition : page.definition[this.#level]!;
  }

  /** The repetition level of the next value; 0 at the end. */
  get repetition(): number {
    return this.#pages[0]?.repetition?.[this.#level] ?? 0;
  }

  /** Takes the next value; undefined where it is missing. */
  take(): unknown {
    const there = this.definition === this.node.maxDefinition;
    const page = this.#pages[0]!;
    if (this.repetition === 0) this.#begun -= 1;
    const stored = there ? page.values[this.#value] : undefined;
    if (there) this.#value += 1;
    this.#level += 1;
    if (this.#level === page.count) {
      this.#pages.shift();
      this.#level = 0;
      this.#value = 0;
    }
    return there && page.dictionary !== null ? page.dictionary[stored as number] : stored;
  }

  /** Records that are decoded to their end: in lists that is known when the next begins. */
  #whole(): number {
    return this.#begun - Number(this.node.maxRepetition > 0 && this.#left > 0);
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (GeoLearnError.is(error)) throw error;
      throw corrupt(this.#where, error instanceof Error ? error.message : String(error));
    }
  }

  async #readPage(): Promise<void> {
    const { head, length } = await this.#readHead();
    this.#at += length;
    const [size, stored] = [head.number(2, -1), head.number(3, -1)];
    const end = this.#chunk.start + this.#chunk.length;
    if (!(stored >= 0 && this.#at + stored <= end)) throw new Error(`a page claims ${stored} bytes`);
    if (!(size >= 0 && size <= MAX_PAGE_BYTES)) throw new Error(`a page claims ${size} bytes`);
    const bytes = await this.#read(this.#at, stored);
    if (bytes.length < stored) throw new Error("the file ends within a page");
    this.#at += stored;
    switch (head.number(1, -1)) {
      case PAGE.dictionary:
        return this.#readDictionary(head, bytes, size);
      case PAGE.data:
        return this.#readData(head, bytes, size);
      case PAGE.dataV2:
        return this.#readDataV2(head, bytes, size);
      default: // an index, which says nothing new
    }
  }

  /** The head of the next page, which does not say how long it is. */
  async #readHead(): Promise<{ head: ThriftStruct; length: number }> {
    const most = Math.min(this.#chunk.start + this.#chunk.length - this.#at, MAX_HEAD_BYTES);
    if (most <= 0) throw new Error(`${this.#left} values are missing`);
    for (let length = Math.min(FIRST_HEAD_BYTES, most); ; length = Math.min(8 * length, most)) {
      const result = readThrift(await this.#read(this.#at, length));
      if (result !== null) return { head: result.struct, length: result.end };
      if (length === most) throw new Error("the head of a page does not end");
    }
  }

  async #readDictionary(head: ThriftStruct, bytes: Uint8Array, size: number): Promise<void> {
    const count = head.struct(7)?.number(1, -1) ?? -1;
    if (!(count >= 0 && count <= MAX_PAGE_VALUES)) throw new Error(`its dictionary claims ${count} entries`);
    const { type, typeLength } = this.node;
    const plain = await decompress(bytes, this.#chunk.codec, size, this.#where);
    this.#dictionary = readPlain(plain, type!, typeLength, count).map((value) => this.#convert(value));
  }

  async #readData(head: ThriftStruct, bytes: Uint8Array, size: number): Promise<void> {
    const about = head.struct(5);
    const count = this.#countOf(about?.number(1, -1) ?? -1);
    const plain = await decompress(bytes, this.#chunk.codec, size, this.#where);
    const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
    let at = 0;
    const levels = (most: number, encoding: number): Uint8Array | null => {
      if (most === 0) return null;
      if (encoding !== ENCODING.rle) throw new Error(`its levels have the encoding ${encoding}, which is not read`);
      if (at + 4 > plain.length) throw new Error("its levels end early");
      const length = view.getUint32(at, true);
      at += 4 + length;
      if (at > plain.length) throw new Error("its levels end early");
      return readLevels(plain.subarray(at - length, at), most, count);
    };
    const repetition = levels(this.node.maxRepetition, about!.number(4, -1));
    const definition = levels(this.node.maxDefinition, about!.number(3, -1));
    this.#add(repetition, definition, count, plain.subarray(at), about!.number(2, -1));
  }

  async #readDataV2(head: ThriftStruct, bytes: Uint8Array, size: number): Promise<void> {
    const about = head.struct(8);
    const count = this.#countOf(about?.number(1, -1) ?? -1);
    const [definitionBytes, repetitionBytes] = [about!.number(5, -1), about!.number(6, -1)];
    const levelBytes = definitionBytes + repetitionBytes;
    if (!(definitionBytes >= 0 && repetitionBytes >= 0 && levelBytes <= bytes.length && levelBytes <= size)) {
      throw new Error(`its levels claim ${levelBytes} bytes`);
    }
    const { maxRepetition, maxDefinition } = this.node;
    const repetition = maxRepetition === 0 ? null : readLevels(bytes.subarray(0, repetitionBytes), maxRepetition, count);
    const definition = maxDefinition === 0 ? null : readLevels(bytes.subarray(repetitionBytes, levelBytes), maxDefinition, count);
    const rest = bytes.subarray(levelBytes);
    const plain = about!.boolean(7, true) ? await decompress(rest, this.#chunk.codec, size - levelBytes, this.#where) : rest;
    this.#add(repetition, definition, count, plain, about!.number(4, -1));
  }

  #countOf(count: number): number {
    if (!(count >= 0 && count <= this.#left && count <= MAX_PAGE_VALUES)) throw new Error(`a page claims ${count} of ${this.#left} values`);
    return count;
  }

  #add(repetition: Uint8Array | null, definition: Uint8Array | null, count: number, bytes: Uint8Array, encoding: number): void {
    const present = definition === null ? count : countOf(definition, this.node.maxDefinition);
    const fromDictionary = encoding === ENCODING.plainDictionary || encoding === ENCODING.dictionary;
    const values = fromDictionary
      ? this.#readNumbers(bytes, present)
      : this.#readValues(bytes, present, encoding).map((value) => this.#convert(value));
    this.#left -= count;
    this.#begun += repetition === null ? count : countOf(repetition, 0);
    if (count > 0) this.#pages.push({ repetition, definition, count, values, dictionary: fromDictionary ? this.#dictionary : null });
  }

  /** Numbers of dictionary entries. */
  #readNumbers(bytes: Uint8Array, count: number): Uint32Array {
    const numbers = new Uint32Array(count);
    if (count === 0) return numbers;
    const size = this.#dictionary?.length ?? 0;
    const width = bytes[0] ?? 33;
    if (width > 32) throw new Error(`its dictionary numbers have ${width} bits`);
    readHybrid(bytes.subarray(1), width, numbers);
    for (const number of numbers) if (number >= size) throw new Error(`it refers to entry ${number} of a dictionary of ${size}`);
    return numbers;
  }

  #readValues(bytes: Uint8Array, count: number, encoding: number): readonly RawValue[] {
    const { type, typeLength } = this.node;
    switch (encoding) {
      case ENCODING.plain:
        return readPlain(bytes, type!, typeLength, count);
      case ENCODING.rle: {
        if (type !== "boolean") break;
        const flags = new Uint8Array(count);
        readHybrid(bytes.subarray(4), 1, flags); // behind their length
        return Array.from(flags, (flag) => flag === 1);
      }
      case ENCODING.delta: {
        const { values } = readDeltas(bytes, 0, count);
        if (type === "int64") return Array.from(values);
        if (type === "int32") return Array.from(values, (value) => Number(BigInt.asIntN(32, value)));
        break;
      }
      case ENCODING.deltaLength:
        if (type === "bytes") return readDeltaTexts(bytes, 0, count).values;
        break;
      case ENCODING.deltaPrefix:
        if (type === "bytes" || type === "fixed") return readDeltaPrefixes(bytes, 0, count);
        break;
      case ENCODING.split:
        return readSplit(bytes, type!, typeLength, count);
      default:
    }
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${this.#where} has values of type ${type} in the encoding ${encoding}, which is not read.`,
      {
        hint: "Write it anew with the defaults of pyarrow or GDAL.",
        data: { encoding },
      },
    );
  }

  /** Reads through a block of a megabyte. */
  async #read(at: number, length: number): Promise<Uint8Array> {
    if (at < this.#blockAt || at + length > this.#blockAt + this.#block.length) {
      const most = this.#chunk.start + this.#chunk.length - at;
      this.#blockAt = at;
      this.#block = await this.#source.read(at, Math.min(most, Math.max(length, BLOCK)));
    }
    return this.#block.subarray(at - this.#blockAt, at - this.#blockAt + length);
  }
}

function readLevels(bytes: Uint8Array, most: number, count: number): Uint8Array {
  const levels = new Uint8Array(count);
  readHybrid(bytes, 32 - Math.clz32(most), levels);
  for (const level of levels) if (level > most) throw new Error(`a level is ${level} of ${most}`);
  return levels;
}

function countOf(levels: Uint8Array, wanted: number): number {
  let count = 0;
  for (const level of levels) if (level === wanted) count += 1;
  return count;
}
