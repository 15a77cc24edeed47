/** Classifying a scene into memory: for pages, and for programs that want an array rather than a file. */

import {
  type Affine,
  type ClassDefinition,
  type Crs,
  GeoLearnError,
  type RasterSource,
  type Samples,
  encodeGeoTiff,
  checkOptions,
  type OptionRules,
} from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import type { InferenceFunction } from "../inference-function.ts";
import { COMPUTE_RULES, type ComputeOptions, computeOptions } from "../lanes/model-lanes.ts";
import { fillRows } from "../run/fill-rows.ts";
import { INFERENCE_RULES, type InferenceOptions } from "../run/options.ts";
import { PixelCounts } from "../run/pixel-counts.ts";
import { ResultRows } from "../run/result-rows.ts";
import { prepareInference } from "../run/setup.ts";
import { pixelClassifier } from "./pixel-classifier.ts";

/** Options of {@link classifyImage}. */
export type ClassifyImageOptions = Omit<InferenceOptions, "out" | "resume" | "scores" | "outOfRange"> & Omit<ComputeOptions, "batchSize">;

const { out: _out, resume: _resume, scores: _scores, outOfRange: _outOfRange, ...IMAGE_RULES } = INFERENCE_RULES;
const RULES: OptionRules<ClassifyImageOptions> = { ...IMAGE_RULES, ...COMPUTE_RULES };

/** A classified scene in memory. */
export interface ClassifiedImage {
  /** Class values `[height, width]`: what the classes call `value`, or `nodata`. */
  readonly data: Samples;
  readonly width: number;
  readonly height: number;
  readonly classes: readonly ClassDefinition[];
  /** Value of missing pixels. */
  readonly nodata: number;
  readonly transform: Affine | null;
  readonly crs: Crs | null;
  /** Pixels of each value that occurs, missing ones left out. */
  readonly pixels: ReadonlyMap<number, number>;
  /** Windows of the scene. */
  readonly windows: number;
  /** Time of the work, in seconds. */
  readonly seconds: number;
  /** The bytes of a GeoTIFF with class names and colours. */
  toGeoTiff(): Promise<Uint8Array>;
}

/** Largest result, as a guard against scenes that belong into a file. */
const MOST_PIXELS = 2 ** 29;

/**
 * Classifies the pixels of a scene, the same values as `classifyPixels` gives. The result is held in memory (a byte a pixel, more for class
 * values above 255); the scene is not.
 *
 * @throws what `classifyPixels` throws for model and scene; LIMIT_EXCEEDED for more than 2^29 pixels; INVALID_ARGUMENT for options, as there, and for a function without classes
 * @example
 * const map = await classifyImage(await readModelPackage(bytes), file);
 * const tiff = await map.toGeoTiff();
 */
export async function classifyImage(
  model: ModelPackage | InferenceFunction,
  raster: RasterSource,
  options: ClassifyImageOptions = {},
): Promise<ClassifiedImage> {
  checkOptions(options, RULES, "classifyImage()");
  if ("process" in model) return classify(model, raster, options);
  const fn = pixelClassifier(model, computeOptions(options));
  try {
    return await classify(fn, raster, options);
  } finally {
    await fn.dispose();
  }
}

async function classify(fn: InferenceFunction, raster: RasterSource, options: ClassifyImageOptions): Promise<ClassifiedImage> {
  const started = performance.now();
  options.signal?.throwIfAborted();
  const setup = await prepareInference(fn, raster, options);
  try {
    const { width, height, rows, columns } = setup.plan;
    const { classes } = setup.config;
    if (classes === null) {
      throw new GeoLearnError("INVALID_ARGUMENT", `The function ${fn.name} gives values, not classes.`, { hint: "Use runInference()." });
    }
    if (width * height > MOST_PIXELS) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${width} x ${height} pixels are more than are held in memory.`, {
        hint: "Use classifyPixels(), which writes a file, or give an extent.",
      });
    }
    const result = new ResultRows(setup, options);
    const { profile } = result.layers[0]!;
    const counts = new PixelCounts();
    const image = new ImageRows(width, height);
    await fillRows(setup, options, result, image);
    options.signal?.throwIfAborted();
    const data = image.data!;
    const nodata = profile.nodata!;
    counts.add(data);
    counts.refuseNothing(nodata, setup.scene.raster.name);
    return {
      ...{ data, width, height, classes, nodata, transform: setup.transform, crs: setup.crs },
      pixels: counts.without(nodata),
      windows: rows.length * columns.length,
      seconds: (performance.now() - started) / 1000,
      toGeoTiff: () => encodeGeoTiff({ data, bands: 1, width, height }, profile),
    };
  } finally {
    await setup.close();
  }
}

/** Rows of the only layer, one below the other. */
class ImageRows {
  rows = 0;
  data: Samples | null = null;
  readonly #width: number;
  readonly #size: number;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#size = width * height;
  }

  append(rows: number, [layer]: readonly Samples[]): Promise<void> {
    this.data ??= new (layer!.constructor as new (length: number) => Samples)(this.#size);
    const part = layer!.subarray(0, rows * this.#width);
    (this.data as Uint8Array).set(part as Uint8Array, this.rows * this.#width);
    this.rows += rows;
    return Promise.resolve();
  }
}
