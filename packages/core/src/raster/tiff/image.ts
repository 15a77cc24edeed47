/** One image of a TIFF: its geometry and how its blocks are stored, checked for consistency before a pixel is read. */

import { GeoLearnError } from "../../errors.ts";
import type { BlockSpec } from "../codecs/block-spec.ts";
import type { SampleType } from "../raster.ts";
import type { Directory, TiffFile } from "./directories.ts";
import { tags } from "./tags.ts";

/** Caps that keep a hostile header from claiming memory. */
const MAX_PIXELS = 2 ** 40;
const MAX_SIDE = 2 ** 31 - 1;
const MAX_BLOCK_BYTES = 2 ** 28;
const MAX_BANDS = 4096;
const MAX_BLOCKS = 2 ** 24;
/** A single uncompressed strip larger than this is read in parts of about this size. */
const MAX_PLAIN_STRIP_BYTES = 2 ** 22;

/** Geometry of one image and the codec of its blocks. */
export interface TiffImage {
  readonly directory: Directory;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly sampleType: SampleType;
  /** True when each band has its own blocks. */
  readonly separate: boolean;
  readonly tiled: boolean;
  /** True when one stored strip is read as several blocks. */
  readonly cut: boolean;
  readonly blockWidth: number;
  readonly blockHeight: number;
  readonly blocksAcross: number;
  readonly blocksDown: number;
  /** Blocks in all. */
  readonly blockCount: number;
  readonly photometric: number;
  readonly extraSamples: readonly number[];
  readonly block: BlockSpec;
  /** Bits 0 (reduced copy) and 2 (mask). */
  readonly subfileType: number;
}

/** Compressions geolearn decodes, by TIFF number. */
const compressionNames: Readonly<Record<number, string>> = {
  1: "none",
  3: "CCITT group 3",
  4: "CCITT group 4",
  5: "LZW",
  6: "old-style JPEG",
  7: "JPEG",
  8: "deflate",
  32773: "PackBits",
  32946: "deflate",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  34661: "JBIG",
  34712: "JPEG 2000",
  34887: "LERC",
  34925: "LZMA",
  50000: "ZSTD",
  50001: "WebP",
  50002: "JPEG XL",
  52546: "JPEG XL",
};
const decoded = new Set([1, 4, 5, 7, 8, 32773, 32946, 34887, 50000]);

/** Describes the image of a directory. @throws RASTER_CORRUPT, RASTER_UNSUPPORTED, LIMIT_EXCEEDED */
export async function readImage(file: TiffFile, directory: Directory): Promise<TiffImage> {
  const problem = problems(file.source.name);
  const get = (tag: number, absent: number): Promise<number> => directory.number(tag, absent);
  const width = await get(tags.imageWidth, 0);
  const height = await get(tags.imageLength, 0);
  const bands = await get(tags.samplesPerPixel, 1);
  if (!isSide(width) || !isSide(height)) throw problem.corrupt(`its size is ${width} x ${height} pixels`);
  if (width * height > MAX_PIXELS) throw problem.limit(`${width} x ${height} pixels`);
  if (bands < 1) throw problem.corrupt("it has no bands");
  if (bands > MAX_BANDS) throw problem.limit(`${bands} bands (at most ${MAX_BANDS})`);

  const compression = await get(tags.compression, 1);
  if (!decoded.has(compression)) throw problem.unsupportedCompression(compression);
  const photometric = await get(tags.photometric, 1);
  const { bits, sampleType, float } = await readSampleType(directory, bands, problem);
  const planar = await get(tags.planarConfiguration, 1);
  if (planar !== 1 && planar !== 2) throw problem.corrupt(`its planar configuration is ${planar}`);
  const separate = planar === 2 && bands > 1;
  const predictor = await get(tags.predictor, 1);

  const tiled = directory.has(tags.tileWidth) || directory.has(tags.tileOffsets);
  const blockWidth = tiled ? await get(tags.tileWidth, 0) : width;
  const rows = tiled ? await get(tags.tileLength, 0) : await get(tags.rowsPerStrip, height);
  const wholeHeight = tiled ? rows : Math.min(rows, height);
  if (!isSide(blockWidth) || !isSide(wholeHeight)) throw problem.corrupt(`its blocks are ${blockWidth} x ${wholeHeight} pixels`);
  const samples = separate ? 1 : bands;
  const rowBytes = Math.ceil((blockWidth * samples * bits) / 8);
  // some writers put a whole uncompressed image into one strip; its rows can be read by themselves
  const cut = !tiled && compression === 1 && wholeHeight === height && rowBytes * height > MAX_PLAIN_STRIP_BYTES;
  const blockHeight = cut ? Math.max(1, Math.floor(MAX_PLAIN_STRIP_BYTES / rowBytes)) : wholeHeight;
  const blockBytes = rowBytes * blockHeight;
  if (blockBytes > MAX_BLOCK_BYTES) {
    throw problem.limit(`blocks of ${blockWidth} x ${blockHeight} pixels, ${blockBytes} bytes each (at most ${MAX_BLOCK_BYTES})`);
  }
  const blocksAcross = Math.ceil(width / blockWidth);
  const blocksDown = Math.ceil(height / blockHeight);
  const blockCount = blocksAcross * blocksDown * (separate ? bands : 1);
  if (blockCount > MAX_BLOCKS) throw problem.limit(`${blockCount} blocks (at most ${MAX_BLOCKS})`);
  checkBlockTable(directory, tiled, cut ? (separate ? bands : 1) : blockCount, problem);

  const extra = await directory.numbers(tags.extraSamples);
  const lerc = await directory.numbers(tags.lercParameters);
  const fillOrder = await get(tags.fillOrder, 1);
  const image: TiffImage = {
    directory,
    width,
    height,
    bands,
    sampleType,
    separate,
    tiled,
    cut,
    blockWidth,
    blockHeight,
    blocksAcross,
    blocksDown,
    blockCount,
    photometric,
    extraSamples: [...(extra ?? [])],
    subfileType: await readSubfileType(directory),
    block: {
      compression,
      predictor,
      width: blockWidth,
      height: blockHeight,
      samples,
      bits,
      float,
      sampleType,
      bigEndian: file.bigEndian,
      reversedBits: fillOrder === 2,
      jpegTables: (await directory.bytes(tags.jpegTables))?.slice() ?? null,
      ycbcr: photometric === 6,
      lercCompression: lerc?.[1] ?? 0,
    },
  };
  await checkMeaning(image, problem);
  return image;
}

/** Offsets and lengths of all blocks. */
export async function readBlockTable(file: TiffFile, image: TiffImage): Promise<{ offsets: Float64Array; lengths: Float64Array }> {
  const { directory, tiled, blockCount, blocksDown, block, cut, height } = image;
  const room = blockCount * 16;
  const rowBytes = Math.ceil((block.width * block.samples * block.bits) / 8);
  const stored = await directory.numbers(tiled ? tags.tileOffsets : tags.stripOffsets, room);
  const partBytes = rowBytes * block.height;
  const offsets = cut
    ? Float64Array.from({ length: blockCount }, (_, i) => stored![Math.floor(i / blocksDown)]! + (i % blocksDown) * partBytes)
    : stored!;
  const counts = cut ? null : await directory.numbers(tiled ? tags.tileByteCounts : tags.stripByteCounts, room);
  const rowsOf = (index: number): number => (tiled ? block.height : Math.min(block.height, height - (index % blocksDown) * block.height));
  const lengths = counts ?? Float64Array.from({ length: blockCount }, (_, i) => rowBytes * rowsOf(i));
  const { name, size } = file.source;
  for (let i = 0; i < blockCount; i++) {
    const end = offsets[i]! + lengths[i]!;
    if (lengths[i] === 0 || end <= size) continue;
    throw new GeoLearnError("RASTER_CORRUPT", `${name} is cut short: its block ${i} ends at byte ${end}, but the file has ${size} bytes.`, {
      hint: "Copy or download the file again.",
      data: { block: i, end, size },
    });
  }
  return { offsets, lengths };
}

type Problems = ReturnType<typeof problems>;

function problems(name: string) {
  return {
    corrupt: (what: string): GeoLearnError =>
      new GeoLearnError("RASTER_CORRUPT", `${name} is damaged: ${what}.`, { hint: "Copy or download the file again." }),
    limit: (what: string): GeoLearnError =>
      new GeoLearnError("LIMIT_EXCEEDED", `${name} has ${what}.`, {
        hint: "If the file is right, rewrite it: gdal_translate -of COG INPUT OUTPUT.tif",
      }),
    unsupported: (what: string, way: string): GeoLearnError =>
      new GeoLearnError("RASTER_UNSUPPORTED", `${name} ${what}, which geolearn does not read.`, { hint: `Convert it: ${way}` }),
    unsupportedCompression: (compression: number): GeoLearnError =>
      new GeoLearnError(
        "RASTER_UNSUPPORTED",
        `${name} is compressed with ${compressionNames[compression] ?? "an unknown method"} (TIFF compression ${compression}), which geolearn does not decode.`,
        {
          hint: "Convert it: gdal_translate -of COG -co COMPRESS=DEFLATE INPUT OUTPUT.tif",
          data: { compression, compressionName: compressionNames[compression] ?? null },
        },
      ),
  };
}

async function readSampleType(
  directory: Directory,
  bands: number,
  problem: Problems,
): Promise<{ bits: number; sampleType: SampleType; float: boolean }> {
  const allBits = (await directory.numbers(tags.bitsPerSample)) ?? new Float64Array([1]);
  const allFormats = (await directory.numbers(tags.sampleFormat)) ?? new Float64Array([1]);
  const bits = allBits[0]!;
  const format = allFormats[0]!;
  if (allBits.slice(0, bands).some((other) => other !== bits) || allFormats.slice(0, bands).some((other) => other !== format)) {
    throw problem.unsupported("has bands of different sample types", "gdal_translate -ot Float32 INPUT OUTPUT.tif");
  }
  if (format === 5 || format === 6) {
    throw problem.unsupported(`has complex samples of ${bits} bits`, 'gdal_translate "DERIVED_SUBDATASET:AMPLITUDE:INPUT" OUTPUT.tif');
  }
  if (bits < 1 || bits > 64 || !Number.isInteger(bits)) throw problem.corrupt(`its samples have ${bits} bits`);
  if (format === 3) {
    if (bits === 16 || bits === 32) return { bits, sampleType: "float32", float: true };
    if (bits === 64) return { bits, sampleType: "float64", float: true };
    throw problem.unsupported(`has floating-point samples of ${bits} bits`, "gdal_translate -ot Float32 INPUT OUTPUT.tif");
  }
  if (bits > 32) {
    throw problem.unsupported(`has integer samples of ${bits} bits`, "gdal_translate -ot Float64 INPUT OUTPUT.tif");
  }
  const signed = format === 2;
  if (signed && bits !== 8 && bits !== 16 && bits !== 32) {
    throw problem.unsupported(`has signed samples of ${bits} bits`, "gdal_translate -ot Int32 INPUT OUTPUT.tif");
  }
  const size = bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
  return { bits, sampleType: `${signed ? "int" : "uint"}${size}` as SampleType, float: false };
}

function checkBlockTable(directory: Directory, tiled: boolean, blockCount: number, problem: Problems): void {
  const offsets = directory.count(tiled ? tags.tileOffsets : tags.stripOffsets);
  const lengths = directory.count(tiled ? tags.tileByteCounts : tags.stripByteCounts);
  if (offsets < blockCount) throw problem.corrupt(`its size needs ${blockCount} blocks, but it lists ${offsets}`);
  if (lengths === 0 && blockCount === 1) return;
  if (lengths < blockCount) throw problem.corrupt(`it lists ${offsets} blocks, but the lengths of ${lengths}`);
}

async function readSubfileType(directory: Directory): Promise<number> {
  if (directory.has(tags.newSubfileType)) return directory.number(tags.newSubfileType, 0);
  return (await directory.number(tags.subfileType, 1)) === 2 ? 1 : 0;
}

/** Refuses what would decode to wrong pixels. */
async function checkMeaning(image: TiffImage, problem: Problems): Promise<void> {
  const { block, photometric, bands, directory } = image;
  const { compression, predictor, bits } = block;
  const asRgb = "gdal_translate -of COG -co COMPRESS=DEFLATE INPUT OUTPUT.tif";
  if (photometric === 5 || photometric === 8 || photometric === 9 || photometric === 10 || photometric >= 32803) {
    throw problem.unsupported(`has the colour space ${photometric} (CMYK, Lab or raw sensor data)`, asRgb);
  }
  if (photometric === 6 && (compression !== 7 || bands !== 3)) {
    throw problem.unsupported("has YCbCr samples that are not JPEG", asRgb);
  }
  if (compression === 4 && (bits !== 1 || block.samples !== 1)) throw problem.corrupt("CCITT blocks must have one band of one bit");
  if (compression === 4 && ((await directory.number(tags.t6Options, 0)) & 2) !== 0) {
    throw problem.unsupported("has CCITT blocks with uncompressed parts", asRgb);
  }
  if (compression === 7 && bits !== 8) throw problem.unsupported(`has JPEG blocks of ${bits} bits`, asRgb);
  if (compression === 34887 && block.reversedBits) throw problem.corrupt("LERC blocks have no bit order");
  const referenceBlackWhite = await directory.numbers(tags.referenceBlackWhite);
  if (photometric === 6 && referenceBlackWhite !== null && !isFullRange(referenceBlackWhite)) {
    throw problem.unsupported("has YCbCr samples with headroom", asRgb);
  }
  if (predictor === 1 || compression === 4 || compression === 7 || compression === 34887) return;
  const wide = bits === 8 || bits === 16 || bits === 32 || bits === 64;
  if (predictor === 2 && !wide) throw problem.unsupported(`has horizontal differences of ${bits} bits`, asRgb);
  if (predictor === 3 && !block.float) throw problem.corrupt("it has a floating-point predictor on integers");
  if (predictor !== 2 && predictor !== 3) throw problem.corrupt(`its predictor is ${predictor}`);
}

function isFullRange(values: Float64Array): boolean {
  const pairs = Array.from({ length: 6 }, (_, i) => (values[2 * i] ?? 0) / (values[2 * i + 1] ?? 1));
  return pairs[0] === 0 && pairs[1] === 255;
}

function isSide(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_SIDE;
}
