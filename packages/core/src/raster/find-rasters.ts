/** Which files a path stands for. */

import { stat } from "node:fs/promises";
import { join } from "node:path";

import { glob, isDynamicPattern } from "tinyglobby";

/** Endings of the files that a folder is searched for. */
export const RASTER_ENDINGS: readonly string[] = ["tif", "tiff", "vrt", "png", "jpg", "jpeg"];

/** Whether a source is an address on the network. */
export function isAddress(source: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
}

/**
 * The raster files of a folder or glob, in the order of their names; anything else stands for itself. Nothing is opened, and
 * there may be none.
 */
export async function findRasters(source: string): Promise<string[]> {
  if (isAddress(source)) return [source];
  const known = await stat(source).catch(() => null);
  if (known?.isDirectory()) {
    const pattern = `*.{${RASTER_ENDINGS.join(",")}}`;
    const names = await glob(pattern, { cwd: source, onlyFiles: true, caseSensitiveMatch: false, expandDirectories: false });
    return names.map((name) => join(source, name)).sort();
  }
  if (known !== null || !isDynamicPattern(source)) return [source];
  return (await glob(source.replaceAll("\\", "/"), { onlyFiles: true, expandDirectories: false })).sort();
}
