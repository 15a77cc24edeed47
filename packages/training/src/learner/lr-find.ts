/** The learning-rate sweep (Smith 2017): one short run with exponentially growing rates. */

import { createSmoother, type LrPoint, suggestLr } from "../schedule/suggest-lr.ts";
import type { FedBatch } from "../tasks/task.ts";
import { checkLrFindOptions } from "./check-options.ts";
import type { LearnerCore } from "./core.ts";
import type { LrFindOptions } from "./options.ts";
import { readAhead } from "./read-ahead.ts";
import { holdNetwork, resetOptimizer, restoreNetwork } from "./state.ts";

/** Result of a sweep. */
export interface LrFindResult {
  /** Suggested highest learning rate, or null when the loss fell nowhere; see {@link suggestLr} for the rule. */
  readonly lr: number | null;
  /** The sweep; it ends early once the loss has grown to four times its lowest. */
  readonly curve: readonly LrPoint[];
  /** Wall-clock seconds it took. */
  readonly seconds: number;
}

/** Weight of the past in the smoothed loss. */
const SMOOTHING = 0.9;
/** Steps of a sweep, unless told otherwise. */
export const SWEEP_STEPS = 100;
/** The sweep has seen enough when the smoothed loss exceeds this many times its lowest. */
const DIVERGED = 4;

/** Runs the sweep, puts weights, running statistics and optimizer back as they were, and keeps the result as the core's last sweep. */
export async function sweepLearningRates(core: LearnerCore, options: LrFindOptions): Promise<LrFindResult> {
  checkLrFindOptions(options);
  const { from = 1e-6, to = 1, steps = SWEEP_STEPS, signal, onProgress } = options;
  const started = performance.now();
  const step = await core.trainingStep(options);
  const held = holdNetwork(core.network);
  resetOptimizer(step);
  const smooth = createSmoother(SMOOTHING);
  const curve: LrPoint[] = [];
  let lowest = Infinity;
  try {
    for await (const batch of readAhead(endless(core, steps, signal))) {
      signal?.throwIfAborted();
      onProgress?.({ stage: "lr-find", done: curve.length, total: steps, unit: "steps" });
      const lr = from * (to / from) ** (curve.length / (steps - 1));
      core.seedDraws(curve.length);
      const { loss, gradientNorm } = await step.run(batch, { lr, beta1: null }, curve.length + 1);
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) break;
      const smoothed = smooth(loss);
      curve.push({ lr, loss, smoothed });
      lowest = Math.min(lowest, smoothed);
      if (curve.length >= steps || (curve.length > 10 && smoothed > DIVERGED * lowest)) break;
    }
  } finally {
    restoreNetwork(core.network, held);
    resetOptimizer(step);
  }
  onProgress?.({ stage: "lr-find", done: steps, total: steps, unit: "steps" });
  core.lastSweep = { lr: suggestLr(curve), curve, seconds: (performance.now() - started) / 1000 };
  return core.lastSweep;
}

/** Training batches, epoch after epoch. Reading leaves no trace: a batch is a function of seed, epoch and index. */
async function* endless(core: LearnerCore, steps: number, signal: AbortSignal | undefined): AsyncGenerator<FedBatch, void, undefined> {
  let given = 0;
  for (let epoch = 0; given < steps; epoch++) {
    for await (const batch of core.task.batches("train", { epoch, ...(signal && { signal }) })) {
      yield batch;
      if (++given >= steps) return;
    }
  }
}
