/** JSON from strangers. */

import { GeoLearnError } from "@geolearn/core";

const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);
/** Far above anything a model description nests, far below what makes recursive readers fail. */
const MAX_DEPTH = 64;

/**
 * Parses UTF-8 JSON (a byte order mark is allowed) and refuses what could hurt later: keys that reach an object's
 * prototype and absurd nesting.
 *
 * @throws MODEL_CORRUPT
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new GeoLearnError("MODEL_CORRUPT", `${what} is not valid JSON.`, { hint: "Copy or export the file again.", cause });
  }
  refuseHostile(value, what);
  return value;
}

/** Walks with an own stack, so that nesting cannot exhaust the call stack. */
function refuseHostile(root: unknown, what: string): void {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: root, depth: 0 }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { value, depth } = top;
    if (typeof value !== "object" || value === null) continue;
    if (depth >= MAX_DEPTH) {
      throw new GeoLearnError("MODEL_CORRUPT", `${what} is nested deeper than ${MAX_DEPTH} levels.`, {
        hint: "The file was not made by a known tool.",
      });
    }
    for (const key of Object.keys(value)) {
      if (FORBIDDEN_KEYS.has(key)) {
        throw new GeoLearnError("MODEL_CORRUPT", `${what} has a key "${key}", which is not allowed.`, {
          hint: "The file was not made by a known tool.",
        });
      }
      open.push({ value: (value as Record<string, unknown>)[key], depth: depth + 1 });
    }
  }
}
