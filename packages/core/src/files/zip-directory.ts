/** The directory of a zip archive in memory (PKWARE's APPNOTE 6.3, sections 4.3.7 to 4.3.16, with Zip64). */

import type { Refuse } from "./zip-names.ts";

/** An entry of the directory, as it stands there. */
export interface DirectoryEntry {
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
  readonly externalAttributes: number;
  /** Position of the local header. */
  readonly localHeader: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const END_64 = 0x06064b50;
const END_64_BYTES = 56;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const ZIP64 = 0x0001;
const MAX_COMMENT = 0xffff;
/** Fields of 16 and 32 bits that say "see Zip64". */
const [LARGE_16, LARGE_32] = [0xffff, 0xffffffff];

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Number of entries and where they begin. */
export function findDirectory(bytes: Uint8Array, refuse: Refuse): { readonly count: number; readonly start: number } {
  const view = viewOf(bytes);
  const at = findEnd(view, refuse);
  let [disk, count, start] = [view.getUint16(at + 4, true), view.getUint16(at + 10, true), view.getUint32(at + 16, true)];
  if (disk === LARGE_16 || count === LARGE_16 || start === LARGE_32) {
    const locator = at - LOCATOR_BYTES;
    if (locator >= 0 && view.getUint32(locator, true) === LOCATOR) {
      const end = large(view, locator + 8, refuse);
      if (end + END_64_BYTES > bytes.byteLength || view.getUint32(end, true) !== END_64) throw refuse("its Zip64 end is missing");
      [disk, count, start] = [view.getUint32(end + 16, true), large(view, end + 32, refuse), large(view, end + 48, refuse)];
    }
  }
  if (disk !== 0) throw refuse("it is one part of several");
  return { count, start };
}

/** The end record: its comment must reach exactly to the end of the bytes. */
function findEnd(view: DataView, refuse: Refuse): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT); at--) {
    if (view.getUint32(at, true) !== END) continue;
    const comment = view.getUint16(at + 20, true);
    if (comment !== last - at) throw refuse(`its comment has ${last - at} bytes instead of ${comment}`);
    return at;
  }
  throw refuse("the end of its directory was not found");
}

/** A number of 64 bits. */
function large(view: DataView, at: number, refuse: Refuse): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw refuse("it states a size or place beyond all files");
  return value;
}

/** The entries, one after another. */
export function* directoryEntries(bytes: Uint8Array, start: number, count: number, refuse: Refuse): Generator<DirectoryEntry> {
  const view = viewOf(bytes);
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > bytes.byteLength || view.getUint32(at, true) !== ENTRY) throw refuse(`entry ${i} of its directory is damaged`);
    const lengths = [28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [number, number, number];
    const [name, extra, comment] = lengths;
    const end = at + ENTRY_BYTES + name + extra + comment;
    if (end > bytes.byteLength) throw refuse(`entry ${i} of its directory is cut short`);
    const extraStart = at + ENTRY_BYTES + name;
    const wide = wideFields(view, extraStart, extraStart + extra, refuse);
    const field = (offset: number): number => {
      const value = view.getUint32(at + offset, true);
      return value === LARGE_32 ? wide() : value;
    };
    yield {
      rawName: bytes.subarray(at + ENTRY_BYTES, extraStart),
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc32: view.getUint32(at + 16, true),
      // in the order in which Zip64 keeps them
      uncompressedSize: field(24),
      compressedSize: field(20),
      externalAttributes: view.getUint32(at + 38, true),
      localHeader: field(42),
    };
    at = end;
  }
}

/** Gives the wide fields of an entry in turn; without such fields "see Zip64" is a size like others. */
function wideFields(view: DataView, start: number, end: number, refuse: Refuse): () => number {
  let from = 0;
  let to = 0;
  for (let at = start; at + 4 <= end;) {
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length > end) throw refuse("an extra field is cut short");
    if (view.getUint16(at, true) === ZIP64) [from, to] = [at + 4, at + 4 + length];
    at += 4 + length;
  }
  return () => {
    if (to === 0) return LARGE_32;
    if (from + 8 > to) throw refuse("a Zip64 field is missing");
    from += 8;
    return large(view, from - 8, refuse);
  };
}

/** Where an entry's data begin; its local header must say the same as the directory. */
export function dataStart(bytes: Uint8Array, { localHeader: at, rawName, method }: DirectoryEntry, name: string, refuse: Refuse): number {
  const view = viewOf(bytes);
  if (at + LOCAL_BYTES > bytes.byteLength || view.getUint32(at, true) !== LOCAL) throw refuse(`the header of "${name}" is missing`);
  const [nameLength, extra] = [view.getUint16(at + 26, true), view.getUint16(at + 28, true)];
  const local = bytes.subarray(at + LOCAL_BYTES, at + LOCAL_BYTES + nameLength);
  const same = nameLength === rawName.length && local.every((byte, i) => byte === rawName[i]);
  if (!same || view.getUint16(at + 8, true) !== method) throw refuse(`the header of "${name}" contradicts the directory`);
  return at + LOCAL_BYTES + nameLength + extra;
}
