/** The layouts a chip folder can have: one row each. */

import type { ClassDefinition } from "@geolearn/core";

import type { MapRow } from "../esri/map-file.ts";
import { finishCoco, writeCoco } from "./coco.ts";
import { readKitti, writeKitti } from "./kitti.ts";
import type { LabelledChip, WrittenLabels } from "./label-file.ts";
import { readPascalVoc, writePascalVoc } from "./pascal-voc.ts";
import type { ReadBox } from "./read-box.ts";
import { writeLabeledTile, writeMultiLabeledTile } from "./labeled-tiles.ts";
import { writeRcnnMasks } from "./rcnn-masks.ts";
import { finishYolo, readYolo, writeYolo, writeYoloPolygons } from "./yolo.ts";

/** Layout of the folder: what the labels are and how they are written. */
export type ChipFolderFormat =
  | "classifiedTiles"
  | "rcnnMasks"
  | "pascalVoc"
  | "kitti"
  | "labeledTiles"
  | "multiLabeledTiles"
  | "imagenet"
  | "exportTiles"
  | "coco"
  | "yolo"
  | "yoloPolygons";

/** What is known of a layout. */
export interface FolderFormat {
  /** Name in Esri's files. */
  readonly mode: string;
  /** What the labels say: a class per pixel, objects, the class of a chip, all classes of a chip, or nothing. */
  readonly holds: "pixels" | "objects" | "class" | "classes" | "nothing";
  /** Where chips are cut: on a grid, or around every feature. */
  readonly around: "grid" | "features";
  /** Makes the label files of a chip from its objects; null where labels are a class raster. */
  readonly write: ((chip: LabelledChip) => WrittenLabels | Promise<WrittenLabels>) | null;
  /** The boxes of a label file; null where labels are no boxes. */
  readonly readBoxes: ((text: string, path: string) => ReadBox[]) | null;
  /** Label file of a chip below the folder, empty where there is none; null where a chip has one per class. */
  readonly labelPath: ((stem: string) => string) | null;
  /** Writes what stands once in the folder, from the rows of all its chips. */
  readonly finish?: (
    folder: string,
    rows: readonly MapRow[],
    classes: readonly ClassDefinition[],
    size: { readonly width: number; readonly height: number },
  ) => Promise<void>;
  /** Whether labels name classes by their positions and give shares of the image. */
  readonly relative?: true;
  /** Whether a chip may have a second image, of a later date. */
  readonly pairs?: true;
  /** Whether images lie in a folder per class. */
  readonly classFolders?: true;
}

const xml = (stem: string): string => `labels/${stem}.xml`;
const none = (): string => "";
/** Formats whose labels are no files. */
const unwritten = ({ objects }: LabelledChip): WrittenLabels => ({ files: [], objects });

const GRID = { around: "grid", readBoxes: null } as const;
const FEATURES = { holds: "class", around: "features", readBoxes: null } as const;

const YOLO = {
  around: "grid",
  mode: "YOLO",
  holds: "objects",
  readBoxes: readYolo,
  labelPath: (stem: string) => `labels/${stem}.txt`,
  finish: finishYolo,
  relative: true,
} as const;

/** Every layout. */
export const FORMATS: Readonly<Record<ChipFolderFormat, FolderFormat>> = {
  classifiedTiles: {
    ...GRID,
    mode: "Classified_Tiles",
    holds: "pixels",
    write: null,
    labelPath: (stem) => `labels/${stem}.tif`,
    pairs: true,
  },
  rcnnMasks: { ...GRID, mode: "RCNN_Masks", holds: "objects", write: writeRcnnMasks, labelPath: null },
  pascalVoc: { ...GRID, mode: "PASCAL_VOC_rectangles", holds: "objects", write: writePascalVoc, readBoxes: readPascalVoc, labelPath: xml },
  kitti: {
    ...GRID,
    mode: "KITTI_rectangles",
    holds: "objects",
    write: writeKitti,
    readBoxes: readKitti,
    labelPath: (stem) => `labels/${stem}.txt`,
  },
  labeledTiles: { ...FEATURES, mode: "Labeled_Tiles", write: writeLabeledTile, labelPath: xml },
  multiLabeledTiles: { ...GRID, mode: "MultiLabeled_Tiles", holds: "classes", write: writeMultiLabeledTile, labelPath: xml },
  imagenet: { ...FEATURES, mode: "Imagenet", write: unwritten, labelPath: none, classFolders: true },
  coco: { ...GRID, mode: "COCO", holds: "objects", write: writeCoco, labelPath: (stem) => `labels/${stem}.json`, finish: finishCoco },
  yolo: { ...YOLO, write: writeYolo },
  yoloPolygons: { ...YOLO, write: writeYoloPolygons },
  exportTiles: { ...GRID, mode: "Export_Tiles", holds: "nothing", write: unwritten, labelPath: none, pairs: true },
};

/** Names of the layouts. */
export const chipFolderFormats = Object.keys(FORMATS) as readonly ChipFolderFormat[];
