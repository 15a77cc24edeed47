/** `split.json`: the sides of a split by name, so that every later run and every other program uses the same. */

import { createHash } from "node:crypto";
import { join } from "node:path";

import { type OnWarning, writeAtomic } from "@geolearn/core";

import { isObject, parseJsonObject, readTextFile } from "../esri/json.ts";
import type { Split, SplitInput } from "./split.ts";

/** Name of the file in the chips folder. */
export const SPLIT_FILE = "split.json";

/** The stored split when it was made from the same chips, share and seed, else null. */
export async function loadSplit(folder: string, method: Split["method"], input: SplitInput): Promise<Split | null> {
  const path = join(folder, SPLIT_FILE);
  const text = await readTextFile(path).catch(() => null);
  if (text === null) return null;
  const json = parseJsonObject(text, path);
  if (json["method"] !== method || json["key"] !== splitKey(input)) return null;
  const position = new Map(input.names.map((name, i) => [name, i]));
  const side = (value: unknown): number[] | null => {
    if (!Array.isArray(value)) return null;
    const found = (value as unknown[]).map((name) => position.get(name as string));
    return found.every((i) => i !== undefined) ? found : null;
  };
  const train = side(json["train"]);
  const valid = side(json["valid"]);
  const dropped = side(json["dropped"]);
  if (train === null || valid === null || dropped === null || !isObject(json)) return null;
  const complete = new Set([...train, ...valid, ...dropped]).size === input.names.length;
  return complete && train.length + valid.length + dropped.length === input.names.length ? { method, train, valid, dropped } : null;
}

/** Stores a split; a folder that cannot be written only warns. */
export async function storeSplit(folder: string, split: Split, input: SplitInput, onWarning?: OnWarning): Promise<void> {
  const named = (side: readonly number[]): string[] => side.map((i) => input.names[i]!);
  const content = {
    version: 1,
    method: split.method,
    seed: input.seed,
    valSplit: input.valSplit,
    key: splitKey(input),
    train: named(split.train),
    valid: named(split.valid),
    dropped: named(split.dropped),
  };
  await writeAtomic(join(folder, SPLIT_FILE), `${JSON.stringify(content, null, 1)}\n`).catch((error: Error) => {
    onWarning?.({
      code: "SPLIT_NOT_STORED",
      message: `The split could not be stored in ${folder}: ${error.message}`,
      hint: "Give a `workingFolder` that can be written. The split is made again from the seed each time.",
    });
  });
}

/** What a split depends on. */
function splitKey({ names, footprints, classPixels, valSplit, seed }: SplitInput): string {
  const hash = createHash("sha256").update(JSON.stringify([names, footprints, valSplit, seed]));
  for (const counts of classPixels) hash.update(counts);
  return hash.digest("hex");
}

/** The sides a folder's `split.json` names, whatever they were made with, as positions in `names`; null without a fitting file. */
export async function loadStoredSides(
  folder: string,
  names: readonly string[],
): Promise<{ readonly train: readonly number[]; readonly valid: readonly number[] } | null> {
  const path = join(folder, SPLIT_FILE);
  const text = await readTextFile(path);
  if (text === null) return null;
  const json = parseJsonObject(text, path);
  const position = new Map(names.map((name, i) => [name, i]));
  const side = (value: unknown): number[] =>
    Array.isArray(value) ? (value as unknown[]).map((name) => position.get(name as string)).filter((i) => i !== undefined) : [];
  const train = side(json["train"]);
  const valid = side(json["valid"]);
  return train.length === 0 || valid.length === 0 ? null : { train, valid };
}
