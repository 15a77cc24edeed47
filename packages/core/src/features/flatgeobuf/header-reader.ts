/** The header of a FlatGeobuf: what all features have in common, and where their bytes begin. */

import type { Crs } from "../../crs/crs.ts";
import { crsFromWkt } from "../../crs/from-wkt.ts";
import { parseCrs } from "../../crs/parse.ts";
import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import type { RandomSource } from "../random-source.ts";
import { uniqueNames } from "../unique-names.ts";
import { FlatTable } from "./flat-table.ts";
import { COLUMN, CRS, HEADER, MAGIC, MAGIC_BYTES } from "./schema.ts";
import { treeBytes } from "./tree-layout.ts";

/** A column: its name, unlike all others, and its type as {@link COLUMN_TYPE}. */
export interface Column {
  readonly name: string;
  readonly type: number;
}

/** What the header says. */
export interface FlatGeobufHeader {
  /** Code of the type of all geometries, 0 where each says its own. */
  readonly geometryType: number;
  readonly columns: readonly Column[];
  /** Number of features, or null where the writer did not know it. */
  readonly count: number | null;
  /** Children of a node of the index, 0 where there is none. */
  readonly nodeSize: number;
  readonly indexAt: number;
  readonly featuresAt: number;
  readonly crs: () => Crs | null;
}

/** GDAL's limit too; a header with thousands of columns and a WKT stays far below. */
const MAX_HEADER_BYTES = 10 * 1024 * 1024;
/** Size and root of the smallest feature. */
const LEAST_FEATURE_BYTES = 8;

/** @throws FEATURES_CORRUPT, UNSUPPORTED_FORMAT for another version than 3 */
export async function readHeader(source: RandomSource): Promise<FlatGeobufHeader> {
  const { name } = source;
  const start = await source.read(0, MAGIC_BYTES + 4);
  checkMagic(start, name);
  if (start.length < MAGIC_BYTES + 4) throw corrupt(name, "it ends within its header");
  const length = new DataView(start.buffer, start.byteOffset).getUint32(MAGIC_BYTES, true);
  if (length > MAX_HEADER_BYTES || length < 8) throw corrupt(name, `its header claims ${length} bytes`);
  const bytes = await source.read(MAGIC_BYTES + 4, length);
  if (bytes.length < length) throw corrupt(name, "it ends within its header");
  const header = FlatTable.root(bytes, `the header of ${name}`);

  const given = header.uint64(HEADER.featuresCount);
  const nodeSize = given === 0 ? 0 : header.uint16(HEADER.indexNodeSize, 16);
  if (nodeSize === 1) throw corrupt(name, "the nodes of its index have one child each");
  const indexAt = MAGIC_BYTES + 4 + length;
  if (given > (source.size - indexAt) / LEAST_FEATURE_BYTES) throw corrupt(name, `it claims ${given} features but ends early`);
  const featuresAt = indexAt + (nodeSize === 0 ? 0 : treeBytes(given, nodeSize));
  if (featuresAt > source.size) throw corrupt(name, "it ends within its index");
  return {
    geometryType: header.uint8(HEADER.geometryType, 0),
    columns: readColumns(header.tables(HEADER.columns), length, name),
    count: given === 0 ? null : given,
    nodeSize,
    indexAt,
    featuresAt,
    crs: () => crsOf(header.table(HEADER.crs)),
  };
}

function checkMagic(start: Uint8Array, name: string): void {
  if (MAGIC.every((byte, at) => start[at] === byte)) return;
  if (start[0] === 0x66 && start[1] === 0x67 && start[2] === 0x62 && start[3] !== 3) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a FlatGeobuf of version ${start[3] ?? 0}; version 3 is read.`, {
      hint: "Convert it with software of its time, for example\n  ogr2ogr out.gpkg in.fgb",
    });
  }
  throw corrupt(name, "it does not begin as a FlatGeobuf does");
}

/** @param limit - bytes all names may have together: one name may be referred to often */
export function readColumns(tables: Iterable<FlatTable>, limit: number, name: string): Column[] {
  const names: string[] = [];
  const types: number[] = [];
  let left = limit;
  for (const table of tables) {
    const columnName = table.string(COLUMN.name) ?? "";
    left -= columnName.length + 1;
    if (left < 0 || names.length > 0xffff) throw corrupt(name, "its header describes the same column again and again");
    names.push(columnName);
    types.push(table.uint8(COLUMN.type, 0));
  }
  return uniqueNames(names).map((columnName, i) => ({ name: columnName, type: types[i]! }));
}

/** The code decides where the offline table has it, else the WKT. */
function crsOf(table: FlatTable | null): Crs | null {
  if (table === null) return null;
  const code = table.int32(CRS.code, 0);
  const wkt = table.string(CRS.wkt) || null;
  const organization = (table.string(CRS.org) ?? "EPSG").toUpperCase();
  const codeText = table.string(CRS.codeString) ?? (code > 0 ? String(code) : null);
  if (codeText !== null) {
    try {
      return { ...parseCrs(organization === "EPSG" ? codeText : `${organization}:${codeText}`), wkt };
    } catch (error) {
      if (wkt === null || !GeoLearnError.is(error, "CRS_UNKNOWN")) throw error;
    }
  }
  return wkt === null ? null : crsFromWkt(wkt);
}
