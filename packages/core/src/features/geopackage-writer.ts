/**
 * GeoPackages of one layer (OGC 12-128r18, version 1.3): built in SQLite's memory in one transaction, then written whole
 * under a temporary name and renamed. Without the optional spatial index, which readers make themselves.
 */

import type { Database } from "sql.js";

import type { Crs } from "../crs/crs.ts";
import { crsToWkt } from "../crs/to-wkt.ts";
import { GeoLearnError } from "../errors.ts";
import { writeAtomic } from "../files/atomic.ts";
import type { Bounds } from "../affine.ts";
import { geometryBounds, unionBounds } from "./bounds.ts";
import type { Feature } from "./features.ts";
import { type FieldType, joinFieldTypes } from "./field-types.ts";
import { readGeometryBlob, writeGeometryBlob } from "./geopackage-blob.ts";
import { openDatabase, sqlName } from "./sqlite.ts";
import { hasHeight } from "./wkb.ts";

/** Options of the writer. */
export interface GeoPackageWriteOptions {
  readonly crs: Crs | null;
  /** Name of the layer. */
  readonly layer: string;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of the table while rows arrive. */
interface Table {
  readonly fields: Map<string, { readonly column: string; type: FieldType | null }>;
  readonly geometryTypes: Set<string>;
  bounds: Bounds | null;
  height: boolean;
  rows: number;
}

const SQL_TYPES: Readonly<Record<FieldType, string>> = {
  boolean: "BOOLEAN",
  integer: "INTEGER",
  real: "REAL",
  text: "TEXT",
  mixed: "TEXT",
};
const GEOMETRY_COLUMN = "geom";
const ID_COLUMN = "fid";
/** Srs ids of systems that have no EPSG code start here, as GDAL does. */
const CUSTOM_SRS = 100000;

/** Writes features and returns how many. @throws WRITE_FAILED, DISK_FULL, LIMIT_EXCEEDED */
export async function writeGeoPackage(features: AsyncIterable<Feature>, path: string, options: GeoPackageWriteOptions): Promise<number> {
  const database = await openDatabase();
  try {
    const srsId = createTables(database, options);
    const table = await insertFeatures(database, features, srsId, options);
    finishTable(database, table, srsId, options);
    options.signal?.throwIfAborted();
    await writeAtomic(path, database.export());
    return table.rows;
  } catch (cause) {
    if (cause instanceof RangeError || (cause instanceof Error && /memory/i.test(cause.message) && !GeoLearnError.is(cause))) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path}: the features do not fit into memory as a GeoPackage.`, {
        hint: "Write newline-delimited GeoJSON (.geojsonl) and convert it: ogr2ogr out.gpkg in.geojsonl",
        cause,
      });
    }
    throw cause;
  } finally {
    database.close();
  }
}

function createTables(database: Database, { crs, layer }: GeoPackageWriteOptions): number {
  database.run(
    "PRAGMA application_id=1196444487; PRAGMA user_version=10300; PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF",
  );
  database.run(SCHEMA);
  const srsId = addReferenceSystems(database, crs);
  database.run(`CREATE TABLE ${sqlName(layer)} (${ID_COLUMN} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, ${GEOMETRY_COLUMN} BLOB)`);
  return srsId;
}

const SCHEMA = `
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER, CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name), CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
INSERT INTO gpkg_spatial_ref_sys VALUES ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system');
INSERT INTO gpkg_spatial_ref_sys VALUES ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system');
`;

/** The three required systems and the layer's. Returns the id of the layer's. */
function addReferenceSystems(database: Database, crs: Crs | null): number {
  const insert = "INSERT OR REPLACE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)";
  database.run(insert, ["WGS 84 geodetic", 4326, "EPSG", 4326, WGS84_WKT]);
  if (crs === null) return -1;
  if (crs.epsg === 4326) return 4326;
  const id = crs.epsg ?? CUSTOM_SRS;
  database.run(insert, [crs.name, id, crs.epsg === null ? "NONE" : "EPSG", id, crsToWkt(crs)]);
  return id;
}

const WGS84_WKT =
  'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]';

async function insertFeatures(
  database: Database,
  features: AsyncIterable<Feature>,
  srsId: number,
  { layer, signal }: GeoPackageWriteOptions,
): Promise<Table> {
  const table: Table = { fields: new Map(), geometryTypes: new Set(), bounds: null, height: false, rows: 0 };
  database.run("BEGIN");
  let statement = database.prepare(insertSql(layer, table));
  for await (const feature of features) {
    signal?.throwIfAborted();
    const added = addFields(database, layer, table, feature);
    if (added) {
      statement.free();
      statement = database.prepare(insertSql(layer, table));
    }
    statement.run(rowOf(feature, table, srsId));
    table.rows += 1;
  }
  statement.free();
  database.run("COMMIT");
  return table;
}

/** Columns without a type keep values as they are; their types are settled at the end. */
function addFields(database: Database, layer: string, table: Table, { properties }: Feature): boolean {
  let added = false;
  for (const [name, value] of Object.entries(properties)) {
    const known = table.fields.get(name);
    if (known !== undefined) {
      known.type = joinFieldTypes(known.type, value);
      continue;
    }
    const column = freeColumn(name, table);
    database.run(`ALTER TABLE ${sqlName(layer)} ADD COLUMN ${sqlName(column)}`);
    table.fields.set(name, { column, type: joinFieldTypes(null, value) });
    added = true;
  }
  return added;
}

function freeColumn(name: string, { fields }: Table): string {
  const taken = new Set([ID_COLUMN, GEOMETRY_COLUMN, ...[...fields.values()].map(({ column }) => column.toLowerCase())]);
  const base = name === "" ? "field" : name.replaceAll("\0", "");
  for (let suffix = 1; ; suffix += 1) {
    const column = suffix === 1 ? base : `${base}_${suffix}`;
    if (!taken.has(column.toLowerCase())) return column;
  }
}

function insertSql(layer: string, { fields }: Table): string {
  const columns = [ID_COLUMN, GEOMETRY_COLUMN, ...[...fields.values()].map(({ column }) => sqlName(column))];
  return `INSERT INTO ${sqlName(layer)} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function rowOf(feature: Feature, table: Table, srsId: number): (Uint8Array | number | string | null)[] {
  const { geometry, properties } = feature;
  const row: (Uint8Array | number | string | null)[] = [null, null];
  if (geometry !== null) {
    row[1] = writeGeometryBlob(geometry, srsId);
    table.geometryTypes.add(geometry.type);
    table.height ||= hasHeight(geometry);
    table.bounds = unionBounds(table.bounds, geometryBounds(geometry));
  }
  for (const name of table.fields.keys()) {
    const value = Object.hasOwn(properties, name) ? (properties[name] ?? null) : null;
    row.push(typeof value === "boolean" ? Number(value) : value);
  }
  return row;
}

/** Settles column types, promotes a mix of single and multi geometries, and registers the layer. */
function finishTable(database: Database, table: Table, srsId: number, { layer }: GeoPackageWriteOptions): void {
  database.run("BEGIN");
  for (const { column, type } of table.fields.values()) {
    if (type !== "mixed") continue;
    const name = sqlName(column);
    database.run(`UPDATE ${sqlName(layer)} SET ${name} = CAST(${name} AS TEXT) WHERE ${name} IS NOT NULL`);
  }
  const geometryType = settleGeometryType(database, table, srsId, layer);
  const [xmin, ymin, xmax, ymax] = table.bounds ?? [null, null, null, null];
  database.run(
    "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) VALUES (?, 'features', ?, ?, ?, ?, ?, ?)",
    [layer, layer, xmin, ymin, xmax, ymax, srsId],
  );
  database.run("INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, ?, 0)", [
    layer,
    GEOMETRY_COLUMN,
    geometryType,
    srsId,
    table.height ? 2 : 0,
  ]);
  database.run("COMMIT");
  const columns = [...table.fields.values()].map(({ column, type }) => `, ${sqlName(column)} ${type === null ? "TEXT" : SQL_TYPES[type]}`);
  database.run("PRAGMA writable_schema=ON");
  database.run("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", [
    `CREATE TABLE ${sqlName(layer)} (${ID_COLUMN} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, ${GEOMETRY_COLUMN} ${geometryType}${columns.join("")})`,
    layer,
  ]);
  database.run("PRAGMA writable_schema=RESET");
}

function settleGeometryType(database: Database, { geometryTypes }: Table, srsId: number, layer: string): string {
  const types = [...geometryTypes];
  if (types.length === 1) return types[0]!.toUpperCase();
  const single = types.find((type) => !type.startsWith("Multi"));
  if (types.length !== 2 || single === undefined || !geometryTypes.has(`Multi${single}`)) return "GEOMETRY";
  database.create_function("to_multi", (blob: Uint8Array) => toMulti(blob, single, srsId));
  database.run(`UPDATE ${sqlName(layer)} SET ${GEOMETRY_COLUMN} = to_multi(${GEOMETRY_COLUMN}) WHERE ${GEOMETRY_COLUMN} IS NOT NULL`);
  return `MULTI${single.toUpperCase()}`;
}

function toMulti(blob: Uint8Array, single: string, srsId: number): Uint8Array {
  const geometry = readGeometryBlob(blob, "a feature");
  if (geometry === null || geometry.type !== single) return blob;
  if (geometry.type === "Point") return writeGeometryBlob({ type: "MultiPoint", coordinates: [geometry.coordinates] }, srsId);
  if (geometry.type === "LineString") return writeGeometryBlob({ type: "MultiLineString", coordinates: [geometry.coordinates] }, srsId);
  if (geometry.type === "Polygon") return writeGeometryBlob({ type: "MultiPolygon", coordinates: [geometry.coordinates] }, srsId);
  return blob;
}
