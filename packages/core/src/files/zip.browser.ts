/** Zip archives in a browser: in memory only. */

import { GeoLearnError } from "../errors.ts";
import { type ReadZipOptions, type ZipArchive, openZip } from "./zip-archive.ts";
import { type ZipInput, encodeZip } from "./zip-parts.ts";

/** Reads an archive in memory and refuses it as a whole when anything is wrong. @throws INVALID_ARGUMENT for a path; LIMIT_EXCEEDED, else `options.code` */
export async function readZip(source: Uint8Array | string, options: ReadZipOptions = {}): Promise<ZipArchive> {
  if (typeof source === "string") throw noPath(source);
  return openZip(source, options);
}

/** The bytes of an archive. @throws INVALID_ARGUMENT for a path or for names that `readZip` would refuse, LIMIT_EXCEEDED */
export async function writeZip(path: string | null, entries: readonly ZipInput[]): Promise<Uint8Array> {
  if (path !== null) throw noPath(path);
  return encodeZip(entries);
}

function noPath(path: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `${path.slice(0, 100)} is a path; a browser has no files to read or write by path.`, {
    hint: "Give the bytes: new Uint8Array(await file.arrayBuffer()).",
  });
}
