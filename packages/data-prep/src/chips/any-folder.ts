/** A chip folder of any layout, for those who only look at it. */

import { GeoLearnError, type Task } from "@geolearn/core";

import { type Chip, type ChipImage, type ChipSource, type ObjectChip, type TileChip } from "./chip.ts";
import { countLabels } from "./chip-record.ts";
import type { LabelUnit } from "./class-table.ts";
import { type FolderFormat, FORMATS } from "../formats/formats.ts";
import { countObjects } from "../objects/chip-object.ts";
import { readFolderContent } from "./folder-content.ts";
import { type ChipFolderOptions, openChipFolder } from "./folder-source.ts";
import { openObjectChips } from "./object-folder.ts";
import { countTiles, openTileChips } from "./tile-folder.ts";

/** Chips with one kind of labels. */
export interface LabelledChips<C extends ChipImage> {
  readonly chips: ChipSource<C>;
  /** What {@link count} counts. */
  readonly unit: LabelUnit;
  readonly count: (chip: C) => readonly (readonly [value: number, amount: number])[];
  /** A class value per pixel, where labels are such. */
  readonly pixelLabels: ((chip: C) => Uint16Array) | null;
}

/** Chips with a class per pixel as labelled chips. */
export function pixelChips(chips: ChipSource): LabelledChips<Chip> {
  return { chips, unit: "pixels", count: countLabels, pixelLabels: ({ labels }) => labels };
}

function objectChips(chips: ChipSource<ObjectChip>): LabelledChips<ObjectChip> {
  return { chips, unit: "objects", count: countObjects, pixelLabels: null };
}

function tileChips(chips: ChipSource<TileChip>): LabelledChips<TileChip> {
  return { chips, unit: "chips", count: countTiles, pixelLabels: null };
}

/**
 * The task a chip folder's labels are made for.
 *
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT; TASK_MISMATCH for chips without labels
 * @example
 * const task = await chipFolderTask("chips"); // "pixelClassification"
 */
export async function chipFolderTask(folder: string): Promise<Task> {
  const { metaDataMode } = await readFolderContent(folder);
  const format = Object.values(FORMATS).find(({ mode }) => mode === metaDataMode);
  const task = format === FORMATS.rcnnMasks ? "instanceSegmentation" : format && TASKS[format.holds];
  if (task) return task;
  throw new GeoLearnError("TASK_MISMATCH", `The chips in ${folder} (${metaDataMode}) hold no labels of a task that is trained.`, {
    hint: "Export chips with labels: classified tiles, RCNN masks, PASCAL VOC, KITTI, labeled tiles.",
    data: { folder, metaDataMode },
  });
}

/** What is learnt from each kind of labels. */
const TASKS: Readonly<Record<FolderFormat["holds"], Task | null>> = {
  pixels: "pixelClassification",
  objects: "objectDetection",
  class: "objectClassification",
  classes: "objectClassification",
  nothing: null,
};

/** Opens a folder, does some work on its chips and closes it. @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, TASK_MISMATCH */
export async function withChipFolder<R>(
  folder: string,
  options: ChipFolderOptions,
  work: <C extends ChipImage>(opened: LabelledChips<C>, format: string) => Promise<R>,
): Promise<R> {
  const { metaDataMode } = await readFolderContent(folder);
  const using = async <C extends ChipImage>(opened: LabelledChips<C>): Promise<R> => {
    try {
      return await work(opened, metaDataMode);
    } finally {
      await opened.chips.close();
    }
  };
  if (metaDataMode === FORMATS.classifiedTiles.mode) return using(pixelChips(await openChipFolder(folder, options)));
  const format = Object.values(FORMATS).find(({ mode }) => mode === metaDataMode);
  if (format?.holds === "class" || format?.holds === "classes") return using(tileChips(await openTileChips(folder, options)));
  return using(objectChips(await openObjectChips(folder, options)));
}
