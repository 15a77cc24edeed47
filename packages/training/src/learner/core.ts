/** What the parts of a Learner share. */

import { createRng, GeoLearnError, type OnWarning } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { type EngineInfo, seedRandom } from "@geolearn/engine";
import type { Network, PixelLoss, PixelLossSpec } from "@geolearn/models";

import type { EvaluationContext } from "./evaluate.ts";
import type { LrFindResult } from "./lr-find.ts";
import type { OptimizationOptions } from "./options.ts";
import type { EpochRecord } from "./records.ts";
import { createEvaluationStep, createTrainingStep, type EvaluationStep, type TrainingStep } from "./training-step.ts";

/** A network, its data, its loss, and the compiled functions made for them. */
export class LearnerCore {
  readonly records: EpochRecord[] = [];
  lastSweep: LrFindResult | null = null;
  private training: { readonly key: string; readonly step: TrainingStep } | null = null;
  private evaluation: EvaluationStep | null = null;
  private disposed = false;

  constructor(
    readonly data: LearningData,
    readonly network: Network,
    readonly engine: EngineInfo,
    readonly lossSpec: PixelLossSpec,
    private readonly loss: PixelLoss,
    readonly seed: number,
    readonly onWarning: OnWarning,
    public frozen: boolean,
    /** Whether somebody chose the loss or its class weights. */
    private readonly lossChosen: boolean,
  ) {}

  /** The loss, for people and packages. */
  get describedLoss(): { readonly type: string } {
    return this.network.ownLoss ? { type: `own loss of ${this.network.modelType}` } : this.lossSpec;
  }

  /** Layers that draw at random, dropout for one, draw the same at the same place of a run, also when it was resumed there. */
  seedDraws(...place: readonly number[]): void {
    if (this.engine.device !== "tensorflow") seedRandom(createRng([this.seed, ...place]).int(2 ** 31));
  }

  /** `[batch, height, width, bands]`; the one shape everything is compiled for. */
  get shape(): readonly [number, number, number, number] {
    const { batchSize, chipHeight, chipWidth, bands } = this.data;
    return [batchSize, chipHeight, chipWidth, bands];
  }

  /** Positions of classes whose pixels count neither in loss nor in metrics. */
  get ignored(): ReadonlySet<number> {
    return new Set(this.lossSpec.ignoredClasses ?? []);
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
    const { network, ignored, shape, frozen } = this;
    let asked = false;
    const loss: PixelLoss = (logits, targets) => {
      asked = true;
      return this.loss(logits, targets);
    };
    const step = createTrainingStep({ network, loss, ignored, shape, frozen }, options);
    if (network.ownLoss && !asked && this.lossChosen && this.engine.device !== "tensorflow") {
      await step.dispose();
      throw new GeoLearnError("INVALID_ARGUMENT", `The ${network.modelType} network has a loss of its own, which asks for no other.`, {
        hint: "Leave out `loss` and `classWeights`, or let its loss use `pixelLoss`.",
      });
    }
    this.training = { key, step };
    return step;
  }

  /** What an evaluation runs on, compiled at the first use. */
  evaluationContext(): EvaluationContext {
    const { network, loss, ignored, shape, data } = this;
    this.evaluation ??= createEvaluationStep({ network, loss, ignored, shape });
    return { data, step: this.evaluation, margin: network.margin, ignored };
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await this.training?.step.dispose();
    await this.evaluation?.dispose();
    this.network.dispose();
  }
}
