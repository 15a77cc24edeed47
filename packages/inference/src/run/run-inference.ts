/**
 * Any function on a scene of any size.
 *
 *     read windows -> blocks -> function (several at a time) -> add up in order -> decide -> rows -> files
 *
 * In memory are: decoded input of about two rows of windows, a few blocks, one row of sums, one row of results. Windows are
 * computed in any order but added in one, so the result does not depend on the batch size or the number of workers.
 */

import { performance } from "node:perf_hooks";

import { GeoLearnError, type RasterSource, type Samples } from "@geolearn/core";

import { type FinishedPiece, WindowAccumulator } from "../blend/accumulator.ts";
import { processViews } from "../blend/views.ts";
import type { InferenceFunction, PixelBlock } from "../inference-function.ts";
import { ClassifiedRaster } from "../output/classified-raster.ts";
import { OutputSet } from "../output/output-set.ts";
import { type BatchEntry, readBatches } from "./batches.ts";
import { mapOrdered } from "./map-ordered.ts";
import type { InferenceOptions } from "./options.ts";
import { RangeWatch } from "./range-watch.ts";
import { ResultRows } from "./result-rows.ts";
import { type Setup, jobOf, prepareInference } from "./setup.ts";

/**
 * Runs a function over a scene, window by window, and gives the result as a raster. The function is not disposed.
 *
 * @throws what reading throws; BANDS_MISMATCH, RESOLUTION_MISMATCH when scene and function do not fit; ALL_NODATA when nothing is left to do;
 * OUTPUT_LOCKED, DISK_FULL, WRITE_FAILED. When it throws or is cancelled, nothing is left behind.
 * @example
 * const map = await runInference(fn, "scene.tif", { overlap: 64, out: "map.tif" });
 */
export async function runInference(fn: InferenceFunction, raster: RasterSource, options: InferenceOptions = {}): Promise<ClassifiedRaster> {
  options.signal?.throwIfAborted();
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
    if (setup.config.classes !== null && counts.only(nodata!)) {
      throw new GeoLearnError(
        "ALL_NODATA",
        `Nothing of ${setup.scene.raster.name} is left to classify: every pixel is nodata or outside the mask.`,
        {
          hint: "Check the nodata value of the raster, and `mask` and `extent` where they are given.",
        },
      );
    }
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

async function fillRows(setup: Setup, options: InferenceOptions, result: ResultRows, files: OutputSet): Promise<void> {
  const { plan, config, blend, merge } = setup;
  const { signal, onProgress } = options;
  const total = plan.rows.length * plan.columns.length;
  // Windows that only touch rows already written are not needed again; the first one that reaches further is.
  const firstRow = plan.rows.findIndex((row) => row + plan.coreHeight > files.rows);
  const report = (done: number): void => onProgress?.({ stage: "classify-pixels", done, total, unit: "windows" });
  report(files.rows >= plan.height ? total : Math.max(0, firstRow) * plan.columns.length);
  if (files.rows >= plan.height) return;
  const watch = config.statistics === undefined ? null : new RangeWatch(config.statistics, config.bandNames ?? []);
  const batches = readBatches({
    plan,
    reader: setup.createReader(),
    bands: setup.bands.length,
    outputBands: config.outputBands,
    batchSize: setup.batchSize,
    firstRow,
    region: setup.region,
    watch,
    flags: result.layers.some(({ name }) => name === "out-of-range"),
    signal,
  });
  let entry!: BatchEntry;
  const onFinished = (piece: FinishedPiece): void => {
    if (piece.row >= files.rows) result.write(piece, entry.rows);
  };
  const sums = new WindowAccumulator(plan, config.outputBands, blend, merge, onFinished, firstRow);
  const size = plan.coreWidth * plan.coreHeight * config.outputBands;
  const process = (block: PixelBlock): Promise<Float32Array> => runBlock(setup, block, signal);
  for await (const [{ entries, recycle }, scores] of mapOrdered(batches, Math.max(1, config.concurrency ?? 1), ({ block }) =>
    process(block),
  )) {
    for (entry of entries) {
      const top = plan.rows[entry.row]!;
      const rows = Math.min(plan.rows[entry.row + 1] ?? plan.height, plan.height) - top;
      if (entry.column === 0) result.begin(rows);
      sums.add(entry.slot < 0 ? null : scores, Math.max(0, entry.slot) * size);
      if (entry.column < plan.columns.length - 1) continue;
      if (top >= files.rows) await files.append(rows, result.arrays);
    }
    recycle();
    signal?.throwIfAborted();
    report(entry.row * plan.columns.length + entry.column + 1);
  }
  watch?.report(options.onWarning);
  if (result.broken > 0) {
    options.onWarning?.({
      code: "SCORES_NOT_FINITE",
      message: `The function gave no finite score for ${result.broken} pixels; they are nodata in the result.`,
      hint: "The training may have diverged; values far outside the training range can do this too.",
    });
  }
}

async function runBlock(
  { fn, config, tta, merge, plan }: Setup,
  block: PixelBlock,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  if (block.size === 0) return new Float32Array(0);
  const scores = tta ? await processViews(fn, block, plan.margin, merge, signal) : await fn.process(block, signal);
  const expected = block.size * plan.coreWidth * plan.coreHeight * config.outputBands;
  if (scores.length === expected) return scores;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `The function ${fn.name} gave ${scores.length} numbers for a block of ${block.size}; expected ${expected}.`,
    {
      hint: "process() must return `[size, height - 2 margin, width - 2 margin, outputBands]`.",
    },
  );
}

/** Counts the values of class rasters. */
class PixelCounts {
  readonly #counts = new Map<number, number>();

  add(values: Samples): void {
    const small =
      values instanceof Uint8Array || values instanceof Uint16Array ? new Float64Array(2 ** (8 * values.BYTES_PER_ELEMENT)) : null;
    if (small !== null) {
      for (let i = 0; i < values.length; i++) small[values[i]!]! += 1;
      for (let value = 0; value < small.length; value++) if (small[value]! > 0) this.#add(value, small[value]!);
    } else for (const value of values) this.#add(value, 1);
  }

  #add(value: number, count: number): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + count);
  }

  /** True when nothing but this value was counted. */
  only(value: number): boolean {
    return [...this.#counts.keys()].every((each) => each === value);
  }

  without(value: number): ReadonlyMap<number, number> {
    return new Map([...this.#counts].filter(([each]) => each !== value).sort(([a], [b]) => a - b));
  }
}
