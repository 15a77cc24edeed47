/** Opens rasters, wherever they come from. */

import { fileURLToPath } from "node:url";

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { checkOptions } from "../options/check-options.ts";
import { findRasters, isAddress, RASTER_ENDINGS } from "./find-rasters.ts";
import { isRaster } from "./helpers.ts";
import { type MosaicOptions, mosaicRasters } from "./mosaic.ts";
import { looksLikePicture, openPicture } from "./picture-raster.ts";
import type { Raster } from "./raster.ts";
import { noSidecars } from "./no-sidecars.ts";
import { checkRasterSource, OPEN_RASTER_RULES } from "./open-raster-rules.ts";
import { notARaster } from "./not-a-raster.ts";
import { findSidecars } from "./sidecars.ts";
import { blobSource } from "./sources/blob-source.ts";
import { type ByteSource, memorySource } from "./sources/byte-source.ts";
import { fileSource } from "./sources/file-source.ts";
import { httpSource } from "./sources/http-source.ts";
import type { NetworkOptions } from "./sources/network-policy.ts";
import { looksLikeTiff } from "./tiff/directories.ts";
import { openTiff } from "./tiff/tiff-raster.ts";
import { looksLikeVrt, openVrt } from "./vrt.ts";

/**
 * What {@link openRaster} opens: a path, a glob, a folder, an `http` address, the bytes of a file, a `Blob` or `File`, an open raster, or a list
 * of these, which becomes one mosaic.
 */
export type RasterSource = string | URL | Uint8Array | ArrayBuffer | Blob | Raster | readonly RasterSource[];

/** Options of {@link openRaster}. */
export interface OpenRasterOptions extends MosaicOptions, NetworkOptions {
  /** Reference system to use instead of the files' own. */
  readonly crs?: Crs | number | string;
  /** Milliseconds for decoding one piece of a file. @defaultValue 30000 */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
}

/** Headers read at the same time. */
const OPENED_TOGETHER = 16;

/**
 * Opens a raster. Headers are read, no pixels; pixels are read by windows.
 *
 * Several files (a list, a glob, a folder) become one mosaic on the grid of the first: see `mosaicRasters`. Files of a glob
 * or folder are taken in the order of their names.
 *
 * @throws FILE_NOT_FOUND, UNSUPPORTED_FORMAT, RASTER_CORRUPT, RASTER_UNSUPPORTED, LIMIT_EXCEEDED, NETWORK_NOT_ALLOWED,
 * RASTER_MISMATCH (files that make no mosaic)
 * @example
 * const raster = await openRaster("city/*.tif");
 * const { data, mask } = await raster.read({ col: 0, row: 0, width: 512, height: 512 });
 * await raster.close();
 */
export async function openRaster(source: RasterSource, options: OpenRasterOptions = {}): Promise<Raster> {
  checkOptions(options, OPEN_RASTER_RULES, "openRaster()");
  checkRasterSource(source);
  options.signal?.throwIfAborted();
  if (isRaster(source)) return source;
  if (source instanceof Uint8Array) return openSource(memorySource(source), options);
  if (source instanceof ArrayBuffer) return openSource(memorySource(new Uint8Array(source)), options);
  if (source instanceof Blob) return openSource(blobSource(source), options);
  if (source instanceof URL) return openRaster(source.protocol === "file:" ? fileURLToPath(source) : source.href, options);
  if (typeof source !== "string") return openMany(source, options);
  if (isAddress(source)) return openAddress(source, options);
  const paths = await findRasters(source);
  if (paths.length === 1 && paths[0] === source) return openFile(source, options);
  if (paths.length > 0) return openMany(paths, options);
  throw new GeoLearnError("FILE_NOT_FOUND", `No raster matches ${source}.`, { hint: `Rasters end in ${RASTER_ENDINGS.join(", ")}.` });
}

async function openFile(path: string, options: OpenRasterOptions): Promise<Raster> {
  const source = await fileSource(path);
  try {
    return await openSource(source, options, path);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Looks at the first bytes, not at the name. */
async function openSource(source: ByteSource, options: OpenRasterOptions, path?: string): Promise<Raster> {
  const { signal, deadline = 30_000 } = options;
  const inner = { deadline, signal, crs: options.crs === undefined ? undefined : parseCrs(options.crs) };
  const head = await source.read(0, Math.min(source.size, 512), signal);
  if (looksLikeVrt(head))
    return openVrt(source, inner, path ?? null, (name) => openRaster(name, { deadline, ...(signal === undefined ? {} : { signal }) }));
  const sidecars = path === undefined ? noSidecars : await findSidecars(path);
  if (looksLikePicture(head)) return openPicture(source, inner, sidecars);
  if (looksLikeTiff(head)) return openTiff(source, inner, sidecars);
  throw notARaster(source, head, "TIFF, VRT, PNG or JPEG");
}

async function openAddress(address: string, options: OpenRasterOptions): Promise<Raster> {
  if (options.network === undefined || options.network === false) {
    throw new GeoLearnError(
      "NETWORK_NOT_ALLOWED",
      `${withoutQuery(address)} is an address on the network, which is not used unless allowed.`,
      {
        hint: "Download the file, or allow it with `network: true`.",
      },
    );
  }
  const source = await httpSource(address, options.network === true ? {} : options.network, options.signal);
  return openSource(source, options);
}

async function openMany(sources: readonly RasterSource[], options: OpenRasterOptions): Promise<Raster> {
  if (sources.length === 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", "An empty list of rasters was given.", { hint: "Name at least one raster." });
  }
  if (sources.length === 1) return openRaster(sources[0]!, options);
  const opened: Raster[] = [];
  try {
    for (let i = 0; i < sources.length; i += OPENED_TOGETHER) {
      const some = await Promise.allSettled(sources.slice(i, i + OPENED_TOGETHER).map((source) => openRaster(source, options)));
      for (const one of some) if (one.status === "fulfilled") opened.push(one.value);
      for (const one of some) if (one.status === "rejected") throw one.reason;
    }
    return mosaicRasters(opened, options);
  } catch (error) {
    await Promise.all(opened.map((raster) => raster.close()));
    throw error;
  }
}

/** Addresses appear in messages without what may be a secret. */
function withoutQuery(address: string): string {
  return address.replace(/[?#].*$/, "").replace(/\/\/[^/@]*@/, "//");
}
