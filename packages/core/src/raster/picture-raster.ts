/** PNG and JPEG pictures as rasters; where they lie is told by a world file beside them. */

import { decodeBlocks } from "#decode-pool";

import type { Rgb } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import { type BlockSpec, JPEG_FILE, PNG_FILE } from "./codecs/block-spec.ts";
import { readJpegSize } from "./codecs/jpeg-markers.ts";
import { looksLikePng, type PngHeader, readPngHeader } from "./codecs/png.ts";
import { levelRaster } from "./level-raster.ts";
import type { Level } from "./level.ts";
import type { BandInfo, Raster, Samples, SampleType } from "./raster.ts";
import { readFailure } from "./read-failure.ts";
import type { Sidecars } from "./no-sidecars.ts";
import type { ByteSource } from "./sources/byte-source.ts";
import type { OpenTiffOptions } from "./tiff/tiff-raster.ts";
import { untilAborted } from "./until-aborted.ts";
import { nonZero, pixelsWithValue } from "./validity.ts";

/** A picture is decoded as a whole; larger ones belong into tiles. */
const MAX_FILE_BYTES = 2 ** 29;
const MAX_SAMPLES = 2 ** 29;

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly sampleType: SampleType;
  readonly compression: number;
  readonly interpretations: readonly BandInfo["interpretation"][];
  readonly nodata: number | null;
  readonly colorTable: ReadonlyMap<number, Rgb> | null;
}

/** True for the first bytes of a picture that {@link openPicture} reads. */
export function looksLikePicture(head: Uint8Array): boolean {
  return looksLikePng(head) || (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff);
}

/** Opens a PNG or JPEG. @throws RASTER_CORRUPT, RASTER_UNSUPPORTED, LIMIT_EXCEEDED */
export async function openPicture(source: ByteSource, options: OpenTiffOptions, sidecars: Sidecars): Promise<Raster> {
  if (source.size > MAX_FILE_BYTES) throw tooLarge(source.name, `${source.size} bytes`);
  const bytes = await source.read(0, source.size, options.signal);
  const picture = describe(bytes, source.name);
  const { width, height, bands, sampleType } = picture;
  if (width * height * bands > MAX_SAMPLES) throw tooLarge(source.name, `${width} x ${height} pixels`);
  const spec: BlockSpec = {
    compression: picture.compression,
    predictor: 1,
    width,
    height,
    samples: bands,
    bits: sampleType === "uint16" ? 16 : 8,
    float: false,
    sampleType,
    bigEndian: true,
    reversedBits: false,
    jpegTables: null,
    ycbcr: false,
    lercCompression: 0,
  };
  const alpha = picture.interpretations.indexOf("alpha");
  const level = pictureLevel(picture, alpha, async () => {
    try {
      const again = await source.read(0, source.size);
      const [samples] = await decodeBlocks({ spec, blocks: [{ bytes: again, rows: height }] }, options);
      return samples!;
    } catch (error) {
      throw readFailure(error, source.name, [0]);
    }
  });
  return levelRaster(
    {
      name: source.name,
      width,
      height,
      bands,
      sampleType,
      transform: sidecars.transform,
      crs: options.crs ?? sidecars.crs,
      nodata: picture.nodata,
      bandInfo: picture.interpretations.map((interpretation, i) => ({ name: `band ${i + 1}`, interpretation })),
      alphaBand: alpha < 0 ? null : alpha,
      blockWidth: width,
      blockHeight: height,
      colorTable: picture.colorTable,
      classNames: null,
    },
    [level.level],
    async () => {
      level.drop();
      await source.close();
      await sidecars.overviews?.close();
      await sidecars.mask?.close();
    },
  );
}

/** The only level: decoded at the first read and kept while anybody reads. */
function pictureLevel(picture: Picture, alpha: number, decode: () => Promise<Samples>): { level: Level; drop: () => void } {
  const { width, height, bands } = picture;
  let decoded: Promise<Samples> | null = null;
  const level: Level = {
    width,
    height,
    async read(window, wanted, signal) {
      if (decoded === null) {
        const started = decode();
        decoded = started;
        started.catch(() => {
          if (decoded === started) decoded = null;
        });
      }
      const all = await untilAborted(decoded, signal);
      const cut = (list: readonly number[]): Samples => cutBands(all, width, height, window, list);
      const data = cut(wanted);
      if (alpha >= 0) return { data, mask: nonZero(cut([alpha])) };
      if (picture.nodata === null) return { data, mask: null };
      const every = cut(Array.from({ length: bands }, (_, i) => i));
      return { data, mask: pixelsWithValue(every, window.width * window.height, picture.sampleType, picture.nodata, null) };
    },
  };
  return { level, drop: () => void (decoded = null) };
}

function cutBands(
  all: Samples,
  width: number,
  height: number,
  window: { col: number; row: number; width: number; height: number },
  bands: readonly number[],
): Samples {
  const out = new (all.constructor as new (length: number) => Samples)(bands.length * window.width * window.height);
  let to = 0;
  for (const band of bands) {
    for (let row = 0; row < window.height; row++, to += window.width) {
      const from = (band * height + window.row + row) * width + window.col;
      out.set(all.subarray(from, from + window.width), to);
    }
  }
  return out;
}

function describe(bytes: Uint8Array, name: string): Picture {
  try {
    return looksLikePng(bytes) ? describePng(readPngHeader(bytes)) : describeJpeg(bytes, name);
  } catch (error) {
    if (GeoLearnError.is(error)) throw error;
    throw readFailure(error, name, [0]);
  }
}

function describePng({ width, height, bits, colors, channels, palette, transparency }: PngHeader): Picture {
  const interpretations = {
    gray: ["gray"],
    "gray-alpha": ["gray", "alpha"],
    rgb: ["red", "green", "blue"],
    "rgb-alpha": ["red", "green", "blue", "alpha"],
    palette: ["palette"],
  } as const;
  // a transparent gray is a missing value; of a palette, the one index that is fully transparent
  const clear = colors === "palette" && transparency !== null ? [...transparency].flatMap((alpha, i) => (alpha === 0 ? [i] : [])) : [];
  const grayClear = colors === "gray" && transparency !== null ? ((transparency[0] ?? 0) << 8) | (transparency[1] ?? 0) : null;
  return {
    width,
    height,
    bands: channels,
    sampleType: bits === 16 ? "uint16" : "uint8",
    compression: PNG_FILE,
    interpretations: interpretations[colors],
    nodata: grayClear ?? (clear.length === 1 ? clear[0]! : null),
    colorTable: palette === null || colors !== "palette" ? null : paletteTable(palette),
  };
}

function paletteTable(palette: Uint8Array): ReadonlyMap<number, Rgb> {
  const table = new Map<number, Rgb>();
  for (let i = 0; 3 * i + 2 < palette.length; i++) table.set(i, [palette[3 * i]!, palette[3 * i + 1]!, palette[3 * i + 2]!]);
  return table;
}

function describeJpeg(bytes: Uint8Array, name: string): Picture {
  const { width, height, components } = readJpegSize(bytes);
  if (components !== 1 && components !== 3) {
    throw new GeoLearnError("RASTER_UNSUPPORTED", `${name} is a JPEG of ${components} components (CMYK?), which geolearn does not read.`, {
      hint: "Convert it: gdal_translate -of COG -co COMPRESS=DEFLATE INPUT OUTPUT.tif",
    });
  }
  return {
    width,
    height,
    bands: components,
    sampleType: "uint8",
    compression: JPEG_FILE,
    interpretations: components === 1 ? ["gray"] : ["red", "green", "blue"],
    nodata: null,
    colorTable: null,
  };
}

function tooLarge(name: string, what: string): GeoLearnError {
  return new GeoLearnError("LIMIT_EXCEEDED", `${name} is a picture of ${what}, which would be decoded as a whole.`, {
    hint: "Convert it: gdal_translate -of COG INPUT OUTPUT.tif",
  });
}
