/** The front door in a browser: any model on a raster, the result in memory. */

// classifying a scene
export { type ClassifiedImage, type ClassifyImageOptions, classifyImage } from "./classify/classify-image.ts";
export { pixelClassifier } from "./classify/pixel-classifier.ts";
export type { ComputeOptions } from "./lanes/model-lanes.ts";
export { type NamedBands, modelBands } from "./run/model-bands.ts";

// functions on a scene
export type { InferenceConfiguration, InferenceFunction, ParameterInfo, PixelBlock, SceneInfo } from "./inference-function.ts";
export type { InferenceOptions } from "./run/options.ts";
export type { Blend } from "./blend/weights.ts";
export type { Merge } from "./blend/accumulator.ts";
