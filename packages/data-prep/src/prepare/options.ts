/** What `prepareData` takes. */

import { type ClassDefinition, type Features, type OptionRule, type OptionRules, rules, type Task, type WorkOptions } from "@geolearn/core";

import { AUGMENT, type Augmentation } from "../augment/options.ts";
import type { ClassMapping } from "../chips/class-table.ts";
import type { WindowSourceOptions } from "../chips/window-source.ts";
import { CLASSES, MIN_OVERLAP, sizeFrom } from "../option-rules.ts";
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

const SPLIT: OptionRule = { ...rules.text, expected: '"blocks", "random" or a file with the names of validation chips' };
/** All of the memory there is may be used. */
const BYTES: OptionRule = { expected: "a number from 0", accepts: (value) => typeof value === "number" && value >= 0 };

/** Rules for {@link PrepareDataOptions}. */
export const PREPARE_RULES: OptionRules<PrepareDataOptions> = {
  // one that there is not has a code of its own
  task: rules.any,
  batchSize: rules.whole(1, 4096),
  chipSize: rules.hinted(sizeFrom(1), "Use the chips' own size, or a smaller one."),
  valSplit: rules.hinted(rules.share, "`valSplit: 0.2` keeps a fifth."),
  split: rules.hinted(SPLIT, '`split: "validation.txt"` names a chip a line; `valSplit: 0.2` says how many validate.'),
  seed: rules.whole(0),
  bands: rules.bands,
  classes: CLASSES,
  // looked at where the classes of the chips are known
  classMapping: rules.any,
  mask: rules.polygons,
  ignoreClasses: rules.hinted(
    rules.listOf("class names or values", rules.either(rules.whole(0), rules.text)),
    "Such as `ignoreClasses: [0]`.",
  ),
  augment: AUGMENT,
  minOverlap: MIN_OVERLAP,
  resizeTo: rules.hinted(sizeFrom(1), "224 is what many encoders were trained with."),
  prefetch: rules.whole(1, 64),
  workers: rules.hinted(rules.whole(0, 64), "With 0 no thread is started."),
  cacheBytes: rules.hinted(BYTES, "With `cacheBytes: 0` no chip is kept in memory."),
  workingFolder: rules.path,
  ...rules.work,
};
