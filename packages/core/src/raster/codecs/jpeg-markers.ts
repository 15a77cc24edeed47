/** The markers of a JPEG stream: tables, frame and scans (ITU T.81 annex B). */

import { scratch } from "./jpeg-scratch.ts";

/** One colour component of a frame. */
export interface JpegComponent {
  readonly id: number;
  /** Sampling factors. */
  readonly h: number;
  readonly v: number;
  readonly quantization: number;
  /** Size in samples. */
  readonly width: number;
  readonly height: number;
  /** Size in blocks of 8 x 8, padded to whole MCUs. */
  readonly blocksAcross: number;
  readonly blocksDown: number;
  /** 64 coefficients a block, in natural order, not yet dequantized. */
  readonly coefficients: Int16Array;
  /** Index of the last nonzero coefficient of each block, in zigzag order. */
  readonly last: Uint8Array;
  /** Divisors in natural order; set when the component's first scan begins. */
  table: Uint16Array | null;
}

/** Lookup of a Huffman code. */
export interface HuffmanTable {
  /** For the next 9 bits: `length << 8 | symbol`, or 0 when the code is longer. */
  readonly fast: Uint16Array;
  /** Largest code of each length, shifted to 16 bits; -1 when there is none. */
  readonly maxCode: Int32Array;
  readonly offset: Int32Array;
  readonly symbols: Uint8Array;
}

/** One scan: which components it holds and where its entropy-coded bytes lie. */
export interface JpegScan {
  readonly components: readonly { readonly component: JpegComponent; readonly dc: HuffmanTable | null; readonly ac: HuffmanTable | null }[];
  readonly spectralStart: number;
  readonly spectralEnd: number;
  readonly successiveHigh: number;
  readonly successiveLow: number;
  readonly restartInterval: number;
  /** Entropy-coded bytes, up to the next marker that is not a restart. */
  readonly start: number;
  readonly end: number;
}

/** What the markers of a stream say. */
export interface JpegStructure {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly maxH: number;
  readonly maxV: number;
  readonly components: readonly JpegComponent[];
  readonly scans: readonly JpegScan[];
  /** True when the markers say that three components are YCbCr. */
  readonly ycbcr: boolean;
}

/** Order in which coefficients are stored. */
export const zigzag: Uint8Array = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57,
  50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]);

/** More scans than this is a decompression bomb: each may pass over the whole image. */
const MAX_SCANS = 200;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly maxH: number;
  readonly maxV: number;
  readonly components: JpegComponent[];
}

/** Reads all markers of a stream, after those of `tables`. @throws Error when they contradict one another. */
export function readJpegStructure(bytes: Uint8Array, tables: Uint8Array | null, maxPixels: number): JpegStructure {
  const reader = new MarkerReader(maxPixels);
  if (tables !== null) reader.read(tables, true);
  return reader.read(bytes, false)!;
}

/** Size and components of the first frame, without decoding. @throws Error when there is none. */
export function readJpegSize(bytes: Uint8Array): { width: number; height: number; components: number } {
  for (let at = 2; at + 9 < bytes.length;) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff) break;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (frame) {
      const height = (bytes[at + 5]! << 8) | bytes[at + 6]!;
      const width = (bytes[at + 7]! << 8) | bytes[at + 8]!;
      if (width === 0 || height === 0) break;
      return { width, height, components: bytes[at + 9]! };
    }
    at += 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
  }
  throw new Error("the JPEG holds no image");
}

class MarkerReader {
  readonly #quantization: (Uint16Array | null)[] = [null, null, null, null];
  readonly #dc: (HuffmanTable | null)[] = [null, null, null, null];
  readonly #ac: (HuffmanTable | null)[] = [null, null, null, null];
  readonly #maxPixels: number;
  #restartInterval = 0;
  #frame: Frame | null = null;
  #adobeTransform: number | null = null;
  #jfif = false;

  constructor(maxPixels: number) {
    this.#maxPixels = maxPixels;
  }

  read(bytes: Uint8Array, tablesOnly: boolean): JpegStructure | null {
    if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error("a JPEG stream does not begin with its marker");
    const scans: JpegScan[] = [];
    let at = 2;
    for (;;) {
      while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
      if (at + 1 >= bytes.length) {
        if (tablesOnly) return null;
        throw new Error("the JPEG stream ends before its last marker");
      }
      if (bytes[at] !== 0xff) throw new Error("a JPEG marker is missing");
      const marker = bytes[at + 1]!;
      at += 2;
      if (marker === 0xd9) break;
      if (marker === 0xd8 || marker === 0x01) continue;
      const length = at + 1 < bytes.length ? (bytes[at]! << 8) | bytes[at + 1]! : 0;
      const end = at + length;
      if (length < 2 || end > bytes.length) throw new Error("a JPEG segment is cut short");
      const segment = bytes.subarray(at + 2, end);
      at = end;
      if (marker !== 0xda) {
        this.#segment(marker, segment);
        continue;
      }
      if (tablesOnly) throw new Error("the JPEG tables hold a scan");
      if (scans.length === MAX_SCANS) throw new Error("the JPEG has too many scans");
      const stop = entropyEnd(bytes, at);
      scans.push(this.#scan(segment, at, stop));
      at = stop;
      // libjpeg, too, takes a stream that lacks only its end marker
      if (at >= bytes.length) break;
    }
    return tablesOnly ? null : this.#structure(bytes, scans);
  }

  #structure(bytes: Uint8Array, scans: JpegScan[]): JpegStructure {
    const frame = this.#frame;
    if (frame === null || scans.length === 0) throw new Error("the JPEG holds no image");
    for (const component of frame.components) {
      if (component.table === null) throw new Error("a JPEG component has no scan");
    }
    const ids = String.fromCharCode(...frame.components.map(({ id }) => id));
    const ycbcr = this.#jfif || (this.#adobeTransform === null ? ids !== "RGB" : this.#adobeTransform === 1);
    return { ...frame, bytes, scans, ycbcr };
  }

  #segment(marker: number, segment: Uint8Array): void {
    if (marker === 0xdb) return this.#quantizationTables(segment);
    if (marker === 0xc4) return this.#huffmanTables(segment);
    if (marker === 0xc0 || marker === 0xc1 || marker === 0xc2) return this.#readFrame(segment, marker === 0xc2);
    if (marker === 0xdd) {
      this.#restartInterval = (segment[0]! << 8) | segment[1]!;
      return undefined;
    }
    if (marker === 0xe0) this.#jfif ||= text(segment, 4) === "JFIF";
    if (marker === 0xee && text(segment, 5) === "Adobe") this.#adobeTransform = segment[11] ?? 0;
    if (marker === 0xcc || (marker >= 0xc3 && marker <= 0xcf && marker !== 0xc8)) {
      throw new Error(`JPEG of kind ${marker.toString(16)} (lossless, hierarchical or arithmetic) is not decoded`);
    }
    return undefined;
  }

  #quantizationTables(segment: Uint8Array): void {
    for (let at = 0; at < segment.length;) {
      const head = segment[at++]!;
      const wide = head >> 4 !== 0;
      const bytes = wide ? 128 : 64;
      if ((head & 15) > 3 || at + bytes > segment.length) throw new Error("a JPEG quantization table is damaged");
      const table = new Uint16Array(64);
      for (let i = 0; i < 64; i++) {
        table[zigzag[i]!] = wide ? (segment[at + 2 * i]! << 8) | segment[at + 2 * i + 1]! : segment[at + i]!;
      }
      this.#quantization[head & 15] = table;
      at += bytes;
    }
  }

  #huffmanTables(segment: Uint8Array): void {
    for (let at = 0; at < segment.length;) {
      const head = segment[at]!;
      const counts = segment.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      at += 17;
      if (counts.length < 16 || (head & 15) > 3 || total > 256 || at + total > segment.length) {
        throw new Error("a JPEG Huffman table is damaged");
      }
      const table = huffmanTable(counts, segment.slice(at, at + total));
      (head >> 4 === 0 ? this.#dc : this.#ac)[head & 15] = table;
      at += total;
    }
  }

  #readFrame(segment: Uint8Array, progressive: boolean): void {
    if (this.#frame !== null) throw new Error("the JPEG has two frames");
    const height = (segment[1]! << 8) | segment[2]!;
    const width = (segment[3]! << 8) | segment[4]!;
    const count = segment[5] ?? 0;
    if (segment[0] !== 8) throw new Error(`JPEG of ${segment[0]} bits is not decoded`);
    if (segment.length < 6 + 3 * count || count < 1 || count > 4) throw new Error("the JPEG frame is damaged");
    if (width === 0 || height === 0 || width * height > this.#maxPixels) {
      throw new Error(`the JPEG claims ${width} x ${height} pixels`);
    }
    const factors = Array.from({ length: count }, (_, i) => segment[7 + 3 * i]!);
    const maxH = Math.max(...factors.map((factor) => factor >> 4));
    const maxV = Math.max(...factors.map((factor) => factor & 15));
    const components = factors.map((factor, i): JpegComponent => {
      const h = factor >> 4;
      const v = factor & 15;
      if (h < 1 || h > 4 || v < 1 || v > 4 || maxH % h !== 0 || maxV % v !== 0) throw new Error(`JPEG sampling ${h} x ${v} is not decoded`);
      const blocksAcross = Math.ceil(width / (8 * maxH)) * h;
      const blocksDown = Math.ceil(height / (8 * maxV)) * v;
      return {
        id: segment[6 + 3 * i]!,
        h,
        v,
        quantization: segment[8 + 3 * i]! & 3,
        width: Math.ceil((width * h) / maxH),
        height: Math.ceil((height * v) / maxV),
        blocksAcross,
        blocksDown,
        coefficients: scratch.coefficients(i, blocksAcross * blocksDown * 64),
        last: new Uint8Array(blocksAcross * blocksDown),
        table: null,
      };
    });
    this.#frame = { width, height, progressive, maxH, maxV, components };
  }

  #scan(segment: Uint8Array, start: number, end: number): JpegScan {
    const frame = this.#frame;
    const count = segment[0] ?? 0;
    if (frame === null || count < 1 || count > 4 || segment.length < 4 + 2 * count) throw new Error("a JPEG scan is damaged");
    const components = Array.from({ length: count }, (_, i) => {
      const component = frame.components.find(({ id }) => id === segment[1 + 2 * i]);
      if (component === undefined) throw new Error("a JPEG scan names an unknown component");
      component.table ??= this.#quantization[component.quantization] ?? null;
      if (component.table === null) throw new Error("a JPEG quantization table is missing");
      const selectors = segment[2 + 2 * i]!;
      return { component, dc: this.#dc[selectors >> 4] ?? null, ac: this.#ac[selectors & 15] ?? null };
    });
    const [spectralStart, spectralEnd, successive] = segment.subarray(1 + 2 * count, 4 + 2 * count) as unknown as [number, number, number];
    if (spectralStart > spectralEnd || spectralEnd > 63) throw new Error("a JPEG scan is damaged");
    return {
      components,
      spectralStart,
      spectralEnd,
      successiveHigh: successive >> 4,
      successiveLow: successive & 15,
      restartInterval: this.#restartInterval,
      start,
      end,
    };
  }
}

/** Entropy-coded bytes end at a marker other than a stuffed 0 or a restart. */
function entropyEnd(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1]!;
    if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
  return bytes.length;
}

function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable {
  const fast = new Uint16Array(512);
  const maxCode = new Int32Array(18).fill(-1);
  const offset = new Int32Array(18);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    offset[length] = index - code;
    for (let i = 0; i < counts[length - 1]!; i++, code++, index++) {
      if (code >= 1 << length) throw new Error("a JPEG Huffman table is damaged");
      if (length > 9) continue;
      const first = code << (9 - length);
      fast.fill((length << 8) | symbols[index]!, first, first + (1 << (9 - length)));
    }
    if (counts[length - 1]! > 0) maxCode[length] = code - 1;
    code <<= 1;
  }
  return { fast, maxCode, offset, symbols };
}

function text(bytes: Uint8Array, length: number): string {
  return String.fromCharCode(...bytes.subarray(0, length));
}
