/** What changed between two dates: a change detector on the bands of both. */

import { type Raster, type RasterSource, GeoLearnError, imageBands, stackDates, checkOptions } from "@geolearn/core";
import { readModelPackage } from "@geolearn/models";

import type { ClassifiedRaster } from "../output/classified-raster.ts";
import { checkOutPath } from "../output/out-path.ts";
import type { InferenceEstimate } from "../run/estimate.ts";
import { openScene } from "../run/scene.ts";
import { CLASSIFY_RULES, type ClassifyModel, type ClassifyOptions, classifyPixels, estimateClassification } from "./classify-pixels.ts";

/** Options of {@link detectChange}. */
export interface DetectChangeOptions extends Omit<ClassifyOptions, "bands"> {
  /**
   * Bands of each date to feed, in the model's order, by position from 0 or by name. @defaultValue those of the model: by name where it was trained with
   * bands of these names, else all
   */
  readonly bands?: readonly (number | string)[];
}

/**
 * Gives every pixel of the earlier raster a kind of change, as a change detector was trained to tell them. The later raster is read on the grid of the earlier one,
 * bilinearly where its own differs. Ground that one of the two does not show is nodata, as is what `classifyPixels` leaves out; the map is the one
 * `classifyPixels` gives for the bands of both dates in one raster.
 *
 * `model` is the path of a package, a package, or a function of one's own that takes the bands of both dates, the earlier ones first.
 *
 * @throws TASK_MISMATCH for a model that is no change detector; RASTER_MISMATCH when the two do not overlap or differ in bands or kind of numbers;
 * what {@link classifyPixels} throws
 * @example
 * const map = await detectChange("change.dlpk", "2018.tif", "2024.tif", { out: "change.tif" });
 */
export async function detectChange(
  model: ClassifyModel,
  earlier: RasterSource,
  later: RasterSource,
  options: DetectChangeOptions = {},
): Promise<ClassifiedRaster> {
  return onBothDates(model, earlier, later, options, classifyPixels);
}

/** Time, memory and disk that {@link detectChange} will need, from three measured batches. Nothing is written. */
export async function estimateChange(
  model: ClassifyModel,
  earlier: RasterSource,
  later: RasterSource,
  options: DetectChangeOptions = {},
): Promise<InferenceEstimate> {
  return onBothDates(model, earlier, later, options, estimateClassification);
}

async function onBothDates<T>(
  model: ClassifyModel,
  earlier: RasterSource,
  later: RasterSource,
  options: DetectChangeOptions,
  work: (model: ClassifyModel, raster: Raster, options: ClassifyOptions) => Promise<T>,
): Promise<T> {
  checkOptions<DetectChangeOptions>(options, CLASSIFY_RULES, "detectChange()");
  const { bands, out } = options;
  if (out !== undefined) for (const source of [earlier, later]) checkOutPath(out, source);
  const detector = await requireDetector(model);
  const before = await openScene(earlier, options);
  try {
    const after = await openScene(later, options);
    try {
      const both = stackDates(before.raster, after.raster, bands === undefined ? {} : { bands });
      // bands that were chosen stand in the model's order already
      return await work(detector, both, bands === undefined ? options : { ...options, bands: imageBands(both) }).catch(bandsOfEach);
    } finally {
      await after.close();
    }
  } finally {
    await before.close();
  }
}

/** What is said of the stacked bands is no help to somebody who chooses those of each date. */
function bandsOfEach(error: unknown): never {
  if (!GeoLearnError.is(error, "BANDS_MISMATCH")) throw error;
  throw new GeoLearnError("BANDS_MISMATCH", error.message, {
    hint: "`bands` are those of each date, half as many as the model has, in its order, by number from 0 or by name.",
    data: error.data,
    cause: error,
  });
}

/** The model, read, if it is one of two dates. */
async function requireDetector(model: ClassifyModel): Promise<ClassifyModel> {
  if (typeof model === "object" && "process" in model) return model;
  const loaded = typeof model === "string" ? await readModelPackage(model) : model;
  const { modelType, name, task } = loaded.manifest;
  if (modelType === "change-detector") return loaded;
  const called = typeof model === "string" ? model : name;
  throw new GeoLearnError("TASK_MISMATCH", `The model ${called} is a ${modelType} for ${task}; detecting change needs a change-detector.`, {
    hint: "Train one: `geolearn train --model-type change-detector` on chips of two dates. For any other network of both dates give `geolearn classify-pixels` a raster that has the bands of both.",
    data: { modelType, task },
  });
}
