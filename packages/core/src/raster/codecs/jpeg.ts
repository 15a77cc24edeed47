/**
 * A JPEG decoder (ITU T.81: baseline, extended and progressive Huffman, 8 bits) whose pixels equal libjpeg's: the accurate
 * integer inverse DCT, and colour brought to full size by a larger inverse DCT. Damage is an error, never a gray area.
 */

import { type JpegComponent, type JpegStructure, readJpegStructure } from "./jpeg-markers.ts";
import { decodeScans } from "./jpeg-scan.ts";
import { inverseDct } from "./jpeg-idct.ts";
import { scaledInverseDct } from "./jpeg-scaled-idct.ts";

/** Options of {@link decodeJpeg}. */
export interface JpegOptions {
  /** An abbreviated stream with tables only, as TIFF's JPEGTables tag holds it. */
  readonly tables?: Uint8Array | null;
  /** What three components are: YCbCr to be turned into RGB, left as they are, or told by the file's markers. */
  readonly colors: "ycbcr" | "none" | "auto";
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
export function decodeJpeg(bytes: Uint8Array, { tables = null, colors, maxPixels }: JpegOptions): JpegImage {
  const structure = readJpegStructure(bytes, tables, maxPixels);
  const { width, height, components } = structure;
  decodeScans(structure);
  const pixels = width * height;
  const data = new Uint8Array(pixels * components.length);
  components.forEach((component, i) => {
    writePlane(component, structure, data.subarray(i * pixels, (i + 1) * pixels));
  });
  const toRgb = components.length === 3 && (colors === "ycbcr" || (colors === "auto" && structure.ycbcr));
  if (toRgb) ycbcrToRgb(data, pixels);
  return { width, height, components: components.length, data };
}

/** Writes the samples of a component at the size of the image. */
function writePlane(component: JpegComponent, { width, height, maxH, maxV }: JpegStructure, out: Uint8Array): void {
  const across = maxH / component.h;
  const down = maxV / component.v;
  const wide = across % 2 === 0 ? 16 : 8;
  const tall = down % 2 === 0 ? 16 : 8;
  const plane = wide === 8 && tall === 8 ? inverseDct(component) : scaledInverseDct(component, wide, tall);
  const stride = component.blocksAcross * wide;
  // factors beyond two repeat samples
  const repeatX = (across * 8) / wide;
  const repeatY = (down * 8) / tall;
  for (let row = 0; row < height; row++) {
    const from = Math.floor(row / repeatY) * stride;
    if (repeatX === 1) {
      out.set(plane.subarray(from, from + width), row * width);
      continue;
    }
    for (let col = 0; col < width; col++) out[row * width + col] = plane[from + Math.floor(col / repeatX)]!;
  }
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
