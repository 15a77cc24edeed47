/** TIFF's LZW (TIFF 6.0 section 13): most significant bit first, codes of 9 to 12 bits, one code early. */

const CLEAR = 256;
const END = 257;
const FIRST_FREE = 258;
const TABLE = 4096;

/**
 * Decodes at most `expected` bytes; the result is shorter when the input ends early. Strings are copied out of what was
 * already written, so that the table holds positions only. Returns null for input that is not LZW.
 */
export function decodeLzw(input: Uint8Array, expected: number): Uint8Array | null {
  if (input.length > 1 && input[0] === 0 && (input[1]! & 1) === 1) return null;
  const out = new Uint8Array(expected);
  const start = new Int32Array(TABLE);
  const lengths = new Int32Array(TABLE);
  let next = FIRST_FREE;
  let width = 9;
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  let done = 0;
  let previousStart = -1;
  let previousLength = 0;
  while (done < expected) {
    while (bitCount < width) {
      if (at >= input.length) return out.subarray(0, done);
      bits = ((bits << 8) | input[at++]!) & 0xffffff;
      bitCount += 8;
    }
    bitCount -= width;
    const code = (bits >>> bitCount) & ((1 << width) - 1);
    if (code === CLEAR) {
      next = FIRST_FREE;
      width = 9;
      previousStart = -1;
      continue;
    }
    if (code === END) break;
    const begin = done;
    if (code < CLEAR) {
      out[done++] = code;
    } else if (code < next) {
      let from = start[code]!;
      const end = Math.min(done + lengths[code]!, expected);
      if (done + 4 <= expected) {
        // most strings are short: four bytes at once spare a loop whose length cannot be predicted; surplus is overwritten
        out[done] = out[from]!;
        out[done + 1] = out[from + 1]!;
        out[done + 2] = out[from + 2]!;
        out[done + 3] = out[from + 3]!;
        done += 4;
        from += 4;
      }
      while (done < end) out[done++] = out[from++]!;
      done = end;
    } else if (code === next && previousStart >= 0) {
      let from = previousStart;
      const end = Math.min(done + previousLength, expected);
      while (done < end) out[done++] = out[from++]!;
      if (done < expected) out[done++] = out[begin]!;
    } else {
      return null;
    }
    if (previousStart >= 0 && next < TABLE) {
      // the new string is the previous one and the byte after it, which lie side by side in the output
      start[next] = previousStart;
      lengths[next] = previousLength + 1;
      next++;
      if (next >= (1 << width) - 1 && width < 12) width++;
    }
    previousStart = begin;
    previousLength = done - begin;
  }
  return out.subarray(0, done);
}
