/** The bytes of TIFF directories (IFDs), classic and BigTIFF, little endian. */

/** A tag and its values. */
export interface Tag {
  readonly id: number;
  readonly type: "byte" | "ascii" | "short" | "long" | "double" | "offset";
  readonly values: ArrayLike<number>;
}

const TYPE_NUMBER = { byte: 1, ascii: 2, short: 3, long: 4, double: 12 } as const;
const TYPE_BYTES = { byte: 1, ascii: 1, short: 2, long: 4, double: 8 } as const;

/** A text tag: UTF-8 with the closing NUL. */
export function asciiTag(id: number, text: string): Tag {
  return { id, type: "ascii", values: new TextEncoder().encode(`${text}\0`) };
}

/** Bytes that {@link encodeDirectories} will make of these tags; it depends on the number of values, not on the values. */
export function directoriesSize(directories: readonly (readonly Tag[])[], bigTiff: boolean): number {
  let size = 0;
  for (const tags of directories) {
    size += bigTiff ? 16 + 20 * tags.length : 6 + 12 * tags.length;
    for (const tag of tags) {
      const bytes = tag.values.length * typeBytes(tag, bigTiff);
      if (bytes > (bigTiff ? 8 : 4)) size += bytes + (bytes & 1);
    }
  }
  return size;
}

/** Directories one after another from file position `start` (even), each followed by the values that do not fit into it. */
export function encodeDirectories(directories: readonly (readonly Tag[])[], bigTiff: boolean, start: number): Uint8Array {
  const out = new DataView(new ArrayBuffer(directoriesSize(directories, bigTiff)));
  const inline = bigTiff ? 8 : 4;
  let position = 0;
  for (const [index, unsorted] of directories.entries()) {
    const tags = [...unsorted].sort((a, b) => a.id - b.id);
    if (bigTiff) out.setBigUint64(position, BigInt(tags.length), true);
    else out.setUint16(position, tags.length, true);
    position += bigTiff ? 8 : 2;
    const next = position + tags.length * (bigTiff ? 20 : 12);
    let values = next + (bigTiff ? 8 : 4);
    for (const tag of tags) {
      out.setUint16(position, tag.id, true);
      out.setUint16(position + 2, tag.type === "offset" ? (bigTiff ? 16 : 4) : TYPE_NUMBER[tag.type], true);
      if (bigTiff) out.setBigUint64(position + 4, BigInt(tag.values.length), true);
      else out.setUint32(position + 4, tag.values.length, true);
      const field = position + (bigTiff ? 12 : 8);
      const bytes = tag.values.length * typeBytes(tag, bigTiff);
      if (bytes <= inline) putValues(out, field, tag, bigTiff);
      else {
        if (bigTiff) out.setBigUint64(field, BigInt(start + values), true);
        else out.setUint32(field, start + values, true);
        putValues(out, values, tag, bigTiff);
        values += bytes + (bytes & 1);
      }
      position += bigTiff ? 20 : 12;
    }
    const following = index + 1 < directories.length ? start + values : 0;
    if (bigTiff) out.setBigUint64(next, BigInt(following), true);
    else out.setUint32(next, following, true);
    position = values;
  }
  return new Uint8Array(out.buffer);
}

/** Signature and position of the first directory: 8 bytes, or 16 for BigTIFF. */
export function encodeSignature(bigTiff: boolean, firstDirectory: number): Uint8Array {
  const out = new DataView(new ArrayBuffer(bigTiff ? 16 : 8));
  out.setUint16(0, 0x4949);
  out.setUint16(2, bigTiff ? 43 : 42, true);
  if (bigTiff) {
    out.setUint16(4, 8, true);
    out.setBigUint64(8, BigInt(firstDirectory), true);
  } else out.setUint32(4, firstDirectory, true);
  return new Uint8Array(out.buffer);
}

function typeBytes(tag: Tag, bigTiff: boolean): number {
  return tag.type === "offset" ? (bigTiff ? 8 : 4) : TYPE_BYTES[tag.type];
}

function putValues(out: DataView, position: number, { type, values }: Tag, bigTiff: boolean): void {
  const n = values.length;
  switch (type) {
    case "byte":
    case "ascii":
      for (let i = 0; i < n; i++) out.setUint8(position + i, values[i]!);
      break;
    case "short":
      for (let i = 0; i < n; i++) out.setUint16(position + 2 * i, values[i]!, true);
      break;
    case "double":
      for (let i = 0; i < n; i++) out.setFloat64(position + 8 * i, values[i]!, true);
      break;
    case "long":
    case "offset":
      if (type === "offset" && bigTiff) for (let i = 0; i < n; i++) out.setBigUint64(position + 8 * i, BigInt(values[i]!), true);
      else for (let i = 0; i < n; i++) out.setUint32(position + 4 * i, values[i]!, true);
      break;
  }
}
