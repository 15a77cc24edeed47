/** The training loop. */

import { GeoLearnError, lockFolder, makeFolder, type RgbaImage, type WorkOptions } from "@geolearn/core";

import { createSchedule, type Schedule } from "../schedule/schedules.ts";
import { createSmoother } from "../schedule/suggest-lr.ts";
import type { FedBatch } from "../tasks/task.ts";
import { RunLog } from "../tensorboard/run-log.ts";
import type { LearnerCore } from "./core.ts";
import { sweepLearningRates } from "./lr-find.ts";
import type { FitOptions, FitResult, StepReport } from "./options.ts";
import { FitClock } from "./fit-clock.ts";
import type { EpochRecord } from "./records.ts";
import { readAhead } from "./read-ahead.ts";
import { RunState } from "./run-state.ts";
import type { TrainingStep } from "./training-step.ts";

/** Rate used when a sweep found none. */
const FALLBACK_LR = { adamw: 1e-3, adam: 1e-3, sgd: 1e-2 } as const;

/** Validation chips in the pictures of the log. */
const EXAMPLES = 4;

/** Trains; see `Learner.fit`. */
export async function runFit(core: LearnerCore, options: FitOptions): Promise<FitResult> {
  const { epochs = 10, checkpoint } = options;
  if (core.data.train.batches < 1) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The training side has ${core.data.train.count} chips, fewer than one batch of ${core.data.batchSize}.`,
      {
        hint: "Use a smaller `batchSize`, or export more chips.",
      },
    );
  }
  const release = checkpoint === undefined ? null : await lockRun(checkpoint);
  try {
    return await new Fit(core, options, epochs).run();
  } finally {
    await release?.();
  }
}

async function lockRun(folder: string): Promise<() => Promise<void>> {
  await makeFolder(folder);
  return lockFolder(folder);
}

class Fit {
  private readonly clock: FitClock;
  private readonly smooth = createSmoother(0.9);
  private sweepSeconds: number | null = null;
  private readonly reading: { readonly signal?: AbortSignal };
  private log: RunLog | null = null;

  constructor(
    private readonly core: LearnerCore,
    private readonly options: FitOptions,
    private readonly epochs: number,
  ) {
    this.clock = new FitClock(epochs, core.data.train.batches, core.data.valid.batches, core.data.batchSize);
    this.reading = options.signal ? { signal: options.signal } : {};
  }

  async run(): Promise<FitResult> {
    const { core, options } = this;
    // before anything is trained: a folder that cannot be written to is said now
    if (options.tensorboard !== undefined) {
      this.log = await RunLog.open(options.tensorboard, core.data.train.batches, options.onWarning ?? core.onWarning);
    }
    try {
      return await this.train();
    } finally {
      await this.log?.close();
    }
  }

  private async train(): Promise<FitResult> {
    const { core, options, epochs } = this;
    const { train } = core.data;
    this.clock.start();
    const step = await core.trainingStep(options);
    const state = await RunState.open(core, step, options, epochs);
    if (state.lr === null) state.lr = await this.chooseLr();
    const schedule = createSchedule(options.schedule ?? "oneCycle", {
      lr: state.lr,
      total: epochs * train.batches,
      ...(options.cycleMomentum !== undefined && { cycleMomentum: options.cycleMomentum }),
    });
    await this.log?.begin(state.epoch, state.batch, this.settings(state.lr));
    try {
      while (state.ended === null) {
        options.signal?.throwIfAborted();
        await this.trainEpoch(state, step, schedule);
        const record = await this.finishEpoch(state);
        await this.log?.epoch(record, await this.picture());
        for (const callback of options.callbacks ?? []) await callback.onEpochEnd?.(record);
        await state.save();
      }
    } catch (error) {
      // Weights that give no finite loss are of no use to anyone, in the learner or in a checkpoint.
      if (GeoLearnError.is(error, "LOSS_NOT_FINITE")) throw state.recover(error);
      // What was cancelled can be resumed where it stopped, not only where the last checkpoint was due.
      if (options.signal?.aborted) await state.save();
      throw error;
    }
    state.keepBest();
    this.report(state, null);
    return {
      epochs: core.records.slice(state.firstEpoch),
      best: state.bestEpoch,
      lr: state.lr,
      ended: state.ended,
      seconds: this.clock.seconds,
      lrFindSeconds: this.sweepSeconds,
    };
  }

  /** Trains on the batches of the epoch that are left. */
  private async trainEpoch(state: RunState, step: TrainingStep, schedule: Schedule): Promise<void> {
    const { core, options, reading } = this;
    const { train } = core.data;
    this.clock.beginEpoch();
    if (state.batch >= train.batches) return;
    for await (const batch of readAhead(core.task.batches("train", { epoch: state.epoch, from: state.batch, ...reading }))) {
      options.signal?.throwIfAborted();
      const rates = schedule(state.step);
      const { loss, gradientNorm } = await this.checkedStep(state, step, batch, rates);
      state.advance(loss);
      this.clock.stepDone();
      this.report(state, this.smooth(loss), rates.lr);
      const report: StepReport = { epoch: state.epoch + 1, batch: state.batch, step: state.step, loss, gradientNorm, lr: rates.lr };
      await this.log?.step(report);
      for (const callback of options.callbacks ?? []) await callback.onStep?.(report);
      if (options.checkpointEvery !== undefined && state.step % options.checkpointEvery === 0) await state.save();
    }
    if (state.batch < train.batches) {
      throw new GeoLearnError("CHIPS_CORRUPT", `Epoch ${state.epoch + 1} gave ${state.batch} of ${train.batches} batches.`, {
        hint: "The chips changed while they were read; prepare the data again.",
      });
    }
  }

  /** A step; refused when its loss or gradients are not finite. */
  private async checkedStep(
    state: RunState,
    step: TrainingStep,
    batch: FedBatch,
    rates: ReturnType<Schedule>,
  ): Promise<{ loss: number; gradientNorm: number }> {
    this.core.seedDraws(state.epoch, state.batch);
    const result = await step.run(batch, rates, state.step + 1);
    if (Number.isFinite(result.loss) && Number.isFinite(result.gradientNorm)) return result;
    const what = Number.isFinite(result.loss) ? `norm of the gradients is ${result.gradientNorm}` : `loss is ${result.loss}`;
    throw new GeoLearnError(
      "LOSS_NOT_FINITE",
      `The ${what} at epoch ${state.epoch + 1}, batch ${state.batch + 1}, learning rate ${rates.lr.toExponential(2)}, on chips ${batch.names.join(", ")}.`,
      {
        hint: "Use a lower `lr` or `clipNorm`, and look at these chips for extreme pixel values.",
        data: { epoch: state.epoch + 1, batch: state.batch + 1, lr: rates.lr, chips: batch.names, ...result },
      },
    );
  }

  /** Validation, record, best epoch, early stopping. */
  private async finishEpoch(state: RunState): Promise<EpochRecord> {
    const { core, options } = this;
    const { valid, train } = core.data;
    const evaluation = valid.count === 0 ? null : await core.task.evaluate(options.signal);
    const record: EpochRecord = {
      epoch: state.epoch + 1,
      trainLoss: state.lossSum / train.batches,
      validLoss: evaluation?.loss ?? null,
      metrics: evaluation === null ? {} : core.task.epochMetrics(evaluation),
      seconds: this.clock.endEpoch(),
    };
    state.finishEpoch(record);
    this.report(state, record.trainLoss);
    return record;
  }

  /** Some validation chips beside truth and prediction. */
  private async picture(): Promise<RgbaImage | null> {
    const { core, options } = this;
    if (this.log === null || core.data.valid.count === 0) return null;
    return (await core.task.results("valid", EXAMPLES, options.signal)).picture();
  }

  /** What the log says of the run. */
  private settings(lr: number): Record<string, unknown> {
    const { core, options, epochs } = this;
    const { data, network, task, frozen, seed, engine } = core;
    const { schedule = "oneCycle", optimizer = "adamw", weightDecay, momentum, clipNorm, monitor } = options;
    const given = Object.entries({ weightDecay, momentum, clipNorm, monitor }).filter(([, value]) => value !== undefined);
    return {
      modelType: network.modelType,
      ...network.config,
      loss: task.describedLoss,
      epochs,
      lr,
      schedule,
      optimizer,
      ...Object.fromEntries(given),
      batchSize: data.batchSize,
      chipSize: `${data.chipWidth} x ${data.chipHeight}`,
      bands: data.bandNames,
      classes: data.classes.map(({ name }) => name),
      trainingChips: data.train.count,
      validationChips: data.valid.count,
      frozen,
      seed,
      device: engine.device,
      threads: engine.threads,
    };
  }

  private async chooseLr(): Promise<number> {
    const { core, options } = this;
    if (typeof options.lr === "number") return options.lr;
    const { lr, seconds } = await sweepLearningRates(core, sweepOptions(options));
    this.sweepSeconds = seconds;
    if (lr !== null) return lr;
    const fallback = FALLBACK_LR[options.optimizer ?? "adamw"];
    (options.onWarning ?? core.onWarning)({
      code: "LR_NOT_FOUND",
      message: `The loss fell nowhere in the learning-rate sweep; ${fallback} is used.`,
      hint: "Look at the curve of lrFind() and give `lr` yourself.",
    });
    return fallback;
  }

  private report(state: RunState, loss: number | null, lr?: number): void {
    const { done, total, imagesPerSecond, secondsLeft } = this.clock.progress(state.step, state.ended !== null);
    this.options.onProgress?.({
      stage: "train",
      done,
      total,
      unit: "steps",
      values: {
        epoch: Math.min(state.epoch + 1, state.firstEpoch + this.epochs),
        ...(loss !== null && { loss }),
        ...(lr !== undefined && { lr }),
        ...(imagesPerSecond !== null && { imagesPerSecond }),
        ...(secondsLeft !== null && { secondsLeft }),
      },
    });
  }
}

function sweepOptions({ signal, onProgress, optimizer, weightDecay, momentum, clipNorm }: FitOptions): WorkOptions & FitOptions {
  return {
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(optimizer !== undefined && { optimizer }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(momentum !== undefined && { momentum }),
    ...(clipNorm !== undefined && { clipNorm }),
  };
}
