/** What a piece of work will cost, before it is done. */

import type { RasterSource } from "@geolearn/core";

import { WindowAccumulator } from "../blend/accumulator.ts";
import { processViews } from "../blend/views.ts";
import type { InferenceFunction } from "../inference-function.ts";
import { readBatches } from "./batches.ts";
import { mapOrdered } from "./map-ordered.ts";
import type { InferenceOptions } from "./options.ts";
import { ResultRows } from "./result-rows.ts";
import { prepareInference } from "./setup.ts";

/** Cost of a run of inference. */
export interface InferenceEstimate {
  /** Windows of the scene. */
  readonly windows: number;
  /** Pixels of the result. */
  readonly pixels: number;
  /** Time of the whole work, in seconds. */
  readonly seconds: number;
  /** Memory of this process at its peak, in MiB. */
  readonly memoryMb: number;
  /** Disk at its peak, in MiB, if nothing could be compressed: results, their reduced copies and the rows kept for resuming. */
  readonly diskMb: number;
  /** Batches that were measured; fewer than three on small scenes. */
  readonly measuredBatches: number;
}

const MEASURED = 3;
/** A raster with all its reduced copies is at most this much larger. */
const OVERVIEWS = 4 / 3;
const MEBIBYTE = 1024 * 1024;

/** Runs three batches of the work, after one to warm up, and scales up. */
export async function estimateInference(
  fn: InferenceFunction,
  raster: RasterSource,
  options: InferenceOptions = {},
): Promise<InferenceEstimate> {
  const setup = await prepareInference(fn, raster, options);
  try {
    const { plan, config, batchSize, tta, merge } = setup;
    const { signal } = options;
    const reader = setup.createReader();
    const batches = readBatches({
      plan,
      reader,
      bands: setup.bands.length,
      outputBands: config.outputBands,
      batchSize,
      firstRow: 0,
      region: setup.region,
      watch: null,
      flags: false,
      signal,
    });
    const times: { readonly at: number; readonly windows: number }[] = [];
    const work = mapOrdered(batches, Math.max(1, config.concurrency ?? 1), ({ block }) =>
      block.size === 0 ? Promise.resolve(null) : tta ? processViews(fn, block, plan.margin, merge, signal) : fn.process(block, signal),
    );
    let computed = 0;
    const started = performance.now();
    for await (const [{ entries }] of work) {
      computed += entries.length;
      times.push({ at: performance.now(), windows: computed });
      if (times.length > MEASURED) break;
    }
    const windows = plan.rows.length * plan.columns.length;
    const first = times.length > 1 ? times[0]! : { at: started, windows: 0 };
    const last = times.at(-1) ?? first;
    const perWindow = last.windows > first.windows ? (last.at - first.at) / 1000 / (last.windows - first.windows) : 0;
    const rows = new ResultRows(setup, options);
    const step = (plan.rows[1] ?? plan.height) - plan.rows[0]!;
    const held = WindowAccumulator.bytes(plan, config.outputBands) + rows.bytes(step) + 3 * plan.coreHeight * plan.width;
    const output = rows.bytes(plan.height);
    const journal = options.out !== undefined && options.resume !== false ? output : 0;
    return {
      windows,
      pixels: plan.width * plan.height,
      seconds: perWindow * windows,
      memoryMb: (process.memoryUsage().rss + held + reader.bytes) / MEBIBYTE,
      diskMb: (output * OVERVIEWS + journal) / MEBIBYTE,
      measuredBatches: Math.max(0, times.length - 1) || times.length,
    };
  } finally {
    await setup.close();
  }
}
