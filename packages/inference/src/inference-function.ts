/**
 * One interface for anything that turns a block of pixels into pixels: networks, colour rules, foreign models. After the
 * raster functions of ArcGIS (`getParameterInfo`, `getConfiguration`, `updatePixels`), with a batch instead of a super-tile.
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

/** What the function wants. */
export interface InferenceConfiguration {
  /** Bands to read, from 0, in this order. */
  readonly bands: readonly number[];
  /** Size of a block in pixels, borders included. */
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Pixels at each border of a block whose result is worth less than the middle's. */
  readonly padding: number;
  /** Blocks per call. */
  readonly batchSize: number;
  /** `"scores"`: one float per class, blended and then decided; `"values"`: pixels to be written as they are. */
  readonly output: "scores" | "values";
  readonly outputBands: number;
  readonly outputType: SampleType;
  readonly classes: readonly ClassDefinition[] | null;
  /** Blocks begin at multiples of this, so that pooling falls on the same pixels in every block. @defaultValue 1 */
  readonly stride?: number;
  /** Pixels the result lacks at each border: it is `[size, height - 2 margin, width - 2 margin, outputBands]`. @defaultValue 0 */
  readonly margin?: number;
  /** Value of missing samples, one per band read. @defaultValue 0 */
  readonly fill?: readonly number[];
  /** Calls of `process` that may run at the same time. @defaultValue 1 */
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

/** Turns blocks of pixels into pixels. */
export interface InferenceFunction {
  readonly name: string;
  /**
   * Changes whenever the same block could give another result (other weights, another version of the code). With it, work that
   * was killed is taken up where it stopped; without it, that happens only when the caller asks for it.
   */
  readonly fingerprint?: string | undefined;
  /** What a user may set. */
  parameters(): readonly ParameterInfo[];
  /** Called once per scene, before any block. */
  configure(scene: SceneInfo, values?: Readonly<Record<string, number | string | boolean>>): Promise<InferenceConfiguration>;
  /** Result `[size, height, width, outputBands]`, less the margin; must depend on each block alone, not on its neighbours in the batch. */
  process(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array>;
  /** Releases sessions and workers. */
  dispose(): Promise<void>;
}
