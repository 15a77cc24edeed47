/**
 * The names of FlatGeobuf's tables (flatgeobuf.org, version 3.0): slots of fields, codes of column and geometry types.
 */

/** Slots of the table Header. */
export const HEADER = {
  name: 0,
  envelope: 1,
  geometryType: 2,
  hasZ: 3,
  hasM: 4,
  columns: 7,
  featuresCount: 8,
  indexNodeSize: 9,
  crs: 10,
  fields: 14,
} as const;

/** Slots of the table Crs. */
export const CRS = { org: 0, code: 1, name: 2, wkt: 4, codeString: 5, fields: 6 } as const;

/** Slots of the table Column. */
export const COLUMN = { name: 0, type: 1, fields: 11 } as const;

/** Slots of the table Feature. */
export const FEATURE = { geometry: 0, properties: 1, columns: 2, fields: 3 } as const;

/** Slots of the table Geometry. */
export const GEOMETRY = { ends: 0, xy: 1, z: 2, type: 6, parts: 7, fields: 8 } as const;

/** Geometry types by their code; those behind are curves and surfaces. */
export const GEOMETRY_TYPES = [
  "Unknown",
  "Point",
  "LineString",
  "Polygon",
  "MultiPoint",
  "MultiLineString",
  "MultiPolygon",
  "GeometryCollection",
] as const;

/** Codes of column types. */
export const COLUMN_TYPE = {
  byte: 0,
  ubyte: 1,
  bool: 2,
  short: 3,
  ushort: 4,
  int: 5,
  uint: 6,
  long: 7,
  ulong: 8,
  float: 9,
  double: 10,
  string: 11,
  json: 12,
  dateTime: 13,
  binary: 14,
} as const;

/** First bytes of a file: "fgb", the major version, "fgb", the patch version, which says nothing to a reader. */
export const MAGIC: readonly number[] = [0x66, 0x67, 0x62, 0x03, 0x66, 0x67, 0x62];
export const MAGIC_BYTES = 8;
