/** Snappy (github.com/google/snappy, format_description.txt): literals and copies of what was written before. */

/**
 * Decompresses to exactly `size` bytes.
 *
 * @throws Error when the bytes are damaged or hold another number
 */
export function decodeSnappy(bytes: Uint8Array, size: number): Uint8Array {
  let at = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Error("its Snappy bytes end early");
    return bytes[at++]!;
  };
  const integer = (length: number): number => {
    let value = 0;
    for (let i = 0; i < length; i += 1) value += next() * 256 ** i;
    return value;
  };

  let claimed = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = next();
    claimed += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
    if (shift > 28) throw new Error("its Snappy size is damaged");
  }
  if (claimed !== size) throw new Error(`its Snappy bytes hold ${claimed} bytes, not ${size}`);

  const out = new Uint8Array(size);
  let done = 0;
  while (at < bytes.length) {
    const tag = next();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = short < 60 ? short + 1 : integer(short - 59) + 1;
      if (at + length > bytes.length || done + length > size) throw new Error("a Snappy literal is too long");
      out.set(bytes.subarray(at, at + length), done);
      at += length;
      done += length;
      continue;
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offset = kind === 1 ? (tag >> 5) * 256 + next() : integer(kind === 2 ? 2 : 4);
    done = copyBack(out, done, offset, length);
  }
  if (done !== size) throw new Error(`its Snappy bytes hold ${done} of ${size} bytes`);
  return out;
}

/** Repeats `length` bytes from `offset` before the end, which may overlap what they become. Returns the new end. */
export function copyBack(out: Uint8Array, end: number, offset: number, length: number): number {
  if (offset === 0 || offset > end || end + length > out.length) throw new Error("a copy reaches outside of what was written");
  if (offset >= length) out.copyWithin(end, end - offset, end - offset + length);
  else for (let i = 0; i < length; i += 1) out[end + i] = out[end + i - offset]!;
  return end + length;
}
