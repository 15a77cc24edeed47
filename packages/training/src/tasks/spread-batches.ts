/** Which chips are shown of a side. */

import { GeoLearnError } from "@geolearn/core";
import type { ChipSet } from "@geolearn/data-prep";

/** The batches that hold some chips of a side, evenly spread over it, each with the places of those chips in it. */
export async function* spreadBatches<B>(
  chips: ChipSet<B>,
  { batchSize, count, signal }: { readonly batchSize: number; readonly count: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<readonly [batch: B, places: readonly number[]]> {
  const readable = Math.min(chips.count, chips.batches * batchSize);
  const shown = Math.min(count, readable);
  const wanted = Array.from({ length: shown }, (_, i) => Math.floor(((i + 0.5) * readable) / shown));
  for (const from of new Set(wanted.map((position) => Math.floor(position / batchSize)))) {
    const places = wanted.filter((position) => Math.floor(position / batchSize) === from).map((position) => position % batchSize);
    yield [await batchAt(chips, from, signal), places];
  }
}

async function batchAt<B>(chips: ChipSet<B>, from: number, signal: AbortSignal | undefined): Promise<B> {
  for await (const batch of chips.read({ from, ...(signal && { signal }) })) return batch;
  throw new GeoLearnError("CHIPS_CORRUPT", `Batch ${from + 1} of ${chips.batches} could not be read.`, { hint: "Prepare the data again." });
}
