/**
 * Reads the directories (IFDs) of a TIFF or BigTIFF without trusting them: every offset is visited once, every count is
 * bounded, every value lies inside the file. Values stay in the file until asked for.
 */

import { GeoLearnError } from "../../errors.ts";
import type { ByteSource } from "../sources/byte-source.ts";

/** More images than this in one file is refused: a chain of directories can be made endless by one wrong byte. */
const MAX_DIRECTORIES = 256;
const MAX_ENTRIES = 4096;
/** The largest value that is read besides block offsets, such as metadata. */
const MAX_VALUE_BYTES = 16 * 1024 * 1024;
const PAGE = 65536;

/** Bytes of each TIFF field type; 0 for numbers that name no type. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

interface Entry {
  readonly type: number;
  readonly count: number;
  /** Where the value lies in the file. */
  readonly offset: number;
}

/** One directory: the tags of one image. */
export class Directory {
  readonly #reader: TiffReader;
  readonly #entries: ReadonlyMap<number, Entry>;

  constructor(reader: TiffReader, entries: ReadonlyMap<number, Entry>) {
    this.#reader = reader;
    this.#entries = entries;
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** How many values a tag has; 0 when it is absent. */
  count(tag: number): number {
    return this.#entries.get(tag)?.count ?? 0;
  }

  /** The numbers of a tag, or null when it is absent. `maxBytes` bounds what is read for it. */
  async numbers(tag: number, maxBytes: number = MAX_VALUE_BYTES): Promise<Float64Array | null> {
    const entry = this.#entries.get(tag);
    return entry === undefined ? null : this.#reader.numbers(tag, entry, maxBytes);
  }

  /** The first number of a tag, or `absent`. */
  async number(tag: number, absent: number): Promise<number> {
    const values = await this.numbers(tag);
    return values?.[0] ?? absent;
  }

  /** The raw bytes of a tag, or null when it is absent. */
  async bytes(tag: number): Promise<Uint8Array | null> {
    const entry = this.#entries.get(tag);
    return entry === undefined ? null : this.#reader.value(tag, entry, MAX_VALUE_BYTES);
  }

  /** The text of a tag up to its first NUL, or null when it is absent. Bytes that are not UTF-8 count as Latin-1. */
  async text(tag: number): Promise<string | null> {
    const bytes = await this.bytes(tag);
    if (bytes === null) return null;
    const end = bytes.indexOf(0);
    const used = end < 0 ? bytes : bytes.subarray(0, end);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(used);
    } catch {
      return Array.from(used, (byte) => String.fromCharCode(byte)).join("");
    }
  }
}

/** The directories of a file. */
export interface TiffFile {
  readonly source: ByteSource;
  readonly bigEndian: boolean;
  readonly bigTiff: boolean;
  readonly directories: readonly Directory[];
  /** Drops the pages that made reading the tags cheap; tags can still be read. */
  release(): void;
}

/** True for the first bytes of a TIFF or BigTIFF. */
export function looksLikeTiff(head: Uint8Array): boolean {
  if (head.length < 4 || head[0] !== head[1]) return false;
  if (head[0] === 0x49) return (head[2] === 42 || head[2] === 43) && head[3] === 0;
  return head[0] === 0x4d && head[2] === 0 && (head[3] === 42 || head[3] === 43);
}

/** Reads all directories of a file. @throws UNSUPPORTED_FORMAT, RASTER_CORRUPT, LIMIT_EXCEEDED */
export async function readDirectories(source: ByteSource, signal?: AbortSignal): Promise<TiffFile> {
  const head = await source.read(0, Math.min(16, source.size), signal);
  if (!looksLikeTiff(head)) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${source.name} is not a TIFF: it does not begin with its signature.`, {
      hint: "Convert it: gdal_translate -of COG INPUT OUTPUT.tif",
    });
  }
  const reader = new TiffReader(source, head[0] === 0x4d, head[2] === 43 || head[3] === 43, signal);
  const directories = await reader.directories();
  return { source, bigEndian: reader.bigEndian, bigTiff: reader.bigTiff, directories, release: () => reader.release() };
}

class TiffReader {
  readonly bigEndian: boolean;
  readonly bigTiff: boolean;
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(source: ByteSource, bigEndian: boolean, bigTiff: boolean, signal: AbortSignal | undefined) {
    this.#source = source;
    this.bigEndian = bigEndian;
    this.bigTiff = bigTiff;
    this.#signal = signal;
  }

  async directories(): Promise<Directory[]> {
    const found: Directory[] = [];
    const visited = new Set<number>();
    let offset = await this.#firstOffset();
    while (offset !== 0) {
      if (visited.has(offset)) throw this.#corrupt(`its directory at byte ${offset} follows itself`);
      if (found.length === MAX_DIRECTORIES) {
        throw this.#limit(`more than ${MAX_DIRECTORIES} directories`);
      }
      visited.add(offset);
      const { directory, next } = await this.#directory(offset);
      found.push(directory);
      offset = next;
    }
    if (found.length === 0) throw this.#corrupt("it has no directory");
    return found;
  }

  release(): void {
    this.#pages.clear();
  }

  async numbers(tag: number, entry: Entry, maxBytes: number): Promise<Float64Array> {
    const view = viewOf(await this.value(tag, entry, maxBytes));
    const little = !this.bigEndian;
    const values = new Float64Array(entry.type === 5 || entry.type === 10 ? entry.count * 2 : entry.count);
    for (let i = 0; i < values.length; i++) values[i] = readNumber(view, entry.type, i, little);
    return values;
  }

  async value(tag: number, entry: Entry, maxBytes: number): Promise<Uint8Array> {
    const bytes = entry.count * TYPE_BYTES[entry.type]!;
    if (bytes > maxBytes) throw this.#limit(`a tag ${tag} of ${bytes} bytes (at most ${maxBytes})`);
    return this.#read(entry.offset, bytes);
  }

  async #firstOffset(): Promise<number> {
    const little = !this.bigEndian;
    if (!this.bigTiff) return viewOf(await this.#read(0, 8)).getUint32(4, little);
    const view = viewOf(await this.#read(0, 16));
    if (view.getUint16(4, little) !== 8 || view.getUint16(6, little) !== 0) {
      throw this.#corrupt("its BigTIFF header is not one");
    }
    return readNumber(view, 16, 1, little);
  }

  async #directory(offset: number): Promise<{ directory: Directory; next: number }> {
    const little = !this.bigEndian;
    const countBytes = this.bigTiff ? 8 : 2;
    const entryBytes = this.bigTiff ? 20 : 12;
    const offsetBytes = this.bigTiff ? 8 : 4;
    const countView = viewOf(await this.#read(offset, countBytes));
    const count = this.bigTiff ? readNumber(countView, 16, 0, little) : countView.getUint16(0, little);
    if (count === 0) throw this.#corrupt(`its directory at byte ${offset} is empty`);
    if (count > MAX_ENTRIES) throw this.#limit(`a directory of ${count} entries (at most ${MAX_ENTRIES})`);
    const start = offset + countBytes;
    const view = viewOf(await this.#read(start, count * entryBytes + offsetBytes));
    const entries = new Map<number, Entry>();
    for (let i = 0; i < count; i++) {
      const at = i * entryBytes;
      const tag = view.getUint16(at, little);
      const type = view.getUint16(at + 2, little);
      const valueCount = this.bigTiff ? readBig(view, at + 4, little) : view.getUint32(at + 4, little);
      const valueAt = at + 4 + offsetBytes;
      const bytes = valueCount * (TYPE_BYTES[type] ?? 0);
      if (bytes === 0 || entries.has(tag)) continue;
      const inline = bytes <= offsetBytes;
      const position = this.bigTiff ? readBig(view, valueAt, little) : view.getUint32(valueAt, little);
      entries.set(tag, { type, count: valueCount, offset: inline ? start + valueAt : position });
    }
    const nextAt = count * entryBytes;
    const next = this.bigTiff ? readBig(view, nextAt, little) : view.getUint32(nextAt, little);
    return { directory: new Directory(this, entries), next };
  }

  /** Tags lie close together: small reads are served from pages. */
  async #read(offset: number, length: number): Promise<Uint8Array> {
    const page = Math.floor(offset / PAGE);
    const start = page * PAGE;
    if (offset + length > start + PAGE || offset + length > this.#source.size || this.#pages.size > 64) {
      return this.#source.read(offset, length, this.#signal);
    }
    let bytes = this.#pages.get(page);
    if (bytes === undefined) {
      bytes = await this.#source.read(start, Math.min(PAGE, this.#source.size - start), this.#signal);
      this.#pages.set(page, bytes);
    }
    return bytes.subarray(offset - start, offset - start + length);
  }

  #corrupt(what: string): GeoLearnError {
    return new GeoLearnError("RASTER_CORRUPT", `${this.#source.name} is damaged: ${what}.`, {
      hint: "Copy or download the file again.",
    });
  }

  #limit(what: string): GeoLearnError {
    return new GeoLearnError("LIMIT_EXCEEDED", `${this.#source.name} has ${what}.`, {
      hint: "If the file is right, rewrite it: gdal_translate -of COG INPUT OUTPUT.tif",
    });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An unsigned 64-bit number; beyond 2^53 it loses digits, which any range check then refuses. */
function readBig(view: DataView, offset: number, little: boolean): number {
  return Number(view.getBigUint64(offset, little));
}

/** The i-th number of a value of the given TIFF type; rationals count as two numbers. */
function readNumber(view: DataView, type: number, i: number, little: boolean): number {
  switch (type) {
    case 3:
      return view.getUint16(i * 2, little);
    case 4:
    case 5:
    case 13:
      return view.getUint32(i * 4, little);
    case 6:
      return view.getInt8(i);
    case 8:
      return view.getInt16(i * 2, little);
    case 9:
    case 10:
      return view.getInt32(i * 4, little);
    case 11:
      return view.getFloat32(i * 4, little);
    case 12:
      return view.getFloat64(i * 8, little);
    case 16:
    case 18:
      return readBig(view, i * 8, little);
    case 17:
      return Number(view.getBigInt64(i * 8, little));
    default:
      return view.getUint8(i);
  }
}
