/**
 * Zip archives from strangers, read in memory and never extracted, and archives of our own, written byte for byte the
 * same for the same content. The format is PKWARE's APPNOTE 6.3.
 */

import fs from "node:fs/promises";
import { promisify } from "node:util";
import zlib from "node:zlib";

import yauzl, { type Entry } from "yauzl";

import { type ErrorCode, GeoLearnError } from "../errors.ts";
import { openAtomic } from "./atomic.ts";

/** What an archive may be at most. */
export interface ZipLimits {
  /** @defaultValue 1000 */
  readonly entries?: number;
  /** Inflated bytes of all entries together. @defaultValue 2 GiB */
  readonly inflatedBytes?: number;
  /** Inflated over stored bytes of one entry of more than 1 MiB. @defaultValue 200 */
  readonly ratio?: number;
}

/** Options of {@link readZip}. */
export interface ReadZipOptions {
  /** Name used in messages. @defaultValue the path, or "the archive" */
  readonly name?: string;
  /** Code of the error for a damaged or hostile archive, so that a model says MODEL_CORRUPT. @defaultValue "UNSUPPORTED_FORMAT" */
  readonly code?: ErrorCode;
  readonly limits?: ZipLimits;
}

/** One file of an archive. */
export interface ZipEntry {
  /** Relative, `/` between folders. */
  readonly name: string;
  /** Inflated bytes, as the archive states them; a lie is found when the entry is read. */
  readonly size: number;
}

/** An archive whose directory has passed every check. Files inside that are zips again are plain bytes: nothing opens them. */
export interface ZipArchive {
  readonly name: string;
  /** Files in the order of the directory; folders are left out. */
  readonly entries: readonly ZipEntry[];
  /** Whether there is an entry of this name. */
  has(name: string): boolean;
  /**
   * The inflated bytes of one file, size and CRC checked. Stored entries share memory with the archive.
   *
   * @throws FILE_NOT_FOUND when there is none of that name; the archive's error code when it is damaged
   */
  read(name: string): Promise<Uint8Array>;
}

/** A file to put into an archive. */
export interface ZipInput {
  /** Relative, `/` between folders. */
  readonly name: string;
  readonly data: Uint8Array | string;
  /** @defaultValue true below 1 MiB, else false: weights do not shrink */
  readonly compress?: boolean;
}

/** An entry whose place in the archive is known. */
interface PlacedEntry extends ZipEntry {
  readonly entry: Entry;
  readonly start: number;
}

const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;
const inflateRaw = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);
const deflateRaw = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/**
 * Reads the directory of a zip and refuses it as a whole when anything is wrong: names that leave the archive (`..`,
 * absolute, drive, UNC, backslash, NUL), links and devices, names that are equal or differ only by case, entries that
 * overlap, encryption, unknown compression, local headers that contradict the directory, and sizes beyond the limits.
 *
 * @throws LIMIT_EXCEEDED for size and count, FILE_NOT_FOUND, else `options.code`
 */
export async function readZip(source: Uint8Array | string, options: ReadZipOptions = {}): Promise<ZipArchive> {
  const name = options.name ?? (typeof source === "string" ? source : "the archive");
  const code = options.code ?? "UNSUPPORTED_FORMAT";
  const refuse = (reason: string, cause?: unknown): GeoLearnError =>
    new GeoLearnError(code, `${name} cannot be read as a zip archive: ${reason}.`, {
      hint: "Make or download the archive again; use only archives you trust.",
      data: { name },
      ...(cause === undefined ? {} : { cause }),
    });
  const bytes = typeof source === "string" ? await readWhole(source) : source;
  const placed = await readDirectory(bytes, name, options.limits ?? {}, refuse);
  const byName = new Map(placed.map((entry) => [entry.name, entry]));

  return {
    name,
    entries: placed.map(({ name, size }) => ({ name, size })),
    has: (entryName) => byName.has(entryName),
    async read(entryName) {
      const found = byName.get(entryName);
      if (found === undefined) {
        throw new GeoLearnError("FILE_NOT_FOUND", `${name} holds no "${entryName}".`, {
          hint: `It holds: ${
            placed
              .slice(0, 8)
              .map((entry) => entry.name)
              .join(", ") || "nothing"
          }.`,
        });
      }
      return inflateEntry(bytes, found, refuse);
    },
  };
}

type Refuse = (reason: string, cause?: unknown) => GeoLearnError;

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const { size } = await fs.stat(path);
    if (size > 2 ** 31 - 1) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${size} bytes; archives are read up to 2 GiB.`, {
        hint: "Split the archive.",
      });
    }
    return await fs.readFile(path);
  } catch (error) {
    if (GeoLearnError.is(error)) throw error;
    throw new GeoLearnError("FILE_NOT_FOUND", `${path} cannot be opened.`, { cause: error, hint: "Check the path." });
  }
}

async function readDirectory(bytes: Uint8Array, name: string, limits: ZipLimits, refuse: Refuse): Promise<PlacedEntry[]> {
  const { entries: maxEntries = 1000, inflatedBytes: maxBytes = 2 ** 31, ratio: maxRatio = 200 } = limits;
  const tooMuch = (what: string): GeoLearnError =>
    new GeoLearnError("LIMIT_EXCEEDED", `${name} ${what}.`, { hint: "Use a smaller archive from a source you trust.", data: { name } });
  const placed: PlacedEntry[] = [];
  const seen = new Map<string, string>();
  let total = 0;
  let zip: yauzl.ZipFile;
  try {
    zip = await yauzl.fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      lazyEntries: true,
      decodeStrings: false,
      validateEntrySizes: true,
    });
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
  try {
    if (zip.entryCount > maxEntries) throw tooMuch(`holds ${zip.entryCount} entries; at most ${maxEntries} are read`);
    const extents: { start: number; end: number; name: string }[] = [];
    for await (const entry of zip.eachEntry()) {
      if (extents.length >= maxEntries) throw tooMuch(`holds more than ${maxEntries} entries`);
      const entryName = decodeName(entry, refuse);
      checkName(entryName, refuse);
      checkKind(entry, entryName, refuse);
      // Names that meet on a file system without case (or with Unicode composed otherwise) would hide one another.
      const key = entryName.replace(/\/$/, "").normalize("NFC").toLowerCase();
      const twin = seen.get(key);
      if (twin !== undefined) throw refuse(`"${entryName}" and "${twin}" have the same name`);
      seen.set(key, entryName);
      total += entry.uncompressedSize;
      if (total > maxBytes) throw tooMuch(`inflates to more than ${maxBytes} bytes`);
      if (entry.uncompressedSize > 2 ** 20 && entry.uncompressedSize > maxRatio * entry.compressedSize) {
        throw tooMuch(`holds "${entryName}", which inflates to more than ${maxRatio} times its size`);
      }
      const local = await zip.readLocalFileHeaderPromise(entry);
      if (!local.fileName.equals(entry.fileNameRaw) || local.compressionMethod !== entry.compressionMethod) {
        throw refuse(`the header of "${entryName}" contradicts the directory`);
      }
      const start = local.fileDataStart;
      if (start + entry.compressedSize > bytes.byteLength) throw refuse(`"${entryName}" reaches past the end`);
      extents.push({ start: entry.relativeOffsetOfLocalHeader, end: start + entry.compressedSize, name: entryName });
      if (!entryName.endsWith("/")) placed.push({ name: entryName, size: entry.uncompressedSize, entry, start });
    }
    extents.sort((a, b) => a.start - b.start || a.end - b.end);
    for (let i = 1; i < extents.length; i++) {
      const [before, after] = [extents[i - 1]!, extents[i]!];
      if (after.start < before.end) throw refuse(`"${before.name}" and "${after.name}" overlap`);
    }
  } catch (error) {
    throw GeoLearnError.is(error) ? error : refuse(error instanceof Error ? error.message : String(error), error);
  } finally {
    zip.close();
  }
  for (const { name: file } of placed) {
    for (let at = file.indexOf("/"); at !== -1; at = file.indexOf("/", at + 1)) {
      const folder = file.slice(0, at).normalize("NFC").toLowerCase();
      const twin = seen.get(folder);
      if (twin !== undefined && !twin.endsWith("/")) throw refuse(`"${twin}" is a file and a folder`);
    }
  }
  return placed;
}

function decodeName(entry: Entry, refuse: Refuse): string {
  const raw = entry.fileNameRaw;
  const ascii = raw.every((byte) => byte < 0x80);
  // Without the UTF-8 flag the bytes are code page 437 by the book, but most tools write UTF-8 all the same.
  try {
    return ascii ? raw.toString("latin1") : new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (error) {
    throw refuse("a name is not UTF-8", error);
  }
}

function checkName(name: string, refuse: Refuse): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (name === "") throw refuse("an entry has no name");
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(name)) throw refuse(`the name ${shown} holds control characters`);
  if (name.includes("\\")) throw refuse(`the name ${shown} holds a backslash`);
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refuse(`the name ${shown} is absolute`);
  if (name.split("/").some((part) => part === ".." || part === ".")) throw refuse(`the name ${shown} leaves its folder`);
  if (name.includes("//")) throw refuse(`the name ${shown} has an empty part`);
}

function checkKind(entry: Entry, name: string, refuse: Refuse): void {
  const kind = (entry.externalFileAttributes >>> 16) & 0o170000;
  if (kind !== 0 && kind !== REGULAR_FILE && kind !== FOLDER) throw refuse(`"${name}" is a link or a device`);
  if (entry.isEncrypted()) throw refuse(`"${name}" is encrypted`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw refuse(`"${name}" uses compression method ${entry.compressionMethod}; stored (0) and deflate (8) are read`);
  }
  if (entry.compressionMethod === 0 && entry.compressedSize !== entry.uncompressedSize) {
    throw refuse(`"${name}" is stored but states two sizes`);
  }
  if (name.endsWith("/") && entry.uncompressedSize > 0) throw refuse(`the folder "${name}" holds data`);
}

async function inflateEntry(bytes: Uint8Array, { entry, name, size, start }: PlacedEntry, refuse: Refuse): Promise<Uint8Array> {
  const stored = bytes.subarray(start, start + entry.compressedSize);
  let data = stored;
  if (entry.compressionMethod === 8) {
    try {
      data = await inflateRaw(stored, { maxOutputLength: Math.max(size, 1) });
    } catch (error) {
      throw refuse(`"${name}" is damaged or larger than it states`, error);
    }
  }
  if (data.byteLength !== size) throw refuse(`"${name}" has ${data.byteLength} bytes, its header says ${size}`);
  if (zlib.crc32(data) !== entry.crc32) throw refuse(`"${name}" fails its checksum`);
  return data;
}

/**
 * Writes an archive: the same input gives the same bytes (every time stamp is 1980-01-01). Give `null` as path to get the
 * bytes, a path to write the file atomically.
 *
 * @throws INVALID_ARGUMENT for a name that {@link readZip} would refuse, LIMIT_EXCEEDED beyond 4 GiB or 65,535 entries,
 *   DISK_FULL, WRITE_FAILED
 */
export async function writeZip(path: string, entries: readonly ZipInput[]): Promise<void>;
export async function writeZip(path: null, entries: readonly ZipInput[]): Promise<Uint8Array>;
export async function writeZip(path: string | null, entries: readonly ZipInput[]): Promise<Uint8Array | void> {
  checkInputs(entries);
  if (path === null) {
    const parts: Uint8Array[] = [];
    for await (const part of zipParts(entries)) parts.push(part);
    return Buffer.concat(parts);
  }
  const file = await openAtomic(path);
  try {
    let position = 0;
    for await (const part of zipParts(entries)) {
      await file.write(part, position);
      position += part.byteLength;
    }
  } catch (error) {
    await file.abort();
    throw error;
  }
  await file.commit();
}

function checkInputs(entries: readonly ZipInput[]): void {
  const refuse = (reason: string): GeoLearnError =>
    new GeoLearnError("INVALID_ARGUMENT", `The archive cannot be written: ${reason}.`, {
      hint: "Use different, relative names with / between folders.",
    });
  if (entries.length > 0xfffe) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${entries.length} entries do not fit into one archive; at most 65534 do.`);
  }
  const seen = new Set<string>();
  for (const { name } of entries) {
    checkName(name, refuse);
    if (name.endsWith("/")) throw refuse(`"${name}" is a folder`);
    const key = name.normalize("NFC").toLowerCase();
    if (seen.has(key)) throw refuse(`"${name}" is there twice`);
    seen.add(key);
  }
}

/** Local header, data, local header, data, ..., directory, end record. */
async function* zipParts(entries: readonly ZipInput[]): AsyncGenerator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const { name, data, compress } of entries) {
    const plain = typeof data === "string" ? Buffer.from(data) : data;
    const rawName = Buffer.from(name);
    let packed = (compress ?? plain.byteLength < 2 ** 20) ? await deflateRaw(plain, { level: 6 }) : plain;
    const deflated = packed !== plain && packed.byteLength < plain.byteLength;
    if (!deflated) packed = plain;
    if (position + packed.byteLength > 2 ** 32 - 2 ** 24 || plain.byteLength >= 2 ** 32 - 1) {
      throw new GeoLearnError("LIMIT_EXCEEDED", "The archive would exceed 4 GiB.", { hint: "Write fewer or smaller entries." });
    }
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(0x0800, 2); // names are UTF-8
    common.writeUInt16LE(deflated ? 8 : 0, 4);
    common.writeUInt16LE(0, 6); // 00:00
    common.writeUInt16LE(0x0021, 8); // 1980-01-01
    common.writeUInt32LE(zlib.crc32(plain), 10);
    common.writeUInt32LE(packed.byteLength, 14);
    common.writeUInt32LE(plain.byteLength, 18);
    common.writeUInt16LE(rawName.byteLength, 22);

    const listed = Buffer.alloc(46);
    listed.writeUInt32LE(0x02014b50, 0);
    listed.writeUInt16LE(0x0314, 4); // made by Unix, version 2.0
    common.copy(listed, 6);
    listed.writeUInt32LE(((REGULAR_FILE | 0o644) << 16) >>> 0, 38);
    listed.writeUInt32LE(position, 42);
    directory.push(Buffer.concat([listed, rawName]));

    const header = Buffer.concat([Buffer.from([0x50, 0x4b, 0x03, 0x04]), common, rawName]);
    yield header;
    yield packed;
    position += header.byteLength + packed.byteLength;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(listing.byteLength, 12);
  end.writeUInt32LE(position, 16);
  yield Buffer.concat([listing, end]);
}
