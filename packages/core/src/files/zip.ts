/** Zip archives in files and in memory. */

import fs from "node:fs/promises";

import { GeoLearnError } from "../errors.ts";
import { openAtomic } from "./atomic.ts";
import { type ReadZipOptions, type ZipArchive, openZip } from "./zip-archive.ts";
import { type ZipInput, encodeZip, zipParts } from "./zip-parts.ts";

export type { ReadZipOptions, ZipArchive, ZipEntry, ZipLimits } from "./zip-archive.ts";
export type { ZipInput } from "./zip-parts.ts";

/**
 * Reads the directory of a zip and refuses it as a whole when anything is wrong: names that leave the archive (`..`,
 * absolute, drive, UNC, backslash, NUL), links and devices, names that are equal or differ only by case, entries that
 * overlap, encryption, unknown compression, local headers that contradict the directory, and sizes beyond the limits.
 *
 * @throws LIMIT_EXCEEDED for size and count, FILE_NOT_FOUND, INVALID_ARGUMENT for a folder, else `options.code`
 */
export async function readZip(source: Uint8Array | string, options: ReadZipOptions = {}): Promise<ZipArchive> {
  if (typeof source !== "string") return openZip(source, options);
  return openZip(await readWhole(source), { name: source, ...options });
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const found = await fs.stat(path);
    const { size } = found;
    if (found.isDirectory()) {
      throw new GeoLearnError("INVALID_ARGUMENT", `${path} is a folder; expected a file.`, {
        hint: "Zip the folder's content and give the zip.",
      });
    }
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
  if (path === null) return encodeZip(entries);
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
