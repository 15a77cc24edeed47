/** Chips in a folder of Esri's layout, ours or ArcGIS'. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

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

import { readTextFile } from "../esri/json.ts";
import type { MapRow } from "../esri/map-file.ts";
import type { ModelDefinition } from "../esri/model-definition.ts";
import { parseWorldFile, worldFileName } from "../esri/world-file.ts";
import { FORMATS } from "../formats/formats.ts";
import { readCrsText } from "../split/footprint.ts";
import { type ChipEntry, type ChipImage, type ChipSource, IGNORE_VALUE, toShared } from "./chip.ts";
import { type FolderContent, readFolderContent, stemOf } from "./folder-content.ts";
import { bothDates, withLaterDates } from "./two-dates.ts";

/** Options of opening a chip folder. */
export interface ChipFolderOptions {
  /** Put before the chips' names, for several folders. */
  readonly prefix?: string;
  /** Resamples every chip to this size. @defaultValue chips stay as they are, and must be of one size */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  readonly onWarning?: OnWarning | undefined;
}

/** One chip of a folder: its image and label files below it. */
export interface FolderChip {
  readonly image: string;
  /** One file, one per class, or none. */
  readonly labels: readonly string[];
  /** @defaultValue the stem of the image */
  readonly name?: string;
  /** The same ground at a later date; its bands follow those of the image. @defaultValue none */
  readonly later?: string;
}

/** How the labels of a folder are read. */
export interface FolderLabels<C extends ChipImage> {
  readonly classes: readonly ClassDefinition[];
  /** What the values of all chips depend on besides their own files, e.g. the order of class names; part of the chips' versions. */
  readonly identity?: string;
  /** Adds the labels to an image that is being read. */
  add(image: Promise<ChipImage>, index: number, signal?: AbortSignal): Promise<C>;
}

/**
 * Opens a Classified_Tiles folder.
 *
 * @throws TASK_MISMATCH for other layouts, CHIPS_CORRUPT, CHIPS_MISMATCH
 */
export async function openChipFolder(folder: string, options: ChipFolderOptions = {}): Promise<ChipSource> {
  const content = await readFolderContent(folder);
  if (content.metaDataMode !== FORMATS.classifiedTiles.mode) {
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `${folder} holds chips of the format ${content.metaDataMode}; pixel classification needs Classified_Tiles.`,
      { hint: 'Export the labels as `format: "classifiedTiles"`.', data: { folder, format: content.metaDataMode } },
    );
  }
  const chips = withLaterDates(content, singleLabels(content));
  const ignoreValue = content.definition.geolearn?.IgnoreValue ?? null;
  return openFolder(content, chips, options, async () => ({
    classes: content.definition.classes,
    async add(reading, index, signal) {
      const path = join(folder, chips[index]!.labels[0]!);
      const [image, label] = await Promise.all([reading, readSamples(path, "label", signal)]);
      checkLabelSize(image, label, join(folder, chips[index]!.image), path);
      return { ...image, labels: toLabels(label, ignoreValue, path) };
    },
  }));
}

/** The chips of a layout with one label file each, sorted by name. @throws CHIPS_CORRUPT for a name that occurs twice */
export function singleLabels({ folder, rows }: FolderContent): FolderChip[] {
  const chips = [...rows].sort((a, b) => (stemOf(a.image) < stemOf(b.image) ? -1 : 1));
  checkNames(chips, folder);
  return chips.map(({ image, label }) => ({ image, labels: label === "" ? [] : [label] }));
}

/** Opens the chips of a folder; `labelsOf` is told how large they are. @throws CHIPS_CORRUPT, CHIPS_MISMATCH, FILE_NOT_FOUND */
export async function openFolder<C extends ChipImage>(
  content: FolderContent,
  chips: readonly FolderChip[],
  options: ChipFolderOptions,
  labelsOf: (first: ChipImage) => Promise<FolderLabels<C>>,
): Promise<ChipSource<C>> {
  const { folder } = content;
  const { size, onWarning } = options;
  const entries = await Promise.all(chips.map((chip) => chipEntry(folder, chip, options)));
  const reader = createImageReader(content, size, onWarning);
  const readChip = async ({ image, later }: FolderChip, signal?: AbortSignal): Promise<ChipImage> => {
    const earlier = await reader.read(image, signal);
    if (later === undefined) return earlier;
    return bothDates(
      earlier,
      await readSamples(join(folder, later), "image", signal, size),
      [image, later].map((path) => join(folder, path)),
    );
  };
  const first = await readChip(chips[0]!);
  const labels = await labelsOf(first);
  const names = content.definition.bandNames;
  const nameAt = (band: number): string => nameOfBand(names[band], reader.bandInfo[band], band);
  const each = chips[0]!.later === undefined ? first.bands : first.bands / 2;
  return {
    name: folder,
    width: first.width,
    height: first.height,
    bands: first.bands,
    bandNames: Array.from({ length: first.bands }, (_, band) =>
      each === first.bands ? nameAt(band) : `${nameAt(band % each)} ${band < each ? "before" : "after"}`,
    ),
    ...(each === first.bands ? {} : { dates: Array.from({ length: first.bands }, (_, band) => (band < each ? "earlier" : "later")) }),
    sampleType: first.sampleType,
    classes: labels.classes,
    chips:
      labels.identity === undefined ? entries : entries.map(({ name, version }) => ({ name, version: `${version}/${labels.identity}` })),
    folder,
    unpaired: content.unpaired,
    async read(index, signal) {
      const { image } = chips[index]!;
      const chip = await labels.add(readChip(chips[index]!, signal), index, signal);
      checkSame(chip, first, join(folder, image), join(folder, chips[0]!.image));
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
async function chipEntry(
  folder: string,
  { image, labels, later, name = stemOf(image) }: FolderChip,
  { prefix = "", size }: ChipFolderOptions,
): Promise<ChipEntry> {
  const versions = await Promise.all(
    [image, ...labels, ...(later === undefined ? [] : [later])].map((path) => fileVersion(join(folder, path))),
  );
  const resampled = size === undefined ? [] : [`${size.width}x${size.height}`];
  return { name: `${prefix}${name}`, version: [...versions, ...resampled].join("/") };
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

interface ImageReader {
  /** Bands of the first image that was read. */
  readonly bandInfo: readonly BandInfo[];
  read(image: string, signal?: AbortSignal): Promise<ChipImage>;
}

function createImageReader(
  { folder, definition }: FolderContent,
  size: ChipFolderOptions["size"],
  onWarning: OnWarning | undefined,
): ImageReader {
  const systems = crsByIndex(definition);
  let bandInfo: readonly BandInfo[] = [];
  let warned = false;

  return {
    get bandInfo() {
      return bandInfo;
    },
    async read(file, signal) {
      const path = join(folder, file);
      const image = await readSamples(path, "image", signal, size);
      bandInfo = bandInfo.length === 0 ? image.bandInfo : bandInfo;
      const stored = image.transform === null ? await worldPlace(path) : image.transform;
      const place = stored === null ? null : scaled(stored, image.scale);
      const crs = image.crs ?? (place === null ? null : systems(stemOf(file), place));
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

/** @throws CHIPS_MISMATCH when a label raster is not as large as its image */
export function checkLabelSize(
  image: Pick<ChipImage, "width" | "height">,
  label: Pick<FileSamples, "width" | "height">,
  imagePath: string,
  labelPath: string,
): void {
  if (label.width === image.width && label.height === image.height) return;
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `${imagePath} has ${image.width} x ${image.height} pixels, its label ${label.width} x ${label.height}.`,
    { hint: "Export the chips again.", data: { image: imagePath, label: labelPath } },
  );
}

/** A file's samples, band after band, without alpha. */
export interface FileSamples {
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
  /** Pixels of the file per pixel that was read. */
  readonly scale: { readonly x: number; readonly y: number };
}

/** Largest file of one chip, in bytes. */
const MAX_BYTES = 2 ** 28;

/** The whole file at once: quicker for thousands of small files than looking for what may lie beside each. */
export async function readSamples(
  path: string,
  role: "image" | "label",
  signal: AbortSignal | undefined,
  size?: { readonly width: number; readonly height: number },
): Promise<FileSamples> {
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
      const { width, height } = size ?? raster;
      const scale = { x: raster.width / width, y: raster.height / height };
      const resampling = scale.x > 1 || scale.y > 1 ? "average" : "bilinear";
      const { data, mask } = await raster.read(undefined, {
        bands,
        width,
        height,
        resampling,
        ...(signal === undefined ? {} : { signal }),
      });
      const { sampleType, transform, crs, nodata, bandInfo } = raster;
      return { data, mask, bands: bands.length, width, height, sampleType, transform, crs, nodata, bandInfo, scale };
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

/** The position of a picture that was resampled. */
function scaled([a, b, c, d, e, f]: Affine, { x, y }: FileSamples["scale"]): Affine {
  return [a * x, b * y, c, d * x, e * y, f];
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

function checkSame(chip: ChipImage, first: ChipImage, path: string, firstPath: string): void {
  const what = (c: ChipImage): string => `${c.width} x ${c.height} pixels, ${c.bands} bands of ${c.sampleType}`;
  if (what(chip) === what(first)) return;
  throw new GeoLearnError("CHIPS_MISMATCH", `${path} has ${what(chip)}; ${firstPath} has ${what(first)}.`, {
    hint: "Export all chips with one size and from rasters of one kind.",
    data: { path },
  });
}
