/** `prepareData`: chips split into training and validation, measured, and read batch by batch. */

import { availableParallelism } from "node:os";
import { basename } from "node:path";

import {
  bandPositions,
  type BandStatistics,
  type ClassDefinition,
  type Features,
  GeoLearnError,
  groundResolution,
  type OnWarning,
  type Task,
  type WorkOptions,
  sampleBytes,
} from "@geolearn/core";

import { type Augmentation, resolveAugmentation } from "./augment/options.ts";
import type { AssembleSetup } from "./batches/assemble.ts";
import { createAssembler } from "./batches/assembler.ts";
import { createChipSet } from "./batches/chip-set.ts";
import { ChipCache } from "./chips/chip-cache.ts";
import { type ChipRecord, countLabels } from "./chips/chip-record.ts";
import type { ChipSource } from "./chips/chip.ts";
import { buildClassTable, type ClassMapping, type ClassTable } from "./chips/class-table.ts";
import { openChipFolder } from "./chips/folder-source.ts";
import { joinSources } from "./chips/joined-source.ts";
import { maskSource } from "./chips/masked-source.ts";
import { measureChips } from "./chips/measure.ts";
import { openWindowSource, type WindowSourceOptions } from "./chips/window-source.ts";
import { mergeMoments, momentsToStatistics, NO_MOMENTS } from "./esri/accumulated-stats.ts";
import type { ChipSet, LearningData } from "./learning-data.ts";
import { drawBatch } from "./pictures/draw-batch.ts";
import { inverseFrequencyWeights } from "./class-weights.ts";
import { readCrsText } from "./split/footprint.ts";
import { makeSplit, type SplitChoice } from "./split/make-split.ts";

/** Where chips come from: folders of an export, or windows straight out of a raster with labels. */
export type DataSource = string | readonly string[] | WindowSourceOptions;

/** Options of {@link prepareData}. */
export interface PrepareDataOptions<T extends Task = Task> extends WorkOptions {
  readonly task: T;
  /** Chips per batch. @defaultValue 8 */
  readonly batchSize?: number;
  /** Side of what the network gets, pixels; cut out of larger chips, anywhere for training, from the middle for validation. @defaultValue the chips' size */
  readonly chipSize?: number | { readonly width: number; readonly height: number };
  /** Share of chips that validate; with 1 all do and there is nothing to train on. @defaultValue 0.2 */
  readonly valSplit?: number;
  /** `"blocks"` of ground, `"random"` chips, or a file with the names of the validation chips. @defaultValue "blocks" */
  readonly split?: SplitChoice;
  /** Decides split, order and augmentation. @defaultValue 42 */
  readonly seed?: number;
  /** Bands to use, by position from 0 or by name. @defaultValue all */
  readonly bands?: readonly (number | string)[];
  /** Classes to use instead of those the chips declare, e.g. a model's, to evaluate it on other chips. */
  readonly classes?: readonly ClassDefinition[];
  /** Names for class values; values with the same name become one class. */
  readonly classMapping?: ClassMapping;
  /** Polygons: labels outside are ignored. */
  readonly mask?: string | Features;
  /** Classes, by name or value, that no loss and no metric looks at. */
  readonly ignoreClasses?: readonly (string | number)[];
  /** What happens to training chips; `true` is flips and quarter turns. @defaultValue true */
  readonly augment?: Augmentation | boolean;
  /** Batches read ahead. @defaultValue 3 */
  readonly prefetch?: number;
  /** Threads that assemble batches; 0 does it in this thread. @defaultValue 1, 2 on more than four cores */
  readonly workers?: number;
  /** Bytes of decoded chips kept in memory. @defaultValue a quarter of the free memory, at most 2 GiB */
  readonly cacheBytes?: number;
  /** Folder for the split and the statistics. @defaultValue the chips' folder */
  readonly workingFolder?: string;
}

/**
 * Opens chips for training.
 *
 * Chips are measured once (statistics in float64 over valid pixels of the training side, kept in `chip_statistics.json`) and split
 * by blocks of ground, so that no validation chip overlaps a training chip; the split stands in `split.json`. Batches depend on
 * (seed, epoch, index) alone.
 *
 * @param source a chip folder of an export of geolearn or ArcGIS, several of them, or raster and labels
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, TASK_MISMATCH, CLASS_UNKNOWN, LABELS_EMPTY, BANDS_MISMATCH, SPLIT_IMPOSSIBLE,
 *   ALL_NODATA
 * @example
 * const data = await prepareData("chips", { task: "pixelClassification", batchSize: 8, seed: 7 });
 * for await (const batch of data.train.read({ epoch: 0 })) await step(batch.images, batch.targets);
 * await data.close();
 */
export async function prepareData<const T extends "pixelClassification">(
  source: DataSource,
  options: PrepareDataOptions<T>,
): Promise<LearningData<T>> {
  checkTask(options.task);
  const numbers = checkNumbers(options);
  const opened = await openSource(source, options);
  try {
    const chips = options.mask === undefined ? opened : await maskSource(opened, options.mask);
    const cache = new ChipCache(chips, options.cacheBytes);
    // with a mask chips hold other labels than their files: nothing measured of them is kept
    const folder = options.mask === undefined ? (options.workingFolder ?? chips.folder) : null;
    const records = await measureChips(cache, { ...workOptions(options), folder, count: countLabels });
    return await assembleData(chips, cache, records, folder, options, numbers);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

interface CheckedNumbers {
  readonly batchSize: number;
  readonly valSplit: number;
  readonly seed: number;
  readonly prefetch: number;
  readonly workers: number;
}

async function assembleData<const T extends "pixelClassification">(
  chips: ChipSource,
  cache: ChipCache,
  records: readonly ChipRecord[],
  folder: string | null,
  options: PrepareDataOptions<T>,
  { batchSize, valSplit, seed, prefetch, workers }: CheckedNumbers,
): Promise<LearningData<T>> {
  const { onWarning } = options;
  const { width, height } = cropSize(chips, options.chipSize);
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
    mapping: options.classMapping,
    ignore: options.ignoreClasses,
    source: chips.name,
    onWarning,
  });
  const useful = usefulChips(records, table, chips.name, onWarning);
  const everything = valSplit === 1;
  const split = everything
    ? { train: [], valid: useful }
    : await makeSplit(records, useful, { chips, folder, choice: options.split ?? "blocks", valSplit, seed, onWarning });
  if (split.train.length === 0 && !everything) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", `${chips.name}: no chip is left to train with.`, { hint: "Use a smaller `valSplit`." });
  }
  const statistics = bandStatistics(records, everything ? split.valid : split.train, bandIndices, chips, onWarning);
  const classPixels = countClasses(records, split.train, table);
  const sizes = { sourceWidth: chips.width, sourceHeight: chips.height, width, height };
  const setup: AssembleSetup = {
    width,
    height,
    bands: bandIndices,
    means: statistics.map(({ mean }) => mean),
    deviations: statistics.map(({ std }) => std),
    indexOf: table.indexOf,
    batchSize,
  };
  const assembler = createAssembler(setup, workers);
  const common = { cache, assembler, batchSize, seed, sizes, prefetch };
  const train = createChipSet({ ...common, side: "train", members: split.train, augment: resolveAugmentation(options.augment) });
  const valid = createChipSet({ ...common, side: "valid", members: split.valid, augment: null });
  if (!everything) warnOfFewChips(train, batchSize, onWarning);

  const data: LearningData<T> = {
    task: options.task,
    classes: table.classes,
    ignoredClasses: table.ignored,
    chipWidth: width,
    chipHeight: height,
    batchSize,
    bands: bandIndices.length,
    bandNames: bandIndices.map((band) => chips.bandNames[band]!),
    bandIndices,
    sourceBands: chips.bands,
    sampleType: chips.sampleType,
    statistics,
    classPixels,
    resolution: resolutionOf(records, chips),
    seed,
    cachedBytes: Math.min(cache.limit, chips.chips.length * chips.width * chips.height * (chips.bands * sampleBytes(chips.sampleType) + 2)),
    train,
    valid,
    classWeights: () => inverseFrequencyWeights(classPixels),
    showBatch: (path) => drawBatch(data, path),
    async close() {
      await assembler.close();
      cache.clear();
      await chips.close();
    },
  };
  return data;
}

async function openSource(source: DataSource, options: PrepareDataOptions): Promise<ChipSource> {
  const onWarning = options.onWarning;
  if (typeof source === "string") return openChipFolder(source, { onWarning });
  if (!isFolderList(source)) return openWindowSource(source, { ...workOptions(options), seed: options.seed ?? 42 });
  if (source.length === 0)
    throw new GeoLearnError("INVALID_ARGUMENT", "The list of chip folders is empty.", { hint: "Name at least one folder." });
  if (source.length === 1) return openChipFolder(source[0]!, { onWarning });
  const names = source.map((folder) => basename(folder.replace(/[/\\]+$/, "")));
  const unique = new Set(names).size === names.length;
  const opened: ChipSource[] = [];
  try {
    for (const [i, folder] of source.entries()) {
      opened.push(await openChipFolder(folder, { prefix: `${unique ? names[i]! : `${i + 1}-${names[i]!}`}/`, onWarning }));
    }
    return joinSources(opened);
  } catch (error) {
    await Promise.all(opened.map((each) => each.close()));
    throw error;
  }
}

function isFolderList(source: DataSource): source is readonly string[] {
  return Array.isArray(source);
}

function workOptions({ signal, onProgress, onWarning }: WorkOptions): WorkOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onWarning === undefined ? {} : { onWarning }),
  };
}

// --- checks ------------------------------------------------------------------------------------------------------------

function checkTask(task: string): void {
  if (task === "pixelClassification") return;
  throw new GeoLearnError("TASK_MISMATCH", `The task "${task}" is not prepared by this version; expected "pixelClassification".`, {
    hint: 'Use `task: "pixelClassification"`.',
    data: { task },
  });
}

function checkNumbers(options: PrepareDataOptions): CheckedNumbers {
  const valSplit = options.valSplit ?? 0.2;
  if (!(valSplit >= 0 && valSplit <= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`valSplit\` is ${String(valSplit)}; expected a share from 0 to 1.`, {
      hint: "`valSplit: 0.2` keeps a fifth.",
    });
  }
  return {
    batchSize: integer("batchSize", options.batchSize ?? 8, 1, 4096),
    valSplit,
    seed: integer("seed", options.seed ?? 42, 0, Number.MAX_SAFE_INTEGER),
    prefetch: integer("prefetch", options.prefetch ?? 3, 1, 64),
    workers: integer("workers", options.workers ?? (availableParallelism() > 4 ? 2 : 1), 0, 64),
  };
}

function integer(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${name}\` is ${String(value)}; expected an integer from ${min} to ${max}.`, {
    hint: "See the options of prepareData().",
    data: { option: name },
  });
}

function cropSize(chips: ChipSource, wanted: PrepareDataOptions["chipSize"]): { width: number; height: number } {
  const { width, height } = typeof wanted === "object" ? wanted : { width: wanted ?? chips.width, height: wanted ?? chips.height };
  if (Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1 && width <= chips.width && height <= chips.height) {
    return { width, height };
  }
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `Chips of ${width} x ${height} pixels (\`chipSize\`) cannot be cut out of chips of ${chips.width} x ${chips.height} pixels.`,
    {
      hint: "Export larger chips, or use a smaller `chipSize`.",
      data: { width, height, chipWidth: chips.width, chipHeight: chips.height },
    },
  );
}

function warnOfFewChips(train: ChipSet, batchSize: number, onWarning: OnWarning | undefined): void {
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
  for (const { labels } of records) for (const [value, pixels] of labels) total.set(value, (total.get(value) ?? 0) + pixels);
  return total;
}

/** Positions of chips with at least one pixel of a class. */
function usefulChips(records: readonly ChipRecord[], { indexOf }: ClassTable, name: string, onWarning: OnWarning | undefined): number[] {
  const useful = records.map((_, i) => i).filter((i) => records[i]!.labels.some(([value]) => indexOf[value]! >= 0));
  const useless = records.length - useful.length;
  if (useless > 0) {
    onWarning?.({
      code: "CHIPS_WITHOUT_CLASS",
      message: `${name}: ${useless} of ${records.length} chips hold nothing but ignored pixels and are left out.`,
    });
  }
  if (useful.length > 0) return useful;
  throw new GeoLearnError("LABELS_EMPTY", `${name}: no chip holds a pixel of a class.`, { hint: "Ignore fewer classes." });
}

function bandStatistics(
  records: readonly ChipRecord[],
  train: readonly number[],
  bands: readonly number[],
  chips: ChipSource,
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
    for (const [value, pixels] of records[i]!.labels) {
      const index = indexOf[value]!;
      if (index >= 0) counts[index]! += pixels;
    }
  }
  return counts;
}

/** Ground size of a pixel in the first chip that has a position. */
function resolutionOf(records: readonly ChipRecord[], { width, height }: ChipSource): number | null {
  const placed = records.find(({ transform, crs }) => transform !== null && crs !== null);
  return placed === undefined ? null : groundResolution(readCrsText(placed.crs!), placed.transform!, width, height);
}
