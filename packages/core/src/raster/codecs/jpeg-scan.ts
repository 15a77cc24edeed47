/** Entropy decoding of JPEG scans (ITU T.81 annexes F and G). */

import { type HuffmanTable, type JpegComponent, type JpegScan, type JpegStructure, zigzag } from "./jpeg-markers.ts";

/** Fills the coefficients of all components. @throws Error when the bits end early or are no code. */
export function decodeScans(structure: JpegStructure): void {
  for (const scan of structure.scans) {
    const reader = new BitReader(structure.bytes, scan.start, scan.end);
    if (structure.progressive) decodeProgressive(structure, scan, reader);
    else decodeSequential(structure, scan, reader);
  }
}

/** Bits of an entropy-coded segment, most significant first. */
class BitReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #held = 0;
  #count = 0;
  /** Bits made up after the end; libjpeg allows the few that complete the last code, and so does this. */
  #missing = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Ensures at least 16 bits. */
  fill(): void {
    while (this.#count <= 16) {
      let byte = 0;
      const at = this.#at;
      if (at < this.#end) {
        byte = this.#bytes[at]!;
        if (byte !== 0xff) this.#at = at + 1;
        else if (this.#bytes[at + 1] === 0 && at + 1 < this.#end) this.#at = at + 2;
        else {
          byte = 0;
          this.#missing += 8;
        }
      } else {
        this.#missing += 8;
      }
      this.#held = (this.#held << 8) | byte;
      this.#count += 8;
    }
  }

  bits(length: number): number {
    if (length === 0) return 0;
    if (this.#count < length) this.fill();
    this.#count -= length;
    return (this.#held >>> this.#count) & ((1 << length) - 1);
  }

  bit(): number {
    if (this.#count === 0) this.fill();
    this.#count--;
    return (this.#held >>> this.#count) & 1;
  }

  symbol({ fast, maxCode, offset, symbols }: HuffmanTable): number {
    if (this.#count < 16) this.fill();
    const quick = fast[(this.#held >>> (this.#count - 9)) & 511]!;
    if (quick !== 0) {
      this.#count -= quick >> 8;
      return quick & 255;
    }
    for (let length = 10; length <= 16; length++) {
      const code = (this.#held >>> (this.#count - length)) & ((1 << length) - 1);
      if (code > maxCode[length]!) continue;
      this.#count -= length;
      return symbols[code + offset[length]!]!;
    }
    throw new Error("the JPEG holds a code that is none");
  }

  /** A signed value of `length` bits (T.81 EXTEND). */
  signed(length: number): number {
    const value = this.bits(length);
    return value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** Throws when bits were read that the stream does not have. */
  check(): void {
    if (this.#missing > this.#count) throw new Error("the JPEG ends before its last block");
  }

  /** Goes to the next restart marker, which must be the right one. */
  restart(expected: number): void {
    this.check();
    this.#held = 0;
    this.#count = 0;
    this.#missing = 0;
    let at = this.#at;
    while (this.#bytes[at] === 0xff && this.#bytes[at + 1] === 0xff) at++;
    if (at + 1 >= this.#end || this.#bytes[at] !== 0xff || this.#bytes[at + 1] !== 0xd0 + expected) {
      throw new Error("a JPEG restart marker is missing");
    }
    this.#at = at + 2;
  }
}

function decodeSequential(structure: JpegStructure, scan: JpegScan, reader: BitReader): void {
  const predictions = new Int32Array(scan.components.length);
  forEachBlock(structure, scan, reader, predictions, (block, index) => {
    const { component, dc, ac } = scan.components[index]!;
    if (dc === null || ac === null) throw new Error("a JPEG Huffman table is missing");
    const { coefficients } = component;
    const base = block * 64;
    const size = reader.symbol(dc);
    if (size > 15) throw new Error("the JPEG holds a code that is none");
    if (size !== 0) predictions[index] = predictions[index]! + reader.signed(size);
    coefficients[base] = predictions[index]!;
    let last = 0;
    for (let k = 1; k < 64; k++) {
      const symbol = reader.symbol(ac);
      const length = symbol & 15;
      if (length === 0) {
        if (symbol !== 0xf0) break;
        k += 15;
        continue;
      }
      k += symbol >> 4;
      if (k > 63) throw new Error("a JPEG block holds too many coefficients");
      coefficients[base + zigzag[k]!] = reader.signed(length);
      last = k;
    }
    component.last[block] = last;
  });
}

function decodeProgressive(structure: JpegStructure, scan: JpegScan, reader: BitReader): void {
  const { spectralStart, successiveHigh } = scan;
  if (spectralStart > 0 && scan.components.length > 1) throw new Error("a JPEG scan is damaged");
  for (const { component } of scan.components) component.last.fill(63);
  if (spectralStart === 0) return progressiveDc(structure, scan, reader);
  if (successiveHigh === 0) return progressiveAcFirst(structure, scan, reader);
  return progressiveAcRefine(structure, scan, reader);
}

function progressiveDc(structure: JpegStructure, scan: JpegScan, reader: BitReader): void {
  const predictions = new Int32Array(scan.components.length);
  const { successiveHigh, successiveLow } = scan;
  forEachBlock(structure, scan, reader, predictions, (block, index) => {
    const { component, dc } = scan.components[index]!;
    if (successiveHigh > 0) {
      if (reader.bit() === 1) component.coefficients[block * 64] = component.coefficients[block * 64]! | (1 << successiveLow);
      return;
    }
    if (dc === null) throw new Error("a JPEG Huffman table is missing");
    const size = reader.symbol(dc);
    if (size > 15) throw new Error("the JPEG holds a code that is none");
    if (size !== 0) predictions[index] = predictions[index]! + reader.signed(size);
    component.coefficients[block * 64] = predictions[index]! << successiveLow;
  });
}

function progressiveAcFirst(structure: JpegStructure, scan: JpegScan, reader: BitReader): void {
  const { spectralStart, spectralEnd, successiveLow } = scan;
  const { component, ac } = scan.components[0]!;
  if (ac === null) throw new Error("a JPEG Huffman table is missing");
  const state = new Int32Array(1);
  forEachBlock(structure, scan, reader, state, (block) => {
    if (state[0]! > 0) {
      state[0] = state[0]! - 1;
      return;
    }
    const base = block * 64;
    for (let k = spectralStart; k <= spectralEnd; k++) {
      const symbol = reader.symbol(ac);
      const run = symbol >> 4;
      const length = symbol & 15;
      if (length === 0) {
        if (run < 15) {
          state[0] = (1 << run) - 1 + reader.bits(run);
          break;
        }
        k += 15;
        continue;
      }
      k += run;
      if (k > 63) throw new Error("a JPEG block holds too many coefficients");
      component.coefficients[base + zigzag[k]!] = reader.signed(length) * (1 << successiveLow);
    }
  });
}

function progressiveAcRefine(structure: JpegStructure, scan: JpegScan, reader: BitReader): void {
  const { spectralStart, spectralEnd, successiveLow } = scan;
  const { component, ac } = scan.components[0]!;
  if (ac === null) throw new Error("a JPEG Huffman table is missing");
  const { coefficients } = component;
  const one = 1 << successiveLow;
  const state = new Int32Array(1);
  const refine = (at: number): void => {
    const value = coefficients[at]!;
    if (reader.bit() === 1 && (Math.abs(value) & one) === 0) coefficients[at] = value + (value < 0 ? -one : one);
  };
  forEachBlock(structure, scan, reader, state, (block) => {
    const base = block * 64;
    let k = spectralStart;
    if (state[0] === 0) {
      for (; k <= spectralEnd; k++) {
        const symbol = reader.symbol(ac);
        let run = symbol >> 4;
        let value = 0;
        if ((symbol & 15) !== 0) value = reader.bit() === 1 ? one : -one;
        else if (run < 15) {
          state[0] = (1 << run) + reader.bits(run);
          break;
        }
        for (; k <= spectralEnd; k++) {
          const at = base + zigzag[k]!;
          if (coefficients[at] !== 0) refine(at);
          else if (run-- === 0) {
            if (value !== 0) coefficients[at] = value;
            break;
          }
        }
      }
    }
    if (state[0]! > 0) {
      for (; k <= spectralEnd; k++) {
        const at = base + zigzag[k]!;
        if (coefficients[at] !== 0) refine(at);
      }
      state[0] = state[0]! - 1;
    }
  });
}

/**
 * Visits the blocks of a scan in their order: MCU by MCU when components are interleaved, else the component's own blocks
 * without the padding. `state` is reset at restarts.
 */
function forEachBlock(
  { width, height, maxH, maxV }: JpegStructure,
  { components, restartInterval }: JpegScan,
  reader: BitReader,
  state: Int32Array,
  visit: (block: number, index: number) => void,
): void {
  const single = components.length === 1;
  const first = components[0]!.component;
  const across = single ? Math.ceil(first.width / 8) : Math.ceil(width / (8 * maxH));
  const down = single ? Math.ceil(first.height / 8) : Math.ceil(height / (8 * maxV));
  let sinceRestart = 0;
  let restarts = 0;
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      if (restartInterval > 0 && sinceRestart === restartInterval) {
        reader.restart(restarts++ & 7);
        state.fill(0);
        sinceRestart = 0;
      }
      sinceRestart++;
      if (single) {
        visit(y * first.blocksAcross + x, 0);
        continue;
      }
      for (let i = 0; i < components.length; i++) visitMcu(components[i]!.component, x, y, i, visit);
    }
    reader.check();
  }
}

function visitMcu(
  { h, v, blocksAcross }: JpegComponent,
  x: number,
  y: number,
  index: number,
  visit: (block: number, index: number) => void,
): void {
  for (let j = 0; j < v; j++) {
    for (let i = 0; i < h; i++) visit((y * v + j) * blocksAcross + x * h + i, index);
  }
}
