/** JSON from outside: size-capped, without keys that reach a prototype, and with an error that names the file. */

import { readFile, stat } from "node:fs/promises";

import { GeoLearnError } from "@geolearn/core";

/** Largest metadata file that is read, in bytes. */
const LIMIT = 64 * 1024 * 1024;

const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/** An object from JSON whose fields are not yet checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a text file of at most 64 MiB, without a byte order mark; null when there is none.
 *
 * @throws LIMIT_EXCEEDED for a larger file
 */
export async function readTextFile(path: string): Promise<string | null> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw new GeoLearnError("FILE_NOT_FOUND", `${path} cannot be read: ${error.message}`, { cause: error });
  });
  if (info === null || !info.isFile()) return null;
  if (info.size > LIMIT) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${info.size} bytes; a metadata file may have ${LIMIT}.`, {
      hint: "This is not the metadata of a chip folder.",
      data: { path, size: info.size, limit: LIMIT },
    });
  }
  return (await readFile(path, "utf8")).replace(/^\uFEFF/, "");
}

/**
 * Parses JSON that must be an object.
 *
 * @throws CHIPS_CORRUPT for anything else, for damaged JSON and for keys such as `__proto__`
 */
export function parseJsonObject(text: string, path: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text, (key, inner: unknown) => {
      if (FORBIDDEN.has(key)) throw new SyntaxError(`the key "${key}" is not allowed`);
      return inner;
    });
  } catch (error) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${path} is not readable JSON: ${(error as Error).message}`, {
      hint: "Export the chips again, or repair the file.",
      data: { path },
      cause: error,
    });
  }
  if (!isObject(value)) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${path} holds ${describe(value)}; expected a JSON object.`, {
      hint: "Export the chips again, or repair the file.",
      data: { path },
    });
  }
  return value;
}

/** True for a JSON object, false for arrays and null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value when it is a finite number, else null. */
export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** The value when it is a string, else null. */
export function stringOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
