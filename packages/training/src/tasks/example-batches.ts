/** Which chips are shown of a side. */

import { GeoLearnError } from "@geolearn/core";
import type { ChipSet } from "@geolearn/data-prep";

/** What chips are chosen by. */
interface Choice<B> {
  readonly batchSize: number;
  readonly count: number;
  /** Whether a chip shows something to be found: a picture without tells little. */
  readonly telling: (batch: B, place: number) => boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * The batches that hold some chips of a side, each with the places of those chips in it: first chips that show something to be found, evenly spread over the side
 * as far as they are, then others. The same data always give the same chips.
 */
export async function* exampleBatches<B>(
  chips: ChipSet<B>,
  choice: Choice<B>,
): AsyncGenerator<readonly [batch: B, places: readonly number[]]> {
  const { batchSize, signal } = choice;
  for (const positions of await choosePositions(chips, choice)) {
    for (const index of new Set(positions.map((position) => Math.floor(position / batchSize)))) {
      const places = positions.filter((position) => Math.floor(position / batchSize) === index).map((position) => position % batchSize);
      yield [await batchAt(chips, index, signal), places];
    }
  }
}

/** Positions of the telling chips, then those of the others that fill up. */
async function choosePositions<B>(
  chips: ChipSet<B>,
  { batchSize, count, telling, signal }: Choice<B>,
): Promise<readonly [telling: readonly number[], others: readonly number[]]> {
  const readable = Math.min(chips.count, chips.batches * batchSize);
  const shown = Math.min(count, readable);
  const spread = Array.from({ length: shown }, (_, i) => Math.floor(((i + 0.5) * readable) / shown));
  const found = new Set<number>();
  const look = (batch: B, index: number, wanted: readonly number[]): void => {
    const first = index * batchSize;
    const known = Array.from({ length: Math.min(batchSize, readable - first) }, (_, place) => first + place).filter(
      (position) => !found.has(position) && telling(batch, position - first),
    );
    for (const position of wanted) {
      const nearest = known.toSorted((a, b) => Math.abs(a - position) - Math.abs(b - position))[0];
      if (nearest === undefined || found.size >= shown) return;
      found.add(nearest);
      known.splice(known.indexOf(nearest), 1);
    }
  };
  // Near the places of an even spread at first; only where that is not enough, from the first chip on.
  for (const index of new Set(spread.map((position) => Math.floor(position / batchSize)))) {
    const wanted = spread.filter((position) => Math.floor(position / batchSize) === index);
    look(await batchAt(chips, index, signal), index, wanted);
  }
  if (found.size < shown) {
    let index = 0;
    for await (const batch of chips.read(signal && { signal })) {
      const first = index * batchSize;
      look(
        batch,
        index++,
        Array.from({ length: batchSize }, (_, place) => first + place),
      );
      if (found.size >= shown) break;
    }
  }
  const first = [...found].toSorted((a, b) => a - b);
  const others = [...new Set([...spread, ...Array.from({ length: shown }, (_, position) => position)])].filter(
    (position) => !found.has(position),
  );
  return [first, others.slice(0, shown - first.length).toSorted((a, b) => a - b)];
}

async function batchAt<B>(chips: ChipSet<B>, from: number, signal: AbortSignal | undefined): Promise<B> {
  for await (const batch of chips.read({ from, ...(signal && { signal }) })) return batch;
  throw new GeoLearnError("CHIPS_CORRUPT", `Batch ${from + 1} of ${chips.batches} could not be read.`, { hint: "Prepare the data again." });
}
