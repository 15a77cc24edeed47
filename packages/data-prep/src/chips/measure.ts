/** Looks at every chip of a source once, through the cache, and keeps what it saw in a file. */

import { GeoLearnError, type WorkOptions } from "@geolearn/core";

import { crsText } from "../split/footprint.ts";
import type { ChipCache } from "./chip-cache.ts";
import { type ChipRecord, measureBands } from "./chip-record.ts";
import type { ChipImage } from "./chip.ts";
import { loadRecords, storeRecords } from "./statistics-file.ts";

/** Chips read at once. */
const CONCURRENCY = 8;

/** Options of {@link measureChips}. */
export interface MeasureOptions<C extends ChipImage> extends WorkOptions {
  /** How much of each class value the labels of a chip hold, ascending. */
  readonly count: (chip: C) => readonly (readonly [value: number, amount: number])[];
  /** Folder of the statistics file; null keeps none. */
  readonly folder: string | null;
}

/**
 * The record of every chip, in the order of the source.
 *
 * @throws CHIPS_CORRUPT and what reading a chip throws
 */
export async function measureChips<C extends ChipImage>(
  cache: ChipCache<C>,
  { count, folder, signal, onProgress, onWarning }: MeasureOptions<C>,
): Promise<ChipRecord[]> {
  const { chips } = cache.source;
  const known =
    folder === null ? new Map<string, ChipRecord>() : await loadRecords(folder, new Map(chips.map(({ name, version }) => [name, version])));
  const records: ChipRecord[] = [];
  let done = 0;
  let read = 0;
  let next = 0;
  const report = (): void => onProgress?.({ stage: "prepare-data", done, total: chips.length, unit: "chips" });
  report();

  const work = async (): Promise<void> => {
    while (next < chips.length) {
      const index = next++;
      signal?.throwIfAborted();
      const { name, version } = chips[index]!;
      let record = known.get(name);
      if (record === undefined || record.moments.length !== cache.source.bands) {
        const chip = await cache.get(index, signal);
        record = { name, version, transform: chip.transform, crs: crsText(chip.crs), moments: measureBands(chip), labels: count(chip) };
        read++;
      }
      records[index] = record;
      done++;
      if (done % 64 === 0 || done === chips.length) report();
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, Math.max(1, chips.length)) }, work));
  if (chips.length === 0) throw new GeoLearnError("CHIPS_CORRUPT", `${cache.source.name} holds no chip.`, { hint: "Export chips first." });
  if (folder !== null && read > 0) await storeRecords(folder, records, onWarning);
  return records;
}
