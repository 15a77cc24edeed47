/** The layouts a chip folder can have: one row each. */

import { readKitti, writeKitti } from "./kitti.ts";
import type { LabelledChip, WrittenLabels } from "./label-file.ts";
import { readPascalVoc, writePascalVoc } from "./pascal-voc.ts";
import type { ReadBox } from "./read-box.ts";
import { writeRcnnMasks } from "./rcnn-masks.ts";

/** Layout of the folder: what the labels are and how they are written. */
export type ChipFolderFormat = "classifiedTiles" | "rcnnMasks" | "pascalVoc" | "kitti";

/** What is known of a layout. */
export interface FolderFormat {
  /** Name in Esri's files. */
  readonly mode: string;
  /** Makes the label files of a chip from its objects; null where labels are a class raster. */
  readonly write: ((chip: LabelledChip) => WrittenLabels | Promise<WrittenLabels>) | null;
  /** The boxes of a label file; null where labels are rasters. */
  readonly readBoxes: ((text: string, path: string) => ReadBox[]) | null;
  /** Label file of a chip below the folder; null where a chip has one per class. */
  readonly labelPath: ((stem: string) => string) | null;
}

/** Every layout. */
export const FORMATS: Readonly<Record<ChipFolderFormat, FolderFormat>> = {
  classifiedTiles: { mode: "Classified_Tiles", write: null, readBoxes: null, labelPath: (stem) => `labels/${stem}.tif` },
  rcnnMasks: { mode: "RCNN_Masks", write: writeRcnnMasks, readBoxes: null, labelPath: null },
  pascalVoc: { mode: "PASCAL_VOC_rectangles", write: writePascalVoc, readBoxes: readPascalVoc, labelPath: (stem) => `labels/${stem}.xml` },
  kitti: { mode: "KITTI_rectangles", write: writeKitti, readBoxes: readKitti, labelPath: (stem) => `labels/${stem}.txt` },
};

/** Names of the layouts. */
export const chipFolderFormats = Object.keys(FORMATS) as readonly ChipFolderFormat[];
