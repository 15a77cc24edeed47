/** What a decoder must know about the blocks (tiles or strips) of an image. Plain data: it travels to workers. */

import type { SampleType } from "../raster.ts";

/** Compression numbers of whole picture files, which are one block each; TIFF has no negative ones. */
export const PNG_FILE = -1;
export const JPEG_FILE = -2;

/** How the blocks of one image are stored. */
export interface BlockSpec {
  /** TIFF compression number. */
  readonly compression: number;
  /** 1 none, 2 horizontal differences, 3 floating point. */
  readonly predictor: number;
  /** Columns of a block. */
  readonly width: number;
  /** Rows of a whole block. */
  readonly height: number;
  /** Samples per pixel inside a block: all bands when they are interleaved, else 1. */
  readonly samples: number;
  /** Bits per stored sample. */
  readonly bits: number;
  /** True when the stored samples are floating point. */
  readonly float: boolean;
  /** Type of the decoded samples. */
  readonly sampleType: SampleType;
  readonly bigEndian: boolean;
  /** True when bits are filled from the lowest (TIFF FillOrder 2). */
  readonly reversedBits: boolean;
  /** Quantization and Huffman tables shared by JPEG blocks. */
  readonly jpegTables: Uint8Array | null;
  /** True when JPEG blocks hold YCbCr that is to become RGB. */
  readonly ycbcr: boolean;
  /** Second compression of LERC blocks: 0 none, 1 deflate, 2 zstd. */
  readonly lercCompression: number;
}
