/** Opens rasters, wherever they come from. */

import { parseCrs } from "../crs/parse.ts";
import type { Crs } from "../crs/crs.ts";
import type { Raster } from "./raster.ts";
import { memorySource } from "./sources/byte-source.ts";
import { fileSource } from "./sources/file-source.ts";
import { openTiff } from "./tiff/tiff-raster.ts";

/** What {@link openRaster} opens. */
export type RasterSource = string | Uint8Array | ArrayBuffer | Raster;

/** Options of {@link openRaster}. */
export interface OpenRasterOptions {
  /** Reference system to use instead of the file's own. */
  readonly crs?: Crs | number | string;
  /** Milliseconds for decoding one piece of a file. @defaultValue 30000 */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
}

/** Opens a raster. */
export async function openRaster(source: RasterSource, options: OpenRasterOptions = {}): Promise<Raster> {
  if (typeof source === "object" && "read" in source) return source;
  const tiffOptions = {
    deadline: options.deadline ?? 30_000,
    crs: options.crs === undefined ? undefined : parseCrs(options.crs),
    signal: options.signal,
  };
  if (typeof source === "string") return openTiff(await fileSource(source), tiffOptions);
  return openTiff(memorySource(source instanceof ArrayBuffer ? new Uint8Array(source) : source), tiffOptions);
}
