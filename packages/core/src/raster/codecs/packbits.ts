/** PackBits run lengths (TIFF 6.0 section 9). */

/** Decodes at most `expected` bytes; the result is shorter when the input ends early. */
export function decodePackBits(input: Uint8Array, expected: number): Uint8Array {
  const out = new Uint8Array(expected);
  let at = 0;
  let done = 0;
  while (at < input.length && done < expected) {
    const head = input[at++]!;
    if (head < 128) {
      const length = Math.min(head + 1, expected - done, input.length - at);
      out.set(input.subarray(at, at + length), done);
      at += head + 1;
      done += length;
    } else if (head > 128 && at < input.length) {
      const length = Math.min(257 - head, expected - done);
      out.fill(input[at++]!, done, done + length);
      done += length;
    }
  }
  return out.subarray(0, done);
}
