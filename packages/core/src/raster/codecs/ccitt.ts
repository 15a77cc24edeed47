/** CCITT group 4 fax (ITU-T T.6): each row is coded by its changes against the row above. */

/** Codes of runs 0..63 and of 64, 128, ... 1728, by colour; then those of both colours, 1792, 1856, ... 2560 (ITU-T T.4). */
const whiteCodes =
  "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010 101011 0100111 0001100 0001000 " +
  "0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 00011010 00011011 00010010 00010011 00010100 00010101 " +
  "00010110 00010111 00101000 00101001 00101010 00101011 00101100 00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 " +
  "01010101 00100100 00100101 01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100 " +
  "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 011010011 011010100 " +
  "011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 010011010 011000 010011011";
const blackCodes =
  "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000 0000010111 0000011000 " +
  "0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 00000011000 000011001010 000011001011 000011001100 " +
  "000011001101 000001101000 000001101001 000001101010 000001101011 000011010010 000011010011 000011010100 000011010101 000011010110 " +
  "000011010111 000001101100 000001101101 000011011010 000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 " +
  "000001100101 000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 000001011000 000001011001 " +
  "000000101011 000000101100 000001011010 000001100110 000001100111 " +
  "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 0000001101101 0000001001010 " +
  "0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 0000001110101 0000001110110 0000001110111 " +
  "0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 0000001011011 0000001100100 0000001100101";
const longCodes =
  "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 000000010111 000000011100 " +
  "000000011101 000000011110 000000011111";

/** What a code of the second dimension says: an offset from the change above, or one of these. */
const PASS = 10;
const HORIZONTAL = 11;
const modes = new Map([
  ["1", 0],
  ["011", 1],
  ["000011", 2],
  ["0000011", 3],
  ["010", -1],
  ["000010", -2],
  ["0000010", -3],
  ["0001", PASS],
  ["001", HORIZONTAL],
]);

/** Longest code of each kind. */
const RUN_BITS = 13;
const MODE_BITS = 7;

/** Values by `1` followed by the bits of the code. */
type CodeTable = ReadonlyMap<number, number>;

let tables: { readonly modes: CodeTable; readonly runs: readonly [white: CodeTable, black: CodeTable] } | null = null;

/** Rows of one bit a pixel, black 1, each padded to a byte. @throws Error when the bits end early or are no code. */
export function decodeCcitt(input: Uint8Array, width: number, rows: number): Uint8Array {
  tables ??= { modes: codeTable([...modes]), runs: [runTable(whiteCodes), runTable(blackCodes)] };
  const reader = new CodeReader(input);
  const rowBytes = Math.ceil(width / 8);
  const out = new Uint8Array(rowBytes * rows);
  let above: number[] = [];
  for (let row = 0; row < rows; row++) {
    const changes = decodeRow(reader, above, width, tables);
    for (let i = 0; i < changes.length; i += 2) blacken(out, row * rowBytes, changes[i]!, Math.min(changes[i + 1] ?? width, width));
    above = changes;
  }
  return out;
}

/** Positions where the colour changes, starting from white. */
function decodeRow(reader: CodeReader, above: readonly number[], width: number, codes: NonNullable<typeof tables>): number[] {
  const changes: number[] = [];
  let at = -1;
  let color: 0 | 1 = 0;
  let from = 0;
  while (at < width) {
    // the first change above, right of here, to the other colour
    let i = from + ((from & 1) === color ? 0 : 1);
    while (i < above.length && above[i]! <= at) i += 2;
    from = Math.max(from, i - 1);
    const mode = reader.code(codes.modes, MODE_BITS);
    if (mode === PASS) {
      at = above[i + 1] ?? width;
      continue;
    }
    if (mode === HORIZONTAL) {
      const first = Math.max(at, 0) + reader.run(codes.runs[color]);
      at = first + reader.run(codes.runs[color === 0 ? 1 : 0]);
      if (at > width) throw new Error("a CCITT row is longer than the image is wide");
      changes.push(first, at);
      continue;
    }
    const next = (above[i] ?? width) + mode;
    if (next < Math.max(at, 0) || next > width) throw new Error("a CCITT row goes back or too far");
    changes.push(next);
    at = next;
    color = color === 0 ? 1 : 0;
  }
  return changes;
}

function blacken(out: Uint8Array, start: number, from: number, to: number): void {
  for (let x = from; x < to; x++) out[start + (x >> 3)] = out[start + (x >> 3)]! | (128 >> (x & 7));
}

class CodeReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  code(table: CodeTable, longest: number): number {
    let key = 1;
    for (let length = 0; length < longest; length++) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw new Error("the CCITT data end before the last row");
      key = (key << 1) | ((byte >> (7 - (this.#at & 7))) & 1);
      this.#at++;
      const value = table.get(key);
      if (value !== undefined) return value;
    }
    throw new Error("the CCITT data hold a code that is none");
  }

  /** Multiples of 64, ended by a run below 64. */
  run(table: CodeTable): number {
    let total = 0;
    for (;;) {
      const part = this.code(table, RUN_BITS);
      total += part;
      if (part < 64) return total;
    }
  }
}

function runTable(text: string): CodeTable {
  const codes = `${text} ${longCodes}`.split(" ");
  return codeTable(codes.map((code, i) => [code, i < 64 ? i : (i - 63) * 64]));
}

function codeTable(codes: readonly (readonly [string, number])[]): CodeTable {
  return new Map(codes.map(([code, value]) => [parseInt(`1${code}`, 2), value]));
}
