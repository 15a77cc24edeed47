/** Opening a trained model: to use it, or to train it further. */

import { type FeatureSource, type OptionNames, type RasterSource, type Task, checkOptionNames } from "@geolearn/core";
import type { DataOf } from "@geolearn/data-prep";
import {
  type ClassifyObjectsOptions,
  type ClassifyOptions,
  type ClassifyPhotosOptions,
  type DetectChangeOptions,
  type DetectOptions,
  type InferenceEstimate,
  type ObjectsEstimate,
  classifyObjects,
  classifyPhotos,
  classifyPixels,
  detectChange,
  detectObjects,
  estimateClassification,
  estimateDetection,
  estimateObjects,
} from "@geolearn/inference";
import { GeoLearnError } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ModelManifest, type ModelPackage, type SaveOnnxOptions, type SavedOnnx, readModelPackage, saveOnnx } from "@geolearn/models";
import { type LearnerOf, type LearnerOptions, type TrainableTask, createLearner } from "@geolearn/training";
import { ClassifiedLayer } from "./classified-layer.ts";
import { ClassifiedMap } from "./classified-map.ts";
import { DetectedLayer } from "./detected-layer.ts";
import { PhotoLayer } from "./photo-layer.ts";

/** A trained model. */
export interface TrainedModel<T extends Task> {
  readonly task: T;
  /** Classes, bands, statistics, metrics: what the package says. */
  readonly manifest: ModelManifest;
  /** Writes the model as an ONNX file of standard operators: raw pixels in, scores or objects out; see `saveOnnx`. */
  toOnnx(path: string, options?: SaveOnnxOptions): Promise<SavedOnnx>;
}

/** A model that gives every pixel a class. */
export interface PixelClassifier extends TrainedModel<"pixelClassification"> {
  /** Classifies a scene of any size; see `classifyPixels`. */
  classifyPixels(raster: RasterSource, options?: ClassifyOptions): Promise<ClassifiedMap>;
  /** What changed between two dates, where the model is a change detector; see `detectChange`. */
  detectChange(earlier: RasterSource, later: RasterSource, options?: DetectChangeOptions): Promise<ClassifiedMap>;
  /** Time, memory and disk `classifyPixels` would need. */
  estimate(raster: RasterSource, options?: ClassifyOptions): Promise<InferenceEstimate>;
}

/** A model that finds objects: boxes, or outlines where its task is instance segmentation. */
export interface ObjectDetector<
  T extends "objectDetection" | "instanceSegmentation" = "objectDetection" | "instanceSegmentation",
> extends TrainedModel<T> {
  /** Finds the objects of a scene of any size, each once; see `detectObjects`. */
  detectObjects(raster: RasterSource, options?: DetectOptions): Promise<DetectedLayer>;
  /** Time, memory and disk `detectObjects` would need. */
  estimate(raster: RasterSource, options?: DetectOptions): Promise<InferenceEstimate>;
}

/** A model that gives the features of a layer, or photos, classes. */
export interface ObjectClassifier extends TrainedModel<"objectClassification"> {
  /** Classifies features by the pixels around them; see `classifyObjects`. */
  classifyObjects(raster: RasterSource, features: FeatureSource, options?: ClassifyObjectsOptions): Promise<ClassifiedLayer>;
  /** Classifies geotagged photos, a folder or paths, into points, and names those that tell no position; see `classifyPhotos`. */
  classifyPhotos(photos: string | readonly string[], options?: ClassifyPhotosOptions): Promise<PhotoLayer>;
  /** Time, memory and disk `classifyObjects` would need; see `estimateObjects`. */
  estimate(raster: RasterSource, features: FeatureSource, options?: ClassifyObjectsOptions): Promise<ObjectsEstimate>;
}

/** Models by task. */
export interface Models {
  readonly pixelClassification: PixelClassifier;
  readonly objectDetection: ObjectDetector<"objectDetection">;
  readonly instanceSegmentation: ObjectDetector<"instanceSegmentation">;
  readonly objectClassification: ObjectClassifier;
}

/** The model of a task. */
export type ModelOf<T extends keyof Models> = Models[T];

/** What a model is opened for. */
export interface UseModelOptions<T extends keyof Models> {
  /** The task the model must be made for. */
  readonly task: T;
}

/** Data to train a model further. */
export interface TrainModelOptions<T extends TrainableTask> extends Omit<LearnerOptions, "pretrained" | "model" | "modelType"> {
  readonly data: DataOf<T> & { readonly task: T };
}

/** What tells the two uses apart; the other options of training are those of `createLearner`, which knows them. */
const OPTIONS: OptionNames<UseModelOptions<keyof Models> & Pick<TrainModelOptions<TrainableTask>, "data">> = { task: true, data: true };

/**
 * Opens a model package: with `task` to use it, with `data` as a Learner to evaluate or train it further. Classes and bands that
 * differ from the package's re-initialise those layers only.
 *
 * @throws FILE_NOT_FOUND, MODEL_CORRUPT, MODEL_FOREIGN for a package of another tool, TASK_MISMATCH
 * @example
 * const model = await fromModel("buildings.dlpk", { task: "pixelClassification" });
 * const map = await model.classifyPixels("city.tif");
 */
export async function fromModel<T extends keyof Models>(source: string | Uint8Array, options: UseModelOptions<T>): Promise<ModelOf<T>>;
export async function fromModel<T extends TrainableTask>(source: string | Uint8Array, options: TrainModelOptions<T>): Promise<LearnerOf<T>>;
export async function fromModel<T extends TrainableTask>(
  source: string | Uint8Array,
  options?: UseModelOptions<keyof Models> | TrainModelOptions<T>,
): Promise<Models[keyof Models] | LearnerOf<T>> {
  if (isTraining(options)) {
    // The data say the task too.
    const { data, task: _task, ...learnerOptions }: TrainModelOptions<T> & Partial<UseModelOptions<T>> = options;
    return createLearner<T>(data, { ...learnerOptions, pretrained: source });
  }
  if (options !== undefined) {
    checkOptionNames<Partial<typeof OPTIONS>>(
      options as object,
      OPTIONS,
      "fromModel()",
      "Give `task` to use the model, or `data` to train it.",
    );
  }
  const modelPackage = await readModelPackage(source);
  const { task } = modelPackage.manifest;
  if (task !== options?.task) {
    const asked = options?.task === undefined ? "; the options name no task" : `, not for ${String(options.task)}`;
    throw new GeoLearnError("TASK_MISMATCH", `The model is made for ${task}${asked}.`, {
      hint: `Open it with \`{ task: "${task}" }\`, or with \`{ data }\` to train it.`,
    });
  }
  return OPENED[task](modelPackage);
}

/** `data: undefined` is as good as left out. */
function isTraining<T extends TrainableTask>(
  options: UseModelOptions<keyof Models> | TrainModelOptions<T> | undefined,
): options is TrainModelOptions<T> {
  return typeof options === "object" && options !== null && "data" in options && (options.data as unknown) !== undefined;
}

/** What opens the model of a task. */
const OPENED: { readonly [T in keyof Models]: (modelPackage: ModelPackage) => Models[T] } = {
  pixelClassification: (modelPackage) => ({
    ...commonOf(modelPackage, "pixelClassification"),
    classifyPixels: async (raster, options = {}) => new ClassifiedMap(await classifyPixels(modelPackage, raster, options)),
    detectChange: async (earlier, later, options = {}) => new ClassifiedMap(await detectChange(modelPackage, earlier, later, options)),
    estimate: (raster, options = {}) => estimateClassification(modelPackage, raster, options),
  }),
  objectDetection: (modelPackage) => detectorOf(modelPackage, "objectDetection"),
  instanceSegmentation: (modelPackage) => detectorOf(modelPackage, "instanceSegmentation"),
  objectClassification: (modelPackage) => ({
    ...commonOf(modelPackage, "objectClassification"),
    classifyObjects: async (raster, features, options = {}) =>
      new ClassifiedLayer(await classifyObjects(modelPackage, raster, features, options)),
    classifyPhotos: async (photos, options = {}) => new PhotoLayer(await classifyPhotos(modelPackage, photos, options)),
    estimate: (raster, features, options = {}) => estimateObjects(modelPackage, raster, features, options),
  }),
};

function detectorOf<T extends ObjectDetector["task"]>(modelPackage: ModelPackage, task: T): ObjectDetector<T> {
  return {
    ...commonOf(modelPackage, task),
    detectObjects: async (raster, options = {}) => new DetectedLayer(await detectObjects(modelPackage, raster, options)),
    estimate: (raster, options = {}) => estimateDetection(modelPackage, raster, options),
  };
}

function commonOf<T extends Task>(modelPackage: ModelPackage, task: T): TrainedModel<T> {
  return {
    task,
    manifest: modelPackage.manifest,
    toOnnx: async (path, options = {}) => {
      await startEngine();
      return saveOnnx(path, modelPackage, options);
    },
  };
}
