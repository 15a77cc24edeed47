/** Label files that are read all at once when a folder is opened. */

import { GeoLearnError } from "@geolearn/core";

/** Label files read at once. */
const CONCURRENCY = 16;

/** Maps a list by asynchronous work, a few at a time, in its order. */
export async function inTurns<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
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

/** A label file that should be there. */
export function missingLabel(path: string): GeoLearnError {
  return new GeoLearnError("FILE_NOT_FOUND", `map.txt names ${path}, which is not there.`, {
    hint: "Copy the folder whole, or remove the row from map.txt.",
    data: { path },
  });
}
