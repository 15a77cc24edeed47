/** The split a data set gets: made or read, checked for leaks, stored. */

import type { OnWarning } from "@geolearn/core";

import type { ChipRecord } from "../chips/chip-record.ts";
import type { ChipSource } from "../chips/chip.ts";
import { blockSplit } from "./block-split.ts";
import { chipFootprints } from "./footprint.ts";
import { listSplit } from "./list-split.ts";
import { measureOverlap } from "./overlap.ts";
import { randomSplit } from "./random-split.ts";
import { loadSplit, storeSplit } from "./split-file.ts";
import type { Split, SplitInput } from "./split.ts";

/** How to split: blocks of ground, random chips, or a file that names the validation chips. */
export type SplitChoice = "blocks" | "random" | (string & {});

/** What a split is made with. */
export interface MakeSplitOptions {
  readonly chips: Pick<ChipSource, "name" | "width" | "height">;
  /** Folder of `split.json`, or null to store nothing. */
  readonly folder: string | null;
  readonly choice: SplitChoice;
  readonly valSplit: number;
  readonly seed: number;
  /** Draw the same share of every class, where chips are drawn at random. @defaultValue false */
  readonly stratify?: boolean;
  readonly onWarning?: OnWarning | undefined;
}

/**
 * The sides of the split, as positions in `records`.
 *
 * @param useful positions of the chips that take part
 * @throws SPLIT_IMPOSSIBLE, FILE_NOT_FOUND
 */
export async function makeSplit(records: readonly ChipRecord[], useful: readonly number[], options: MakeSplitOptions): Promise<Split> {
  const { chips, folder, choice, valSplit, seed, stratify = false, onWarning } = options;
  const taking = useful.map((i) => records[i]!);
  const names = taking.map(({ name }) => name);
  const footprints = chipFootprints(taking, chips.width, chips.height);
  const input: SplitInput = { names, footprints, classPixels: labelCounts(taking), valSplit, seed, stratify };

  const split = await choose(input, choice, folder);
  if (split.stored !== true && folder !== null && split.method !== "list") await storeSplit(folder, split, input, onWarning);
  warnOfLeaks(split, input, chips.name, onWarning);
  const back = (side: readonly number[]): number[] => side.map((i) => useful[i]!);
  return { method: split.method, train: back(split.train), valid: back(split.valid), dropped: back(split.dropped) };
}

async function choose(input: SplitInput, choice: SplitChoice, folder: string | null): Promise<Split & { readonly stored?: boolean }> {
  if (choice !== "blocks" && choice !== "random") return listSplit(choice, input.names);
  const method = choice === "random" ? "random" : "blocks";
  const stored = folder === null ? null : await loadSplit(folder, method, input);
  if (stored !== null) return { ...stored, stored: true };
  return method === "blocks" ? blockSplit(input) : randomSplit(input);
}

function warnOfLeaks(split: Split, { footprints, names }: SplitInput, source: string, onWarning: OnWarning | undefined): void {
  if (split.dropped.length > 0 && split.method === "blocks") {
    onWarning?.({
      code: "CHIPS_ACROSS_BORDER",
      message: `${source}: ${split.dropped.length} of ${names.length} chips overlap a validation chip and are used on neither side (${split.train.length} train, ${split.valid.length} validate).`,
    });
  }
  if (split.method === "blocks" || split.valid.length === 0) return;
  if (footprints === null) {
    onWarning?.({
      code: "SPLIT_UNCHECKED",
      message: `${source}: the chips have no position, so it cannot be told whether training and validation share ground.`,
      hint: "Chips that overlap across the split make validation look better than the network is.",
    });
    return;
  }
  const { chips, share } = measureOverlap(footprints, split.train, split.valid);
  if (chips === 0) return;
  onWarning?.({
    code: "SPLIT_LEAKS",
    message: `${source}: ${chips} of ${split.valid.length} validation chips share ground with training chips, which cover ${share < 0.0005 ? "less than 0.1" : (share * 100).toFixed(1)} % of the validation ground.`,
    hint: 'Validation will look better than the network is. Use `split: "blocks"`.',
  });
}

/** Labelled pixels per value, the same columns for every chip. */
function labelCounts(records: readonly ChipRecord[]): Float64Array[] {
  const values = [...new Set(records.flatMap(({ labels }) => labels.map(([value]) => value)))].sort((a, b) => a - b);
  const column = new Map(values.map((value, i) => [value, i]));
  return records.map(({ labels }) => {
    const counts = new Float64Array(values.length);
    for (const [value, pixels] of labels) counts[column.get(value)!] = pixels;
    return counts;
  });
}
