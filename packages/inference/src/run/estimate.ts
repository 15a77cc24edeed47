/** What a piece of work will cost, before it is done. */

import { type RasterSource, checkOptions } from "@geolearn/core";

import { WindowAccumulator } from "../blend/accumulator.ts";
import { processViews } from "../blend/views.ts";
import type { BlockConfiguration, InferenceFunction } from "../inference-function.ts";
import { type Batch, readBatches } from "./batches.ts";
import { mapOrdered } from "./map-ordered.ts";
import { INFERENCE_RULES, type InferenceOptions } from "./options.ts";
import { ResultRows } from "./result-rows.ts";
import { prepareInference, type SceneSetup } from "./setup.ts";

/** Cost of work on a scene. */
export interface InferenceEstimate {
  /** Windows of the scene. */
  readonly windows: number;
  /** Pixels of the scene at the resolution it is worked at. */
  readonly pixels: number;
  /** Time of the whole work, in seconds. */
  readonly seconds: number;
  /** Memory of this process at its peak, in MiB. */
  readonly memoryMb: number;
  /**
   * Disk at its peak, in MiB. Of a map, if nothing could be compressed: results, their reduced copies and the rows kept for resuming. Of objects, as GeoJSON, if the
   * whole scene holds as many as the measured windows.
   */
  readonly diskMb: number;
  /** Batches that were measured; fewer than three on small scenes. */
  readonly measuredBatches: number;
}

const MEASURED = 3;
/** A raster with all its reduced copies is at most this much larger. */
const OVERVIEWS = 4 / 3;
const MEBIBYTE = 1024 * 1024;

/** How fast batches are done, after one to warm up. */
export class Pace {
  readonly #times: { readonly at: number; readonly done: number }[] = [];
  readonly #started = performance.now();

  /** Notes how much is done in all when a batch is finished; true when enough was measured. */
  mark(done: number): boolean {
    this.#times.push({ at: performance.now(), done });
    return this.#times.length > MEASURED;
  }

  /** Time for so much, in seconds. */
  seconds(total: number): number {
    const first = this.#times.length > 1 ? this.#times[0]! : { at: this.#started, done: 0 };
    const last = this.#times.at(-1) ?? first;
    return last.done > first.done ? ((last.at - first.at) / 1000 / (last.done - first.done)) * total : 0;
  }

  /** Batches that were measured. */
  get batches(): number {
    return Math.max(0, this.#times.length - 1) || this.#times.length;
  }
}

/** The part of a setup that is measured. */
type MeasuredSetup = Pick<SceneSetup<BlockConfiguration>, "plan" | "config" | "bands" | "batchSize" | "region" | "createReader">;

/** How a batch is computed, and who looks at what comes of it. */
export interface MeasuredWork<R> {
  /** Bands of the result, which blocks get memory for; 0 for results that are no pixels. */
  readonly outputBands: number;
  readonly signal: AbortSignal | undefined;
  readonly compute: (batch: Batch) => Promise<R>;
  readonly look?: (batch: Batch, result: R) => void;
}

/** Cost of work on a scene but for its results: memory includes what this process holds already. */
export type MeasuredCost = Omit<InferenceEstimate, "diskMb">;

/** Runs three batches of some work, after one to warm up, and scales up. */
export async function measureWindows<R>(
  { plan, config, bands, batchSize, region, createReader }: MeasuredSetup,
  { outputBands, signal, compute, look }: MeasuredWork<R>,
): Promise<MeasuredCost> {
  const reader = createReader();
  const source = { plan, reader, bands: bands.length, outputBands, batchSize, firstRow: 0, region, watch: null, flags: false, signal };
  const pace = new Pace();
  let computed = 0;
  for await (const [batch, result] of mapOrdered(readBatches(source), Math.max(1, config.concurrency ?? 1), compute)) {
    computed += batch.entries.length;
    const enough = pace.mark(computed);
    look?.(batch, result);
    if (enough) break;
  }
  const windows = plan.rows.length * plan.columns.length;
  return {
    windows,
    pixels: plan.width * plan.height,
    seconds: pace.seconds(windows),
    memoryMb: (process.memoryUsage().rss + reader.bytes) / MEBIBYTE,
    measuredBatches: pace.batches,
  };
}

/** Runs three batches of the work, after one to warm up, and scales up. */
export async function estimateInference(
  fn: InferenceFunction,
  raster: RasterSource,
  options: InferenceOptions = {},
): Promise<InferenceEstimate> {
  checkOptions(options, INFERENCE_RULES, "estimateInference()");
  return estimateFunction(fn, raster, options);
}

/** {@link estimateInference} with options that were looked at. */
export async function estimateFunction(fn: InferenceFunction, raster: RasterSource, options: InferenceOptions): Promise<InferenceEstimate> {
  const setup = await prepareInference(fn, raster, options);
  try {
    const { plan, config, tta, merge } = setup;
    const { signal } = options;
    const cost = await measureWindows(setup, {
      outputBands: config.outputBands,
      signal,
      compute: ({ block }) =>
        block.size === 0 ? Promise.resolve(null) : tta ? processViews(fn, block, plan.margin, merge, signal) : fn.process(block, signal),
    });
    const rows = new ResultRows(setup, options);
    const step = (plan.rows[1] ?? plan.height) - plan.rows[0]!;
    const held = WindowAccumulator.bytes(plan, config.outputBands) + rows.bytes(step) + 3 * plan.coreHeight * plan.width;
    const output = rows.bytes(plan.height);
    const journal = options.out !== undefined && options.resume !== false ? output : 0;
    return { ...cost, memoryMb: cost.memoryMb + held / MEBIBYTE, diskMb: (output * OVERVIEWS + journal) / MEBIBYTE };
  } finally {
    await setup.close();
  }
}
