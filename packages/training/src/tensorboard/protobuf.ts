/** Messages of Protocol Buffers as bytes: fields one after another, each with its number and kind before it. */

/** A field as bytes. */
export type Field = Uint8Array;

/** An unsigned whole number. */
export function varintField(field: number, value: number): Field {
  return Uint8Array.from([...varint(8 * field), ...varint(value)]);
}

/** A double. */
export function doubleField(field: number, value: number): Field {
  return fixed(8 * field + 1, 8, (view, at) => view.setFloat64(at, value, true));
}

/** A float. */
export function floatField(field: number, value: number): Field {
  return fixed(8 * field + 5, 4, (view, at) => view.setFloat32(at, value, true));
}

/** Bytes, a text, or a message of fields. */
export function bytesField(field: number, value: Uint8Array | string | readonly Field[]): Field {
  const bytes = typeof value === "string" ? Buffer.from(value) : value instanceof Uint8Array ? value : Buffer.concat(value);
  return Buffer.concat([Uint8Array.from([...varint(8 * field + 2), ...varint(bytes.length)]), bytes]);
}

function fixed(key: number, length: number, write: (view: DataView, at: number) => void): Field {
  const head = varint(key);
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  write(new DataView(bytes.buffer), head.length);
  return bytes;
}

/** Seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) + 128);
  }
}
