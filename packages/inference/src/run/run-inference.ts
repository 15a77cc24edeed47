/**
 * Any function on a scene of any size.
 *
 *     read windows -> blocks -> function (several at a time) -> add up in order -> decide -> rows -> files
 *
 * In memory are: decoded input of about two rows of windows, a few blocks, one row of sums, one row of results. Windows are
 * computed in any order but added in one, so the result does not depend on the batch size or the number of workers.
 */

import { type RasterSource, checkOptions } from "@geolearn/core";

import type { InferenceFunction } from "../inference-function.ts";
import { ClassifiedRaster } from "../output/classified-raster.ts";
import { checkOutPath } from "../output/out-path.ts";
import { OutputSet } from "../output/output-set.ts";
import { fillRows } from "./fill-rows.ts";
import { jobOf } from "./job.ts";
import { INFERENCE_RULES, type InferenceOptions } from "./options.ts";
import { PixelCounts } from "./pixel-counts.ts";
import { ResultRows } from "./result-rows.ts";
import { type Setup, prepareInference } from "./setup.ts";

/**
 * Runs a function over a scene, window by window, and gives the result as a raster. The function is not disposed.
 *
 * @throws what reading throws; BANDS_MISMATCH, RESOLUTION_MISMATCH when scene and function do not fit; ALL_NODATA when nothing is left to do;
 * UNSUPPORTED_FORMAT, INVALID_ARGUMENT for options and `out`; OUTPUT_LOCKED, DISK_FULL, WRITE_FAILED. When it throws or is cancelled, nothing is left behind.
 * @example
 * const map = await runInference(fn, "scene.tif", { overlap: 64, out: "map.tif" });
 */
export async function runInference(fn: InferenceFunction, raster: RasterSource, options: InferenceOptions = {}): Promise<ClassifiedRaster> {
  checkOptions(options, INFERENCE_RULES, "runInference()");
  return runFunction(fn, raster, options);
}

/** {@link runInference} with options that were looked at. */
export async function runFunction(fn: InferenceFunction, raster: RasterSource, options: InferenceOptions): Promise<ClassifiedRaster> {
  options.signal?.throwIfAborted();
  if (options.out !== undefined) checkOutPath(options.out, raster);
  const setup = await prepareInference(fn, raster, options);
  try {
    return await runPrepared(setup, options);
  } finally {
    await setup.close();
  }
}

async function runPrepared(setup: Setup, options: InferenceOptions): Promise<ClassifiedRaster> {
  const started = performance.now();
  const { signal, out } = options;
  const result = new ResultRows(setup, options);
  const counts = new PixelCounts();
  const journal = out !== undefined && (options.resume ?? setup.fn.fingerprint !== undefined);
  signal?.throwIfAborted();
  const files = await OutputSet.open(result.layers, {
    out: out ?? null,
    job: journal ? await jobOf(setup, options) : null,
    onRows: ([first]) => setup.config.classes !== null && counts.add(first!),
  });
  try {
    await fillRows(setup, options, result, files);
    signal?.throwIfAborted();
    const { nodata } = result.layers[0]!.profile;
    if (setup.config.classes !== null) counts.refuseNothing(nodata!, setup.scene.raster.name);
    await files.commit();
    const seconds = (performance.now() - started) / 1000;
    const pathOf = (name: string): string | null => files.paths[result.layers.findIndex((layer) => layer.name === name)] ?? null;
    const { width, height, rows, columns } = setup.plan;
    return new ClassifiedRaster({
      path: files.paths[0]!,
      scoresPath: pathOf("scores"),
      outOfRangePath: pathOf("out-of-range"),
      classes: setup.config.classes,
      nodata: nodata!,
      width,
      height,
      pixels: counts.without(nodata!),
      windows: rows.length * columns.length,
      seconds,
      megapixelsPerSecond: (width * height) / 1e6 / seconds,
      temporaryFolder: files.temporaryFolder,
    });
  } catch (error) {
    await files.abort();
    throw error;
  }
}
