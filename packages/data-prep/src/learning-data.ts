/** What `prepareData` gives: chips of one task, split, with statistics, ready to be read batch by batch. */

import type { BandStatistics, ClassDefinition, CropManner, OnWarning, Task } from "@geolearn/core";

/** Class index of pixels that no loss and no metric looks at. */
export const IGNORE_INDEX = -1;

/** What every batch tells of itself. */
export interface BatchFrame {
  /** Chips in the arrays; always the batch size, short batches are padded with empty chips. */
  readonly size: number;
  /** Chips that are real, counted from the first. */
  readonly real: number;
  /** Names of the real chips. */
  readonly names: readonly string[];
}

/** One batch of pixel-classification chips, raw pixel values: normalization belongs to the network. */
export interface PixelBatch extends BatchFrame {
  /** `[size, height, width, bands]`, row-major. Missing samples hold the band's mean. */
  readonly images: Float32Array;
  /** Class indices `[size, height, width]`: position in `classes`, or {@link IGNORE_INDEX}. */
  readonly targets: Int32Array;
}

/** One batch of chips with objects, raw pixel values. */
export interface ObjectBatch extends BatchFrame {
  /** `[size, height, width, bands]`, row-major. Missing samples hold the band's mean. */
  readonly images: Float32Array;
  /** `[size, maxObjects, 4]`: xmin, ymin, xmax, ymax in pixels of the image, corner based, inside it and not empty; 0 in empty slots. */
  readonly boxes: Float32Array;
  /** `[size, maxObjects]`: position in `classes`, or {@link IGNORE_INDEX} in empty slots, which follow the objects of an image. */
  readonly classIndices: Int32Array;
  /** `[size, maxObjects, height, width]`, 1 = the object; for instance segmentation. */
  readonly masks?: Uint8Array;
  /** Objects per image `[size]`. */
  readonly counts: Int32Array;
  /** Slots per image: the most objects of an image in this batch, rounded up to a multiple of 8. */
  readonly maxObjects: number;
}

/** One batch of chips with classes of their own, raw pixel values. */
export interface TileBatch extends BatchFrame {
  /** `[size, height, width, bands]`, row-major. Missing samples hold the band's mean. */
  readonly images: Float32Array;
  /**
   * One class a chip: positions in `classes`, Int32 `[size]`, {@link IGNORE_INDEX} for padding. Several: Uint8 `[size, classes]`, 1 where the
   * chip has the class.
   */
  readonly labels: Int32Array | Uint8Array;
}

/** Which batches to read. */
export interface BatchesOptions {
  /** Epoch, from 0: decides the order and the augmentation, together with the seed. @defaultValue 0 */
  readonly epoch?: number;
  /** First batch to give, for resuming inside an epoch. @defaultValue 0 */
  readonly from?: number;
  /** Cancels reading. */
  readonly signal?: AbortSignal;
}

/** One side of the split. */
export interface ChipSet<B = PixelBatch> {
  /** Chips on this side. */
  readonly count: number;
  /** Batches per epoch: training drops a short last batch, validation pads it. */
  readonly batches: number;
  /** Names of the chips, sorted. */
  readonly names: readonly string[];
  /** The batches of an epoch; any batch is a function of (seed, epoch, index) alone, so that reading can start anywhere. */
  read(options?: BatchesOptions): AsyncIterable<B>;
}

/** Options of `showBatch`. */
export interface ShowBatchOptions {
  /**
   * Bands drawn as red, green and blue, or one, by position from 0 or by name; of two dates among those of each.
   * @defaultValue by their names ("red", "B4 (red)", or "B4", "B3", "B2"), else the first three, or the first
   */
  readonly rgb?: readonly (number | string)[];
}

/** Chips of one task, split into a training and a validation side: what all kinds of labels have in common. */
export interface PreparedData<T extends Task, B> {
  readonly task: T;
  /** Classes in index order; for pixels `classes[0]` is background where there is one, objects have none. */
  readonly classes: readonly ClassDefinition[];
  /** Names of classes that are read as ignored. */
  readonly ignoredClasses: readonly string[];
  readonly chipWidth: number;
  readonly chipHeight: number;
  readonly batchSize: number;
  readonly bands: number;
  readonly bandNames: readonly string[];
  /** The date each band is of, where chips are pairs of images; absent where they are single ones. */
  readonly dates?: readonly ("earlier" | "later")[];
  /** Positions of the bands in the source raster, from 0. */
  readonly bandIndices: readonly number[];
  /** Bands of the source raster in all. */
  readonly sourceBands: number;
  readonly sampleType: string;
  /** Per band, over valid pixels of the training side. */
  readonly statistics: readonly BandStatistics[];
  /** Ground size of a pixel in metres, or null without georeference. */
  readonly resolution: number | null;
  readonly seed: number;
  /** Bytes of decoded chips kept in memory once all were read. */
  readonly cachedBytes: number;
  readonly train: ChipSet<B>;
  readonly valid: ChipSet<B>;
  /**
   * Draws the first training batch with its labels as a PNG, written where a path is given; in a notebook it also shows inline.
   *
   * @throws INVALID_ARGUMENT, UNSUPPORTED_FORMAT for a path that does not end in .png; BANDS_MISMATCH
   */
  showBatch(path?: string, options?: ShowBatchOptions): Promise<Uint8Array>;
  /** Releases workers and files. */
  close(): Promise<void>;
}

/** Chips with a class per pixel. */
export interface LearningData<T extends Task = Task> extends PreparedData<T, PixelBatch> {
  /** Labelled pixels per class of the training side, in index order. */
  readonly classPixels: readonly number[];
  /** Inverse-frequency class weights with mean 1, in index order. */
  classWeights(): readonly number[];
}

/** Tasks whose labels are objects. */
export type ObjectTask = "objectDetection" | "instanceSegmentation";

/** Chips with objects: boxes, and masks for instance segmentation. */
export interface ObjectData<T extends ObjectTask = ObjectTask> extends PreparedData<T, ObjectBatch> {
  /** Objects per class of the training side, in index order. */
  readonly classObjects: readonly number[];
  /** Objects of the chip that has most; no image of a batch has more. */
  readonly mostObjects: number;
}

/** Chips that as a whole have a class, or several. */
export interface TileData extends PreparedData<"objectClassification", TileBatch> {
  /** Whether a chip may have several classes, or none. */
  readonly multiLabel: boolean;
  /** How the chips lie around their features; null where nothing tells that they were cut around any. */
  readonly crop: CropManner | null;
  /** Chips per class of the training side, in index order. */
  readonly classChips: readonly number[];
  /** Inverse-frequency class weights with mean 1, in index order. */
  classWeights(): readonly number[];
}

/** What is prepared for each task. */
export interface TaskData {
  readonly pixelClassification: LearningData<"pixelClassification">;
  readonly objectDetection: ObjectData<"objectDetection">;
  readonly instanceSegmentation: ObjectData<"instanceSegmentation">;
  readonly objectClassification: TileData;
}

/** The data of a task. */
export type DataOf<T extends Task> = TaskData[T];

/** Options shared by the readers of chips. */
export interface PrepareDataCommon {
  readonly onWarning?: OnWarning;
}
