/**
 * A JPEG decoder (ITU T.81: baseline, extended and progressive Huffman, 8 bits) whose pixels equal libjpeg's: the accurate
 * integer inverse DCT, and colour brought to full size by a larger inverse DCT. Damage is an error, never a gray area.
 */

import { type JpegComponent, type JpegStructure, readJpegStructure } from "./jpeg-markers.ts";
import { decodeScans } from "./jpeg-scan.ts";
import { inverseDct } from "./jpeg-idct.ts";
import { scratch } from "./jpeg-scratch.ts";
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
  const planes = components.map((component, i) => transformPlane(component, i, structure));
  const toRgb = components.length === 3 && (colors === "ycbcr" || (colors === "auto" && structure.ycbcr));
  const data = toRgb ? writeRgb(planes, width, height) : writePlanes(planes, width, height);
  return { width, height, components: components.length, data };
}

/** Samples of a component, with rows of whole blocks; sampling factors beyond two are left to repetition. */
interface Plane {
  readonly samples: Uint8ClampedArray;
  readonly stride: number;
  readonly repeatX: number;
  readonly repeatY: number;
}

function transformPlane(component: JpegComponent, index: number, { maxH, maxV }: JpegStructure): Plane {
  const across = maxH / component.h;
  const down = maxV / component.v;
  const wide = across % 2 === 0 ? 16 : 8;
  const tall = down % 2 === 0 ? 16 : 8;
  const size = component.blocksAcross * wide * component.blocksDown * tall;
  const samples = scratch.samples(index, size);
  if (wide === 8 && tall === 8) inverseDct(component, samples);
  else scaledInverseDct(component, wide, tall, samples);
  return { samples, stride: component.blocksAcross * wide, repeatX: (across * 8) / wide, repeatY: (down * 8) / tall };
}

function writePlanes(planes: readonly Plane[], width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * planes.length);
  planes.forEach((plane, band) => {
    for (let row = 0; row < height; row++) copyRow(plane, row, out, (band * height + row) * width, width);
  });
  return out;
}

function copyRow({ samples, stride, repeatX, repeatY }: Plane, row: number, out: Uint8Array, to: number, width: number): void {
  const from = Math.floor(row / repeatY) * stride;
  if (repeatX === 1) {
    out.set(samples.subarray(from, from + width), to);
    return;
  }
  for (let col = 0; col < width; col++) out[to + col] = samples[from + Math.floor(col / repeatX)]!;
}

/** JFIF's YCbCr to RGB in 16-bit fixed point, row by row. */
function writeRgb(planes: readonly Plane[], width: number, height: number): Uint8Array {
  const out = new Uint8ClampedArray(width * height * 3);
  const pixels = width * height;
  const rows = planes.map(() => new Uint8Array(width));
  const [ys, bs, rs] = rows as unknown as [Uint8Array, Uint8Array, Uint8Array];
  for (let row = 0; row < height; row++) {
    planes.forEach((plane, i) => copyRow(plane, row, rows[i]!, 0, width));
    rgbRow(ys, bs, rs, out, row * width, pixels, width);
  }
  return new Uint8Array(out.buffer);
}

function rgbRow(
  ys: Uint8Array,
  bs: Uint8Array,
  rs: Uint8Array,
  out: Uint8ClampedArray,
  start: number,
  pixels: number,
  width: number,
): void {
  for (let col = 0, i = start; col < width; col++, i++) {
    const y = ys[col]!;
    const cb = bs[col]! - 128;
    const cr = rs[col]! - 128;
    // 1.402, 0.34414, 0.71414 and 1.772, times 65536
    out[i] = y + ((91881 * cr + 32768) >> 16);
    out[i + pixels] = y + ((-22554 * cb - 46802 * cr + 32768) >> 16);
    out[i + 2 * pixels] = y + ((116130 * cb + 32768) >> 16);
  }
}
