/** Classifying a scene with a trained model. */

import { type RasterSource, checkOptions, type OptionRules } from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import type { InferenceFunction } from "../inference-function.ts";
import { COMPUTE_RULES, type ComputeOptions, computeOptions } from "../lanes/model-lanes.ts";
import type { ClassifiedRaster } from "../output/classified-raster.ts";
import { type InferenceEstimate, estimateFunction } from "../run/estimate.ts";
import { INFERENCE_RULES, type InferenceOptions } from "../run/options.ts";
import { runFunction } from "../run/run-inference.ts";
import { pixelClassifier } from "./pixel-classifier.ts";

/** Options of {@link classifyPixels}; `device`, `threads` and `workers` are for models, a function has chosen its own. */
export type ClassifyOptions = InferenceOptions & Omit<ComputeOptions, "batchSize">;

/** Rules for {@link ClassifyOptions}. */
export const CLASSIFY_RULES: OptionRules<ClassifyOptions> = { ...INFERENCE_RULES, ...COMPUTE_RULES };

/** A model: the path of a package, a package, or anything that turns blocks into scores. */
export type ClassifyModel = string | ModelPackage | InferenceFunction;

/**
 * Classifies the pixels of a scene of any size. The class raster carries the user's class values, colours and names, and
 * nodata where the scene has none or `mask` leaves land out. The same scene and model give the same bytes for every
 * `batchSize` and number of `workers`.
 *
 * @throws MODEL_CORRUPT, MODEL_FOREIGN, TASK_MISMATCH for the model; BANDS_MISMATCH, RESOLUTION_MISMATCH when it does not fit the
 * scene; ALL_NODATA; OUTPUT_LOCKED, DISK_FULL, WRITE_FAILED; INVALID_ARGUMENT for an option that there is not, or a wrong value, before anything is read
 * @example
 * const map = await classifyPixels("buildings.dlpk", "city.tif", { overlap: 64, out: "classes.tif" });
 */
export async function classifyPixels(model: ClassifyModel, raster: RasterSource, options: ClassifyOptions = {}): Promise<ClassifiedRaster> {
  return withFunction(model, options, (fn) => runFunction(fn, raster, options));
}

/** Time, memory and disk that {@link classifyPixels} will need, from three measured batches. Nothing is written. */
export async function estimateClassification(
  model: ClassifyModel,
  raster: RasterSource,
  options: ClassifyOptions = {},
): Promise<InferenceEstimate> {
  return withFunction(model, options, (fn) => estimateFunction(fn, raster, options));
}

async function withFunction<T>(model: ClassifyModel, options: ClassifyOptions, work: (fn: InferenceFunction) => Promise<T>): Promise<T> {
  checkOptions(options, CLASSIFY_RULES, "classifyPixels()");
  if (typeof model === "object" && "process" in model) return work(model);
  const fn = pixelClassifier(model, computeOptions(options));
  try {
    return await work(fn);
  } finally {
    await fn.dispose();
  }
}
