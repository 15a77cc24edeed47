/** What the metadata of a chip folder say: which chips it has, in which layout, with which classes. */

import { readdir } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";

import { readAccumulatedClasses } from "../esri/accumulated-stats.ts";
import { parseJsonObject, readTextFile } from "../esri/json.ts";
import { type MapRow, parseMapFile } from "../esri/map-file.ts";
import { defaultColor, type ModelDefinition, parseModelDefinition } from "../esri/model-definition.ts";
import { COCO_FILE, type CocoContent, isCoco, readCoco } from "../formats/coco.ts";
import { FORMATS } from "../formats/formats.ts";
import { readKitti } from "../formats/kitti.ts";
import { readYoloNames, YOLO_FILES } from "../formats/yolo.ts";
import { SPLIT_FILE } from "../split/split-file.ts";
import { STATISTICS_FILE } from "./statistics-file.ts";

/** What a folder's metadata say. */
export interface FolderContent {
  readonly folder: string;
  readonly metaDataMode: string;
  readonly rows: readonly MapRow[];
  readonly definition: ModelDefinition;
  /** Annotations of the whole folder, where they stand in one file. */
  readonly coco: CocoFolder | null;
  /** Images that are no chips, because no label file has their name; only where names pair the two. */
  readonly unpaired: number;
  /** Files that were found, for messages. */
  readonly found: readonly string[];
}

/** A COCO file and its name below the folder. */
interface CocoFolder extends CocoContent {
  readonly source: string;
}

const EMPTY_DEFINITION: ModelDefinition = {
  metaDataMode: null,
  classes: [],
  bandNames: [],
  cellSize: null,
  boundingBoxes: false,
  blackened: false,
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
  // files of other formats say nothing in a folder whose metadata name its own
  const mode = definition.metaDataMode ?? accumulated.mode;
  const coco = mode === null || mode === FORMATS.coco.mode ? await findCoco(folder, listing) : null;
  const yolo = mode === null || mode === FORMATS.yolo.mode ? listing.find((name) => YOLO_FILES.includes(name)) : undefined;
  if (coco !== null) return cocoFolder(folder, coco, definition, listing);
  const byName = typeof mapText !== "string" && yolo === undefined;
  const rows =
    typeof mapText === "string"
      ? parseMapFile(mapText, join(folder, "map.txt"))
      : byName
        ? await pairByStem(folder, listing)
        : await yoloRows(folder);
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
  const named = yolo === undefined ? [] : readYoloNames((await readTextFile(join(folder, yolo))) ?? "", join(folder, yolo));
  const classes = [definition.classes, fromAccumulated(accumulated.classes), named].find((list) => list.length > 0) ?? [];
  return {
    folder,
    metaDataMode: mode ?? (yolo === undefined ? modeOf(rows) : FORMATS.yolo.mode),
    rows,
    coco: null,
    definition: { ...definition, classes },
    unpaired: byName ? await unpairedImages(folder, rows) : 0,
    found: listing,
  };
}

/** The COCO file of a folder, or null: `annotations.json`, or the only JSON of that kind in the folder or in annotations/. */
async function findCoco(folder: string, listing: readonly string[]): Promise<CocoFolder | null> {
  const open = async (name: string): Promise<CocoFolder | null> => {
    const path = join(folder, name);
    const text = await readTextFile(path);
    const json = text === null ? null : parseJsonObject(text, path);
    return json !== null && isCoco(json) ? { ...readCoco(json, path), source: name } : null;
  };
  if (listing.includes(COCO_FILE)) return open(COCO_FILE);
  if (listing.includes("map.txt")) return null;
  const below = (await readdir(join(folder, "annotations")).catch(() => [] as string[])).map((name) => `annotations/${name}`);
  const candidates = [...listing, ...below].filter((name) => name.endsWith(".json") && !OWN_JSON.has(name));
  const found: CocoFolder[] = [];
  for (const name of candidates) {
    const coco = await open(name).catch((error: unknown) => {
      // any other JSON may lie here; one that is COCO's but damaged is reported
      if (GeoLearnError.is(error, "CHIPS_CORRUPT") && error.message.includes("JSON")) return null;
      throw error;
    });
    if (coco !== null) found.push(coco);
  }
  if (found.length <= 1) return found[0] ?? null;
  throw new GeoLearnError("CHIPS_CORRUPT", `${folder} holds ${found.length} COCO files: ${found.map(({ source }) => source).join(", ")}.`, {
    hint: `Put each into a folder of its own, or name the one to use ${COCO_FILE}.`,
    data: { folder },
  });
}

/** JSON files beside chips that are no annotations. */
const OWN_JSON = new Set(["esri_accumulated_stats.json", SPLIT_FILE, STATISTICS_FILE]);

/** Images of a COCO file, in the folder itself or in images/. */
async function cocoFolder(folder: string, coco: CocoFolder, definition: ModelDefinition, found: readonly string[]): Promise<FolderContent> {
  const inImages = new Set(await readdir(join(folder, "images")).catch(() => [] as string[]));
  const images = coco.images.map(({ file, boxes }) => ({ file: inImages.has(file) ? `images/${file}` : file, boxes }));
  if (images.length === 0) {
    throw new GeoLearnError("CHIPS_CORRUPT", `${folder}: the COCO file names no image.`, {
      hint: "Export the chips again.",
      data: { folder },
    });
  }
  return {
    folder,
    metaDataMode: FORMATS.coco.mode,
    rows: images.map(({ file }) => ({ image: file, label: "" })),
    definition: { ...definition, classes: definition.classes.length > 0 ? definition.classes : coco.classes },
    coco: { ...coco, images },
    unpaired: 0,
    found,
  };
}

/** Images of a YOLO folder with their texts; an image without one shows no object. */
async function yoloRows(folder: string): Promise<MapRow[]> {
  const files = async (below: string): Promise<string[]> => {
    const entries = await readdir(join(folder, below), { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) =>
        join(parentPath, name)
          .slice(folder.length + 1)
          .replaceAll("\\", "/"),
      );
  };
  const labels = new Set(await files("labels"));
  return (await files("images"))
    .filter((path) => IMAGE.test(path))
    .sort()
    .map((image) => {
      const label = image.replace(/^images/, "labels").replace(/\.[^.]*$/, ".txt");
      return { image, label: labels.has(label) ? label : "" };
    });
}

/**
 * True for a folder that holds chips: metadata of a layout, images/ beside labels/, images with label files of their names beside them, or no
 * image but folders of them, one per class.
 */
export async function isChipFolder(folder: string): Promise<boolean> {
  const listing = await readdir(folder).catch(() => [] as string[]);
  const files = ["map.txt", "esri_model_definition.emd", COCO_FILE, "_annotations.coco.json", ...YOLO_FILES];
  if (files.some((name) => listing.includes(name)) || (listing.includes("images") && listing.includes("labels"))) return true;
  const rows = await pairByStem(folder, listing);
  if (rows.every(({ label }) => label === "")) return rows.length > 0 && !listing.some((name) => IMAGE.test(name));
  for (const { label } of rows) {
    const path = join(folder, label);
    const text = ((await readTextFile(path)) ?? "").trim();
    if (text !== "") return isLabelText(text, path);
  }
  return false;
}

/** Whether a text beside an image tells objects; rasters have other texts of their names beside them, such as metadata. */
function isLabelText(text: string, path: string): boolean {
  // only declarations and comments may stand before the root
  if (extname(path).toLowerCase() === ".xml") return /^<annotation\b/.test(text.replace(/<[?!][^>]*>/g, "").trimStart());
  try {
    return readKitti(text, path).length > 0;
  } catch (error) {
    if (GeoLearnError.is(error, "CHIPS_CORRUPT")) return false;
    throw error;
  }
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

/** Images beside those of rows whose name no row has. */
async function unpairedImages(folder: string, rows: readonly MapRow[]): Promise<number> {
  const named = new Map<string, Set<string>>();
  for (const { image } of rows) named.set(dirname(image), (named.get(dirname(image)) ?? new Set()).add(stemOf(image)));
  let count = 0;
  for (const [below, stems] of named) {
    const files = await readdir(join(folder, below));
    count += new Set(files.filter((file) => IMAGE.test(file) && !stems.has(stemOf(file))).map(stemOf)).size;
  }
  return count;
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
