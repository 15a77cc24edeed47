/** Any model on a raster of any size: windows, blending, workers, and a georeferenced result. */

// classifying a scene
export { type ClassifyModel, type ClassifyOptions, classifyPixels, estimateClassification } from "./classify/classify-pixels.ts";
export { type DetectChangeOptions, detectChange, estimateChange } from "./classify/detect-change.ts";
export { pixelClassifier } from "./classify/pixel-classifier.ts";
export type { ComputeOptions } from "./lanes/model-lanes.ts";
export { type ClassifiedImage, type ClassifyImageOptions, classifyImage } from "./classify/classify-image.ts";
export { type NamedBands, modelBands } from "./run/model-bands.ts";
export { ClassifiedRaster, type ClassifiedRasterInfo } from "./output/classified-raster.ts";

// finding objects on a scene
export { type DetectedObjects, type DetectModel, type DetectOptions, detectObjects } from "./detect/detect-objects.ts";
export { estimateDetection } from "./detect/estimate-detection.ts";
export { type ObjectDetectorOptions, objectDetector } from "./detect/object-detector.ts";

// classifying the features of a layer, and photos
export {
  type ClassifiedObjects,
  type ClassifiedStream,
  type ClassifyObjectsOptions,
  classifyObjects,
  type ObjectCounts,
  streamClassifiedObjects,
} from "./classify-objects/classify-objects.ts";
export { estimateObjects, type ObjectsEstimate } from "./classify-objects/estimate-objects.ts";
export { type ClassifiedPhotos, classifyPhotos, type ClassifyPhotosOptions } from "./classify-objects/classify-photos.ts";

// networks of others
export { fromOnnx } from "./onnx/from-onnx.ts";
export { type OnnxFunction, openOnnxFunction } from "./onnx/onnx-function.ts";

// any function on a scene
export type {
  BlockConfiguration,
  Detection,
  DetectionConfiguration,
  DetectionFunction,
  InferenceConfiguration,
  InferenceFunction,
  ParameterInfo,
  PixelBlock,
  SceneFunction,
  SceneInfo,
} from "./inference-function.ts";
export { runInference } from "./run/run-inference.ts";
export type { InferenceOptions, SceneOptions } from "./run/options.ts";
export { type InferenceEstimate, estimateInference } from "./run/estimate.ts";
export type { Blend } from "./blend/weights.ts";
export type { Merge } from "./blend/accumulator.ts";

// accuracy
export { type PixelAccuracy, type PixelAccuracyOptions, type Truth, pixelAccuracy } from "./accuracy/pixel-accuracy.ts";
export { type ObjectAccuracy, type ObjectAccuracyOptions, type ObjectClassAccuracy, objectAccuracy } from "./accuracy/object-accuracy.ts";
export { type AccuracyTableRow, accuracyTable, writeAccuracyReport, writeAccuracyTable } from "./accuracy/object-report.ts";
