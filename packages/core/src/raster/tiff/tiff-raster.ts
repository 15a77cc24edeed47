/** A GeoTIFF as a {@link Raster}. */

import type { Rgb } from "../../classes.ts";
import type { Crs } from "../../crs/crs.ts";
import type { Window } from "../../window.ts";
import { isFloat } from "../samples.ts";
import { levelRaster } from "../level-raster.ts";
import type { Level } from "../level.ts";
import type { Raster, Samples } from "../raster.ts";
import { noSidecars, type Sidecars } from "../no-sidecars.ts";
import type { ByteSource } from "../sources/byte-source.ts";
import { bothValid, nonZero, pixelsWithValue } from "../validity.ts";
import { describeBands } from "./bands.ts";
import { BlockReader } from "./block-reader.ts";
import { type TiffFile, readDirectories } from "./directories.ts";
import { parseGdalMetadata } from "./gdal-metadata.ts";
import { geoKeys, readGeoKeys } from "./geo-keys.ts";
import { countControlPoints, readTransform } from "./geo-transform.ts";
import { type TiffImage, readImage } from "./image.ts";
import { parseNodata } from "./nodata.ts";
import { tags } from "./tags.ts";
import { crsFromGeoKeys } from "./tiff-crs.ts";

/** Options of {@link openTiff}. */
export interface OpenTiffOptions {
  readonly deadline: number;
  /** Replaces the file's own reference system. */
  readonly crs?: Crs | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens a GeoTIFF; reads its header, no pixels. @throws UNSUPPORTED_FORMAT, RASTER_CORRUPT, RASTER_UNSUPPORTED, LIMIT_EXCEEDED */
export async function openTiff(source: ByteSource, options: OpenTiffOptions, sidecars: Sidecars = noSidecars): Promise<Raster> {
  const file = await readDirectories(source, options.signal);
  const [first, ...others] = file.directories;
  const main = await readImage(file, first!);
  const directory = main.directory;
  const nodata = parseNodata(await directory.text(tags.gdalNodata), main.sampleType);
  const keys = await readGeoKeys(directory);
  const space = keys.get(geoKeys.rasterType) === 2 ? "point" : "area";
  const metadata = parseGdalMetadata(await directory.text(tags.gdalMetadata));
  const { bandInfo, alphaBand } = describeBands(main, metadata);
  const make = (image: TiffImage, from: TiffFile): BlockReader =>
    new BlockReader(from, image, { deadline: options.deadline, fill: nodata ?? 0 });

  const related = await relatedImages(file, others, main);
  if (sidecars.overviews !== null) {
    const beside = await readDirectories(sidecars.overviews, options.signal);
    const more = await relatedImages(beside, beside.directories, main);
    related.overviews.push(...more.overviews);
    related.masks.push(...more.masks);
  }
  if (sidecars.mask !== null) {
    const beside = await readDirectories(sidecars.mask, options.signal);
    const image = await readImage(beside, beside.directories[0]!);
    if (image.width === main.width && image.height === main.height) related.masks.push({ image, file: beside });
  }
  related.overviews.sort((a, b) => b.image.width - a.image.width);

  const readers: BlockReader[] = [];
  const levelOf = ({ image, file: from }: Related): Level => {
    const pixels = make(image, from);
    const maskOf = related.masks.find(({ image: { width, height } }) => width === image.width && height === image.height);
    const mask = maskOf === undefined ? null : new BlockReader(maskOf.file, maskOf.image, { deadline: options.deadline, fill: 0 });
    readers.push(pixels, ...(mask === null ? [] : [mask]));
    return tiffLevel(pixels, mask, alphaBand, nodata);
  };
  const levels = [{ image: main, file }, ...related.overviews].map(levelOf);
  const transform = (await readTransform(directory, space)) ?? sidecars.transform;
  // a system that belongs to control points says nothing about pixels
  const own = transform === null && (await countControlPoints(directory)) > 0 ? null : crsFromGeoKeys(keys, source.name);
  const crs = options.crs ?? own ?? sidecars.crs;
  const colorTable = await readColorTable(main);
  file.release();
  return levelRaster(
    {
      name: source.name,
      width: main.width,
      height: main.height,
      bands: main.bands,
      sampleType: main.sampleType,
      transform,
      crs,
      nodata,
      bandInfo,
      alphaBand,
      blockWidth: main.blockWidth,
      blockHeight: main.blockHeight,
      colorTable,
      classNames: readClassNames(metadata),
    },
    levels,
    async () => {
      for (const reader of readers) reader.close();
      await source.close();
      await sidecars.overviews?.close();
      await sidecars.mask?.close();
    },
  );
}

interface Related {
  readonly image: TiffImage;
  readonly file: TiffFile;
}

/** Reduced copies and masks of the main image; other pages of the file are left alone. */
async function relatedImages(
  file: TiffFile,
  directories: readonly TiffFile["directories"][number][],
  main: TiffImage,
): Promise<{ overviews: Related[]; masks: Related[] }> {
  const overviews: Related[] = [];
  const masks: Related[] = [];
  for (const directory of directories) {
    const subfileType = await directory.number(tags.newSubfileType, 0);
    const reduced = (subfileType & 1) === 1;
    const isMask = (subfileType & 4) === 4;
    if (!reduced && !isMask) continue;
    const image = await readImage(file, directory);
    if (isMask) masks.push({ image, file });
    else if (isReducedCopy(image, main)) overviews.push({ image, file });
  }
  return { overviews, masks };
}

function isReducedCopy(image: TiffImage, main: TiffImage): boolean {
  const alike = image.bands === main.bands && image.sampleType === main.sampleType;
  const smaller = image.width <= main.width && image.height <= main.height && image.width * image.height < main.width * main.height;
  if (!alike || !smaller) return false;
  // both sides shrink alike, up to the rounding of small copies
  const factor = main.width / image.width;
  return Math.abs(main.height / factor - image.height) <= 1 + main.height / main.width || image.height === 1 || image.width === 1;
}

/** GDAL's rule for one level: the mask, else alpha, else nodata in every band; and at least one finite value. */
function tiffLevel(pixels: BlockReader, mask: BlockReader | null, alphaBand: number | null, nodata: number | null): Level {
  const { image } = pixels;
  const colors = Array.from({ length: image.bands }, (_, i) => i).filter((band) => band !== alphaBand);
  return {
    width: image.width,
    height: image.height,
    async read(window, bands, signal) {
      const data = await pixels.read(window, bands, signal);
      if (mask === null && alphaBand === null) return { data, mask: await byValue(data, window, bands, nodata, signal) };
      const given = mask !== null ? await mask.read(window, [0], signal) : await alphaOf(data, window, bands, signal);
      const valid = nonZero(given);
      if (!isFloat(image.sampleType)) return { data, mask: valid };
      return { data, mask: bothValid(valid, await byValue(data, window, bands, null, signal)) };
    },
  };

  async function alphaOf(data: Samples, window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Samples> {
    const at = bands.indexOf(alphaBand!);
    if (at < 0) return pixels.read(window, [alphaBand!], signal);
    const size = window.width * window.height;
    return data.subarray(at * size, (at + 1) * size) as Samples;
  }

  /** Bands that were not asked for are looked at only where those asked for have no value. */
  async function byValue(
    data: Samples,
    window: Window,
    bands: readonly number[],
    missing: number | null,
    signal?: AbortSignal,
  ): Promise<Uint8Array | null> {
    const size = window.width * window.height;
    const found = pixelsWithValue(data, size, image.sampleType, missing, null);
    if (found === null) return null;
    const others = colors.filter((band) => !bands.includes(band));
    if (others.length === 0) return found;
    return pixelsWithValue(await pixels.read(window, others, signal), size, image.sampleType, missing, found);
  }
}

async function readColorTable({ directory, photometric, block, bands }: TiffImage): Promise<ReadonlyMap<number, Rgb> | null> {
  if (photometric !== 3 || bands !== 1) return null;
  const values = await directory.numbers(tags.colorMap);
  const count = 2 ** block.bits;
  if (values === null || values.length < 3 * count) return null;
  // TIFF colours have 16 bits; some writers fill only the lower 8
  const scale = values.some((value) => value > 255) ? 257 : 1;
  const table = new Map<number, Rgb>();
  for (let i = 0; i < count; i++) {
    const [r, g, b] = [0, 1, 2].map((part) => Math.floor(values[part * count + i]! / scale)) as unknown as [number, number, number];
    table.set(i, [r, g, b]);
  }
  return table;
}

function readClassNames(metadata: readonly { name: string; band: number | null; value: string }[]): ReadonlyMap<number, string> | null {
  const names = new Map<number, string>();
  for (const { name, value } of metadata) {
    const found = /^CLASS_NAME_(-?\d+)$/i.exec(name);
    if (found !== null) names.set(Number(found[1]), value);
  }
  return names.size === 0 ? null : names;
}
