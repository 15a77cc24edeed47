/** Parquet's hybrid of runs and packed bits, which holds levels, numbers of dictionary entries and booleans. */

/**
 * Fills `out` with integers of `width` bits.
 *
 * @throws Error when the bytes hold fewer
 */
export function readHybrid(bytes: Uint8Array, width: number, out: Uint8Array | Uint32Array): void {
  if (width === 0) return; // all are 0
  let at = 0;
  let done = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Error("its runs end early");
    return bytes[at++]!;
  };
  while (done < out.length) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = next();
      head += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
      if (shift > 35) throw new Error("the length of a run is damaged");
    }
    const half = Math.floor(head / 2);
    if (half === 0) throw new Error("a run has no length");
    if (head % 2 === 1) {
      const count = Math.min(8 * half, out.length - done);
      unpack(bytes, at, width, out, done, count);
      at += half * width;
      done += count;
      continue;
    }
    let value = 0;
    for (let i = 0; i < Math.ceil(width / 8); i += 1) value += next() * 256 ** i;
    const end = Math.min(done + half, out.length);
    out.fill(value, done, end);
    done = end;
  }
}

/** Unpacks `count` integers, the lowest bits first. The last group may be cut behind its last integer. */
function unpack(bytes: Uint8Array, start: number, width: number, out: Uint8Array | Uint32Array, first: number, count: number): void {
  if (start + Math.ceil((count * width) / 8) > bytes.length) throw new Error("its packed bits end early");
  let at = start;
  let held = 0;
  let bits = 0;
  const mask = 2 ** width;
  for (let i = 0; i < count; i += 1) {
    while (bits < width) {
      held += bytes[at++]! * 2 ** bits;
      bits += 8;
    }
    out[first + i] = held % mask;
    held = Math.floor(held / mask);
    bits -= width;
  }
}
