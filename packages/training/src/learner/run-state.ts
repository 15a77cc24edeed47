/** Where a run is, what was best so far, and its checkpoint. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { readCheckpoint, type Checkpoint, writeCheckpoint } from "../checkpoint/checkpoint.ts";
import type { LearnerCore } from "./core.ts";
import { checkFingerprint, dataFingerprint, type Fingerprint } from "./fingerprint.ts";
import type { EarlyStopping, FitOptions, Monitor } from "./options.ts";
import type { EpochRecord } from "./records.ts";
import { type Held, holdNetwork, holdOptimizer, resetOptimizer, restoreNetwork, restoreOptimizer } from "./state.ts";
import type { TrainingStep } from "./training-step.ts";

/** State of one call of `fit`. */
export class RunState {
  epoch: number;
  batch = 0;
  step = 0;
  lossSum = 0;
  lr: number | null = null;
  ended: "finished" | "earlyStopping" | null = null;
  firstEpoch: number;
  private best: { readonly epoch: number; readonly value: number | null; readonly weights: Held } | null = null;
  /** Weights from before the run, held until there is a best epoch. */
  private start: Held | null;
  private reference: number | null = null;
  private waited = 0;

  private constructor(
    private readonly core: LearnerCore,
    private readonly trainingStep: TrainingStep,
    private readonly options: FitOptions,
    private readonly epochs: number,
  ) {
    this.firstEpoch = core.records.length;
    this.epoch = this.firstEpoch;
    this.start = holdNetwork(core.network);
  }

  /** A fresh run, or the one in the checkpoint folder when `resume` is set. */
  static async open(core: LearnerCore, step: TrainingStep, options: FitOptions, epochs: number): Promise<RunState> {
    const state = new RunState(core, step, options, epochs);
    resetOptimizer(step);
    if (!options.resume || options.checkpoint === undefined) return state;
    const saved = await readCheckpoint(options.checkpoint);
    if (saved !== null) state.resume(saved, options.checkpoint);
    return state;
  }

  /** A step was made. */
  advance(loss: number): void {
    this.lossSum += loss;
    this.batch++;
    this.step++;
  }

  /** An epoch was made and measured. */
  finishEpoch(record: EpochRecord): void {
    this.core.records.push(record);
    this.epoch++;
    this.batch = 0;
    this.lossSum = 0;
    this.judge(record);
    if (this.epoch - this.firstEpoch >= this.epochs) this.ended ??= "finished";
  }

  /** Epoch, from 1, that was best; null when none was finished. */
  get bestEpoch(): number | null {
    return this.best?.epoch ?? null;
  }

  /** At the end: the best epoch's weights, unless the last are wanted. */
  keepBest(): void {
    this.warnUnchanged();
    if (this.best !== null && this.options.restoreBest !== false) restoreNetwork(this.core.network, this.best.weights);
  }

  /** Puts back the best epoch's weights, or those from before the run, after training went astray; the error then says so. */
  recover(error: GeoLearnError): GeoLearnError {
    const { best, start, core } = this;
    restoreNetwork(core.network, best?.weights ?? start!);
    const kept = best === null ? "from before this fit" : `of epoch ${best.epoch}, the best so far,`;
    const { hint, data } = error;
    return new GeoLearnError("LOSS_NOT_FINITE", `${error.message} The weights ${kept} were put back.`, {
      ...(hint !== undefined && { hint }),
      data: { ...data, keptEpoch: best?.epoch ?? null },
      cause: error,
    });
  }

  /** Writes the checkpoint, where there is a folder for it. */
  async save(): Promise<void> {
    const { checkpoint: folder } = this.options;
    if (folder === undefined) return;
    const { network, engine, records } = this.core;
    const named = (held: Held): [string, HostTensor][] => network.parameters.map(({ name }, i) => [name, held[i]!]);
    const { epoch, batch, step, firstEpoch, lossSum, reference, waited, ended, best } = this;
    await writeCheckpoint(folder, {
      fingerprint: this.fingerprint(),
      machine: { device: engine.device, threads: engine.threads },
      position: {
        epoch,
        batch,
        step,
        firstEpoch,
        lossSum,
        lr: this.lr!,
        best: best && { epoch: best.epoch, value: best.value },
        reference,
        waited,
        ended,
        records,
      },
      network: named(holdNetwork(network)),
      optimizer: this.trainingStep.optimizer.slots.map(({ name }, i) => [name, holdOptimizer(this.trainingStep)[i]!]),
      best: best === null ? [] : named(best.weights),
    });
  }

  private resume({ fingerprint, machine, position, network, optimizer, best }: Checkpoint, folder: string): void {
    const { core } = this;
    checkFingerprint(this.fingerprint(), fingerprint, folder);
    const now = { device: core.engine.device, threads: core.engine.threads };
    if (machine["device"] !== now.device || machine["threads"] !== now.threads) {
      (this.options.onWarning ?? core.onWarning)({
        code: "RESUMED_ELSEWHERE",
        message: `The run began on ${String(machine["device"])} with ${String(machine["threads"])} threads and goes on on ${now.device} with ${now.threads}; its weights will differ in the last bits.`,
      });
    }
    const ordered = (entries: Checkpoint["network"]): Held => {
      const byName = new Map(entries);
      return core.network.parameters.map(({ name }) => present(byName.get(name), name, folder));
    };
    restoreNetwork(core.network, ordered(network));
    const slots = new Map(optimizer);
    restoreOptimizer(
      this.trainingStep,
      this.trainingStep.optimizer.slots.map(({ name }) => present(slots.get(name), name, folder)),
    );
    core.records.splice(0, core.records.length, ...position.records);
    this.epoch = position.epoch;
    this.batch = position.batch;
    this.step = position.step;
    this.firstEpoch = position.firstEpoch;
    this.lossSum = position.lossSum;
    this.lr = position.lr;
    this.reference = position.reference;
    this.waited = position.waited;
    this.ended = position.ended;
    this.best = position.best && { ...position.best, weights: ordered(best) };
    if (this.best !== null) this.start = null;
  }

  private judge(record: EpochRecord): void {
    const value = monitored(record, this.monitor);
    const sign = isLoss(this.monitor) ? -1 : 1;
    if (this.isBest(record, value, sign)) this.best = { epoch: record.epoch, value, weights: holdNetwork(this.core.network) };
    this.start = null;
    const { earlyStopping = false } = this.options;
    if (earlyStopping === false || value === null) return;
    const { patience = 5, minDelta = 0.001 }: EarlyStopping = earlyStopping === true ? {} : earlyStopping;
    if (this.reference === null || sign * (value - this.reference) > minDelta) {
      this.reference = value;
      this.waited = 0;
    } else if (++this.waited >= patience) this.ended = "earlyStopping";
  }

  /** Of epochs with the same figure, or without one, the lower validation loss decides, then the later epoch. */
  private isBest({ validLoss }: EpochRecord, value: number | null, sign: number): boolean {
    if (this.best === null) return true;
    const former = this.best.value;
    // An epoch without a figure is only better than others without one.
    if (value !== former) return value !== null && (former === null || sign * value > sign * former);
    const formerLoss = this.bestRecord?.validLoss ?? null;
    return validLoss === null || formerLoss === null || validLoss <= formerLoss;
  }

  private get bestRecord(): EpochRecord | undefined {
    return this.core.records.find(({ epoch }) => epoch === this.best?.epoch);
  }

  /** A figure that is the same in all epochs chose none of them. */
  private warnUnchanged(): void {
    const { monitor, options, core, best } = this;
    const values = core.records.slice(this.firstEpoch).map((record) => monitored(record, monitor));
    if (best === null || values.length < 2 || values.some((value) => value !== values[0])) return;
    const figure = best.value === null ? "had no value" : `was ${Number(best.value.toPrecision(4))}`;
    const byLoss = options.restoreBest !== false && monitor !== "validLoss" && (this.bestRecord?.validLoss ?? null) !== null;
    (options.onWarning ?? core.onWarning)({
      code: "MONITOR_UNCHANGED",
      message: `${monitor} ${figure} in all ${values.length} epochs; the ${byLoss ? "epoch with the lowest validation loss" : "last epoch"} was kept.`,
      hint: "Train longer or with another `lr`, or choose another figure as `monitor`.",
    });
  }

  private get monitor(): Monitor {
    return this.options.monitor ?? (this.core.data.valid.count > 0 ? "validLoss" : "trainLoss");
  }

  private fingerprint(): Fingerprint {
    const { data, network, task, frozen, seed } = this.core;
    const {
      schedule = "oneCycle",
      lr = "auto",
      cycleMomentum = true,
      optimizer = "adamw",
      weightDecay = null,
      momentum = null,
      clipNorm = null,
    } = this.options;
    const { earlyStopping = false } = this.options;
    return {
      ...dataFingerprint(data),
      modelType: network.modelType,
      config: network.config,
      ...task.settings,
      frozen,
      seed,
      epochs: this.epochs,
      ...{ schedule, lr, cycleMomentum, optimizer, weightDecay, momentum, clipNorm, earlyStopping },
      monitor: this.monitor,
    };
  }
}

function monitored(record: EpochRecord, monitor: Monitor): number | null {
  if (monitor === "trainLoss") return record.trainLoss;
  return monitor === "validLoss" ? record.validLoss : (record.metrics[monitor] ?? null);
}

function isLoss(monitor: Monitor): boolean {
  return monitor === "validLoss" || monitor === "trainLoss";
}

function present(tensor: HostTensor | undefined, name: string, folder: string): HostTensor {
  if (tensor) return tensor;
  throw new GeoLearnError("CHECKPOINT_CORRUPT", `The checkpoint in ${folder} lacks ${name}.`, {
    hint: "Delete the folder and start anew.",
  });
}
