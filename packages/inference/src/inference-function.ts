/**
 * One interface for anything that turns a block of pixels into pixels, and one for what turns it into objects: networks, colour rules,
 * foreign models. After the raster functions of ArcGIS (`getParameterInfo`, `getConfiguration`, `updatePixels`), with a batch instead of
 * a super-tile.
 */

import type { BandStatistics, ClassDefinition, SampleType, Warning } from "@geolearn/core";

/** A parameter a user may set. */
export interface ParameterInfo {
  readonly name: string;
  readonly type: "number" | "string" | "boolean";
  readonly default: number | string | boolean;
  readonly description: string;
}

/** What the function is told of the scene. */
export interface SceneInfo {
  readonly bands: number;
  readonly bandNames: readonly string[];
  readonly sampleType: SampleType;
  /** Ground size of a pixel in metres, or null. */
  readonly resolution: number | null;
  /** True when the caller chose the bands: those are fed, and of `bands` in the configuration only the number counts. */
  readonly bandsChosen?: boolean;
}

/** What a function wants to be fed. */
export interface BlockConfiguration {
  /** Bands to read, from 0, in this order. */
  readonly bands: readonly number[];
  /** Size of a block in pixels, borders included. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Pixels at each border of a block whose result is worth less than the middle's. */
  readonly padding: number;
  /** Blocks per call. */
  readonly batchSize: number;
  /** Blocks begin at multiples of this, so that pooling falls on the same pixels in every block. @defaultValue 1 */
  readonly stride?: number;
  /** Pixels at each border that have no result. @defaultValue 0 */
  readonly margin?: number;
  /** Value of missing samples, one per band read. @defaultValue 0 */
  readonly fill?: readonly number[];
  /** Calls that may run at the same time. @defaultValue 1 */
  readonly concurrency?: number;
  /** Ground size of a pixel the function was made for, in metres; null or absent when it does not matter. */
  readonly resolution?: number | null;
  /** Statistics of the bands read, from training: pixels outside their range are reported. */
  readonly statistics?: readonly BandStatistics[];
  /** Names of the bands read, for messages. */
  readonly bandNames?: readonly string[];
  /** What the function finds odd about the scene; passed on to the caller. */
  readonly warnings?: readonly Warning[];
}

/** What a function of pixels wants, and what it gives. */
export interface InferenceConfiguration extends BlockConfiguration {
  /** `"scores"`: one float per class, blended and then decided; `"values"`: pixels to be written as they are. */
  readonly output: "scores" | "values";
  readonly outputBands: number;
  readonly outputType: SampleType;
  readonly classes: readonly ClassDefinition[] | null;
}

/** What a detector wants, and the classes of what it finds. */
export interface DetectionConfiguration extends BlockConfiguration {
  readonly classes: readonly ClassDefinition[];
  /** Objects a block can have at most; where one has as many, the caller is warned that some may be missing. @defaultValue any number */
  readonly maxDetections?: number;
}

/** A batch of blocks, all of the configured size. */
export interface PixelBlock {
  /** `[size, height, width, bands]`, raw values; missing samples hold the band's fill value. */
  readonly pixels: Float32Array;
  /** 1 = valid, `[size, height, width]`. */
  readonly mask: Uint8Array;
  readonly size: number;
  readonly height: number;
  readonly width: number;
  readonly bands: number;
  /** Room for the result, which `process` may fill and return instead of a new array. */
  readonly out?: Float32Array;
}

/** Anything that works on blocks of a scene. */
export interface SceneFunction<Configuration extends BlockConfiguration = BlockConfiguration> {
  readonly name: string;
  /**
   * Changes whenever the same block could give another result (other weights, another version of the code). With it, work that
   * was killed is taken up where it stopped; without it, that happens only when the caller asks for it.
   */
  readonly fingerprint?: string | undefined;
  /** What a user may set. */
  parameters(): readonly ParameterInfo[];
  /** Called once per scene, before any block. */
  configure(scene: SceneInfo, values?: Readonly<Record<string, number | string | boolean>>): Promise<Configuration>;
  /** Releases sessions and workers. */
  dispose(): Promise<void>;
}

/** Turns blocks of pixels into pixels. */
export interface InferenceFunction extends SceneFunction<InferenceConfiguration> {
  /** Result `[size, height, width, outputBands]`, less the margin; must depend on each block alone, not on its neighbours in the batch. */
  process(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array>;
}

/** An object found in a block. */
export interface Detection {
  /** Pixels of the block, from its upper left corner. */
  readonly box: readonly [xmin: number, ymin: number, xmax: number, ymax: number];
  /** 0 to 1. */
  readonly score: number;
  /** Position in the classes of the configuration. */
  readonly classIndex: number;
  /** How likely each part of the box belongs to the object, 0 to 1, `[height][width]` over the box; only from detectors that outline. */
  readonly mask?: { readonly width: number; readonly height: number; readonly scores: Float32Array } | undefined;
}

/** Turns blocks of pixels into objects. */
export interface DetectionFunction extends SceneFunction<DetectionConfiguration> {
  /** Objects of each block; they must depend on that block alone, not on its neighbours in the batch. */
  detect(block: PixelBlock, signal?: AbortSignal): Promise<readonly (readonly Detection[])[]>;
}
