/**
 * Raster and labels to training data: chips on disk in Esri's layout, split by blocks of ground, measured, augmented and read
 * batch by batch as typed arrays.
 */

// chips on disk
export { exportTrainingData } from "./export/export-training-data.ts";
export { type ChipFolderFormat, chipFolderFormats } from "./formats/formats.ts";
export type { ChipFormat, ExportEstimate, ExportOptions, ExportResult, Extent, LabelSource } from "./export/options.ts";
export type { PixelSize } from "./option-rules.ts";

// data for a learner
export { prepareData } from "./prepare-data.ts";
export type { DataSource, PrepareDataOptions } from "./prepare/options.ts";
export {
  type BatchesOptions,
  type BatchFrame,
  type ChipSet,
  type DataOf,
  IGNORE_INDEX,
  type LearningData,
  type ShowBatchOptions,
  type ObjectBatch,
  type ObjectData,
  type ObjectTask,
  type PixelBatch,
  type PrepareDataCommon,
  type PreparedData,
  type TileBatch,
  type TileData,
} from "./learning-data.ts";
export { bandsByDate, type BandsByDate } from "./bands-by-date.ts";
export { type ShownPicture, shownPictures } from "./pictures/display.ts";
export { type ShownBands, shownBands } from "./pictures/shown-bands.ts";
export type { WindowSourceOptions } from "./chips/window-source.ts";
export type { ClassMapping } from "./chips/class-table.ts";
export type { Augmentation } from "./augment/options.ts";
export type { SplitChoice } from "./split/make-split.ts";

// what chips hold, and what may be wrong with them
export {
  type BandDescription,
  chipBandNames,
  type ChipsDescription,
  type ClassDescription,
  describeChips,
} from "./check/describe-chips.ts";
export { type CheckSource, checkTrainingData, type Finding, type TrainingDataCheck } from "./check/check-training-data.ts";
export { type LabelShift, shiftText } from "./check/shift-verdict.ts";
export type { LabelOverlap } from "./export/where-labels-lie.ts";
export type { ShiftEstimate } from "./check/label-shift.ts";

// chips with objects
export { type ObjectFolderOptions, openObjectChips } from "./chips/object-folder.ts";
export { chipFolderTask } from "./chips/any-folder.ts";
export { isChipFolder } from "./chips/folder-content.ts";
export type { ChipFolderOptions } from "./chips/folder-source.ts";
export type { ChipEntry, ChipImage, ChipSource, ObjectChip } from "./chips/chip.ts";
export type { ChipObject } from "./objects/chip-object.ts";
export type { ObjectMask } from "./objects/object-mask.ts";
export type { Box } from "./objects/box.ts";
