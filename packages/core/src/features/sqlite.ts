/** SQLite through sql.js, loaded on first use. */

import type { Database, SqlJsStatic } from "sql.js";

import { GeoLearnError } from "../errors.ts";

let loading: Promise<SqlJsStatic> | null = null;

/** A database in memory, empty or from the bytes of a file; the caller closes it. */
export async function openDatabase(bytes?: Uint8Array): Promise<Database> {
  loading ??= import("sql.js").then(({ default: initSqlJs }) => initSqlJs());
  const { Database: Opened } = await loading;
  return new Opened(bytes ?? null);
}

/** A name as SQL writes it. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Runs work on a file's database and tells a damaged file from other failures. */
export function onFile<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (GeoLearnError.is(cause)) throw cause;
    throw new GeoLearnError(
      "FEATURES_CORRUPT",
      `${name} is no readable GeoPackage: ${cause instanceof Error ? cause.message : String(cause)}.`,
      {
        hint: "Export the file again from its source, or recover it with ogr2ogr out.gpkg in.gpkg.",
        data: { file: name },
        cause,
      },
    );
  }
}
