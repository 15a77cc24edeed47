/**
 * GeoParquets (1.1): geometry as well-known binary, and the box of each feature in a column of its own, by which readers skip
 * row groups. Features wait in a temporary file until the types of columns are known.
 */

import type { ByteWriter as Bytes, ColumnSource, SchemaElement } from "hyparquet-writer";

import type { Crs } from "../../crs/crs.ts";
import { crsToProjJson } from "../../crs/to-projjson.ts";
import type { AppendFile } from "../append-file.ts";
import type { FeatureSpool, SpooledFeature, SpooledField } from "../feature-spool.ts";
import type { FieldType } from "../field-types.ts";
import type { Feature, FieldValue } from "../features.ts";
import { uniqueNames } from "../unique-names.ts";
import { writeSpooled } from "../write-spooled.ts";

/** Options of the writer. */
export interface GeoParquetWriteOptions {
  readonly crs: Crs | null;
  readonly signal?: AbortSignal | undefined;
}

/** A row group ends at so many features, or so many bytes. */
const GROUP_ROWS = 65_536;
const GROUP_BYTES = 1 << 26;

const SIDES = ["xmin", "ymin", "xmax", "ymax"] as const;

/** Writes features and returns how many. @throws CRS_UNKNOWN, WRITE_FAILED, DISK_FULL */
export async function writeGeoParquet(features: AsyncIterable<Feature>, path: string, options: GeoParquetWriteOptions): Promise<number> {
  return writeSpooled(features, path, options.signal, (spool, file) => writeFile(spool, file, options));
}

async function writeFile(spool: FeatureSpool, file: AppendFile, { crs, signal }: GeoParquetWriteOptions): Promise<void> {
  const { ByteWriter, ParquetWriter } = await import("hyparquet-writer");
  const columns = columnsOf(spool);
  const bytes = new ByteWriter(1 << 20);
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: schemaOf(columns),
    kvMetadata: [{ key: "geo", value: JSON.stringify(geoMetadata(spool, columns, crs)) }],
    createdBy: "geolearn",
  });
  for await (const rows of spool.read(null, GROUP_ROWS, GROUP_BYTES)) {
    signal?.throwIfAborted();
    await parquet.write({ columnData: dataOf(rows, spool, columns), rowGroupSize: rows.length });
    await moveBytes(bytes, file);
  }
  await parquet.finish();
  await moveBytes(bytes, file);
}

/** Empties the writer's memory into the file. */
async function moveBytes(bytes: Bytes, file: AppendFile): Promise<void> {
  await file.append(bytes.getBytes().slice());
  bytes.index = 0;
}

/** Names of the columns in the file, each unlike all others. */
interface Columns {
  readonly geometry: string;
  readonly box: string;
  readonly fields: readonly SpooledField[];
}

function columnsOf({ fields }: FeatureSpool): Columns {
  const [geometry, box] = uniqueNames([...fields.map(({ column }) => column), "geometry", "bbox"]).slice(-2);
  return { geometry: geometry!, box: box!, fields };
}

const ELEMENTS: Readonly<Record<FieldType, Pick<SchemaElement, "type" | "converted_type" | "logical_type">>> = {
  boolean: { type: "BOOLEAN" },
  integer: { type: "INT64" },
  real: { type: "DOUBLE" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  mixed: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
};

function schemaOf({ geometry, box, fields }: Columns): SchemaElement[] {
  return [
    { name: "schema", num_children: fields.length + 2 },
    ...fields.map(({ column, type }): SchemaElement => ({ name: column, repetition_type: "OPTIONAL", ...ELEMENTS[type ?? "text"] })),
    { name: geometry, repetition_type: "OPTIONAL", type: "BYTE_ARRAY" },
    { name: box, repetition_type: "OPTIONAL", num_children: 4 },
    ...SIDES.map((name): SchemaElement => ({ name, repetition_type: "REQUIRED", type: "DOUBLE" })),
  ];
}

function geoMetadata(spool: FeatureSpool, { geometry, box }: Columns, crs: Crs | null): object {
  const { extent } = spool;
  const about = {
    encoding: "WKB",
    geometry_types: [...spool.geometryKinds],
    crs: crs === null ? null : crsToProjJson(crs),
    ...(extent === null ? {} : { bbox: extent }),
    covering: { bbox: Object.fromEntries(SIDES.map((side) => [side, [box, side]])) },
  };
  return { version: "1.1.0", primary_column: geometry, columns: { [geometry]: about } };
}

function dataOf(rows: readonly SpooledFeature[], { boxes }: FeatureSpool, { geometry, box, fields }: Columns): ColumnSource[] {
  return [
    ...fields.map(({ name, column, type }) => ({
      name: column,
      data: rows.map(({ properties }) => stored(valueOf(properties, name), type)),
    })),
    { name: geometry, data: rows.map(({ wkb }) => wkb), statistics: false },
    { name: box, data: rows.map(({ index }) => boxOf(boxes.subarray(4 * index, 4 * index + 4))) },
  ];
}

function valueOf(properties: Feature["properties"], name: string): FieldValue {
  return Object.hasOwn(properties, name) ? (properties[name] ?? null) : null;
}

function stored(value: FieldValue, type: FieldType | null): FieldValue | bigint {
  if (value === null) return null;
  if (type === "integer") return BigInt(value);
  return type === "mixed" ? String(value) : value;
}

/** Null for a feature without a position. */
function boxOf(numbers: Float64Array): Record<string, number> | null {
  return Number.isNaN(numbers[0]!) ? null : Object.fromEntries(SIDES.map((side, i) => [side, numbers[i]!]));
}
