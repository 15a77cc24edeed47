/** Chips with labelled objects in a folder: boxes (PASCAL VOC, KITTI, YOLO), masks (RCNN_Masks) or both (COCO, YOLO with outlines), ours, ArcGIS' or others'. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { type Affine, applyAffine, type ClassDefinition, GeoLearnError, type OnWarning, rasterize } from "@geolearn/core";

import { FORMATS } from "../formats/formats.ts";
import type { ReadBox } from "../formats/read-box.ts";
import { readMask } from "../formats/rcnn-masks.ts";
import { runPixels } from "../formats/run-lengths.ts";
import { type Box, clipBox } from "../objects/box.ts";
import type { ChipObject } from "../objects/chip-object.ts";
import { maskFromPixels, type ObjectMask } from "../objects/object-mask.ts";
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
import { type LabelNames, labelNames, namesIdentity } from "./label-names.ts";
import { readLabels } from "./label-texts.ts";

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
    const chips = await maskChips(content);
    return openFolder(content, chips, options, async () => maskLabels(content, chips));
  }
  if (content.coco !== null) return openBoxes(content, await cocoChips(content), options);
  if (format === undefined || format.readBoxes === null) {
    const named = Object.values(FORMATS).filter(({ readBoxes }) => readBoxes !== null);
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `${folder} holds chips of the format ${content.metaDataMode}; objects need RCNN_Masks, ${[...new Set(named.map(({ mode }) => mode)), "COCO"].join(" or ")}.`,
      { hint: 'Export the labels as `format: "rcnnMasks"` or `"pascalVoc"`.', data: { folder, format: content.metaDataMode } },
    );
  }
  const { readBoxes } = format;
  const chips = singleLabels(content);
  const paths = chips.map(({ labels: [label] }) => (label === undefined ? null : join(folder, label)));
  const boxes = await readLabels(paths, readBoxes, []);
  return openBoxes(content, { chips, boxes, relative: format.relative === true }, options);
}

/** Chips and the labels of each as they were read. */
interface BoxChips {
  readonly chips: readonly FolderChip[];
  readonly boxes: readonly (readonly ReadBox[])[];
  /** Whether classes are positions and boxes shares of the image. */
  readonly relative: boolean;
  readonly crowds?: number;
}

/** The images of a COCO file by name. */
async function cocoChips({ coco }: FolderContent): Promise<BoxChips> {
  const images = coco!.images.toSorted((a, b) => (stemOf(a.file) < stemOf(b.file) ? -1 : 1));
  return {
    // the file counts for the version of every chip
    chips: images.map(({ file }) => ({ image: file, labels: [coco!.source] })),
    boxes: images.map(({ boxes }) => boxes),
    relative: false,
    crowds: coco!.crowds,
  };
}

async function openBoxes(content: FolderContent, read: BoxChips, options: ObjectFolderOptions): Promise<ChipSource<ObjectChip>> {
  const { folder, metaDataMode } = content;
  const { masks, onWarning } = options;
  if (masks === true && read.boxes.some((list) => list.some(({ rings, runs }) => rings === undefined && runs === undefined))) {
    throw new GeoLearnError("TASK_MISMATCH", `${folder} holds boxes (${metaDataMode}); instance segmentation needs masks.`, {
      hint: 'Export the labels as `format: "rcnnMasks"`, or use `task: "objectDetection"`.',
      data: { folder, format: metaDataMode },
    });
  }
  if (read.crowds !== undefined && read.crowds > 0) {
    onWarning?.({
      code: "CROWDS_LEFT_OUT",
      message: `${folder}: ${read.crowds} annotations of crowds are no single objects and are left out.`,
    });
  }
  return openFolder(content, read.chips, options, async (first) => boxLabels(content, read, first, onWarning));
}

function boxLabels(
  { folder, definition }: FolderContent,
  { boxes, relative }: BoxChips,
  { width, height }: ChipImage,
  onWarning: OnWarning | undefined,
): FolderLabels<ObjectChip> {
  const texts = boxes.flat().map(({ label }) => label);
  const names = relative ? classPositions(texts, definition.classes, folder) : labelNames(texts, definition.classes, folder);
  const { classes, valueOf } = names;
  const seen = { clipped: 0, empty: 0, outside: 0 };
  const scale: Affine = relative ? [width, 0, 0, 0, height, 0] : [1, 0, 0, 0, 1, 0];
  const objects = boxes.map((list) =>
    list.flatMap((read): PlacedBox[] => {
      const [xmin, ymin, xmax, ymax] = read.box;
      const box: Box = [...applyAffine(scale, xmin, ymin), ...applyAffine(scale, xmax, ymax)];
      const inside = placeBox(box, width, height, seen);
      return inside === null ? [] : [{ read, classValue: valueOf.get(read.label)!, box: inside }];
    }),
  );
  const total = boxes.reduce((sum, list) => sum + list.length, 0);
  const warn = (code: string, count: number, what: string): void => {
    if (count > 0)
      onWarning?.({
        code,
        message: `${folder}: ${count} of ${total} boxes ${what}.`,
        hint: "Look at the chips: `data.showBatch()` draws their boxes.",
      });
  };
  warn("BOXES_CLIPPED", seen.clipped, "reach out of their chip and are clipped");
  warn("BOXES_OUTSIDE", seen.outside, "lie outside their chip and are left out");
  warn("BOXES_WITHOUT_SIZE", seen.empty, "have no size and are left out");
  return {
    classes,
    identity: namesIdentity(names),
    async add(image, index) {
      const placed = objects[index]!.map(({ read, classValue, box }) => ({
        classValue,
        box,
        mask: maskOf(read, scale, width, height, folder),
      }));
      return { ...(await image), objects: placed };
    },
  };
}

interface PlacedBox {
  readonly read: ReadBox;
  readonly classValue: number;
  readonly box: Box;
}

/** The pixels of an outline or of run lengths; null for a box alone. @throws CHIPS_MISMATCH for run lengths of another size */
function maskOf({ rings, runs }: ReadBox, scale: Affine, width: number, height: number, folder: string): ObjectMask | null {
  if (runs !== undefined) {
    if (runs.width === width && runs.height === height) return maskFromPixels(runPixels(runs), width);
    throw new GeoLearnError(
      "CHIPS_MISMATCH",
      `${folder}: run lengths are of ${runs.width} x ${runs.height} pixels, the chips of ${width} x ${height}.`,
      {
        hint: "Export the chips again.",
        data: { folder },
      },
    );
  }
  if (rings === undefined) return null;
  // each ring is a part of its own, as COCO has it
  const parts = rings.map((ring) => [[...ring, ring[0]!].map(([x, y]) => [...applyAffine(scale, x, y)])]);
  const burnt = rasterize(
    parts.map((coordinates) => ({ geometry: { type: "Polygon" as const, coordinates }, value: 1 })),
    {
      width,
      height,
      transform: [1, 0, 0, 0, 1, 0],
      out: new Uint8Array(width * height),
    },
  );
  const pixels: number[] = [];
  burnt.forEach((value, i) => value === 1 && pixels.push(i));
  return maskFromPixels(pixels, width);
}

/** Classes by their positions. @throws CLASS_UNKNOWN for a position beyond the list */
function classPositions(texts: Iterable<string>, declared: readonly ClassDefinition[], folder: string): LabelNames {
  const distinct = [...new Set(texts)];
  if (declared.length === 0) return labelNames(distinct, [], folder);
  const beyond = distinct.find((text) => Number(text) >= declared.length);
  if (beyond === undefined) return { classes: declared, valueOf: new Map(distinct.map((text) => [text, declared[Number(text)]!.value])) };
  throw new GeoLearnError("CLASS_UNKNOWN", `${folder}: the labels name class ${beyond}; the class list has ${declared.length}, from 0.`, {
    hint: "Correct data.yaml or the label files.",
    data: { class: beyond },
  });
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

/** The chips of a layout with a mask per class. map.txt has a row per mask, or one per chip: the class folders tell what there is. */
async function maskChips({ folder, rows }: FolderContent): Promise<FolderChip[]> {
  const entries = await readdir(join(folder, "labels"), { withFileTypes: true }).catch(() => []);
  const masks = new Map<string, string[]>();
  for (const { name } of entries.filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))) {
    for (const file of await readdir(join(folder, "labels", name))) {
      if (/\.(tiff?|png)$/i.test(file)) masks.set(stemOf(file), [...(masks.get(stemOf(file)) ?? []), `labels/${name}/${file}`]);
    }
  }
  const byStem = new Map<string, { image: string; labels: string[] }>();
  for (const { image, label } of rows) {
    const chip = byStem.get(stemOf(image)) ?? { image, labels: [...(masks.get(stemOf(image)) ?? [])] };
    // a name without a class folder stands for those in the folders, if there are any
    const known = chip.labels.includes(label) || (chip.labels.length > 0 && classFolder(label) === null);
    if (!known) chip.labels.push(label);
    byStem.set(stemOf(image), chip);
  }
  for (const { labels } of byStem.values()) labels.sort(byClass);
  return [...byStem].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, chip]) => chip);
}

function byClass(a: string, b: string): number {
  return Number(classFolder(a)) - Number(classFolder(b));
}

/** Class values by the folders masks lie in. */
function maskLabels({ folder, definition }: FolderContent, chips: readonly FolderChip[]): FolderLabels<ObjectChip> {
  const folders = new Set(chips.flatMap(({ labels }) => labels.map((path) => classFolder(path) ?? ONLY_CLASS)));
  const { classes, valueOf } = labelNames(folders, definition.classes, folder);
  return {
    classes,
    async add(reading, index, signal) {
      const { image: file, labels } = chips[index]!;
      const masks = labels.map(async (label): Promise<ChipObject[]> => {
        const path = join(folder, label);
        const pixels = await readSamples(path, "label", signal);
        checkLabelSize(await reading, pixels, join(folder, file), path);
        return readMask(pixels.data, pixels.width, valueOf.get(classFolder(label) ?? ONLY_CLASS)!, path);
      });
      return { ...(await reading), objects: (await Promise.all(masks)).flat() };
    },
  };
}

/** Class of masks that lie in no folder. */
const ONLY_CLASS = "1";

/** The folder below labels/ a mask lies in, or null. */
function classFolder(label: string): string | null {
  return /^labels\/([^/]+)\//.exec(label)?.[1] ?? null;
}
