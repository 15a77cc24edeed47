/** What the metadata of a chip folder say: which chips it has, in which layout, with which classes. */

import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";

import { readAccumulatedClasses } from "../esri/accumulated-stats.ts";
import { parseJsonObject, readTextFile } from "../esri/json.ts";
import { type MapRow, parseMapFile } from "../esri/map-file.ts";
import { defaultColor, type ModelDefinition, parseModelDefinition } from "../esri/model-definition.ts";
import { FORMATS } from "../formats/formats.ts";

/** What a folder's metadata say. */
export interface FolderContent {
  readonly folder: string;
  readonly metaDataMode: string;
  readonly rows: readonly MapRow[];
  readonly definition: ModelDefinition;
  /** Files that were found, for messages. */
  readonly found: readonly string[];
}

const EMPTY_DEFINITION: ModelDefinition = {
  metaDataMode: null,
  classes: [],
  bandNames: [],
  cellSize: null,
  boundingBoxes: false,
  size: null,
  geolearn: null,
};

/**
 * Reads the metadata of a chip folder. Numbers in `stats.txt` are not trusted: folders are copied and cut.
 *
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT saying what was looked for and found
 */
export async function readFolderContent(folder: string): Promise<FolderContent> {
  const listing = await readdir(folder).catch((error: Error) => {
    throw new GeoLearnError("FILE_NOT_FOUND", `The chip folder ${folder} cannot be read: ${error.message}`, {
      hint: "Export chips first: geolearn export-training-data --raster ... --labels ... --out chips.",
      data: { folder },
      cause: error,
    });
  });
  const definitionPath = join(
    folder,
    listing.find((name) => name.toLowerCase() === "esri_model_definition.emd") ?? "esri_model_definition.emd",
  );
  const accumulatedPath = join(folder, "esri_accumulated_stats.json");
  const [definitionText, accumulatedText, mapText] = await Promise.all(
    [definitionPath, accumulatedPath, join(folder, "map.txt")].map((path) => readTextFile(path)),
  );
  const definition =
    typeof definitionText === "string"
      ? parseModelDefinition(parseJsonObject(definitionText, definitionPath), definitionPath)
      : EMPTY_DEFINITION;
  const accumulated =
    typeof accumulatedText === "string"
      ? readAccumulatedClasses(parseJsonObject(accumulatedText, accumulatedPath))
      : { mode: null, classes: [] };
  const rows = typeof mapText === "string" ? parseMapFile(mapText, join(folder, "map.txt")) : await pairByStem(folder, listing);
  if (rows.length === 0) {
    throw new GeoLearnError(
      "CHIPS_CORRUPT",
      `${folder} is no chip folder: map.txt names no chip, and no image has a label file of the same name.`,
      {
        hint: `It holds ${listing.slice(0, 8).join(", ") || "nothing"}. Export chips first, or name the folder that holds images/ and labels/.`,
        data: { folder },
      },
    );
  }
  const classes = definition.classes.length > 0 ? definition.classes : fromAccumulated(accumulated.classes);
  return {
    folder,
    metaDataMode: definition.metaDataMode ?? accumulated.mode ?? modeOf(rows),
    rows,
    definition: { ...definition, classes },
    found: listing,
  };
}

/** Mode by the kind of label files, for exports that do not name it. */
function modeOf(rows: readonly MapRow[]): string {
  const { label, image } = rows[0]!;
  if (label === "") return image.startsWith("images/") && image.split("/").length === 2 ? FORMATS.exportTiles.mode : FORMATS.imagenet.mode;
  const extension = extname(label).toLowerCase();
  if (extension === ".xml") return FORMATS.pascalVoc.mode;
  if (extension === ".txt") return FORMATS.kitti.mode;
  if (label.startsWith("images")) return FORMATS.exportTiles.mode;
  return /^labels\/\d+\//.test(label) ? FORMATS.rcnnMasks.mode : FORMATS.classifiedTiles.mode;
}

function fromAccumulated(classes: readonly { readonly value: number; readonly name: string }[]): ClassDefinition[] {
  return classes.map(({ value, name }, index) => ({ value, name, color: defaultColor(value, index) }));
}

/** Without map.txt: files of the same stem in images/ and labels/ (or its folders), or side by side in the folder itself. */
async function pairByStem(folder: string, listing: readonly string[]): Promise<MapRow[]> {
  const below = async (path: string): Promise<string[]> => {
    const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map(({ name }) => `${path}/${name}`);
  };
  const labelEntries = await readdir(join(folder, "labels"), { withFileTypes: true }).catch(() => []);
  const classFolders = labelEntries.filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name)).map(({ name }) => `labels/${name}`);
  const labels = (await Promise.all(["labels", ...classFolders].map(below))).flat();
  const inFolders = pairs(
    await below("images"),
    labels.filter((path) => /\.(tiff?|png|xml|txt)$/i.test(path)),
  );
  if (inFolders.length > 0) return inFolders;
  const sideBySide = pairs(
    listing,
    listing.filter((path) => /\.(xml|txt)$/i.test(path)),
  );
  if (sideBySide.length > 0) return sideBySide;
  return (await classFolderImages(folder, "images/")) ?? (await classFolderImages(folder, "")) ?? [];
}

/** Images in at least two folders beside each other: one per class. Null when there are none. */
async function classFolderImages(folder: string, below: string): Promise<MapRow[] | null> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
  const rows: MapRow[] = [];
  let folders = 0;
  for (const { name } of entries.filter((entry) => entry.isDirectory() && !["images", "labels"].includes(entry.name))) {
    const images = (await readdir(join(folder, below, name))).filter((file) => IMAGE.test(file)).sort();
    if (images.length > 0) folders++;
    rows.push(...images.map((file) => ({ image: `${below}${name}/${file}`, label: "" })));
  }
  return folders >= 2 ? rows : null;
}

const IMAGE = /\.(tiff?|png|jpe?g)$/i;

function pairs(images: readonly string[], labels: readonly string[]): MapRow[] {
  const byStem = new Map<string, string[]>();
  for (const label of labels) byStem.set(stemOf(label), [...(byStem.get(stemOf(label)) ?? []), label]);
  return images
    .filter((path) => IMAGE.test(path))
    .sort()
    .flatMap((image) => (byStem.get(stemOf(image)) ?? []).sort().map((label) => ({ image, label })));
}

/** File name without folder and extension. */
export function stemOf(path: string): string {
  const file = basename(path);
  return file.slice(0, file.length - extname(file).length);
}
