/** Chips with labelled objects in a folder: boxes (PASCAL VOC, KITTI) or masks (RCNN_Masks), ours, ArcGIS' or others'. */

import { join } from "node:path";

import { GeoLearnError, type OnWarning } from "@geolearn/core";

import { readTextFile } from "../esri/json.ts";
import { FORMATS } from "../formats/formats.ts";
import type { ReadBox } from "../formats/read-box.ts";
import { readMask } from "../formats/rcnn-masks.ts";
import { type Box, clipBox } from "../objects/box.ts";
import type { ChipObject } from "../objects/chip-object.ts";
import type { ChipImage, ChipSource, ObjectChip } from "./chip.ts";
import { type FolderContent, readFolderContent, stemOf } from "./folder-content.ts";
import {
  checkLabelSize,
  type ChipFolderOptions,
  type FolderChip,
  type FolderLabels,
  openFolder,
  readSamples,
  singleLabels,
} from "./folder-source.ts";
import { labelNames } from "./label-names.ts";
import { inTurns, missingLabel } from "./label-texts.ts";

/** Options of {@link openObjectChips}. */
export interface ObjectFolderOptions extends ChipFolderOptions {
  /** Masks must be there. @defaultValue false */
  readonly masks?: boolean;
}

/**
 * Opens a folder of chips with objects; `read(index)` gives a chip's image and its objects. The layout is told by the folder's
 * metadata or, without them, by its label files; numbers in `stats.txt` are never trusted.
 *
 * Boxes that reach out of their chip are clipped, and those that lie outside or have no size are left out; both are counted in
 * one warning each.
 *
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, CLASS_UNKNOWN, TASK_MISMATCH for layouts without objects
 * @example
 * const chips = await openObjectChips("palms");
 * const { image, objects } = await chips.read(0); // objects: { classValue: 1, box: [244.95, 341.68, 320.21, 416.94], mask: null }
 */
export async function openObjectChips(folder: string, options: ObjectFolderOptions = {}): Promise<ChipSource<ObjectChip>> {
  const content = await readFolderContent(folder);
  const format = Object.values(FORMATS).find(({ mode }) => mode === content.metaDataMode);
  if (format === FORMATS.rcnnMasks) {
    const chips = groupedLabels(content);
    return openFolder(content, chips, options, async () => maskLabels(content, chips));
  }
  if (format === undefined || format.readBoxes === null) {
    const named = Object.values(FORMATS).filter(({ readBoxes }) => readBoxes !== null);
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `${folder} holds chips of the format ${content.metaDataMode}; objects need RCNN_Masks, ${named.map(({ mode }) => mode).join(" or ")}.`,
      { hint: 'Export the labels as `format: "rcnnMasks"` or `"pascalVoc"`.', data: { folder, format: content.metaDataMode } },
    );
  }
  if (options.masks === true) {
    throw new GeoLearnError("TASK_MISMATCH", `${folder} holds boxes (${content.metaDataMode}); instance segmentation needs masks.`, {
      hint: 'Export the labels as `format: "rcnnMasks"`, or use `task: "objectDetection"`.',
      data: { folder, format: content.metaDataMode },
    });
  }
  const { readBoxes } = format;
  const chips = singleLabels(content);
  const boxes = await inTurns(chips, async ({ labels }) => {
    const path = join(folder, labels[0]!);
    const text = await readTextFile(path);
    if (text === null) throw missingLabel(path);
    return readBoxes(text, path);
  });
  return openFolder(content, chips, options, async (first) => boxLabels(content, boxes, first, options.onWarning));
}

function boxLabels(
  { folder, definition }: FolderContent,
  boxes: readonly (readonly ReadBox[])[],
  { width, height }: ChipImage,
  onWarning: OnWarning | undefined,
): FolderLabels<ObjectChip> {
  const { classes, valueOf } = labelNames(
    boxes.flat().map(({ label }) => label),
    definition.classes,
    folder,
  );
  const seen = { clipped: 0, empty: 0, outside: 0 };
  const objects = boxes.map((list) =>
    list.flatMap(({ label, box }): ChipObject[] => {
      const inside = placeBox(box, width, height, seen);
      return inside === null ? [] : [{ classValue: valueOf.get(label)!, box: inside, mask: null }];
    }),
  );
  const total = boxes.reduce((sum, list) => sum + list.length, 0);
  const warn = (code: string, count: number, what: string): void => {
    if (count > 0)
      onWarning?.({
        code,
        message: `${folder}: ${count} of ${total} boxes ${what}.`,
        hint: "Look at the chips: info and showBatch draw them.",
      });
  };
  warn("BOXES_CLIPPED", seen.clipped, "reach out of their chip and are clipped");
  warn("BOXES_OUTSIDE", seen.outside, "lie outside their chip and are left out");
  warn("BOXES_WITHOUT_SIZE", seen.empty, "have no size and are left out");
  return { classes, add: async (image, index) => ({ ...(await image), objects: objects[index]! }) };
}

/** Annotators round to whole or half pixels beyond the border. */
const ROUNDING = 1;

/** A box on its chip, or null; what had to be done is counted. */
function placeBox(box: Box, width: number, height: number, seen: { clipped: number; empty: number; outside: number }): Box | null {
  const [xmin, ymin, xmax, ymax] = box;
  if (!(xmax > xmin && ymax > ymin)) {
    seen.empty++;
    return null;
  }
  const inside = clipBox(box, width, height);
  if (inside === null) seen.outside++;
  else if (xmin < -ROUNDING || ymin < -ROUNDING || xmax > width + ROUNDING || ymax > height + ROUNDING) seen.clipped++;
  return inside;
}

/** The chips of a layout with a label file per class; map.txt has a row per file, or one per chip. */
function groupedLabels({ rows }: FolderContent): FolderChip[] {
  const byStem = new Map<string, { image: string; labels: string[] }>();
  for (const { image, label } of rows) {
    const known = byStem.get(stemOf(image));
    if (known === undefined) byStem.set(stemOf(image), { image, labels: [label] });
    else known.labels.push(label);
  }
  return [...byStem].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, chip]) => chip);
}

/** Class values by the folders masks lie in. */
function maskLabels({ folder, definition }: FolderContent, chips: readonly FolderChip[]): FolderLabels<ObjectChip> {
  const folders = new Set(chips.flatMap(({ labels }) => labels.map((path) => classFolder(path))));
  const { classes, valueOf } = labelNames(folders, definition.classes, folder);
  return {
    classes,
    async add(reading, index, signal) {
      const { image: file, labels } = chips[index]!;
      const masks = labels.map(async (label): Promise<ChipObject[]> => {
        const path = join(folder, label);
        const pixels = await readSamples(path, "label", signal);
        checkLabelSize(await reading, pixels, join(folder, file), path);
        return readMask(pixels.data, pixels.width, valueOf.get(classFolder(label))!, path);
      });
      return { ...(await reading), objects: (await Promise.all(masks)).flat() };
    },
  };
}

/** The folder below labels/ a mask lies in; class 1 for masks without one. */
function classFolder(label: string): string {
  return /^labels\/([^/]+)\//.exec(label)?.[1] ?? "1";
}
