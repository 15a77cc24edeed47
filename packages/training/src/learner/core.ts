/** What the parts of a Learner share. */

import { createRng, type OnWarning } from "@geolearn/core";
import { type EngineInfo, seedRandom } from "@geolearn/engine";
import type { AnyNetwork } from "@geolearn/models";

import type { AnyData, LearnerTask, TaskEvaluation } from "../tasks/task.ts";
import type { LrFindResult } from "./lr-find.ts";
import type { OptimizationOptions } from "./options.ts";
import type { EpochRecord } from "./records.ts";
import { createTrainingStep, type TrainingStep } from "./training-step.ts";

/** A network, its data, its task, and the training step compiled for them. */
export class LearnerCore<E extends TaskEvaluation = TaskEvaluation> {
  readonly records: EpochRecord[] = [];
  lastSweep: LrFindResult | null = null;
  private training: { readonly key: string; readonly step: TrainingStep } | null = null;
  private disposed = false;

  constructor(
    readonly data: AnyData,
    readonly network: AnyNetwork,
    readonly task: LearnerTask<E>,
    readonly engine: EngineInfo,
    readonly seed: number,
    readonly onWarning: OnWarning,
    public frozen: boolean,
  ) {}

  /** Layers that draw at random, dropout for one, draw the same at the same place of a run, also when it was resumed there. */
  seedDraws(...place: readonly number[]): void {
    if (this.engine.device !== "tensorflow") seedRandom(createRng([this.seed, ...place]).int(2 ** 31));
  }

  /** The compiled step of these settings. There is at most one: each has a memory arena of its own. */
  async trainingStep({ optimizer, weightDecay, momentum, clipNorm }: OptimizationOptions): Promise<TrainingStep> {
    const options = {
      ...(optimizer !== undefined && { optimizer }),
      ...(weightDecay !== undefined && { weightDecay }),
      ...(momentum !== undefined && { momentum }),
      ...(clipNorm !== undefined && { clipNorm }),
    };
    const key = JSON.stringify([options, this.frozen]);
    if (this.training?.key === key) return this.training.step;
    await this.training?.step.dispose();
    this.training = null;
    const { network, task, frozen } = this;
    const step = createTrainingStep({ graph: task, network, frozen }, options);
    try {
      task.checkLoss();
    } catch (error) {
      await step.dispose();
      throw error;
    }
    this.training = { key, step };
    return step;
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await this.training?.step.dispose();
    await this.task.dispose();
    this.network.dispose();
  }
}
