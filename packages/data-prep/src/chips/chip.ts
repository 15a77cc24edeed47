/** What a chip is, wherever it comes from: a folder of files, or a window of a raster. */

import { type Affine, type ClassDefinition, type Crs, sampleBytes, samplesFrom, type SampleType, type Samples } from "@geolearn/core";

import type { LabelOverlap } from "../export/where-labels-lie.ts";
import type { ChipObject } from "../objects/chip-object.ts";

/** Label value inside geolearn of pixels that no loss and no metric looks at, whatever the files write. */
export const IGNORE_VALUE = 65535;

/** The picture of one decoded chip. Its arrays lie in shared memory, so that workers see them without a copy, and are never written again. */
export interface ChipImage {
  /** Samples band after band, `(band * height + row) * width + col`. */
  readonly image: Samples;
  /** 1 = image valid, 0 = missing; null when every pixel is valid. */
  readonly mask: Uint8Array | null;
  readonly transform: Affine | null;
  readonly crs: Crs | null;
  /** Value of missing samples, or null. */
  readonly nodata: number | null;
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly sampleType: SampleType;
}

/** A chip with a class per pixel. */
export interface Chip extends ChipImage {
  /** Class value per pixel, or {@link IGNORE_VALUE}. */
  readonly labels: Uint16Array;
}

/** A chip with labelled objects. */
export interface ObjectChip extends ChipImage {
  readonly objects: readonly ChipObject[];
}

/** A chip that as a whole has a class, or several. */
export interface TileChip extends ChipImage {
  /** Ascending. */
  readonly classValues: readonly number[];
}

/** A chip that is not read yet. */
export interface ChipEntry {
  /** Unique in its source; file stem where there is a file. */
  readonly name: string;
  /** Changes whenever the chip's bytes change; part of the key of cached statistics. */
  readonly version: string;
}

/** The image of a pair that a band is of. */
export type ChipDate = "earlier" | "later";

/** Chips of one size and one set of bands, read one by one. */
export interface ChipSource<C extends ChipImage = Chip> {
  /** For messages. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly bandNames: readonly string[];
  /** The date each band is of; absent where a chip is one image. */
  readonly dates?: readonly ChipDate[];
  readonly sampleType: SampleType;
  /** Classes the source declares, in its order. */
  readonly classes: readonly ClassDefinition[];
  /** Sorted by name. */
  readonly chips: readonly ChipEntry[];
  /** Folder for the split and for cached statistics, or null when nothing is to be stored. */
  readonly folder: string | null;
  /** Images of a folder that are no chips, because no label file has their name. @defaultValue 0 */
  readonly unpaired?: number;
  /** How rasters and labels meet, for sources that sample rasters. */
  readonly overlap?: LabelOverlap | null;
  /** Reads a chip, by its position in {@link chips}. */
  read(index: number, signal?: AbortSignal): Promise<C>;
  /** Releases files. */
  close(): Promise<void>;
}

/** About what an object takes besides its mask. */
const OBJECT_BYTES = 128;

/** Bytes a decoded chip occupies. */
export function chipBytes(chip: ChipImage): number {
  const { labels, objects = [] } = chip as Partial<Chip & ObjectChip>;
  const masks = objects.reduce((sum, { mask }) => sum + OBJECT_BYTES + (mask?.data.byteLength ?? 0), 0);
  return chip.image.byteLength + (chip.mask?.byteLength ?? 0) + (labels?.byteLength ?? 0) + masks;
}

/** A copy of an array of samples of a known type in memory that workers share. */
export function toShared(type: SampleType, samples: Samples): Samples {
  if (samples.buffer instanceof SharedArrayBuffer) return samples;
  const copy = samplesFrom(type, new Uint8Array(new SharedArrayBuffer(samples.length * sampleBytes(type))));
  copy.set(samples);
  return copy;
}
