/** `prepareData`: chips split into training and validation, measured, and read batch by batch. */

import { checkOptions, GeoLearnError, nearestName, showValue, type Task } from "@geolearn/core";

import { checkAugmentation } from "./augment/options.ts";
import type { DataOf } from "./learning-data.ts";
import { prepareObjects } from "./prepare/object-data.ts";
import { type DataSource, PREPARE_RULES, type PrepareDataOptions } from "./prepare/options.ts";
import { preparePixels } from "./prepare/pixel-data.ts";
import { checkSource } from "./prepare/sources.ts";
import { prepareTiles } from "./prepare/tile-data.ts";

/**
 * Opens chips for training.
 *
 * Chips are measured once (statistics in float64 over valid pixels of the training side, kept in `chip_statistics.json`) and split
 * by blocks of ground, so that no validation chip overlaps a training chip; the split stands in `split.json`. Batches depend on
 * (seed, epoch, index) alone.
 *
 * Objects (`objectDetection`, `instanceSegmentation`) keep their boxes and masks exactly under flips, quarter turns and zoom; turning by
 * other angles (`augment.rotate`) needs masks.
 *
 * @param source a chip folder of an export of geolearn or ArcGIS, several of them, or raster and labels
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, TASK_MISMATCH, CLASS_UNKNOWN, LABELS_EMPTY, BANDS_MISMATCH, SPLIT_IMPOSSIBLE,
 *   ALL_NODATA; INVALID_ARGUMENT, also for an option that there is not
 * @example
 * const data = await prepareData("chips", { task: "pixelClassification", batchSize: 8, seed: 7 });
 * for await (const batch of data.train.read({ epoch: 0 })) await step(batch.images, batch.targets);
 * await data.close();
 */
export async function prepareData<const T extends Task>(source: DataSource, options: PrepareDataOptions<T>): Promise<DataOf<T>> {
  checkOptions<PrepareDataOptions>(options, PREPARE_RULES, "prepareData()", taskHint(undefined));
  checkAugmentation(options.augment);
  checkSource(source);
  if (Object.hasOwn(KINDS, options.task)) {
    checkTaskOptions(options);
    return KINDS[options.task](source, options);
  }
  const known = Object.keys(KINDS).map((task) => `"${task}"`);
  throw new GeoLearnError("TASK_MISMATCH", `prepareData(): \`task\` is ${showValue(options.task)}; expected ${known.join(", ")}.`, {
    hint: taskHint(options.task),
    data: { task: options.task },
  });
}

/** Refuses options that the chips of a task have no use for: they would be ignored. */
function checkTaskOptions({ task, resizeTo, minOverlap }: PrepareDataOptions): void {
  if (resizeTo !== undefined && task !== "objectClassification") {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `\`resizeTo\` is for the task "objectClassification", whose chips have a class as wholes; the task is "${task}".`,
      {
        hint: "Export with another cell size: it resamples images and labels together. `chipSize` cuts smaller chips out of larger ones.",
        data: { field: "resizeTo", value: resizeTo, task },
      },
    );
  }
  if (minOverlap !== undefined && task !== "objectDetection" && task !== "instanceSegmentation") {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `\`minOverlap\` is for the tasks "objectDetection" and "instanceSegmentation", whose chips show objects; the task is "${task}".`,
      { hint: "Leave it out, or give it when exporting.", data: { field: "minOverlap", value: minOverlap, task } },
    );
  }
}

/** What prepares the chips of a task. */
const KINDS: {
  readonly [T in Task]: (source: DataSource, options: PrepareDataOptions<T>) => Promise<DataOf<T>>;
} = {
  pixelClassification: preparePixels,
  objectDetection: prepareObjects,
  instanceSegmentation: prepareObjects,
  objectClassification: prepareTiles,
};

/** What to write instead of a task that there is not. */
function taskHint(given: unknown): string {
  const tasks = Object.keys(KINDS);
  const meant = typeof given === "string" ? nearestName(given, tasks) : null;
  const known = tasks.map((task) => `\`task: "${task}"\``);
  return meant === null ? `Say what the chips are for: ${known.join(", ")}.` : `Did you mean \`task: "${meant}"\`?`;
}
