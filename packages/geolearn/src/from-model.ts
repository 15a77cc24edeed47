/** Opening a trained model: to use it, or to train it further. */

import type { RasterSource, Task } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { type ClassifyOptions, type InferenceEstimate, classifyPixels, estimateClassification } from "@geolearn/inference";
import { GeoLearnError } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelManifest, type ModelPackage, type SaveOnnxOptions, type SavedOnnx, readModelPackage, saveOnnx } from "@geolearn/models";
import { type LearnerOf, type LearnerOptions, type PixelLearner, createLearner } from "@geolearn/training";
import { ClassifiedMap } from "./classified-map.ts";

/** A model that gives every pixel a class. */
export interface PixelClassifier {
  readonly task: "pixelClassification";
  /** Classes, bands, statistics, metrics: what the package says. */
  readonly manifest: ModelManifest;
  /** Classifies a scene of any size; see `classifyPixels`. */
  classifyPixels(raster: RasterSource, options?: ClassifyOptions): Promise<ClassifiedMap>;
  /** Time, memory and disk the same call would need. */
  estimate(raster: RasterSource, options?: ClassifyOptions): Promise<InferenceEstimate>;
  /** Writes the model as an ONNX file of standard operators: raw pixels in, scores out; see `saveOnnx`. */
  toOnnx(path: string, options?: SaveOnnxOptions): Promise<SavedOnnx>;
}

/** The model of a task. */
export type ModelOf<T extends Task> = T extends "pixelClassification" ? PixelClassifier : never;

/** What a model is opened for. */
export interface UseModelOptions<T extends Task> {
  /** The task the model must be made for. */
  readonly task: T;
}

/** Data to train a model further. */
export interface TrainModelOptions<T extends Task> extends Omit<LearnerOptions, "pretrained" | "model" | "modelType"> {
  readonly data: LearningData<T>;
}

/**
 * Opens a model package: with `task` to use it, with `data` as a Learner to evaluate or train it further. Classes and bands that
 * differ from the package's re-initialise those layers only.
 *
 * @throws FILE_NOT_FOUND, MODEL_CORRUPT, MODEL_FOREIGN for a package of another tool, TASK_MISMATCH
 * @example
 * const model = await fromModel("buildings.dlpk", { task: "pixelClassification" });
 * const map = await model.classifyPixels("city.tif");
 */
export async function fromModel<T extends "pixelClassification">(
  source: string | Uint8Array,
  options: UseModelOptions<T>,
): Promise<ModelOf<T>>;
export async function fromModel<T extends "pixelClassification">(
  source: string | Uint8Array,
  options: TrainModelOptions<T>,
): Promise<LearnerOf<T>>;
export async function fromModel(
  source: string | Uint8Array,
  options: UseModelOptions<"pixelClassification"> | TrainModelOptions<"pixelClassification">,
): Promise<PixelClassifier | PixelLearner> {
  if ("data" in options) {
    const { data, ...learnerOptions } = options;
    return createLearner(data, { ...learnerOptions, pretrained: source });
  }
  const modelPackage = await readModelPackage(source);
  if (modelPackage.manifest.task !== options.task) {
    throw new GeoLearnError("TASK_MISMATCH", `The model is made for ${modelPackage.manifest.task}, not for ${options.task}.`, {
      hint: `Open it with \`task: "${modelPackage.manifest.task}"\`.`,
    });
  }
  return classifierOf(modelPackage);
}

function classifierOf(modelPackage: ModelPackage): PixelClassifier {
  return {
    task: "pixelClassification",
    manifest: modelPackage.manifest,
    classifyPixels: async (raster, options = {}) => new ClassifiedMap(await classifyPixels(modelPackage, raster, options)),
    estimate: (raster, options = {}) => estimateClassification(modelPackage, raster, options),
    toOnnx: async (path, options = {}) => {
      await startEngine();
      return saveOnnx(path, modelPackage, options);
    },
  };
}
