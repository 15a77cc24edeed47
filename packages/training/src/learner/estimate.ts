/** What a run of training will cost, before it is done. */

import { GeoLearnError } from "@geolearn/core";

import { checkFitOptions } from "./check-options.ts";
import type { LearnerCore } from "./core.ts";
import { SWEEP_STEPS } from "./lr-find.ts";
import type { FitOptions } from "./options.ts";
import { readAhead } from "./read-ahead.ts";
import { type Held, holdNetwork, resetOptimizer, restoreNetwork } from "./state.ts";

/** Cost of a call of `fit`. */
export interface FitEstimate {
  /** Training steps, those of the learning-rate sweep included. */
  readonly steps: number;
  /** Time of the whole run, in seconds. */
  readonly seconds: number;
  /** Memory of this process at its peak, in MiB, with the chips that are kept once they were read. */
  readonly memoryMb: number;
  /** Disk at its peak, in MiB: the checkpoint, twice while it is replaced, and the model. */
  readonly diskMb: number;
  /** Training batches that were measured. */
  readonly measuredBatches: number;
}

const MEASURED = 3;
const MEBIBYTE = 1024 * 1024;

/** Runs a few batches of the work, after one to warm up, puts everything back as it was, and scales up. */
export async function estimateFit(core: LearnerCore, options: FitOptions): Promise<FitEstimate> {
  checkFitOptions(core, options);
  const { epochs = 10, lr = "auto", checkpoint, signal } = options;
  const { data, network, task } = core;
  const { train, valid } = data;
  if (train.batches < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `There is nothing to train: ${epochs} epochs of ${train.batches} batches.`, {
      hint: "Train on at least one batch of chips.",
    });
  }
  const step = await core.trainingStep(options);
  const held = holdNetwork(network);
  resetOptimizer(step);
  try {
    let number = 0;
    const batches = readAhead(task.batches("train", signal && { signal }));
    const training = await perBatch(
      each(batches, (batch) => step.run(batch, { lr: 1e-6, beta1: null }, ++number)),
      signal,
    );
    const evaluation = valid.batches === 0 ? 0 : await perBatch(task.rehearse(signal), signal);
    const steps = epochs * train.batches + (lr === "auto" ? SWEEP_STEPS : 0);
    const weights = bytesOf(held);
    const slots = bytesOf(step.optimizer.slots.map(({ variable }) => ({ data: { byteLength: 4 * variable.size } })));
    // Beside the state itself: the best epoch's weights, and with a checkpoint a copy of all on its way to the disk.
    const state = 2 * weights + slots;
    return {
      steps,
      seconds: steps * training + epochs * valid.batches * evaluation,
      memoryMb: (process.memoryUsage().rss + data.cachedBytes + weights + (checkpoint === undefined ? 0 : state)) / MEBIBYTE,
      diskMb: (weights + (checkpoint === undefined ? 0 : 2 * state)) / MEBIBYTE,
      measuredBatches: Math.min(MEASURED, Math.max(1, train.batches - 1)),
    };
  } finally {
    restoreNetwork(network, held);
    resetOptimizer(step);
  }
}

async function* each<T>(items: AsyncIterable<T>, run: (item: T) => Promise<unknown>): AsyncGenerator {
  for await (const item of items) yield run(item);
}

/** Seconds a batch takes, reading included; the first one is left out where there are more, because everything is compiled in it. */
async function perBatch(runs: AsyncIterable<unknown>, signal: AbortSignal | undefined): Promise<number> {
  const ends: number[] = [performance.now()];
  for await (const _ of runs) {
    signal?.throwIfAborted();
    ends.push(performance.now());
    if (ends.length > MEASURED + 1) break;
  }
  const first = ends.length > 2 ? 1 : 0;
  return (ends.at(-1)! - ends[first]!) / 1000 / (ends.length - 1 - first);
}

function bytesOf(held: Held | readonly { readonly data: { readonly byteLength: number } }[]): number {
  return held.reduce((sum, { data }) => sum + data.byteLength, 0);
}
