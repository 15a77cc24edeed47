/**
 * Geospatial deep learning in TypeScript: from a raster and labels to a trained network to a map. This package wires the rooms
 * together; what it exports is what most people need. The rooms themselves are `@geolearn/core`, `@geolearn/engine` and so on.
 */

// the flow: chips -> data -> network -> model -> map -> features
export {
  type ExportEstimate,
  type ExportOptions,
  type ExportResult,
  chipFolderTask,
  exportTrainingData,
  openObjectChips,
  prepareData,
} from "@geolearn/data-prep";
export type {
  Augmentation,
  ChipFolderFormat,
  ChipObject,
  ChipSource,
  DataOf,
  DataSource,
  LearningData,
  ObjectBatch,
  ObjectChip,
  ObjectData,
  PrepareDataOptions,
  ShowBatchOptions,
  TileBatch,
  TileData,
} from "@geolearn/data-prep";
export {
  type Architecture,
  CenterMask,
  ChangeDetector,
  DeepLab,
  FasterRCNN,
  FCOS,
  FeatureClassifier,
  MaskRCNN,
  PSPNet,
  PSPNetClassifier,
  RetinaNet,
  SingleShotDetector,
  UNet,
  UnetClassifier,
} from "./architectures.ts";
export { Learner, ObjectLearner, PixelLearner, TileLearner, createLearner, evaluatePackage } from "@geolearn/training";
export type {
  EpochRecord,
  FitOptions,
  FitResult,
  LearnerOptions,
  LrFindOptions,
  LrFindResult,
  ObjectEvaluation,
  ObjectMetrics,
  PixelEvaluation,
  TileEvaluation,
  TilePrediction,
} from "@geolearn/training";
export {
  type ModelOf,
  type Models,
  type ObjectClassifier,
  type ObjectDetector,
  type PixelClassifier,
  type TrainModelOptions,
  type TrainedModel,
  type UseModelOptions,
  fromModel,
} from "./from-model.ts";
export { ClassifiedLayer } from "./classified-layer.ts";
export { ClassifiedMap } from "./classified-map.ts";
export { DetectedLayer } from "./detected-layer.ts";
export { FeatureLayer } from "./feature-layer.ts";
export { PhotoLayer } from "./photo-layer.ts";

// the verbs on their own
export {
  classifyObjects,
  classifyPhotos,
  classifyPixels,
  detectChange,
  detectObjects,
  fromOnnx,
  objectDetector,
  openOnnxFunction,
  pixelClassifier,
  runInference,
  streamClassifiedObjects,
} from "@geolearn/inference";
export { accuracyTable, objectAccuracy, pixelAccuracy, writeAccuracyReport, writeAccuracyTable } from "@geolearn/inference";
export type { AccuracyTableRow, ObjectAccuracy, ObjectAccuracyOptions, PixelAccuracy, PixelAccuracyOptions } from "@geolearn/inference";
export type { OnnxFunction } from "@geolearn/inference";
export type {
  ClassifiedObjects,
  ClassifiedPhotos,
  ClassifiedStream,
  ClassifyObjectsOptions,
  ClassifyOptions,
  ClassifyPhotosOptions,
  DetectChangeOptions,
  DetectedObjects,
  DetectOptions,
  Detection,
  DetectionConfiguration,
  DetectionFunction,
  ObjectCounts,
} from "@geolearn/inference";
export type { InferenceConfiguration, InferenceFunction, ParameterInfo, PixelBlock, SceneInfo } from "@geolearn/inference";
export { polygonize, regularize, regularizeFeatures, toPolygons } from "@geolearn/postprocess";
export type { PolygonizeOptions, RegularizeMethod, RegularizeOptions } from "@geolearn/postprocess";
export { type ModelDescription, type ModelManifest, describeModelPackage } from "@geolearn/models";
export { type SaveOnnxOptions, type SavedOnnx, openOnnx, saveOnnx, toOnnx } from "@geolearn/models";
export type { OnnxDescription, OnnxExport, OnnxNormalization, OnnxSpec, StacItem, ToOnnxOptions } from "@geolearn/models";
export { type Device, type EngineInfo, startEngine } from "@geolearn/engine";

// networks of one's own
export { defineModel, normalizeBands } from "@geolearn/models";
export type { BuildOptions, DefineModelOptions, ExtensionNetwork, LossContext, ModelExtension, ModelShape } from "@geolearn/models";

// looking at files
export {
  type ChipsInfo,
  type CrsSummary,
  type FeaturesInfo,
  type Info,
  type ModelInfo,
  type OnnxInfo,
  type RasterInfo,
  describe,
} from "./info.ts";

// rasters, features, errors
export { GeoLearnError, Figure, createRaster, openRaster, parseCrs, readFeatures, terminalProgress, writeFeatures } from "@geolearn/core";
export type {
  ClassDefinition,
  Crs,
  ErrorCode,
  Feature,
  Features,
  OnProgress,
  OnWarning,
  Progress,
  Raster,
  RasterArray,
  RasterProfile,
  RasterSource,
  RasterWriter,
  Task,
  Warning,
  Window,
  WorkOptions,
} from "@geolearn/core";

// a made-up town to try everything on
export { type SampleTown, type TownOfTwoDates, writeSampleTown, writeTownOfTwoDates } from "./demo/sample-town.ts";
export { type DemoOptions, type DemoResult, runDemo } from "./demo/demo.ts";
export type { TownOptions } from "./demo/town.ts";

export { version } from "./version.ts";
