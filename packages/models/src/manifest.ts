/** What a model package says about its network, besides the weights. */

import type { BandStatistics, ClassDefinition, CropManner, Task } from "@geolearn/core";

import type { OnnxConfig } from "./onnx/spec.ts";

/** Description of a trained model; everything inference needs and everything a user wants to know. */
export interface ModelManifest {
  readonly task: Task;
  readonly name: string;
  /** e.g. `"unet"`. */
  readonly modelType: string;
  /** e.g. `"resnet18"`; null for a plain encoder. */
  readonly backbone: string | null;
  /** Plain JSON the network is built from again; empty for a network that is only known as an ONNX file. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How the ONNX graph in the package is run; absent where geolearn builds the network itself. */
  readonly graph?: OnnxConfig | undefined;
  readonly classes: readonly ClassDefinition[];
  readonly bandNames: readonly string[];
  /** Positions of the bands in the training rasters, from 0. */
  readonly bandIndices: readonly number[];
  /** Bands the training rasters had in all; absent in packages that do not say. */
  readonly sourceBands?: number | undefined;
  readonly sampleType: string;
  readonly statistics: readonly BandStatistics[];
  readonly chipWidth: number;
  readonly chipHeight: number;
  /** How the chips of a classifier lay around their features; absent where they were no cut-outs around features. */
  readonly crop?: CropManner | undefined;
  /** Ground size of a training pixel in metres, or null. */
  readonly resolution: number | null;
  /** Validation metrics of the saved weights. */
  readonly metrics: Readonly<Record<string, unknown>>;
  /** Epochs, learning rate, seed, date and the like. */
  readonly training: Readonly<Record<string, unknown>>;
}
