/** A PNG decoder (ISO/IEC 15948) whose memory is bounded by the size its header claims and the caller allows. */

import { crc32, inflateZlib } from "#deflate";

import { joinBytes } from "../../files/join-bytes.ts";
import type { Samples } from "../raster.ts";
import { separateBands } from "./separate-bands.ts";
import { unpackBits } from "./unpack-bits.ts";

/** What a PNG says before its pixels. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits of one sample: 1, 2, 4, 8 or 16. */
  readonly bits: number;
  readonly colors: "gray" | "rgb" | "palette" | "gray-alpha" | "rgb-alpha";
  readonly channels: number;
  readonly interlaced: boolean;
  /** Red, green, blue of each palette index. */
  readonly palette: Uint8Array | null;
  /** Raw contents of the transparency chunk. */
  readonly transparency: Uint8Array | null;
}

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const kinds = {
  0: ["gray", 1],
  2: ["rgb", 3],
  3: ["palette", 1],
  4: ["gray-alpha", 2],
  6: ["rgb-alpha", 4],
} as const;

/** Rows and columns of the seven passes of an interlaced image. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** True for the first bytes of a PNG. */
export function looksLikePng(head: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => head[i] === byte);
}

/** Reads the header chunks. @throws Error when they are damaged. */
export function readPngHeader(bytes: Uint8Array): PngHeader {
  const { header } = readChunks(bytes);
  return header;
}

/** Samples band after band. @throws Error when the stream is damaged. */
export async function decodePng(bytes: Uint8Array): Promise<Samples> {
  const { header, data } = readChunks(bytes);
  const { width, height, bits, channels } = header;
  const areas = header.interlaced ? passes : ([[0, 0, 1, 1]] as const);
  const sizes = areas.map(([x, y, dx, dy]) => [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)] as const);
  const rowBytes = (columns: number): number => Math.ceil((columns * channels * bits) / 8);
  const expected = sizes.reduce((sum, [w, h]) => sum + (w > 0 && h > 0 ? (1 + rowBytes(w)) * h : 0), 0);
  const raw = await inflateZlib(data, { expected, limit: expected + 65536 });
  if (raw.length < expected) throw new Error("the PNG ends before its last row");
  const out = bits === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  let at = 0;
  areas.forEach(([x0, y0, dx, dy], i) => {
    const [w, h] = sizes[i]!;
    if (w <= 0 || h <= 0) return;
    const length = rowBytes(w);
    const rows = undoFilters(raw.subarray(at, at + (1 + length) * h), length, h, Math.max(1, (channels * bits) / 8));
    at += (1 + length) * h;
    const samples = toSamples(rows, bits, w * channels);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const to = ((y0 + y * dy) * width + x0 + x * dx) * channels;
        const from = (y * w + x) * channels;
        for (let channel = 0; channel < channels; channel++) out[to + channel] = samples[from + channel]!;
      }
    }
  });
  return separateBands(out, channels, width * height);
}

function toSamples(rows: Uint8Array, bits: number, row: number): Samples {
  if (bits === 8) return rows;
  if (bits < 8) return unpackBits(rows, bits, row, "uint8", true);
  const out = new Uint16Array(rows.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = (rows[2 * i]! << 8) | rows[2 * i + 1]!;
  return out;
}

/** Chunks with their checksums verified; image data joined. */
function readChunks(bytes: Uint8Array): { header: PngHeader; data: Uint8Array } {
  if (!looksLikePng(bytes)) throw new Error("the PNG does not begin with its signature");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let first: Uint8Array | null = null;
  let palette: Uint8Array | null = null;
  let transparency: Uint8Array | null = null;
  for (let at = 8; ;) {
    if (at + 12 > bytes.length) throw new Error("the PNG ends before its last chunk");
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > bytes.length) throw new Error("a PNG chunk is cut short");
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) throw new Error(`the PNG chunk ${kind} has a wrong checksum`);
    const content = bytes.subarray(at + 8, end - 4);
    at = end;
    if (first === null && kind !== "IHDR") throw new Error("the PNG has no header");
    if (kind === "IHDR") first ??= content;
    else if (kind === "PLTE") palette = content;
    else if (kind === "tRNS") transparency = content;
    else if (kind === "IDAT") parts.push(content);
    else if (kind === "IEND") break;
  }
  return { header: parseHeader(first!, palette, transparency), data: parts.length === 1 ? parts[0]! : joinBytes(parts) };
}

function parseHeader(content: Uint8Array, palette: Uint8Array | null, transparency: Uint8Array | null): PngHeader {
  if (content.length < 13) throw new Error("the PNG header is cut short");
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const kind = kinds[content[9]! as keyof typeof kinds];
  const bits = content[8]!;
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const allowed = kind?.[0] === "gray" ? [1, 2, 4, 8, 16] : kind?.[0] === "palette" ? [1, 2, 4, 8] : [8, 16];
  if (kind === undefined || !allowed.includes(bits) || width === 0 || height === 0 || content[10] !== 0 || content[11] !== 0) {
    throw new Error("the PNG header is damaged");
  }
  return { width, height, bits, colors: kind[0], channels: kind[1], interlaced: content[12] === 1, palette, transparency };
}

function undoFilters(raw: Uint8Array, rowBytes: number, rows: number, pixelBytes: number): Uint8Array {
  const out = new Uint8Array(rowBytes * rows);
  for (let y = 0; y < rows; y++) {
    const filter = raw[y * (rowBytes + 1)]!;
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    const above = to - rowBytes;
    if (filter > 4) throw new Error("a PNG row has an unknown filter");
    if (filter === 0) {
      out.set(raw.subarray(from, from + rowBytes), to);
      continue;
    }
    for (let i = 0; i < rowBytes; i++) {
      const left = i >= pixelBytes ? out[to + i - pixelBytes]! : 0;
      const up = y > 0 ? out[above + i]! : 0;
      let guess = left;
      if (filter === 2) guess = up;
      else if (filter === 3) guess = (left + up) >> 1;
      else if (filter === 4) guess = paeth(left, up, i >= pixelBytes && y > 0 ? out[above + i - pixelBytes]! : 0);
      out[to + i] = raw[from + i]! + guess;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const pa = Math.abs(p - a);
  const pb = Math.abs(p - b);
  const pc = Math.abs(p - c);
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}
