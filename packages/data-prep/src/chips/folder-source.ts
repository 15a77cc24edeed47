/** Chips in a folder of Esri's layout, ours or ArcGIS'. */

import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";

import {
  type Affine,
  type BandInfo,
  type ClassDefinition,
  type Crs,
  GeoLearnError,
  imageBands,
  type OnWarning,
  openRaster,
  parseCrs,
  type SampleType,
  type Samples,
} from "@geolearn/core";

import { readAccumulatedClasses } from "../esri/accumulated-stats.ts";
import { parseJsonObject, readTextFile } from "../esri/json.ts";
import { type MapRow, parseMapFile } from "../esri/map-file.ts";
import { type ModelDefinition, parseModelDefinition } from "../esri/model-definition.ts";
import { defaultColor } from "../esri/model-definition.ts";
import { parseWorldFile, worldFileName } from "../esri/world-file.ts";
import { readCrsText } from "../split/footprint.ts";
import { type Chip, type ChipEntry, type ChipSource, IGNORE_VALUE, toShared } from "./chip.ts";

/** What a folder's metadata say. */
export interface FolderContent {
  readonly folder: string;
  readonly metaDataMode: string;
  readonly rows: readonly MapRow[];
  readonly definition: ModelDefinition;
  /** Files that were found, for messages. */
  readonly found: readonly string[];
}

const EMPTY_DEFINITION: ModelDefinition = { metaDataMode: null, classes: [], bandNames: [], cellSize: null, geolearn: null };

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
  const rows = typeof mapText === "string" ? parseMapFile(mapText, join(folder, "map.txt")) : await pairByStem(folder);
  if (rows.length === 0) {
    throw new GeoLearnError(
      "CHIPS_CORRUPT",
      `${folder} is no chip folder: map.txt names no chip and images/ and labels/ have no common stems.`,
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
  const extension = extname(rows[0]!.label).toLowerCase();
  if (extension === ".xml") return "PASCAL_VOC_rectangles";
  if (extension === ".txt") return "KITTI_rectangles";
  if (rows[0]!.label.startsWith("images")) return "Export_Tiles";
  return "Classified_Tiles";
}

function fromAccumulated(classes: readonly { readonly value: number; readonly name: string }[]): ClassDefinition[] {
  return classes.map(({ value, name }, index) => ({ value, name, color: defaultColor(value, index) }));
}

/** Without map.txt: files of the same stem in images/ and labels/. */
async function pairByStem(folder: string): Promise<MapRow[]> {
  const [images, labels] = await Promise.all(["images", "labels"].map((name) => readdir(join(folder, name)).catch(() => [] as string[])));
  const byStem = new Map<string, string>();
  for (const label of labels!) if (/\.(tiff?|png)$/i.test(label)) byStem.set(stemOf(label), label);
  const rows: MapRow[] = [];
  for (const image of images!.filter((name) => /\.(tiff?|png|jpe?g)$/i.test(name)).sort()) {
    const label = byStem.get(stemOf(image));
    if (label !== undefined) rows.push({ image: `images/${image}`, label: `labels/${label}` });
  }
  return rows;
}

function stemOf(path: string): string {
  const file = basename(path);
  return file.slice(0, file.length - extname(file).length);
}

/** Options of {@link openChipFolder}. */
export interface ChipFolderOptions {
  /** Put before the chips' names, for several folders. */
  readonly prefix?: string;
  readonly onWarning?: OnWarning | undefined;
}

/**
 * Opens a Classified_Tiles folder.
 *
 * @throws TASK_MISMATCH for other layouts, CHIPS_CORRUPT, CHIPS_MISMATCH
 */
export async function openChipFolder(folder: string, options: ChipFolderOptions = {}): Promise<ChipSource> {
  const content = await readFolderContent(folder);
  if (content.metaDataMode !== "Classified_Tiles") {
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `${folder} holds chips of the format ${content.metaDataMode}; pixel classification needs Classified_Tiles.`,
      { hint: 'Export the labels as `format: "classifiedTiles"`.', data: { folder, format: content.metaDataMode } },
    );
  }
  const rows = [...content.rows].sort((a, b) => (stemOf(a.image) < stemOf(b.image) ? -1 : 1));
  checkNames(rows, folder);
  const entries = await Promise.all(rows.map((row) => chipEntry(folder, row, options.prefix ?? "")));
  const reader = createReader(content, rows, options.onWarning);
  const first = await reader.read(0);
  const names = content.definition.bandNames;
  return {
    name: folder,
    width: first.width,
    height: first.height,
    bands: first.bands,
    bandNames: Array.from({ length: first.bands }, (_, band) => nameOfBand(names[band], reader.bandInfo[band], band)),
    sampleType: first.sampleType,
    classes: content.definition.classes,
    chips: entries,
    folder,
    async read(index, signal) {
      const chip = await reader.read(index, signal);
      checkSame(chip, first, join(folder, rows[index]!.image), join(folder, rows[0]!.image));
      return chip;
    },
    close: async () => undefined,
  };
}

function nameOfBand(declared: string | undefined, info: BandInfo | undefined, band: number): string {
  return declared !== undefined && declared !== "" ? declared : (info?.name ?? `band ${band + 1}`);
}

function checkNames(rows: readonly MapRow[], folder: string): void {
  for (let i = 1; i < rows.length; i++) {
    if (stemOf(rows[i]!.image) !== stemOf(rows[i - 1]!.image)) continue;
    throw new GeoLearnError("CHIPS_CORRUPT", `${folder}: map.txt names the chip "${stemOf(rows[i]!.image)}" twice.`, {
      hint: "Remove the double row; append with another `startIndex`.",
      data: { folder },
    });
  }
}

/** A chip's name, and sizes and times of its files: what changes when the chip does. */
async function chipEntry(folder: string, { image, label }: MapRow, prefix: string): Promise<ChipEntry> {
  const [a, b] = await Promise.all([image, label].map((path) => fileVersion(join(folder, path))));
  return { name: `${prefix}${stemOf(image)}`, version: `${a}/${b}` };
}

async function fileVersion(path: string): Promise<string> {
  const info = await stat(path).catch((error: Error) => {
    throw new GeoLearnError("FILE_NOT_FOUND", `map.txt names ${path}, which cannot be read: ${error.message}`, {
      hint: "Copy the folder whole, or remove the row from map.txt.",
      data: { path },
      cause: error,
    });
  });
  return `${info.size}.${Math.round(info.mtimeMs)}`;
}

interface FolderReader {
  /** Bands of the first image that was read. */
  readonly bandInfo: readonly BandInfo[];
  read(index: number, signal?: AbortSignal): Promise<Chip>;
}

function createReader(content: FolderContent, rows: readonly MapRow[], onWarning: OnWarning | undefined): FolderReader {
  const { folder, definition } = content;
  const ignoreValue = definition.geolearn?.IgnoreValue ?? null;
  const systems = crsByIndex(definition);
  let bandInfo: readonly BandInfo[] = [];
  let warned = false;

  return {
    get bandInfo() {
      return bandInfo;
    },
    async read(index, signal) {
      const row = rows[index]!;
      const imagePath = join(folder, row.image);
      const labelPath = join(folder, row.label);
      const [image, label] = await Promise.all([readSamples(imagePath, "image", signal), readSamples(labelPath, "label", signal)]);
      bandInfo = bandInfo.length === 0 ? image.bandInfo : bandInfo;
      if (label.width !== image.width || label.height !== image.height) {
        throw new GeoLearnError(
          "CHIPS_MISMATCH",
          `${imagePath} has ${image.width} x ${image.height} pixels, its label ${label.width} x ${label.height}.`,
          { hint: "Export the chips again.", data: { image: imagePath, label: labelPath } },
        );
      }
      const place = image.transform === null ? await worldPlace(imagePath) : image.transform;
      const crs = image.crs ?? (place === null ? null : systems(stemOf(row.image), place));
      if (place !== null && crs === null && !warned) {
        warned = true;
        onWarning?.({
          code: "CHIPS_WITHOUT_CRS",
          message: `${folder}: chips have world files but no reference system; sizes on the ground are unknown.`,
          hint: "The split still works in the chips' own units.",
        });
      }
      return {
        image: toShared(image.sampleType, image.data),
        labels: toLabels(label, ignoreValue, labelPath),
        mask: image.mask === null ? null : (toShared("uint8", image.mask) as Uint8Array),
        transform: place,
        crs,
        nodata: image.nodata,
        bands: image.bands,
        width: image.width,
        height: image.height,
        sampleType: image.sampleType,
      };
    },
  };
}

/** A file's samples, band after band, without alpha. */
interface FileSamples {
  readonly data: Samples;
  readonly mask: Uint8Array | null;
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly sampleType: SampleType;
  readonly transform: Affine | null;
  readonly crs: Crs | null;
  readonly nodata: number | null;
  readonly bandInfo: readonly BandInfo[];
}

/** Largest file of one chip, in bytes. */
const MAX_BYTES = 2 ** 28;

/** The whole file at once: quicker for thousands of small files than looking for what may lie beside each. */
async function readSamples(path: string, role: "image" | "label", signal: AbortSignal | undefined): Promise<FileSamples> {
  const bytes = await readFile(path).catch((error: Error) => {
    throw new GeoLearnError("FILE_NOT_FOUND", `The chip ${path} cannot be read: ${error.message}`, {
      hint: "Export the chips again.",
      data: { path },
      cause: error,
    });
  });
  if (bytes.length > MAX_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${bytes.length} bytes; a chip may have ${MAX_BYTES}.`, { data: { path } });
  }
  try {
    const raster = await openRaster(new Uint8Array(bytes), signal === undefined ? {} : { signal });
    try {
      const bands = role === "label" ? [0] : imageBands(raster);
      const { data, mask } = await raster.read(undefined, { bands, ...(signal === undefined ? {} : { signal }) });
      const { width, height, sampleType, transform, crs, nodata, bandInfo } = raster;
      return { data, mask, bands: bands.length, width, height, sampleType, transform, crs, nodata, bandInfo };
    } finally {
      await raster.close();
    }
  } catch (error) {
    if (!GeoLearnError.is(error)) throw error;
    throw new GeoLearnError(error.code, `${path}: ${error.message}`, {
      hint: error.hint ?? "Export the chip again.",
      data: { ...error.data, path },
      cause: error,
    });
  }
}

async function worldPlace(imagePath: string): Promise<Affine | null> {
  const path = worldFileName(imagePath);
  const text = await readTextFile(path);
  return text === null ? null : parseWorldFile(text, path);
}

/**
 * The reference system of chips that carry none: the one our export noted for the run, or the one the cell size is given in
 * when the chip has that cell size.
 */
function crsByIndex({ geolearn, cellSize }: ModelDefinition): (stem: string, transform: Affine) => Crs | null {
  const runs = (geolearn?.Runs ?? []).map((run) => ({ ...run, system: run.Crs === null ? null : readCrsText(run.Crs) }));
  const fallback = cellSize === null || cellSize.wkid === null ? null : tryCode(cellSize.wkid);
  return (stem, [a, b, , d, e]) => {
    const index = Number(stem);
    const run = runs.find(({ FirstIndex, EndIndex }) => index >= FirstIndex && index < EndIndex);
    if (run?.system != null) return run.system;
    if (fallback === null || cellSize === null) return null;
    const same = Math.abs(Math.hypot(a, d) / cellSize.x - 1) < 1e-3 && Math.abs(Math.hypot(b, e) / cellSize.y - 1) < 1e-3;
    return same ? fallback : null;
  };
}

function tryCode(code: number): Crs | null {
  try {
    return parseCrs(code === 102100 ? 3857 : code);
  } catch {
    return null;
  }
}

/** Class values with {@link IGNORE_VALUE} for the folder's ignore value, the file's nodata and missing pixels. */
function toLabels(label: FileSamples, ignoreValue: number | null, path: string): Uint16Array {
  const labels = new Uint16Array(new SharedArrayBuffer(label.width * label.height * 2));
  // ArcGIS writes 0 as nodata of label chips; 0 is the background all the same
  const nodata = label.nodata === 0 ? null : label.nodata;
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  for (let i = 0; i < labels.length; i++) {
    const value = label.data[i]!;
    if (value === ignoreValue || value === nodata) {
      labels[i] = ignore;
      continue;
    }
    if (!(value >= 0 && value < ignore && Number.isInteger(value))) {
      throw new GeoLearnError("CHIPS_CORRUPT", `${path} holds the label value ${value}; expected integers from 0 to ${IGNORE_VALUE - 1}.`, {
        hint: "Export the labels with small class values.",
        data: { path, value },
      });
    }
    labels[i] = value;
  }
  return labels;
}

function checkSame(chip: Chip, first: Chip, path: string, firstPath: string): void {
  const what = (c: Chip): string => `${c.width} x ${c.height} pixels, ${c.bands} bands of ${c.sampleType}`;
  if (what(chip) === what(first)) return;
  throw new GeoLearnError("CHIPS_MISMATCH", `${path} has ${what(chip)}; ${firstPath} has ${what(first)}.`, {
    hint: "Export all chips with one size and from rasters of one kind.",
    data: { path },
  });
}
