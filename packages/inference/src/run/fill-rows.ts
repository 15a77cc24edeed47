/** From windows to finished rows: see run-inference.ts. */

import { GeoLearnError, type Samples } from "@geolearn/core";

import { type FinishedPiece, WindowAccumulator } from "../blend/accumulator.ts";
import { processViews } from "../blend/views.ts";
import type { PixelBlock } from "../inference-function.ts";
import { type BatchEntry, readBatches } from "./batches.ts";
import { mapOrdered } from "./map-ordered.ts";
import type { InferenceOptions } from "./options.ts";
import { RangeWatch } from "./range-watch.ts";
import type { ResultRows } from "./result-rows.ts";
import type { Setup } from "./setup.ts";

/** Where finished rows go, from top to bottom. */
export interface RowSink {
  /** Rows that are there. */
  readonly rows: number;
  /** Takes the next rows, one array per layer, which may be used again afterwards. */
  append(rows: number, arrays: readonly Samples[]): Promise<void>;
}

/** Computes all rows that `files` does not have yet and appends them. */
export async function fillRows(setup: Setup, options: InferenceOptions, result: ResultRows, files: RowSink): Promise<void> {
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
