/** Zip archives from strangers, in memory and never extracted. */

import { crc32, inflateRaw } from "#deflate";

import { type ErrorCode, GeoLearnError } from "../errors.ts";
import { type DirectoryEntry, dataStart, directoryEntries, findDirectory } from "./zip-directory.ts";
import { REGULAR_FILE, type Refuse, checkName } from "./zip-names.ts";

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

/** An entry whose place in the archive is known. */
interface PlacedEntry extends ZipEntry {
  readonly entry: DirectoryEntry;
  readonly start: number;
}

const FOLDER = 0o040000;
const ENCRYPTED = 0x41;

/** Reads the directory of an archive in memory; see `readZip`. @throws LIMIT_EXCEEDED for size and count, else `options.code` */
export function openZip(bytes: Uint8Array, options: ReadZipOptions = {}): ZipArchive {
  const name = options.name ?? "the archive";
  const code = options.code ?? "UNSUPPORTED_FORMAT";
  const refuse = (reason: string, cause?: unknown): GeoLearnError =>
    new GeoLearnError(code, `${name} cannot be read as a zip archive: ${reason}.`, {
      hint: "Make or download the archive again; use only archives you trust.",
      data: { name },
      ...(cause === undefined ? {} : { cause }),
    });
  const placed = readDirectory(bytes, name, options.limits ?? {}, refuse);
  const byName = new Map(placed.map((entry) => [entry.name, entry]));
  return {
    name,
    entries: placed.map(({ name: entryName, size }) => ({ name: entryName, size })),
    has: (entryName) => byName.has(entryName),
    async read(entryName) {
      const found = byName.get(entryName);
      if (found !== undefined) return inflateEntry(bytes, found, refuse);
      const some = placed.slice(0, 8).map((entry) => entry.name);
      throw new GeoLearnError("FILE_NOT_FOUND", `${name} holds no "${entryName}".`, { hint: `It holds: ${some.join(", ") || "nothing"}.` });
    },
  };
}

function readDirectory(bytes: Uint8Array, name: string, limits: ZipLimits, refuse: Refuse): PlacedEntry[] {
  const { entries: maxEntries = 1000, inflatedBytes: maxBytes = 2 ** 31, ratio: maxRatio = 200 } = limits;
  const tooMuch = (what: string): GeoLearnError =>
    new GeoLearnError("LIMIT_EXCEEDED", `${name} ${what}.`, { hint: "Use a smaller archive from a source you trust.", data: { name } });
  const { count, start: directory } = findDirectory(bytes, refuse);
  if (count > maxEntries) throw tooMuch(`holds ${count} entries; at most ${maxEntries} are read`);
  const placed: PlacedEntry[] = [];
  const extents: { start: number; end: number; name: string }[] = [];
  const seen = new Map<string, string>();
  let total = 0;
  for (const entry of directoryEntries(bytes, directory, count, refuse)) {
    const entryName = decodeName(entry.rawName, refuse);
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
    const start = dataStart(bytes, entry, entryName, refuse);
    if (start + entry.compressedSize > bytes.byteLength) throw refuse(`"${entryName}" reaches past the end`);
    extents.push({ start: entry.localHeader, end: start + entry.compressedSize, name: entryName });
    if (!entryName.endsWith("/")) placed.push({ name: entryName, size: entry.uncompressedSize, entry, start });
  }
  refuseOverlaps(extents, refuse);
  refuseFilesAsFolders(placed, seen, refuse);
  return placed;
}

function refuseOverlaps(extents: { start: number; end: number; name: string }[], refuse: Refuse): void {
  extents.sort((a, b) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < extents.length; i++) {
    const [before, after] = [extents[i - 1]!, extents[i]!];
    if (after.start < before.end) throw refuse(`"${before.name}" and "${after.name}" overlap`);
  }
}

function refuseFilesAsFolders(placed: readonly PlacedEntry[], seen: ReadonlyMap<string, string>, refuse: Refuse): void {
  for (const { name: file } of placed) {
    for (let at = file.indexOf("/"); at !== -1; at = file.indexOf("/", at + 1)) {
      const folder = file.slice(0, at).normalize("NFC").toLowerCase();
      const twin = seen.get(folder);
      if (twin !== undefined && !twin.endsWith("/")) throw refuse(`"${twin}" is a file and a folder`);
    }
  }
}

function decodeName(raw: Uint8Array, refuse: Refuse): string {
  // Without the UTF-8 flag the bytes are code page 437 by the book, but most tools write UTF-8 all the same.
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  } catch (error) {
    throw refuse("a name is not UTF-8", error);
  }
}

function checkKind(
  { externalAttributes, flags, method, compressedSize, uncompressedSize }: DirectoryEntry,
  name: string,
  refuse: Refuse,
): void {
  const kind = (externalAttributes >>> 16) & 0o170000;
  if (kind !== 0 && kind !== REGULAR_FILE && kind !== FOLDER) throw refuse(`"${name}" is a link or a device`);
  if ((flags & ENCRYPTED) !== 0) throw refuse(`"${name}" is encrypted`);
  if (method !== 0 && method !== 8) throw refuse(`"${name}" uses compression method ${method}; stored (0) and deflate (8) are read`);
  if (method === 0 && compressedSize !== uncompressedSize) throw refuse(`"${name}" is stored but states two sizes`);
  if (name.endsWith("/") && uncompressedSize > 0) throw refuse(`the folder "${name}" holds data`);
}

async function inflateEntry(bytes: Uint8Array, { entry, name, size, start }: PlacedEntry, refuse: Refuse): Promise<Uint8Array> {
  const stored = bytes.subarray(start, start + entry.compressedSize);
  let data = stored;
  if (entry.method === 8) {
    try {
      data = await inflateRaw(stored, { limit: size, expected: size });
    } catch (error) {
      throw refuse(`"${name}" is damaged or larger than it states`, error);
    }
  }
  if (data.byteLength !== size) throw refuse(`"${name}" has ${data.byteLength} bytes, its header says ${size}`);
  if (crc32(data) !== entry.crc32) throw refuse(`"${name}" fails its checksum`);
  return data;
}
