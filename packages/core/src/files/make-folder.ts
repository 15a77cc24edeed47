/** Folders for what is written. */

import { mkdir } from "node:fs/promises";

import { isSystemError, writeError } from "./atomic.ts";

/**
 * Makes a folder, and those above it that are missing.
 *
 * @throws WRITE_FAILED where it may not be made or a file is in the way; DISK_FULL
 * @example
 * await makeFolder(dirname(out));
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    const fileInTheWay = code === "EEXIST" || code === "ENOTDIR";
    throw writeError(path, error, fileInTheWay ? "A file is where a folder should be; choose another folder." : undefined);
  }
}
