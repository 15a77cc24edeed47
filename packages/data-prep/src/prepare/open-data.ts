/** What preparing has in common for every task: chips are measured, split, counted and put into batches. */

import {
  bandPositions,
  type BandStatistics,
  GeoLearnError,
  groundResolution,
  type OnWarning,
  sampleBytes,
  type Task,
} from "@geolearn/core";

import { resolveAugmentation } from "../augment/options.ts";
import type { ImageSetup } from "../batches/assemble.ts";
import type { Assembler } from "../batches/assembler.ts";
import { createChipSet } from "../batches/chip-set.ts";
import { ChipCache } from "../chips/chip-cache.ts";
import type { ChipRecord } from "../chips/chip-record.ts";
import type { ChipImage, ChipSource } from "../chips/chip.ts";
import { buildClassTable, checkClassMapping, type ClassTable, type LabelUnit } from "../chips/class-table.ts";
import { measureChips } from "../chips/measure.ts";
import { mergeMoments, momentsToStatistics, NO_MOMENTS } from "../esri/accumulated-stats.ts";
import type { BatchFrame, ChipSet, PreparedData } from "../learning-data.ts";
import type { ChipSize } from "../option-rules.ts";
import { readCrsText } from "../split/footprint.ts";
import { makeSplit } from "../split/make-split.ts";
import { cropSize, numbersOf, type PreparedNumbers } from "./numbers.ts";
import type { DataSource, PrepareDataOptions } from "./options.ts";
import { workOptions } from "./sources.ts";

/** One kind of labels: how chips with them are opened, counted and assembled. */
export interface DataKind<C extends ChipImage, A extends object> {
  /** What is counted per class. */
  readonly unit: LabelUnit;
  /** Whether what bears no label is a class of its own. */
  readonly background: boolean;
  /** Fewest classes that can be learnt. */
  readonly fewest: number;
  open(source: DataSource, options: PrepareDataOptions): Promise<ChipSource<C>>;
  /** How much of each class value a chip holds, ascending. */
  readonly count: (chip: C) => readonly (readonly [value: number, amount: number])[];
  /** Positions of the chips that take part. */
  useful(records: readonly ChipRecord[], table: ClassTable, name: string, onWarning: OnWarning | undefined): number[];
  assembler(setup: ImageSetup, table: ClassTable, workers: number): Assembler<C, A>;
}

/** Data of one task, but for what only its kind has. */
export interface OpenedData<T extends Task, A extends object> {
  readonly common: Omit<PreparedData<T, A & BatchFrame>, "showBatch">;
  /** Amounts per class of the training side, in index order. */
  readonly amounts: readonly number[];
  /** The greatest amount on one chip, of all classes together. */
  readonly greatest: number;
}

/** Opens chips of one kind. @throws as prepareData does */
export async function openData<T extends Task, C extends ChipImage, A extends object>(
  source: DataSource,
  options: PrepareDataOptions<T>,
  kind: DataKind<C, A>,
): Promise<OpenedData<T, A>> {
  const numbers = numbersOf(options);
  const chips = await kind.open(source, options);
  try {
    const size = cropSize(chips, numbers.chipSize);
    if (options.classMapping !== undefined) checkClassMapping(options.classMapping, options.classes ?? chips.classes);
    const cache = new ChipCache(chips, options.cacheBytes);
    const folder = chips.folder === null ? null : (options.workingFolder ?? chips.folder);
    warnOfUnpaired(chips, options.onWarning);
    const records = await measureChips(cache, { ...workOptions(options), folder, count: kind.count });
    return await assembleData(cache, records, folder, options, kind, { ...numbers, ...size });
  } catch (error) {
    await chips.close();
    throw error;
  }
}

async function assembleData<T extends Task, C extends ChipImage, A extends object>(
  cache: ChipCache<C>,
  records: readonly ChipRecord[],
  folder: string | null,
  options: PrepareDataOptions<T>,
  kind: DataKind<C, A>,
  { batchSize, valSplit, seed, prefetch, workers, width, height }: PreparedNumbers & ChipSize,
): Promise<OpenedData<T, A>> {
  const { onWarning } = options;
  const chips = cache.source;
  const bandIndices =
    options.bands === undefined ? chips.bandNames.map((_, band) => band) : bandPositions(options.bands, chips.bandNames, chips.name);
  if (records.every(({ moments }) => moments.every(({ count }) => count === 0))) {
    throw new GeoLearnError("ALL_NODATA", `${chips.name}: no chip has a valid pixel: all are nodata, masked or not finite.`, {
      hint: "`geolearn info` on the raster tells its nodata value and statistics.",
    });
  }
  const table = buildClassTable({
    declared: options.classes ?? chips.classes,
    present: totalLabels(records),
    unit: kind.unit,
    background: kind.background,
    fewest: kind.fewest,
    mapping: options.classMapping,
    ignore: options.ignoreClasses,
    source: chips.name,
    fromFolder: folder !== null,
    onWarning,
  });
  const useful = kind.useful(records, table, chips.name, onWarning);
  const everything = valSplit === 1;
  const split = everything
    ? { train: [], valid: useful }
    : await makeSplit(records, useful, {
        chips,
        folder,
        choice: options.split ?? "blocks",
        valSplit,
        seed,
        stratify: kind.unit === "chips",
        onWarning,
      });
  if (split.train.length === 0 && !everything) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", `${chips.name}: no chip is left to train with.`, { hint: "Use a smaller `valSplit`." });
  }
  const statistics = bandStatistics(records, everything ? split.valid : split.train, bandIndices, chips, onWarning);
  const sizes = { sourceWidth: chips.width, sourceHeight: chips.height, width, height };
  const setup: ImageSetup = {
    width,
    height,
    bands: bandIndices,
    means: statistics.map(({ mean }) => mean),
    deviations: statistics.map(({ std }) => std),
    batchSize,
  };
  const assembler = kind.assembler(setup, table, workers);
  const shared = { cache, assembler, batchSize, seed, sizes, prefetch };
  const train = createChipSet({ ...shared, side: "train", members: split.train, augment: resolveAugmentation(options.augment) });
  const valid = createChipSet({ ...shared, side: "valid", members: split.valid, augment: null });
  if (!everything) warnOfFewChips(train, batchSize, onWarning);
  return {
    amounts: countClasses(records, split.train, table),
    greatest: useful.reduce(
      (most, i) =>
        Math.max(
          most,
          records[i]!.labels.reduce((sum, [, amount]) => sum + amount, 0),
        ),
      0,
    ),
    common: {
      task: options.task,
      classes: table.classes,
      ignoredClasses: table.ignored,
      chipWidth: width,
      chipHeight: height,
      batchSize,
      bands: bandIndices.length,
      bandNames: bandIndices.map((band) => chips.bandNames[band]!),
      ...(chips.dates === undefined ? {} : { dates: bandIndices.map((band) => chips.dates![band]!) }),
      bandIndices,
      sourceBands: chips.bands,
      sampleType: chips.sampleType,
      statistics,
      resolution: resolutionOf(records, chips),
      seed,
      cachedBytes: Math.min(
        cache.limit,
        chips.chips.length * chips.width * chips.height * (chips.bands * sampleBytes(chips.sampleType) + 2),
      ),
      train,
      valid,
      async close() {
        await assembler.close();
        cache.clear();
        await chips.close();
      },
    },
  };
}

/** Such images are no chips without objects: they take no part at all. */
function warnOfUnpaired(
  { name, chips, unpaired = 0 }: Pick<ChipSource, "name" | "chips" | "unpaired">,
  onWarning: OnWarning | undefined,
): void {
  if (unpaired === 0) return;
  onWarning?.({
    code: "IMAGES_WITHOUT_LABEL",
    message: `${name}: ${unpaired} of ${chips.length + unpaired} images have no label file of their name and are left out.`,
    hint: "Label them; an image that shows no object takes part with a label file that names none.",
  });
}

function warnOfFewChips(train: ChipSet<BatchFrame>, batchSize: number, onWarning: OnWarning | undefined): void {
  if (train.count >= batchSize) return;
  onWarning?.({
    code: "FEW_CHIPS",
    message: `The training side has ${train.count} chips, fewer than a batch of ${batchSize}; chips are repeated to fill it.`,
    hint: "Export with a smaller stride, or use a smaller `batchSize`.",
  });
}

// --- what the chips hold -----------------------------------------------------------------------------------------------

function totalLabels(records: readonly ChipRecord[]): Map<number, number> {
  const total = new Map<number, number>();
  for (const { labels } of records) for (const [value, amount] of labels) total.set(value, (total.get(value) ?? 0) + amount);
  return total;
}

function bandStatistics(
  records: readonly ChipRecord[],
  train: readonly number[],
  bands: readonly number[],
  chips: Pick<ChipSource, "bandNames" | "name">,
  onWarning: OnWarning | undefined,
): BandStatistics[] {
  return bands.map((band) => {
    let moments = NO_MOMENTS;
    for (const i of train) moments = mergeMoments(moments, records[i]!.moments[band]!);
    const statistics = momentsToStatistics(moments);
    const name = chips.bandNames[band]!;
    if (statistics.count === 0) {
      throw new GeoLearnError("ALL_NODATA", `${chips.name}: band ${band} (${name}) has no valid pixel in the training chips.`, {
        hint: "Leave the band out with `bands`.",
        data: { band },
      });
    }
    if (statistics.std === 0) {
      onWarning?.({
        code: "CONSTANT_BAND",
        message: `${chips.name}: band ${band} (${name}) is ${statistics.mean} everywhere and tells the network nothing.`,
        hint: "Leave the band out with `bands`.",
      });
    }
    return statistics;
  });
}

function countClasses(records: readonly ChipRecord[], train: readonly number[], { classes, indexOf }: ClassTable): number[] {
  const counts: number[] = classes.map(() => 0);
  for (const i of train) {
    for (const [value, amount] of records[i]!.labels) {
      const index = indexOf[value]!;
      if (index >= 0) counts[index]! += amount;
    }
  }
  return counts;
}

/** Ground size of a pixel in the first chip that has a position. */
function resolutionOf(records: readonly ChipRecord[], { width, height }: Pick<ChipSource, "width" | "height">): number | null {
  const placed = records.find(({ transform, crs }) => transform !== null && crs !== null);
  return placed === undefined ? null : groundResolution(readCrsText(placed.crs!), placed.transform!, width, height);
}
