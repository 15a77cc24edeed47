/** Options of inference on a scene. */

import {
  type Bounds,
  type Features,
  type NetworkOptions,
  type WorkOptions,
  type OptionRule,
  type OptionRules,
  rules,
} from "@geolearn/core";

import type { Merge } from "../blend/accumulator.ts";
import type { Blend } from "../blend/weights.ts";

/** Which part of a scene is worked on, and how it is cut into windows. */
export interface SceneOptions extends WorkOptions, NetworkOptions {
  /** Polygons, or a path to some, in any reference system: land outside them is left out. */
  readonly mask?: string | Features;
  /** Part of the scene to work on, `[xmin, ymin, xmax, ymax]` in the scene's reference system; widened to whole pixels. */
  readonly extent?: Bounds;
  /**
   * Ground size of a pixel in metres to work at; `"model"` takes the size the model was trained at, `"scene"` keeps the scene's
   * and accepts that it differs from the model's. @defaultValue the scene's, refused when it is more than 4 times the model's or less than a quarter
   */
  readonly cellSize?: number | "model" | "scene";
  /**
   * Bands of the raster to feed, in the model's order, by position from 0 or by name. @defaultValue those of the model: by name where
   * both sides name their bands, else by the positions they had in training, refused when the raster has more bands than training had
   */
  readonly bands?: readonly (number | string)[];
  /** Pixels that neighbouring windows share. @defaultValue half a window (a quarter at each side) */
  readonly overlap?: number;
  /** Half of `overlap`, the word of ArcGIS. */
  readonly padding?: number;
  /** Predict each window in its eight positions (flips and quarter turns) and merge. @defaultValue false */
  readonly tta?: boolean;
  /** Windows per call of the function. @defaultValue what the function asks for */
  readonly batchSize?: number;
  /** Values for the function's parameters. */
  readonly parameters?: Readonly<Record<string, number | string | boolean>>;
  /** Memory for decoded input, in MiB. @defaultValue 192 */
  readonly inputMemoryMb?: number;
}

const EXTENT: OptionRule = {
  expected: "[xmin, ymin, xmax, ymax], the smaller ones first",
  accepts: (value) =>
    Array.isArray(value) && value.length === 4 && value.every(Number.isFinite) && value[0] < value[2] && value[1] < value[3],
};
const PIXELS: OptionRule = { ...rules.whole(0), expected: "a whole number of pixels from 0" };
/** Half a pixel of padding is one of overlap. */
const PADDING: OptionRule = {
  expected: "pixels from 0, whole or half ones",
  accepts: (value) => typeof value === "number" && PIXELS.accepts(2 * value),
};
/** Names and types of parameters are looked at where the function is known. */
const PARAMETERS: OptionRule = { ...rules.object, expected: "an object with a value for each name" };

/** Rules for {@link SceneOptions}. */
export const SCENE_RULES: OptionRules<SceneOptions> = {
  mask: rules.polygons,
  extent: EXTENT,
  cellSize: rules.either({ ...rules.aboveZero, expected: "metres above 0" }, rules.oneOf("model", "scene")),
  bands: rules.bands,
  overlap: PIXELS,
  padding: PADDING,
  tta: rules.boolean,
  batchSize: rules.whole(),
  parameters: PARAMETERS,
  inputMemoryMb: rules.number(0),
  ...rules.network,
  ...rules.work,
};

/** Options of {@link runInference}. */
export interface InferenceOptions extends SceneOptions {
  /**
   * How windows meet: `"hann"` weights scores by a Hann window, `"crop"` takes each pixel from the window whose centre is nearest,
   * `"none"` merges overlapping windows by `merge` without weights. @defaultValue "hann" ("crop" for functions that give integers)
   */
  readonly blend?: Blend;
  /** How the positions of `tta`, and windows under `blend: "none"`, are merged. @defaultValue "mean" */
  readonly merge?: Merge;
  /** Also write the scores, a band per class: float32, or uint8 scaled by 254. @defaultValue false */
  readonly scores?: boolean | "float32" | "uint8";
  /** Also write where the scene leaves the range of the training data. @defaultValue false */
  readonly outOfRange?: boolean;
  /** May background (value 0) be an answer? Otherwise the best other class is. @defaultValue true */
  readonly predictBackground?: boolean;
  /** Path of the result; scores and flags go beside it (`map.scores.tif`, `map.out-of-range.tif`). @defaultValue a temporary file */
  readonly out?: string;
  /**
   * Keep finished rows beside `out` while working, and go on with them when the same work was killed before.
   * @defaultValue true when `out` is given and the function has a fingerprint
   */
  readonly resume?: boolean;
}

/** Rules for {@link InferenceOptions}. */
export const INFERENCE_RULES: OptionRules<InferenceOptions> = {
  ...SCENE_RULES,
  blend: rules.oneOf("hann", "crop", "none"),
  merge: rules.oneOf("mean", "max", "min"),
  scores: rules.either(rules.boolean, rules.oneOf("float32", "uint8")),
  outOfRange: rules.boolean,
  predictBackground: rules.boolean,
  out: rules.path,
  resume: rules.boolean,
};
