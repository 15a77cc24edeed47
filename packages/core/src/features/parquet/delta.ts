/** Parquet's delta encodings: differences in blocks of packed bits, and texts whose lengths and beginnings are so encoded. */

/** Values of one page may take this many bytes when common beginnings are written out. */
const MAX_EXPANDED = 1 << 29;

/** Differences that were decoded, and where the bytes behind them begin. */
export interface DeltaResult {
  readonly values: BigInt64Array;
  readonly end: number;
}

/** Reads `count` integers (DELTA_BINARY_PACKED). @throws Error for damaged bytes */
export function readDeltas(bytes: Uint8Array, start: number, count: number): DeltaResult {
  if (count === 0 && start >= bytes.length) return { values: new BigInt64Array(), end: start };
  const reader = new Reader(bytes, start);
  const block = reader.varint();
  const parts = reader.varint();
  const perPart = Number(block / (parts === 0n ? 1n : parts));
  if (parts < 1n || parts > 512n || block > 1n << 20n || perPart < 8 || perPart % 8 !== 0)
    throw new Error("a block of differences has an odd size");
  const total = reader.varint();
  if (total !== BigInt(count)) throw new Error(`it holds ${total} and not ${count} differences`);
  const values = new BigInt64Array(count);
  let value = reader.zigzag();
  let done = 0;
  if (count > 0) values[done++] = value;
  while (done < count) {
    const least = reader.zigzag();
    const widths = reader.bytes(Number(parts));
    for (const width of widths) {
      if (done === count) break; // parts without values are not written
      if (width > 64) throw new Error(`a difference has ${width} bits`);
      const packed = reader.bytes((perPart * width) / 8);
      for (let i = 0; i < perPart && done < count; i += 1) {
        value = BigInt.asIntN(64, value + least + unsignedBits(packed, i * width, width));
        values[done++] = value;
      }
    }
  }
  return { values, end: reader.at };
}

/** Reads texts after their lengths (DELTA_LENGTH_BYTE_ARRAY). @throws Error */
export function readDeltaTexts(bytes: Uint8Array, start: number, count: number): { values: Uint8Array[]; end: number } {
  const { values: lengths, end } = readDeltas(bytes, start, count);
  let at = end;
  const values = Array.from(lengths, (given) => {
    const length = Number(given);
    if (length < 0 || at + length > bytes.length) throw new Error(`a value claims ${length} bytes`);
    at += length;
    return bytes.subarray(at - length, at);
  });
  return { values, end: at };
}

/** Reads texts that share their beginning with the one before (DELTA_BYTE_ARRAY). @throws Error */
export function readDeltaPrefixes(bytes: Uint8Array, start: number, count: number): Uint8Array[] {
  const prefixes = readDeltas(bytes, start, count);
  const { values: suffixes } = readDeltaTexts(bytes, prefixes.end, count);
  let before: Uint8Array = new Uint8Array();
  let expanded = 0;
  return suffixes.map((suffix, i) => {
    const prefix = Number(prefixes.values[i]!);
    if (prefix < 0 || prefix > before.length) throw new Error(`a value shares ${prefix} of ${before.length} bytes`);
    expanded += prefix + suffix.length;
    if (expanded > MAX_EXPANDED) throw new Error(`its values take more than ${MAX_EXPANDED >> 20} MB`);
    const value = prefix === 0 ? suffix : new Uint8Array(prefix + suffix.length);
    if (prefix > 0) {
      value.set(before.subarray(0, prefix));
      value.set(suffix, prefix);
    }
    before = value;
    return value;
  });
}

function unsignedBits(bytes: Uint8Array, first: number, width: number): bigint {
  let value = 0n;
  for (let bit = 0; bit < width;) {
    const at = first + bit;
    const taken = Math.min(8 - (at & 7), width - bit);
    value |= BigInt((bytes[at >> 3]! >> (at & 7)) & ((1 << taken) - 1)) << BigInt(bit);
    bit += taken;
  }
  return value;
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const [byte] = this.bytes(1);
      value |= BigInt(byte! & 127) << shift;
      if (byte! < 128) return value;
    }
    throw new Error("an integer has more than 64 bits");
  }

  zigzag(): bigint {
    const value = this.varint();
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  bytes(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new Error("its differences end early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}
