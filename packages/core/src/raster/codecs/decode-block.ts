/** Decodes one block (tile or strip) to samples, band after band. Runs in the main thread and in workers. */

import { inflateZlib } from "#deflate";

import { GeoLearnError } from "../../errors.ts";
import type { Samples } from "../raster.ts";
import { type BlockSpec, JPEG_FILE, PNG_FILE } from "./block-spec.ts";
import { decodeCcitt } from "./ccitt.ts";
import { LERC, ZSTD } from "./geotiff-decoders.ts";
import { decodeJpeg } from "./jpeg.ts";
import { decodeLerc } from "./lerc.ts";
import { decodeLzw } from "./lzw.ts";
import { decodePackBits } from "./packbits.ts";
import { undoDifferences, undoDifferencesByBand, undoFloatPredictor } from "./predictor.ts";
import { createSamples, sampleBytes, samplesFrom } from "../samples.ts";
import { decodePng } from "./png.ts";
import { separateBands } from "./separate-bands.ts";
import { unpackBits } from "./unpack-bits.ts";
import { decodeZstd } from "./zstd.ts";

/** Bytes a block may inflate to beyond what its geometry says; more is taken for a decompression bomb. */
const SLACK = 65536;

/**
 * Samples of a block of `rows` rows: `[samples, rows, width]`.
 *
 * Every loop is bounded by the size of the input and of the block, so the time of one call is bounded too.
 *
 * @throws RASTER_CORRUPT when the bytes do not decode to the whole block.
 */
export async function decodeBlock(spec: BlockSpec, bytes: Uint8Array, rows: number): Promise<Samples> {
  try {
    return await decode(spec, spec.reversedBits ? reverseBits(bytes) : bytes, rows);
  } catch (thrown) {
    if (GeoLearnError.is(thrown)) throw thrown;
    throw corrupt(thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
}

/** True for codecs that are slow to start or come from elsewhere and belong into a worker however small the block. */
export function needsWorker({ compression }: BlockSpec): boolean {
  return compression === LERC || compression === ZSTD;
}

async function decode(spec: BlockSpec, bytes: Uint8Array, rows: number): Promise<Samples> {
  const { width, samples } = spec;
  if (spec.compression === 7 || spec.compression === JPEG_FILE) return decodeJpegBlock(spec, bytes, rows);
  if (spec.compression === PNG_FILE) return decodePng(bytes);
  if (spec.compression === LERC) {
    const inflated = await inflateLerc(spec, bytes, rows);
    return decodeLerc(inflated, spec.sampleType, width, rows, samples);
  }
  const rowBytes = Math.ceil((width * samples * spec.bits) / 8);
  const expected = rowBytes * rows;
  const raw = await decompress(spec, bytes, rowBytes, rows);
  if (raw.length < expected) {
    throw corrupt(`it holds ${raw.length} of ${expected} bytes`);
  }
  const whole = raw.subarray(0, expected);
  if (spec.predictor === 2 && samples > 1 && !spec.float && (spec.bits === 8 || spec.bits === 16)) return differencesByBand(spec, whole);
  return separateBands(toSamples(spec, whole), samples, width * rows);
}

/** The bytes of a block as stored before compression: at least what the rows need, or fewer when the input ends early. */
async function decompress(spec: BlockSpec, bytes: Uint8Array, rowBytes: number, rows: number): Promise<Uint8Array> {
  const expected = rowBytes * rows;
  switch (spec.compression) {
    case 1:
      // predictors and byte swaps work in place, and neighbouring blocks share a buffer
      return bytes.slice(0, expected);
    case 4:
      return decodeCcitt(bytes, spec.width, rows);
    case 5: {
      const decoded = decodeLzw(bytes, expected);
      if (decoded === null) throw corrupt("its LZW codes are not valid");
      return decoded;
    }
    case 32773:
      return decodePackBits(bytes, expected);
    case ZSTD:
      return decodeZstd(bytes, rowBytes * spec.height + SLACK, [expected, rowBytes * spec.height]);
    default:
      return inflateZlib(bytes, { expected, limit: rowBytes * spec.height + SLACK });
  }
}

async function inflateLerc(spec: BlockSpec, bytes: Uint8Array, rows: number): Promise<Uint8Array> {
  const expected = spec.width * rows * spec.samples * sampleBytes(spec.sampleType);
  // LERC of noise may be larger than the samples: headers, masks and bit stuffing
  const limit = expected * 2 + SLACK;
  if (spec.lercCompression === 0) return bytes;
  if (spec.lercCompression === 1) return inflateZlib(bytes, { expected, limit });
  if (spec.lercCompression === 2) return decodeZstd(bytes, limit, []);
  throw corrupt(`its LERC blocks use the unknown compression ${spec.lercCompression}`);
}

function decodeJpegBlock(spec: BlockSpec, bytes: Uint8Array, rows: number): Samples {
  const { width, samples } = spec;
  const image = decodeJpeg(bytes, {
    tables: spec.jpegTables,
    colors: spec.compression === JPEG_FILE ? "auto" : spec.ycbcr ? "ycbcr" : "none",
    maxPixels: width * spec.height,
  });
  if (image.components !== samples || image.width < width || image.height < rows) {
    throw corrupt(`its JPEG is ${image.width} x ${image.height} pixels of ${image.components} bands, not ${width} x ${rows} of ${samples}`);
  }
  if (image.width === width && image.height === rows) return image.data;
  const out = new Uint8Array(width * rows * samples);
  for (let band = 0; band < samples; band++) {
    for (let row = 0; row < rows; row++) {
      const from = (band * image.height + row) * image.width;
      out.set(image.data.subarray(from, from + width), (band * rows + row) * width);
    }
  }
  return out;
}

/** Stored bytes to samples, still interleaved. */
function toSamples(spec: BlockSpec, raw: Uint8Array): Samples {
  const { bits, predictor, sampleType, samples, width } = spec;
  const row = width * samples;
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
    return unpackBits(raw, bits, row, sampleType, spec.bigEndian);
  }
  const bytes = bits / 8;
  if (predictor === 3) {
    undoFloatPredictor(raw, row, samples, bytes);
  } else {
    if (spec.bigEndian && bytes > 1) swapBytes(raw, bytes);
    if (predictor === 2) undoDifferences(unsignedView(raw, bytes), row, samples);
  }
  if (bits === 16 && spec.float) return fromHalf(new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2));
  return samplesFrom(sampleType, raw);
}

/** The most common layout, in one pass instead of two. */
function differencesByBand({ bits, bigEndian, width, samples, sampleType }: BlockSpec, raw: Uint8Array): Samples {
  if (bigEndian && bits === 16) swapBytes(raw, 2);
  const out = createSamples(sampleType, raw.length / (bits / 8));
  undoDifferencesByBand(bits === 8 ? raw : new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2), width * samples, samples, out);
  return out;
}

function unsignedView(raw: Uint8Array, bytes: number): Uint8Array | Uint16Array | Uint32Array | BigUint64Array {
  const { buffer, byteOffset } = raw;
  const count = raw.length / bytes;
  if (bytes === 1) return raw;
  if (bytes === 2) return new Uint16Array(buffer, byteOffset, count);
  return bytes === 4 ? new Uint32Array(buffer, byteOffset, count) : new BigUint64Array(buffer, byteOffset, count);
}

function swapBytes(raw: Uint8Array, bytes: number): void {
  for (let start = 0; start + bytes <= raw.length; start += bytes) {
    for (let i = start, j = start + bytes - 1; i < j; i++, j--) {
      const byte = raw[i]!;
      raw[i] = raw[j]!;
      raw[j] = byte;
    }
  }
}

function fromHalf(half: Uint16Array): Float32Array {
  const out = new Float32Array(half.length);
  for (let i = 0; i < half.length; i++) {
    const bits = half[i]!;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const magnitude =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    out[i] = bits & 0x8000 ? -magnitude : magnitude;
  }
  return out;
}

function reverseBits(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => {
    let out = 0;
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) out |= 128 >> bit;
    return out;
  });
}

function corrupt(what: string, cause?: unknown): GeoLearnError {
  return new GeoLearnError("RASTER_CORRUPT", `A block is damaged: ${what}.`, { hint: "Copy or download the file again.", cause });
}
