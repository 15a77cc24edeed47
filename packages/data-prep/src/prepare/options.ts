/** What `prepareData` takes. */

import { type ClassDefinition, type Features, type OptionNames, type Task, type WorkOptions, WORK_OPTIONS } from "@geolearn/core";

import type { Augmentation } from "../augment/options.ts";
import type { ClassMapping } from "../chips/class-table.ts";
import type { WindowSourceOptions } from "../chips/window-source.ts";
import type { SplitChoice } from "../split/make-split.ts";

/** Where chips come from: folders of an export, or windows straight out of a raster with labels. */
export type DataSource = string | readonly string[] | WindowSourceOptions;

/** Options of `prepareData`. */
export interface PrepareDataOptions<T extends Task = Task> extends WorkOptions {
  readonly task: T;
  /** Chips per batch. @defaultValue 8 */
  readonly batchSize?: number;
  /**
   * Side of what the network gets, pixels. Of larger chips it gets a part: in training another place each epoch, also without augmentation; in validation the middle
   * alone, so that epochs compare. Statistics and amounts of classes are those of whole chips. @defaultValue the chips' size
   */
  readonly chipSize?: number | { readonly width: number; readonly height: number };
  /** Share of chips that validate; with 1 all do and there is nothing to train on. @defaultValue 0.2 */
  readonly valSplit?: number;
  /** `"blocks"` of ground, `"random"` chips, or a file with the names of the validation chips. @defaultValue "blocks" */
  readonly split?: SplitChoice;
  /** Decides split, order and augmentation. @defaultValue 42 */
  readonly seed?: number;
  /** Bands to use, by position from 0 or by name. @defaultValue all */
  readonly bands?: readonly (number | string)[];
  /** Classes to use instead of those the chips declare, e.g. a model's, to evaluate it on other chips. */
  readonly classes?: readonly ClassDefinition[];
  /** Names for class values, such as `{ 1: "building", 2: "building" }`; values with the same name become one class. */
  readonly classMapping?: ClassMapping;
  /** Polygons: labels outside are ignored. For pixel classification; objects heed a mask when they are exported. */
  readonly mask?: string | Features;
  /** Classes, by name or value, that no loss and no metric looks at. */
  readonly ignoreClasses?: readonly (string | number)[];
  /** What happens to training chips; `true` is flips and quarter turns. @defaultValue true */
  readonly augment?: Augmentation | boolean;
  /** Share of an object, 0 to 1, that zoom and crop must leave in the picture; one cut further is left out. For tasks of objects. @defaultValue 0.3 */
  readonly minOverlap?: number;
  /** Resamples every chip to this size, pixels. For `objectClassification` alone, where chips may be as large as their objects. */
  readonly resizeTo?: number | { readonly width: number; readonly height: number };
  /** Batches read ahead. @defaultValue 3 */
  readonly prefetch?: number;
  /** Threads that assemble batches; 0 does it in this thread. @defaultValue 1, 2 on more than four cores */
  readonly workers?: number;
  /** Bytes of decoded chips kept in memory. @defaultValue a quarter of the free memory, at most 2 GiB */
  readonly cacheBytes?: number;
  /** Folder for the split and the statistics. @defaultValue the chips' folder */
  readonly workingFolder?: string;
}

/** Names of {@link PrepareDataOptions}. */
export const PREPARE_OPTIONS: OptionNames<PrepareDataOptions> = {
  task: true,
  batchSize: true,
  chipSize: true,
  valSplit: true,
  split: true,
  seed: true,
  bands: true,
  classes: true,
  classMapping: true,
  mask: true,
  ignoreClasses: true,
  augment: true,
  minOverlap: true,
  resizeTo: true,
  prefetch: true,
  workers: true,
  cacheBytes: true,
  workingFolder: true,
  ...WORK_OPTIONS,
};
