/** Cuts, measures, encodes and writes chips; runs in worker threads. */

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { type Affine, type ClassDefinition, type Crs, pixelArea, type SampleType, writeError } from "@geolearn/core";

import { countLabels, measureBands } from "../chips/chip-record.ts";
import { IGNORE_VALUE } from "../chips/chip.ts";
import { LATER_IMAGES } from "../chips/two-dates.ts";
import type { BandMoments } from "../esri/accumulated-stats.ts";
import { formatWorldFile, worldFileName } from "../esri/world-file.ts";
import { type ChipFolderFormat, FORMATS } from "../formats/formats.ts";
import { classFolder } from "../formats/imagenet.ts";
import type { LabelFile } from "../formats/label-file.ts";
import type { CutObject } from "../objects/cut-object.ts";
import { type CutChip, cutChip } from "./cut-chip.ts";
import { encodeImageChip, encodeLabelChip } from "./encode-chip.ts";
import type { LaterDate } from "./inputs.ts";
import type { ChipFormat } from "./options.ts";
import type { RowBlock } from "./row-blocks.ts";

/** What all chips of an export have in common. */
export interface ChipProfile {
  /** Folder to write, or null to measure only. */
  readonly out: string | null;
  readonly format: ChipFolderFormat;
  readonly chipFormat: ChipFormat;
  readonly compression: "deflate" | "none";
  /** Deflate level, 1 to 9. */
  readonly level: number;
  readonly quality: number;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly sampleType: SampleType;
  readonly nodata: number | null;
  readonly crs: Crs | null;
  readonly bandNames: readonly string[];
  /** What the chips of a later date say of themselves, whose bands follow in the blocks; null for one date. */
  readonly later: Pick<LaterDate, "bandNames" | "nodata"> | null;
  readonly labelType: "uint8" | "uint16";
  readonly ignoreValue: number;
  /** Classes of the export, ascending by value. */
  readonly classes: readonly Pick<ClassDefinition, "value" | "name">[];
  readonly allTouched: boolean;
}

/** One chip to write. */
export interface ChipTask {
  readonly stem: string;
  /** From the blocks' left edge. */
  readonly col: number;
  /** From the raster's top. */
  readonly row: number;
  readonly transform: Affine | null;
  /** Labels that stand instead of the blocks' (a chip that cuts features short). */
  readonly labels: Uint16Array | null;
  /** What formats of objects write; null for class rasters. */
  readonly objects: readonly CutObject[] | null;
  /** Size of a chip that is not as large as the others. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** Chips out of the same blocks. */
export interface ChipJob {
  readonly profile: ChipProfile;
  readonly blocks: readonly RowBlock[];
  readonly chips: readonly ChipTask[];
}

/** How much of a class one chip holds: its pixels as one amount, or the areas of its objects. */
export interface ClassAmount {
  readonly value: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** Amounts that were added. */
  readonly count: number;
}

/** What one written chip holds. */
export interface ChipOutcome {
  readonly moments: readonly BandMoments[];
  readonly classes: readonly ClassAmount[];
  readonly bytes: number;
}

/** Image file of a chip below the folder, with forward slashes. */
export function imagePath(stem: string, format: ChipFormat, folder?: string): string {
  return `images/${folder === undefined ? "" : `${folder}/`}${stem}.${{ tiff: "tif", png: "png", jpeg: "jpg" }[format]}`;
}

/** Image file of a chip's later date below the folder. */
export function laterPath(stem: string, format: ChipFormat): string {
  return imagePath(stem, format).replace("images", LATER_IMAGES);
}

/** Makes and writes the chips of a job. @throws DISK_FULL, WRITE_FAILED; a chip is there whole or not at all */
export async function runChipJob({ profile, blocks, chips }: ChipJob): Promise<ChipOutcome[]> {
  return Promise.all(chips.map((task) => makeChip(profile, blocks, task)));
}

async function makeChip(common: ChipProfile, blocks: readonly RowBlock[], task: ChipTask): Promise<ChipOutcome> {
  const profile = task.size === undefined ? common : { ...common, ...task.size };
  const { width, height, nodata, later } = profile;
  const bands = later === null ? profile.bands : 2 * profile.bands;
  const cut = cutChip(blocks, { col: task.col, row: task.row, width, height }, bands);
  const moments = measureBands({ image: cut.image, mask: cut.valid, nodata, bands, width, height });
  const [before, after] = later === null ? [cut, null] : halves(cut);
  const [image, second, { files, classes }] = await Promise.all([
    encodeImageChip(profile, before, task.transform),
    after === null ? null : encodeImageChip({ ...profile, ...later }, after, task.transform),
    task.objects === null ? classRaster(profile, task, cut) : objectLabels(profile, task, task.objects),
  ]);
  const images = [
    ...(second === null ? [] : [{ path: laterPath(task.stem, profile.chipFormat), content: second }]),
    { path: imageOf(profile, task), content: image },
  ];
  if (profile.out !== null) writeChip(profile.out, task.transform, images, files);
  return { moments, classes, bytes: [...images, ...files].reduce((sum, { content }) => sum + Buffer.byteLength(content), 0) };
}

/** The bands of the earlier date, and those of the later one. */
function halves(cut: CutChip): [CutChip, CutChip] {
  const { image } = cut;
  return [
    { ...cut, image: image.slice(0, image.length / 2) },
    { ...cut, image: image.slice(image.length / 2) },
  ];
}

interface MadeLabels {
  readonly files: readonly LabelFile[];
  readonly classes: readonly ClassAmount[];
}

async function classRaster(profile: ChipProfile, { stem, labels, transform }: ChipTask, cut: CutChip): Promise<MadeLabels> {
  const own = labels ?? cut.labels;
  const content = await encodeLabelChip(profile, toLabelType(own, profile), transform);
  const counts = countLabels({ labels: own, mask: cut.valid });
  const classes = counts.map(([value, pixels]) => ({ value, sum: pixels, min: pixels, max: pixels, count: 1 }));
  return { files: [{ path: FORMATS[profile.format].labelPath!(stem), content }], classes };
}

async function objectLabels(profile: ChipProfile, { stem, transform }: ChipTask, objects: readonly CutObject[]): Promise<MadeLabels> {
  const imageFile = basename(imagePath(stem, profile.chipFormat));
  const { files, objects: written } = await FORMATS[profile.format].write!({ ...profile, stem, imageFile, transform, objects });
  // areas in square units of the map, as Esri counts them
  const unit = transform === null ? 1 : pixelArea(transform);
  const classes = profile.classes.flatMap(({ value }) => {
    const areas = written.filter(({ classValue }) => classValue === value).map(({ area }) => area * unit);
    const sum = areas.reduce((total, area) => total + area, 0);
    return areas.length === 0 ? [] : [{ value, sum, min: Math.min(...areas), max: Math.max(...areas), count: areas.length }];
  });
  return { files, classes };
}

function toLabelType(labels: Uint16Array, { labelType, ignoreValue }: ChipProfile): Uint8Array | Uint16Array {
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  const out = labelType === "uint8" ? new Uint8Array(labels.length) : new Uint16Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const value = labels[i]!;
    out[i] = value === ignore ? ignoreValue : value;
  }
  return out;
}

/** Where the image of a chip goes below the folder: with the others, or into the folder of its class. */
function imageOf({ format, chipFormat, classes }: ChipProfile, { stem, objects }: ChipTask): string {
  if (FORMATS[format].classFolders === undefined) return imagePath(stem, chipFormat);
  const { name } = classes.find(({ value }) => value === objects![0]!.classValue)!;
  return imagePath(stem, chipFormat, classFolder(name));
}

function writeChip(out: string, transform: Affine | null, images: readonly LabelFile[], labels: readonly LabelFile[]): void {
  if (transform !== null) for (const { path } of images) writeWhole(join(out, worldFileName(path)), formatWorldFile(transform));
  for (const { path, content } of [...labels, ...images]) writeWhole(join(out, path), content);
}

/** Under a temporary name first: a killed process never leaves half a chip. Not flushed; an export that is resumed after a power cut looks at every file. */
function writeWhole(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.tmp`;
  try {
    try {
      writeFileSync(temporary, content);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(temporary, content);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw writeError(path, error, "The chips so far are kept: make room and run the same export again, it goes on where it stopped.");
  }
}
