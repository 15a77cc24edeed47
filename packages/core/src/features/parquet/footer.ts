/** The footer of a Parquet file: schema, row groups and texts that the writer added. */

import { GeoLearnError } from "../../errors.ts";
import { corrupt } from "../damage.ts";
import type { RandomSource } from "../random-source.ts";
import { type SchemaNode, buildSchema } from "./schema.ts";
import { type ThriftStruct, readThrift } from "./thrift.ts";

/** What the footer says. */
export interface ParquetFooter {
  readonly schema: SchemaNode;
  readonly rowGroups: readonly ThriftStruct[];
  /** Texts by their key. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Part of a column in one row group. */
export interface ColumnChunk {
  readonly path: readonly string[];
  readonly codec: number;
  /** Nulls and list entries included. */
  readonly values: number;
  readonly start: number;
  readonly length: number;
  /** Least and largest value as bytes, where the writer noted them. */
  readonly least: Uint8Array | null;
  readonly largest: Uint8Array | null;
}

const MAGIC = "PAR1";
const TAIL_BYTES = 8;
const MAX_FOOTER_BYTES = 1 << 28;

/** @throws FEATURES_CORRUPT, UNSUPPORTED_FORMAT for an encrypted file */
export async function readFooter(source: RandomSource): Promise<ParquetFooter> {
  const { name, size } = source;
  const tail = await source.read(Math.max(0, size - TAIL_BYTES), TAIL_BYTES);
  const magic = Buffer.from(tail.subarray(4)).toString("latin1");
  if (magic === "PARE") {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is an encrypted Parquet file.`, { hint: "Export it without encryption." });
  }
  if (tail.length < TAIL_BYTES || magic !== MAGIC) throw corrupt(name, "it does not end as a Parquet file does");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - TAIL_BYTES - MAGIC.length || length > MAX_FOOTER_BYTES) throw corrupt(name, `its footer claims ${length} bytes`);
  const footer = parsed(await source.read(size - TAIL_BYTES - length, length), name);
  const texts = footer.structs(5).map((pair) => [pair.text(1) ?? "", pair.text(2) ?? ""] as const);
  return { schema: buildSchema(footer.structs(2), name), rowGroups: footer.structs(4), texts: new Map(texts) };
}

function parsed(bytes: Uint8Array, name: string): ThriftStruct {
  let reason = "it ends early";
  try {
    const result = readThrift(bytes);
    if (result !== null) return result.struct;
  } catch (error) {
    reason = (error as Error).message;
  }
  throw corrupt(name, `its footer cannot be read: ${reason}`);
}

/** Rows of a row group. */
export function rowsOf(rowGroup: ThriftStruct, name: string): number {
  const rows = rowGroup.number(3);
  if (!Number.isSafeInteger(rows) || rows < 0) throw corrupt(name, `a row group claims ${rows} rows`);
  return rows;
}

/** The parts of columns in a row group. @throws FEATURES_CORRUPT */
export function chunksOf(rowGroup: ThriftStruct, source: RandomSource): ColumnChunk[] {
  return rowGroup.structs(1).map((column) => {
    const about = column.struct(3);
    if (about === null) throw corrupt(source.name, "a column is described elsewhere");
    const [data, dictionary] = [about.number(9), about.number(11)];
    const start = dictionary > 0 && dictionary < data ? dictionary : data;
    const length = about.number(7);
    if (!(start >= 0 && length >= 0 && start + length <= source.size))
      throw corrupt(source.name, "a column reaches beyond the end of the file");
    const statistics = about.struct(12);
    return {
      path: about.texts(3),
      codec: about.number(4),
      values: about.number(5),
      start,
      length,
      least: statistics?.bytes(6) ?? null,
      largest: statistics?.bytes(5) ?? null,
    };
  });
}
