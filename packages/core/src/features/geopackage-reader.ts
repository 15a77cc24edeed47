/** Layers of a GeoPackage, read row by row. */

import type { Database, SqlValue, Statement } from "sql.js";

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { crsFromWkt } from "../crs/from-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import type { OnWarning } from "../progress.ts";
import type { ByteSource } from "./byte-source.ts";
import { emptyProperties, setField, wholeNumber } from "./feature-value.ts";
import type { Feature, FeatureStream, FieldValue } from "./features.ts";
import { readGeometryBlob } from "./geopackage-blob.ts";
import { onFile, openDatabase, sqlName } from "./sqlite.ts";

/** A GeoPackage is held in memory while it is read. */
const MAX_BYTES = 1_500_000_000;

/** Options of the reader. */
export interface GeoPackageReadOptions {
  /** Name or number of the layer; needed where there are several. */
  readonly layer?: string | number | undefined;
  readonly crs?: Crs | null | undefined;
  readonly onWarning?: OnWarning | undefined;
}

interface Layer {
  readonly table: string;
  readonly geometryColumn: string;
  readonly idColumn: string | null;
  readonly fields: readonly { readonly name: string; readonly boolean: boolean }[];
  readonly crs: Crs | null;
}

/** @throws FEATURES_CORRUPT, INVALID_ARGUMENT for a layer that is not there, LIMIT_EXCEEDED beyond 1.5 GB */
export async function openGeoPackage(source: ByteSource, options: GeoPackageReadOptions): Promise<FeatureStream> {
  const size = await source.size();
  if (size > MAX_BYTES) {
    throw new GeoLearnError(
      "LIMIT_EXCEEDED",
      `${source.name} has ${(size / 1e9).toFixed(1)} GB; a GeoPackage is read up to ${MAX_BYTES / 1e9} GB.`,
      {
        hint: "Convert it to newline-delimited GeoJSON, which is streamed: ogr2ogr out.geojsonl in.gpkg layer",
      },
    );
  }
  const bytes = await source.all();
  const database = await openFile(source.name, bytes);
  try {
    const layer = onFile(source.name, () => describeLayer(database, source.name, options));
    return {
      name: source.name,
      crs: options.crs === undefined ? layer.crs : options.crs,
      [Symbol.asyncIterator]: () => readLayer(bytes, source.name, layer),
    };
  } finally {
    database.close();
  }
}

async function openFile(name: string, bytes: Uint8Array): Promise<Database> {
  const database = await openDatabase(bytes);
  onFile(name, () => database.run("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA query_only=ON"));
  return database;
}

async function* readLayer(bytes: Uint8Array, name: string, layer: Layer): AsyncGenerator<Feature> {
  const database = await openFile(name, bytes);
  try {
    const columns = [
      layer.geometryColumn,
      ...(layer.idColumn === null ? [] : [layer.idColumn]),
      ...layer.fields.map((field) => field.name),
    ];
    const statement = onFile(name, () => database.prepare(`SELECT ${columns.map(sqlName).join(", ")} FROM ${sqlName(layer.table)}`));
    let index = 0;
    while (onFile(name, () => statement.step())) {
      const row = onFile(name, () => wholeRow(statement));
      yield featureOf(row, layer, `feature ${index} of ${name}`);
      index += 1;
    }
  } finally {
    database.close();
  }
}

/** A row; whole numbers beyond 2^53, which numbers would round, as their digits. */
function wholeRow(statement: Statement): SqlValue[] {
  const row = statement.get();
  if (!row.some((value) => typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER)) return row;
  // Not in the types: columns of whole numbers come as bigint, those of floats as before.
  const exact = (statement.get as (parameters: null, config: { useBigInt: true }) => (SqlValue | bigint)[]).call(statement, null, {
    useBigInt: true,
  });
  return exact.map((value) => (typeof value === "bigint" ? wholeNumber(value) : value));
}

function featureOf(row: readonly SqlValue[], layer: Layer, where: string): Feature {
  const blob = row[0] ?? null;
  if (blob !== null && !(blob instanceof Uint8Array)) {
    throw new GeoLearnError("FEATURES_CORRUPT", `${where}: its geometry is a ${typeof blob}, not binary.`, {
      hint: "Export the layer again.",
      data: { where },
    });
  }
  const geometry = blob === null ? null : readGeometryBlob(blob, where);
  const first = layer.idColumn === null ? 1 : 2;
  const properties = emptyProperties();
  for (const [index, field] of layer.fields.entries())
    setField(properties, field.name, fieldValue(row[first + index] ?? null, field.boolean), where);
  const id = layer.idColumn === null ? undefined : row[1];
  return typeof id === "number" || typeof id === "string" ? { id, geometry, properties } : { geometry, properties };
}

function fieldValue(value: SqlValue, boolean: boolean): FieldValue {
  if (boolean && typeof value === "number") return value !== 0;
  return value instanceof Uint8Array ? null : value;
}

function describeLayer(database: Database, name: string, options: GeoPackageReadOptions): Layer {
  const layers = rows(
    database,
    "SELECT c.table_name, g.column_name, g.srs_id FROM gpkg_contents c JOIN gpkg_geometry_columns g ON g.table_name = c.table_name WHERE c.data_type = 'features' ORDER BY c.rowid",
  );
  const [table, geometryColumn, srsId] = chosen(layers, name, options.layer);
  const kind = rows(database, "SELECT type, sql FROM sqlite_master WHERE name = ?", [String(table)])[0];
  if (kind?.[0] !== "table" || /\bCREATE\s+VIRTUAL\b/i.test(String(kind[1]))) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `The layer "${String(table)}" of ${name} is a ${String(kind?.[0] ?? "name without a table")}, not a table.`,
      {
        hint: "Export the layer to a file of its own: ogr2ogr out.gpkg in.gpkg layer",
      },
    );
  }
  const columns = rows(database, `PRAGMA table_xinfo(${sqlName(String(table))})`);
  const idColumn = columns.find(([, , type, , , key]) => Number(key) > 0 && /int/i.test(String(type)))?.[1] ?? null;
  const fields: { name: string; boolean: boolean }[] = [];
  for (const [, column, type, , , , hidden] of columns) {
    if (column === geometryColumn || column === idColumn || Number(hidden) !== 0) continue;
    if (/^blob/i.test(String(type))) {
      options.onWarning?.({ code: "FIELD_SKIPPED", message: `The binary field "${String(column)}" of ${name} is left out.` });
      continue;
    }
    fields.push({ name: String(column), boolean: /^bool/i.test(String(type)) });
  }
  const crs = options.crs === undefined ? crsOf(database, Number(srsId)) : options.crs;
  return {
    table: String(table),
    geometryColumn: String(geometryColumn),
    idColumn: idColumn === null ? null : String(idColumn),
    fields,
    crs,
  };
}

function chosen(layers: readonly (readonly SqlValue[])[], name: string, layer: string | number | undefined): readonly SqlValue[] {
  const names = layers.map(([table]) => String(table));
  if (names.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `${name} has no layer with features.`, {
      hint: "Check the file in a GIS: it may hold only tables or tiles.",
    });
  }
  if (layer === undefined && names.length > 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${name} has ${names.length} layers: ${names.join(", ")}.`, {
      hint: `Choose one, for example \`layer: "${names[0]}"\`.`,
      data: { layers: names },
    });
  }
  const found = layer === undefined ? layers[0] : typeof layer === "number" ? layers[layer] : layers.find(([table]) => table === layer);
  if (found !== undefined) return found;
  throw new GeoLearnError("INVALID_ARGUMENT", `${name} has no layer "${layer}"; it has ${names.join(", ")}.`, { data: { layers: names } });
}

function crsOf(database: Database, srsId: number): Crs | null {
  if (srsId <= 0) return null;
  const row = rows(
    database,
    "SELECT organization, organization_coordsys_id, definition, srs_name FROM gpkg_spatial_ref_sys WHERE srs_id = ?",
    [srsId],
  )[0];
  if (row === undefined) return null;
  const [organization, code, definition] = row;
  const wkt = typeof definition === "string" && /^[A-Za-z_]+\s*[[(]/.test(definition.trim()) ? definition : null;
  if (String(organization).toUpperCase() === "EPSG") {
    try {
      return { ...parseCrs(Number(code)), wkt };
    } catch (error) {
      if (wkt === null || !GeoLearnError.is(error, "CRS_UNKNOWN")) throw error;
    }
  }
  return wkt === null ? null : crsFromWkt(wkt);
}

function rows(database: Database, sql: string, parameters: SqlValue[] = []): SqlValue[][] {
  const statement = database.prepare(sql, parameters);
  const found: SqlValue[][] = [];
  while (statement.step()) found.push(statement.get());
  statement.free();
  return found;
}
