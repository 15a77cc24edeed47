/** Fields of a FlatGeobuf feature: pairs of a column's number and a value. */

import { corrupt } from "../damage.ts";
import { type emptyProperties, finiteNumber, setField, wholeNumber } from "../feature-value.ts";
import type { FieldValue } from "../features.ts";
import type { Column } from "./header-reader.ts";
import { COLUMN_TYPE } from "./schema.ts";

/** Bytes of the types that have a fixed size, by their code. */
const SIZES = [1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8];

/**
 * Sets the fields that the bytes hold. Binary values are left out.
 *
 * @throws FEATURES_CORRUPT; `where` names the feature
 */
export function readProperties(
  properties: ReturnType<typeof emptyProperties>,
  bytes: Uint8Array,
  columns: readonly Column[],
  where: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const need = (length: number): void => {
    if (at + length > bytes.length) throw corrupt(where, "its fields end early");
  };
  while (at < bytes.length) {
    need(2);
    const number = view.getUint16(at, true);
    at += 2;
    const column = columns[number];
    if (column === undefined) throw corrupt(where, `it has a value for column ${number} of ${columns.length}`);
    const size = SIZES[column.type];
    if (size !== undefined) {
      need(size);
      setField(properties, column.name, fixedValue(view, at, column.type), where);
      at += size;
      continue;
    }
    if (column.type > COLUMN_TYPE.binary) throw corrupt(where, `the column "${column.name}" has the unknown type ${column.type}`);
    need(4);
    const length = view.getUint32(at, true);
    at += 4;
    need(length);
    if (column.type !== COLUMN_TYPE.binary) {
      setField(properties, column.name, new TextDecoder().decode(bytes.subarray(at, at + length)), where);
    }
    at += length;
  }
}

function fixedValue(view: DataView, at: number, type: number): FieldValue {
  switch (type) {
    case COLUMN_TYPE.byte:
      return view.getInt8(at);
    case COLUMN_TYPE.ubyte:
      return view.getUint8(at);
    case COLUMN_TYPE.bool:
      return view.getUint8(at) !== 0;
    case COLUMN_TYPE.short:
      return view.getInt16(at, true);
    case COLUMN_TYPE.ushort:
      return view.getUint16(at, true);
    case COLUMN_TYPE.int:
      return view.getInt32(at, true);
    case COLUMN_TYPE.uint:
      return view.getUint32(at, true);
    case COLUMN_TYPE.long:
      return wholeNumber(view.getBigInt64(at, true));
    case COLUMN_TYPE.ulong:
      return wholeNumber(view.getBigUint64(at, true));
    case COLUMN_TYPE.float:
      return finiteNumber(view.getFloat32(at, true));
    default:
      return finiteNumber(view.getFloat64(at, true));
  }
}
