/**
 * A JPEG decoder (ITU T.81: baseline, extended and progressive Huffman, 8 bits) whose pixels equal libjpeg's: the accurate
 * integer inverse DCT, and chroma upsampling with or without its triangle filter. Damage is an error, never a gray area.
 */

import { readJpegStructure } from "./jpeg-markers.ts";
import { decodeScans } from "./jpeg-scan.ts";
import { inverseDct } from "./jpeg-idct.ts";
import { upsample } from "./jpeg-upsample.ts";

/** Options of {@link decodeJpeg}. */
export interface JpegOptions {
  /** An abbreviated stream with tables only, as TIFF's JPEGTables tag holds it. */
  readonly tables?: Uint8Array | null;
  /** What three components are: YCbCr to be turned into RGB, left as they are, or told by the file's markers. */
  readonly colors: "ycbcr" | "none" | "auto";
  /** Smooth subsampled chroma (what libjpeg does by itself) instead of repeating it (what libtiff asks of it). */
  readonly smoothChroma: boolean;
  /** Largest image to decode, in pixels. */
  readonly maxPixels: number;
}

/** Decoded pixels, band after band. */
export interface JpegImage {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly data: Uint8Array;
}

/** Decodes a JPEG. @throws Error with the reason when the stream is damaged or of a kind that is not decoded. */
export function decodeJpeg(bytes: Uint8Array, { tables = null, colors, smoothChroma, maxPixels }: JpegOptions): JpegImage {
  const structure = readJpegStructure(bytes, tables, maxPixels);
  const { width, height, components } = structure;
  decodeScans(structure);
  const pixels = width * height;
  const data = new Uint8Array(pixels * components.length);
  components.forEach((component, i) => {
    const plane = inverseDct(component);
    upsample(component, plane, structure, smoothChroma, data.subarray(i * pixels, (i + 1) * pixels));
  });
  const toRgb = components.length === 3 && (colors === "ycbcr" || (colors === "auto" && structure.ycbcr));
  if (toRgb) ycbcrToRgb(data, pixels);
  return { width, height, components: components.length, data };
}

/** JFIF's YCbCr to RGB in 16-bit fixed point, in place, band after band. */
function ycbcrToRgb(data: Uint8Array, pixels: number): void {
  const [redOfCr, blueOfCb, greenOfCr, greenOfCb] = colorTables();
  for (let i = 0, j = pixels, k = 2 * pixels; i < pixels; i++, j++, k++) {
    const y = data[i]!;
    const cb = data[j]!;
    const cr = data[k]!;
    const r = y + redOfCr[cr]!;
    const g = y + ((greenOfCb[cb]! + greenOfCr[cr]!) >> 16);
    const b = y + blueOfCb[cb]!;
    data[i] = r < 0 ? 0 : r > 255 ? 255 : r;
    data[j] = g < 0 ? 0 : g > 255 ? 255 : g;
    data[k] = b < 0 ? 0 : b > 255 ? 255 : b;
  }
}

let memo: readonly [Int32Array, Int32Array, Int32Array, Int32Array] | null = null;

function colorTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  if (memo !== null) return memo;
  const fix = (x: number): number => Math.floor(x * 65536 + 0.5);
  const table = (of: (x: number) => number): Int32Array => Int32Array.from({ length: 256 }, (_, i) => of(i - 128));
  memo = [
    table((x) => (fix(1.402) * x + 32768) >> 16),
    table((x) => (fix(1.772) * x + 32768) >> 16),
    table((x) => -fix(0.71414) * x),
    table((x) => -fix(0.34414) * x + 32768),
  ];
  return memo;
}
