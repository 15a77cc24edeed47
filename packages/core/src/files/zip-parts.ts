/** Zip archives of our own, byte for byte the same for the same content. The format is PKWARE's APPNOTE 6.3. */

import { crc32, deflateRaw } from "#deflate";

import { GeoLearnError } from "../errors.ts";
import { joinBytes } from "./join-bytes.ts";
import { REGULAR_FILE, checkName } from "./zip-names.ts";

/** A file to put into an archive. */
export interface ZipInput {
  /** Relative, `/` between folders. */
  readonly name: string;
  readonly data: Uint8Array | string;
  /** @defaultValue true below 1 MiB, else false: weights do not shrink */
  readonly compress?: boolean;
}

/** The bytes of an archive, every time stamp 1980-01-01. @throws INVALID_ARGUMENT, LIMIT_EXCEEDED */
export async function encodeZip(entries: readonly ZipInput[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of zipParts(entries)) parts.push(part);
  return joinBytes(parts);
}

/** Throws for names that the reader would refuse. */
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
export async function* zipParts(entries: readonly ZipInput[]): AsyncGenerator<Uint8Array> {
  checkInputs(entries);
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const { name, data, compress } of entries) {
    const plain = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const rawName = new TextEncoder().encode(name);
    let packed = (compress ?? plain.byteLength < 2 ** 20) ? await deflateRaw(plain, 6) : plain;
    const deflated = packed !== plain && packed.byteLength < plain.byteLength;
    if (!deflated) packed = plain;
    if (position + packed.byteLength > 2 ** 32 - 2 ** 24 || plain.byteLength >= 2 ** 32 - 1) {
      throw new GeoLearnError("LIMIT_EXCEEDED", "The archive would exceed 4 GiB.", { hint: "Write fewer or smaller entries." });
    }
    const common = new DataView(new ArrayBuffer(26));
    common.setUint16(0, 20, true); // version needed
    common.setUint16(2, 0x0800, true); // names are UTF-8
    common.setUint16(4, deflated ? 8 : 0, true);
    common.setUint16(6, 0, true); // 00:00
    common.setUint16(8, 0x0021, true); // 1980-01-01
    common.setUint32(10, crc32(plain), true);
    common.setUint32(14, packed.byteLength, true);
    common.setUint32(18, plain.byteLength, true);
    common.setUint16(22, rawName.byteLength, true);
    const shared = new Uint8Array(common.buffer);

    const listed = new DataView(new ArrayBuffer(46));
    listed.setUint32(0, 0x02014b50, true);
    listed.setUint16(4, 0x0314, true); // made by Unix, version 2.0
    new Uint8Array(listed.buffer).set(shared, 6);
    listed.setUint32(38, ((REGULAR_FILE | 0o644) << 16) >>> 0, true);
    listed.setUint32(42, position, true);
    directory.push(joinBytes([new Uint8Array(listed.buffer), rawName]));

    const header = joinBytes([Uint8Array.of(0x50, 0x4b, 0x03, 0x04), shared, rawName]);
    yield header;
    yield packed;
    position += header.byteLength + packed.byteLength;
  }
  const listing = joinBytes(directory);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, directory.length, true);
  end.setUint16(10, directory.length, true);
  end.setUint32(12, listing.byteLength, true);
  end.setUint32(16, position, true);
  yield joinBytes([listing, new Uint8Array(end.buffer)]);
}
