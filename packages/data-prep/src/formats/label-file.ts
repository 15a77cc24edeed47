/** What the modules of the object formats share when they write: one chip with its objects in, files out. */

import type { Affine, ClassDefinition, Crs } from "@geolearn/core";

import type { CutObject } from "../objects/cut-object.ts";

/** One chip whose label files are to be made. */
export interface LabelledChip {
  readonly stem: string;
  /** Name of the image file, without its folder. */
  readonly imageFile: string;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly transform: Affine | null;
  readonly crs: Crs | null;
  readonly compression: "deflate" | "none";
  /** Masks take every pixel an object touches, not only those whose centre it holds. */
  readonly allTouched: boolean;
  /** Classes of the export, ascending by value; never empty for formats of objects. */
  readonly classes: readonly Pick<ClassDefinition, "value" | "name">[];
  readonly objects: readonly CutObject[];
}

/** A file to write, its path below the chip folder with forward slashes. */
export interface LabelFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

/** The label files of a chip, and those of its objects that they hold. */
export interface WrittenLabels {
  readonly files: readonly LabelFile[];
  readonly objects: readonly CutObject[];
}

/** Pixels as Esri writes them: two decimals. */
export function hundredths(value: number): string {
  return value.toFixed(2);
}
