/** A list of validation chips, one name a line, or a stored `split.json`. */

import { GeoLearnError } from "@geolearn/core";

import { parseJsonObject, readTextFile } from "../esri/json.ts";
import type { Split } from "./split.ts";

/**
 * The split a file asks for: named chips validate, all others train (a `split.json` also says which are left out).
 *
 * @throws FILE_NOT_FOUND, SPLIT_IMPOSSIBLE for names that no chip has and for an empty side
 */
export async function listSplit(path: string, names: readonly string[]): Promise<Split> {
  const text = await readTextFile(path);
  if (text === null) {
    throw new GeoLearnError("FILE_NOT_FOUND", `The list of validation chips ${path} does not exist.`, {
      hint: '`split` is "blocks", "random", or a file with one chip name a line.',
      data: { path },
    });
  }
  const position = positions(names);
  const lookUp = (list: readonly string[]): Set<number> => {
    const unknown = list.filter((name) => !position.has(stem(name)));
    if (unknown.length > 0) {
      throw new GeoLearnError("SPLIT_IMPOSSIBLE", `${path} names ${unknown.length} chips that are not there, such as "${unknown[0]}".`, {
        hint: `Names look like "${names[0] ?? ""}", one a line.`,
        data: { path, unknown: unknown.slice(0, 20) },
      });
    }
    return new Set(list.map((name) => position.get(stem(name))!));
  };

  let listed: string[];
  let left: string[] = [];
  if (text.trimStart().startsWith("{")) {
    const json = parseJsonObject(text, path);
    listed = strings(json["valid"]);
    left = strings(json["dropped"]);
  } else {
    listed = text.split(/\s+/).filter((name) => name !== "");
  }
  const valid = lookUp(listed);
  const dropped = lookUp(left);
  const all = names.map((_, i) => i);
  const train = all.filter((i) => !valid.has(i) && !dropped.has(i));
  if (valid.size === 0 || train.length === 0) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", `${path} leaves ${train.length} chips to train and ${valid.size} to validate.`, {
      hint: "Both sides need at least one chip.",
      data: { path },
    });
  }
  return { method: "list", train, valid: all.filter((i) => valid.has(i)), dropped: all.filter((i) => dropped.has(i)) };
}

/** Position by full name, and by stem where only one chip has it. */
function positions(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  const twice = new Set<string>();
  names.forEach((name, i) => {
    const last = name.slice(name.lastIndexOf("/") + 1);
    if (found.has(last)) twice.add(last);
    found.set(last, i);
  });
  for (const name of twice) found.delete(name);
  names.forEach((name, i) => found.set(name, i));
  return found;
}

function stem(name: string): string {
  return name
    .replaceAll("\\", "/")
    .replace(/^(?:\.\/)?(?:images|labels)\//, "")
    .replace(/\.(?:tiff?|png|jpe?g)$/i, "");
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? (value as unknown[]).filter((item): item is string => typeof item === "string") : [];
}
