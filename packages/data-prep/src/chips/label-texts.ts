/** Label files that are read all at once when a folder is opened. */

import { GeoLearnError } from "@geolearn/core";

import { readTextFile } from "../esri/json.ts";

/** Label files read at once. */
const CONCURRENCY = 16;

/** Maps a list by asynchronous work, a few at a time, in its order. */
async function inTurns<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < list.length) {
      const index = next++;
      results[index] = await work(list[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, list.length) }, worker));
  return results;
}

/** Label files that a message names. */
const NAMED = 3;

/**
 * What label files say, in their order; `none` for chips without one.
 *
 * @throws FILE_NOT_FOUND with all that are not there
 */
export async function readLabels<T>(
  paths: readonly (string | null)[],
  read: (text: string, path: string) => T,
  none: T,
): Promise<readonly T[]> {
  const missing: string[] = [];
  const labels = await inTurns(paths, async (path) => {
    if (path === null) return none;
    const text = await readTextFile(path);
    if (text !== null) return read(text, path);
    missing.push(path);
    return none;
  });
  if (missing.length === 0) return labels;
  const shown = missing.sort().slice(0, NAMED).join(", ");
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : "";
  const are = missing.length === 1 ? "is" : "are";
  throw new GeoLearnError("FILE_NOT_FOUND", `map.txt names ${shown}${more}, which ${are} not there.`, {
    hint: "Copy the folder whole, or remove the rows from map.txt.",
    data: { paths: missing },
  });
}
