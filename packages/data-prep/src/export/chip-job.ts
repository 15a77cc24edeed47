/** Cuts, measures, encodes and writes chips; runs in worker threads. */

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { type Affine, type Crs, type SampleType, writeError } from "@geolearn/core";

import { measureChip } from "../chips/chip-record.ts";
import { IGNORE_VALUE } from "../chips/chip.ts";
import type { BandMoments } from "../esri/accumulated-stats.ts";
import { formatWorldFile, worldFileName } from "../esri/world-file.ts";
import { cutChip } from "./cut-chip.ts";
import { encodeImageChip, encodeLabelChip } from "./encode-chip.ts";
import type { ChipFormat } from "./options.ts";
import type { RowBlock } from "./row-blocks.ts";

/** What all chips of an export have in common. */
export interface ChipProfile {
  /** Folder to write, or null to measure only. */
  readonly out: string | null;
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
  readonly labelType: "uint8" | "uint16";
  readonly ignoreValue: number;
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
}

/** Chips out of the same blocks. */
export interface ChipJob {
  readonly profile: ChipProfile;
  readonly blocks: readonly RowBlock[];
  readonly chips: readonly ChipTask[];
}

/** What one written chip holds. */
export interface ChipOutcome {
  readonly moments: readonly BandMoments[];
  readonly labels: readonly (readonly [value: number, pixels: number])[];
  readonly bytes: number;
}

/** Image file of a chip below the folder, with forward slashes. */
export function imagePath(stem: string, format: ChipFormat): string {
  return `images/${stem}.${{ tiff: "tif", png: "png", jpeg: "jpg" }[format]}`;
}

/** Label file of a chip below the folder, with forward slashes. */
export function labelPath(stem: string): string {
  return `labels/${stem}.tif`;
}

/** Makes and writes the chips of a job. @throws DISK_FULL, WRITE_FAILED; a chip is there whole or not at all */
export async function runChipJob({ profile, blocks, chips }: ChipJob): Promise<ChipOutcome[]> {
  return Promise.all(chips.map((task) => makeChip(profile, blocks, task)));
}

async function makeChip(profile: ChipProfile, blocks: readonly RowBlock[], task: ChipTask): Promise<ChipOutcome> {
  const { sampleType, width, height, bands, nodata, crs } = profile;
  const cut = cutChip(blocks, { col: task.col, row: task.row, width, height }, bands);
  const labels = task.labels ?? cut.labels;
  const measured = measureChip({
    image: cut.image,
    labels,
    mask: cut.valid,
    transform: task.transform,
    crs,
    nodata,
    bands,
    width,
    height,
    sampleType,
  });
  const [image, label] = await Promise.all([
    encodeImageChip(profile, cut, task.transform),
    encodeLabelChip(profile, toLabelType(labels, profile), task.transform),
  ]);
  if (profile.out !== null) writeChip(profile.out, profile.chipFormat, task, image, label);
  return { ...measured, bytes: image.byteLength + label.byteLength };
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

function writeChip(out: string, format: ChipFormat, { stem, transform }: ChipTask, image: Uint8Array, label: Uint8Array): void {
  const imageFile = imagePath(stem, format);
  const labelFile = labelPath(stem);
  if (transform !== null) writeWhole(join(out, worldFileName(imageFile)), formatWorldFile(transform));
  writeWhole(join(out, labelFile), label);
  writeWhole(join(out, imageFile), image);
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
