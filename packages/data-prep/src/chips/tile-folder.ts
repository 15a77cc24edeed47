/** Chips that as a whole have a class, or several: Labeled_Tiles, MultiLabeled_Tiles, and folders of images per class. */

import { join } from "node:path";

import { type CropManner, GeoLearnError } from "@geolearn/core";

import { FORMATS } from "../formats/formats.ts";
import { readTileClasses } from "../formats/labeled-tiles.ts";
import { classFolder } from "../formats/imagenet.ts";
import type { ChipSource, TileChip } from "./chip.ts";
import { type FolderContent, readFolderContent } from "./folder-content.ts";
import { type ChipFolderOptions, type FolderChip, openFolder, singleLabels } from "./folder-source.ts";
import { readLabels } from "./label-texts.ts";
import { labelNames, namesIdentity } from "./label-names.ts";

/** Chips with classes. */
export interface TileSource extends ChipSource<TileChip> {
  /** Whether a chip may have several classes, or none. */
  readonly several: boolean;
  /** How the chips lie around their features; null where nothing tells that they were cut around any. */
  readonly crop: CropManner | null;
}

/**
 * Opens a folder of chips with a class each, or several.
 *
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, CLASS_UNKNOWN, TASK_MISMATCH for other layouts
 */
export async function openTileChips(folder: string, options: ChipFolderOptions = {}): Promise<TileSource> {
  const content = await readFolderContent(folder);
  const format = Object.values(FORMATS).find(({ mode }) => mode === content.metaDataMode);
  if (format === undefined || (format.holds !== "class" && format.holds !== "classes")) {
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `${folder} holds chips of the format ${content.metaDataMode}; classes of whole chips need Labeled_Tiles, MultiLabeled_Tiles or Imagenet.`,
      { hint: 'Export the labels as `format: "labeledTiles"`.', data: { folder, format: content.metaDataMode } },
    );
  }
  const several = format.holds === "classes";
  const chips = format.classFolders === undefined ? singleLabels(content) : folderChips(content);
  const texts =
    format.classFolders === undefined
      ? await readLabels(
          chips.map(({ labels }) => join(folder, labels[0]!)),
          (text, path) => onlyIf(!several, readTileClasses(text, path, several), path),
          [],
        )
      : chips.map(({ image }) => [image.split("/").at(-2)!]);
  const names = labelNames(texts.flat(), namedAsFolders(content, format.classFolders !== undefined), folder);
  const { classes, valueOf } = names;
  const values = texts.map((list) => [...new Set(list.map((text) => valueOf.get(text)!))].sort((a, b) => a - b));
  const own = { ...options, size: options.size ?? (content.definition.boundingBoxes ? sizeOf(content) : undefined) };
  const source = await openFolder(content, chips, own, async () => ({
    classes: content.definition.classes.length > 0 ? content.definition.classes : classes,
    identity: namesIdentity(names),
    add: async (image, index) => ({ ...(await image), classValues: values[index]! }),
  }));
  return { ...source, several, crop: cropOf(content, format.around === "features") };
}

/** An export's own file tells; folders of images that came without one were cut nobody knows how. */
function cropOf({ definition: { metaDataMode, boundingBoxes, blackened } }: FolderContent, aroundFeatures: boolean): CropManner | null {
  if (!aroundFeatures || metaDataMode === null) return null;
  return { mode: boundingBoxes ? "boundingBox" : "fixedSize", blacken: blackened };
}

/** @throws CHIPS_CORRUPT for a chip without a class, or with several, where each has one */
function onlyIf(one: boolean, classes: string[], path: string): string[] {
  if (!one || classes.length === 1) return classes;
  throw new GeoLearnError("CHIPS_CORRUPT", `${path} names ${classes.length} classes; expected one.`, {
    hint: "Chips of several classes are MultiLabeled_Tiles: say so in the .emd's MetaDataMode.",
    data: { path, classes },
  });
}

/** Chips named by folder and file, so that equal files of two classes differ. */
function folderChips({ rows }: FolderContent): FolderChip[] {
  const chips = rows.map(({ image }) => {
    const [file, folder] = image.split("/").reverse();
    return { image, labels: [], name: `${folder}/${file!.replace(/\.[^.]*$/, "")}` };
  });
  return chips.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Classes as their folders call them. */
function namedAsFolders({ definition }: FolderContent, folders: boolean): FolderContent["definition"]["classes"] {
  return folders ? definition.classes.map((entry) => ({ ...entry, name: classFolder(entry.name) })) : definition.classes;
}

/** Size chips of bounding boxes get. @throws CHIPS_MISMATCH when nothing tells it */
function sizeOf({ folder, definition }: FolderContent): NonNullable<ChipFolderOptions["size"]> {
  if (definition.size !== null) return definition.size;
  throw new GeoLearnError("CHIPS_MISMATCH", `${folder} holds chips as large as their objects, and its .emd names no size.`, {
    hint: "Say how large they become: `resizeTo: 64`.",
    data: { folder },
  });
}

/** Classes per chip, of which each counts once. */
export function countTiles({ classValues }: { readonly classValues: readonly number[] }): [value: number, chips: number][] {
  return classValues.map((value) => [value, 1]);
}
