/** Opens rasters in a browser: from bytes and from files that a page was given. */

import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { checkOptions } from "../options/check-options.ts";
import { mosaicRasters } from "./mosaic.ts";
import { noSidecars } from "./no-sidecars.ts";
import { notARaster } from "./not-a-raster.ts";
import { checkRasterSource, OPEN_RASTER_RULES } from "./open-raster-rules.ts";
import type { OpenRasterOptions, RasterSource } from "./open-raster.ts";
import { looksLikePicture, openPicture } from "./picture-raster.ts";
import type { Raster } from "./raster.ts";
import { blobSource } from "./sources/blob-source.ts";
import { type ByteSource, memorySource } from "./sources/byte-source.ts";
import { looksLikeTiff } from "./tiff/directories.ts";
import { openTiff } from "./tiff/tiff-raster.ts";

/**
 * Opens a raster: a `File` or `Blob`, the bytes of a file, an open raster, or a list of these, which becomes one mosaic. Headers are read, no
 * pixels; pixels are read by windows.
 *
 * @throws UNSUPPORTED_FORMAT, RASTER_CORRUPT, RASTER_UNSUPPORTED, LIMIT_EXCEEDED; INVALID_ARGUMENT for a path or an address
 * @example
 * input.addEventListener("change", async () => {
 *   const raster = await openRaster(input.files[0]);
 * });
 */
export async function openRaster(source: RasterSource, options: OpenRasterOptions = {}): Promise<Raster> {
  checkOptions(options, OPEN_RASTER_RULES, "openRaster()");
  checkRasterSource(source);
  options.signal?.throwIfAborted();
  if (source instanceof Uint8Array) return openSource(memorySource(source), options);
  if (source instanceof ArrayBuffer) return openSource(memorySource(new Uint8Array(source)), options);
  if (source instanceof Blob) return openSource(blobSource(source), options);
  if (typeof source === "string" || source instanceof URL) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${String(source).slice(0, 100)} is a path or an address, which a browser does not open.`, {
      hint: "Give the File that the user picked, or the bytes of a response: openRaster(await (await fetch(address)).arrayBuffer()).",
    });
  }
  if ("read" in source) return source;
  return openMany(source, options);
}

/** Looks at the first bytes, not at the name. */
async function openSource(source: ByteSource, options: OpenRasterOptions): Promise<Raster> {
  const { signal, deadline = 30_000 } = options;
  const inner = { deadline, signal, crs: options.crs === undefined ? undefined : parseCrs(options.crs) };
  const head = await source.read(0, Math.min(source.size, 512), signal);
  if (looksLikePicture(head)) return openPicture(source, inner, noSidecars);
  if (looksLikeTiff(head)) return openTiff(source, inner, noSidecars);
  throw notARaster(source, head, "TIFF, PNG or JPEG");
}

async function openMany(sources: readonly RasterSource[], options: OpenRasterOptions): Promise<Raster> {
  if (sources.length === 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", "An empty list of rasters was given.", { hint: "Give at least one raster." });
  }
  const opened: Raster[] = [];
  for (const source of sources) opened.push(await openRaster(source, options));
  return opened.length === 1 ? opened[0]! : mosaicRasters(opened, options);
}
