/** The tables of a FlatGeobuf as bytes, each with its size before it. */

import type { Builder, Offset } from "flatbuffers";
import type { Geometry, Position } from "geojson";

import type { Bounds } from "../../affine.ts";
import type { Crs } from "../../crs/crs.ts";
import { crsToWkt } from "../../crs/to-wkt.ts";
import type { SpooledField } from "../feature-spool.ts";
import type { FieldType } from "../field-types.ts";
import type { Feature, FieldValue } from "../features.ts";
import { COLUMN, COLUMN_TYPE, CRS, FEATURE, GEOMETRY, GEOMETRY_TYPES, HEADER } from "./schema.ts";

/** What the header says. */
export interface HeaderContent {
  readonly name: string;
  readonly bounds: Bounds | null;
  readonly geometryType: Geometry["type"] | null;
  readonly height: boolean;
  readonly fields: readonly SpooledField[];
  readonly count: number;
  /** 0 for no index. */
  readonly nodeSize: number;
  readonly crs: Crs | null;
}

const TYPE_OF: Readonly<Record<FieldType, number>> = {
  boolean: COLUMN_TYPE.bool,
  integer: COLUMN_TYPE.long,
  real: COLUMN_TYPE.double,
  text: COLUMN_TYPE.string,
  mixed: COLUMN_TYPE.string,
};

/** The header. The builder is emptied first, as by all functions here. */
export function encodeHeader(builder: Builder, header: HeaderContent): Uint8Array {
  builder.clear();
  const name = builder.createString(header.name);
  const bounds = header.bounds === null ? 0 : doubles(builder, header.bounds);
  const columns = header.fields.map((field) => encodeColumn(builder, field));
  const columnVector = columns.length === 0 ? 0 : offsets(builder, columns);
  const crs = header.crs === null ? 0 : encodeCrs(builder, header.crs);
  builder.startObject(HEADER.fields);
  builder.addFieldOffset(HEADER.name, name, 0);
  builder.addFieldOffset(HEADER.envelope, bounds, 0);
  builder.addFieldInt8(HEADER.geometryType, typeCode(header.geometryType), 0);
  builder.addFieldInt8(HEADER.hasZ, Number(header.height), 0);
  builder.addFieldOffset(HEADER.columns, columnVector, 0);
  builder.addFieldInt64(HEADER.featuresCount, BigInt(header.count), 0n);
  builder.addFieldInt16(HEADER.indexNodeSize, header.nodeSize, 16);
  builder.addFieldOffset(HEADER.crs, crs, 0);
  builder.finishSizePrefixed(builder.endObject());
  return builder.asUint8Array().slice();
}

/** A feature of a file whose columns are `fields`. With `height` every position gets one, NaN where it has none. */
export function encodeFeature(
  builder: Builder,
  geometry: Geometry | null,
  properties: Feature["properties"],
  fields: readonly SpooledField[],
  height: boolean,
): Uint8Array {
  builder.clear();
  const bytes = encodeProperties(properties, fields);
  const values = bytes.length === 0 ? 0 : builder.createByteVector(bytes);
  const shape = geometry === null ? 0 : encodeGeometry(builder, geometry, height);
  builder.startObject(FEATURE.fields);
  builder.addFieldOffset(FEATURE.geometry, shape, 0);
  builder.addFieldOffset(FEATURE.properties, values, 0);
  builder.finishSizePrefixed(builder.endObject());
  return builder.asUint8Array().slice();
}

function typeCode(type: Geometry["type"] | null): number {
  return type === null ? 0 : GEOMETRY_TYPES.indexOf(type);
}

function encodeColumn(builder: Builder, { column, type }: SpooledField): Offset {
  const name = builder.createString(column);
  builder.startObject(COLUMN.fields);
  builder.addFieldOffset(COLUMN.name, name, 0);
  builder.addFieldInt8(COLUMN.type, TYPE_OF[type ?? "text"], 0);
  return builder.endObject();
}

/** A code says all; a system without one is described by its WKT. */
function encodeCrs(builder: Builder, crs: Crs): Offset {
  const org = crs.epsg === null ? 0 : builder.createString("EPSG");
  const name = builder.createString(crs.name);
  const wkt = crs.epsg === null ? builder.createString(crsToWkt(crs)) : 0;
  builder.startObject(CRS.fields);
  builder.addFieldOffset(CRS.org, org, 0);
  builder.addFieldInt32(CRS.code, crs.epsg ?? 0, 0);
  builder.addFieldOffset(CRS.name, name, 0);
  builder.addFieldOffset(CRS.wkt, wkt, 0);
  return builder.endObject();
}

function encodeGeometry(builder: Builder, geometry: Geometry, height: boolean): Offset {
  const type = typeCode(geometry.type);
  switch (geometry.type) {
    case "Point":
      return positionsTable(builder, type, geometry.coordinates.length === 0 ? [] : [[geometry.coordinates]], height);
    case "LineString":
    case "MultiPoint":
      return positionsTable(builder, type, [geometry.coordinates], height);
    case "Polygon":
    case "MultiLineString":
      return positionsTable(builder, type, geometry.coordinates, height);
    case "MultiPolygon": {
      const parts = geometry.coordinates.map((coordinates) => encodeGeometry(builder, { type: "Polygon", coordinates }, height));
      return partsTable(builder, type, parts);
    }
    case "GeometryCollection":
      return partsTable(
        builder,
        type,
        geometry.geometries.map((part) => encodeGeometry(builder, part, height)),
      );
  }
}

function positionsTable(builder: Builder, type: number, lines: readonly (readonly Position[])[], height: boolean): Offset {
  const positions = lines.flat() as readonly Position[];
  const xy = new Float64Array(2 * positions.length);
  const z = new Float64Array(height ? positions.length : 0);
  for (const [i, position] of positions.entries()) {
    xy[2 * i] = position[0]!;
    xy[2 * i + 1] = position[1]!;
    if (height) z[i] = position[2] ?? NaN;
  }
  let end = 0;
  const ends =
    lines.length > 1
      ? uints(
          builder,
          lines.map((line) => (end += line.length)),
        )
      : 0;
  const xyVector = doubles(builder, xy);
  const zVector = z.length === 0 ? 0 : doubles(builder, z);
  builder.startObject(GEOMETRY.fields);
  builder.addFieldOffset(GEOMETRY.ends, ends, 0);
  builder.addFieldOffset(GEOMETRY.xy, xyVector, 0);
  builder.addFieldOffset(GEOMETRY.z, zVector, 0);
  builder.addFieldInt8(GEOMETRY.type, type, 0);
  return builder.endObject();
}

function partsTable(builder: Builder, type: number, parts: readonly Offset[]): Offset {
  const vector = offsets(builder, parts);
  builder.startObject(GEOMETRY.fields);
  builder.addFieldInt8(GEOMETRY.type, type, 0);
  builder.addFieldOffset(GEOMETRY.parts, vector, 0);
  return builder.endObject();
}

function doubles(builder: Builder, values: ArrayLike<number>): Offset {
  builder.startVector(8, values.length, 8);
  for (let i = values.length - 1; i >= 0; i -= 1) builder.addFloat64(values[i]!);
  return builder.endVector();
}

function uints(builder: Builder, values: readonly number[]): Offset {
  builder.startVector(4, values.length, 4);
  for (let i = values.length - 1; i >= 0; i -= 1) builder.addInt32(values[i]!);
  return builder.endVector();
}

function offsets(builder: Builder, values: readonly Offset[]): Offset {
  builder.startVector(4, values.length, 4);
  for (let i = values.length - 1; i >= 0; i -= 1) builder.addOffset(values[i]!);
  return builder.endVector();
}

/** The number of the column before each value; null is left out. */
function encodeProperties(properties: Feature["properties"], fields: readonly SpooledField[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, { name, type }] of fields.entries()) {
    const value = Object.hasOwn(properties, name) ? (properties[name] ?? null) : null;
    if (value !== null) parts.push(encodeValue(number, type ?? "text", value));
  }
  return Buffer.concat(parts);
}

function encodeValue(number: number, type: FieldType, value: Exclude<FieldValue, null>): Uint8Array {
  const text = type === "text" || type === "mixed" ? Buffer.from(String(value)) : null;
  const bytes = Buffer.alloc(2 + (text === null ? (type === "boolean" ? 1 : 8) : 4 + text.length));
  bytes.writeUInt16LE(number, 0);
  if (text !== null) {
    bytes.writeUInt32LE(text.length, 2);
    bytes.set(text, 6);
  } else if (type === "boolean") bytes.writeUInt8(Number(value), 2);
  else if (type === "integer") bytes.writeBigInt64LE(BigInt(Number(value)), 2);
  else bytes.writeDoubleLE(Number(value), 2);
  return bytes;
}
