/** The Learner: a network, its data, and the verbs of training. */

import { type ClassMetrics, type Figure, GeoLearnError, inNotebook, type PixelMetrics, type Task, type WorkOptions } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { startEngine } from "@geolearn/engine";
import {
  type ModelManifest,
  type ModelPackage,
  type ModelPackageContent,
  type Network,
  type SaveOnnxOptions,
  type SavedOnnx,
  packageContent,
  pixelLoss,
  readModelPackage,
  saveOnnx,
  writeModelPackage,
} from "@geolearn/models";

import { confusionFigure } from "../figures/confusion.ts";
import { lossesFigure } from "../figures/losses.ts";
import { lrCurveFigure } from "../figures/lr-curve.ts";
import { type ResultsFigureOptions, resultsFigure } from "../figures/results.ts";
import { writeReport } from "../report/report.ts";
import { LearnerCore } from "./core.ts";
import { createNetworkFor, lossSpec } from "./create-network.ts";
import { fitDisplay } from "./display.ts";
import { estimateFit, type FitEstimate } from "./estimate.ts";
import { type ChipPrediction, type Evaluation, evaluateChips, predictChips, predictExamples } from "./evaluate.ts";
import { runFit } from "./fit.ts";
import { type LrFindResult, sweepLearningRates } from "./lr-find.ts";
import { learnerPackage } from "./model-package.ts";
import type { FitOptions, FitResult, LearnerOptions, LrFindOptions } from "./options.ts";
import type { EpochRecord } from "./records.ts";
import { type Held, holdNetwork } from "./state.ts";

/** Options of `showResults`. */
export interface ShowResultsOptions extends ResultsFigureOptions {
  /** Validation chips shown. @defaultValue 4 */
  readonly rows?: number;
}

/** Options of `perClassMetrics`. */
export interface PerClassOptions {
  /** Names of classes that are left out of the table. @defaultValue none */
  readonly ignoreClasses?: readonly string[];
}

/**
 * A network for the data, with random or given first weights, ready to be trained.
 *
 * @throws CHIP_SIZE_NOT_DIVISIBLE, WEIGHTS_MISMATCH, MODEL_FOREIGN, MODEL_NOT_DEFINED, MODEL_INVALID, TASK_MISMATCH, CLASS_UNKNOWN, INVALID_ARGUMENT
 *
 * @example
 * const learner = await createLearner(data, { backbone: "resnet18" });
 * await learner.fit({ epochs: 10 });
 * await learner.save("buildings.dlpk");
 */
export async function createLearner<T extends "pixelClassification">(
  data: LearningData<T>,
  options: LearnerOptions = {},
): Promise<Learner<T>> {
  if (data.task !== "pixelClassification") {
    throw new GeoLearnError("TASK_MISMATCH", `The data are for ${String(data.task)}; this learner is for pixelClassification.`, {
      hint: 'Prepare the data with `task: "pixelClassification"`.',
    });
  }
  const { device, threads, seed = data.seed, onWarning = () => undefined } = options;
  const engine = await startEngine({ ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) });
  const spec = lossSpec(data, options);
  const loss = pixelLoss(spec);
  const { network, backboneLoaded } = await createNetworkFor(data, options, seed);
  const frozen = options.freeze ?? (backboneLoaded && network.parameters.some(({ backbone }) => backbone));
  if (frozen) options.log?.("The backbone is held at first; unfreeze() trains it too.");
  const lossChosen = options.loss !== undefined || options.classWeights !== undefined;
  const core = new LearnerCore(data, network, engine, spec, loss, seed, onWarning, frozen, lossChosen);
  return new Learner(core, data, options.name ?? network.modelType);
}

/** Trains, measures and saves a network. Made by {@link createLearner}. */
export class Learner<T extends Task = Task> {
  readonly data: LearningData<T>;
  /** Name in the model package. */
  readonly name: string;
  private readonly core: LearnerCore;
  private lastEvaluation: { readonly evaluation: Evaluation; readonly weights: Held } | null = null;

  /** @internal Use {@link createLearner}. */
  constructor(core: LearnerCore, data: LearningData<T>, name: string) {
    this.core = core;
    this.data = data;
    this.name = name;
  }

  /**
   * A learner that goes on from a model package: other classes or bands begin anew in their layer only, and `log` names them.
   * Its backbone is held at first, as always when weights were loaded; `unfreeze()` or `freeze: false` trains it too.
   */
  static async fromPackage<T extends "pixelClassification">(
    path: string | Uint8Array,
    data: LearningData<T>,
    options: LearnerOptions = {},
  ): Promise<Learner<T>> {
    return createLearner(data, { ...options, pretrained: path });
  }

  /** The task of the data. */
  get task(): T {
    return this.data.task;
  }

  /** The network; its weights change as training goes on. */
  get network(): Network {
    return this.core.network;
  }

  /** All epochs so far, over every call of `fit`. */
  get records(): readonly EpochRecord[] {
    return this.core.records;
  }

  /** Whether the backbone's weights are held. */
  get frozen(): boolean {
    return this.core.frozen;
  }

  /** Holds the backbone's weights from the next `fit` on. Its running statistics go on adapting to the imagery. */
  freeze(): this {
    this.core.frozen = true;
    return this;
  }

  /** Trains the backbone too, from the next `fit` on. */
  unfreeze(): this {
    this.core.frozen = false;
    return this;
  }

  /**
   * Finds a learning rate by a short run with growing rates; afterwards the learner is as it was, to the bit. In a notebook the
   * curve is shown.
   */
  async lrFind(options: LrFindOptions = {}): Promise<LrFindResult> {
    const display = options.onProgress ? null : fitDisplay([]);
    let sweep: LrFindResult;
    try {
      sweep = await sweepLearningRates(this.core, display ? { ...options, onProgress: display.onProgress } : options);
    } finally {
      display?.end();
    }
    if (inNotebook()) await this.plotLr();
    return sweep;
  }

  /**
   * Trains for some epochs with a fresh optimizer. Without `onProgress` a terminal shows a bar and a notebook a table.
   * With `checkpoint` and `resume` a run that was stopped or killed goes on, and ends with the same weights to the bit (same
   * device and threads).
   *
   * @throws LOSS_NOT_FINITE naming epoch, batch and chips, with the weights before that step put back; OUTPUT_LOCKED when another
   * run uses the checkpoint folder; WRITE_FAILED for the folder of `tensorboard`; CHECKPOINT_CORRUPT; INVALID_ARGUMENT; DISK_FULL
   */
  async fit(options: FitOptions = {}): Promise<FitResult> {
    const display = options.onProgress ? null : fitDisplay(this.core.records);
    try {
      return await runFit(this.core, display ? { ...options, onProgress: display.onProgress } : options);
    } finally {
      display?.end();
    }
  }

  /**
   * Time, memory and disk `fit` would need with these options, from three batches; afterwards the learner is as it was, to the bit.
   *
   * @throws INVALID_ARGUMENT when there is nothing to train
   */
  async estimate(options: FitOptions = {}): Promise<FitEstimate> {
    return estimateFit(this.core, options);
  }

  /** Loss, metrics and confusion matrix on the validation side. */
  async evaluate(options: WorkOptions = {}): Promise<Evaluation> {
    const { valid } = this.data;
    if (valid.count === 0) {
      throw new GeoLearnError("SPLIT_IMPOSSIBLE", "There are no validation chips to evaluate on.", {
        hint: "Prepare the data with `valSplit` above 0.",
      });
    }
    // The same weights give the same figures; tables, plots and report share one evaluation.
    const weights = holdNetwork(this.core.network);
    if (this.lastEvaluation?.weights.every(({ data }, i) => data === weights[i]!.data)) return this.lastEvaluation.evaluation;
    const evaluation = await evaluateChips(this.core.evaluationContext(), valid, options.signal);
    this.lastEvaluation = { evaluation, weights };
    return evaluation;
  }

  /**
   * Class values of chips given as raw pixels `[count, chipHeight, chipWidth, bands]`, in any number. For scenes of any size save
   * the model and use `classifyPixels`.
   *
   * @throws INVALID_ARGUMENT when the values are no whole chips
   */
  async predict(images: Float32Array): Promise<ChipPrediction> {
    return predictChips(this.core.evaluationContext(), images);
  }

  /** Share of validation pixels that are right. */
  async accuracy(): Promise<number | null> {
    return (await this.evaluate()).pixelAccuracy;
  }

  /** Mean intersection over union on the validation side; with `mean: false` the value of each class by name. */
  async mIOU(options: { readonly mean: false }): Promise<Record<string, number | null>>;
  async mIOU(options?: { readonly mean?: true }): Promise<number | null>;
  async mIOU({ mean = true }: { readonly mean?: boolean } = {}): Promise<number | null | Record<string, number | null>> {
    const { meanIou, classes } = await this.evaluate();
    return mean ? meanIou : Object.fromEntries(classes.map(({ name, iou }) => [name, iou]));
  }

  /** Precision, recall, F1 and IoU of each class on the validation side. */
  async perClassMetrics({ ignoreClasses = [] }: PerClassOptions = {}): Promise<readonly ClassMetrics[]> {
    return (await this.evaluate()).classes.filter(({ name }) => !ignoreClasses.includes(name));
  }

  /** Validation chips beside truth and prediction; saved when a path is given, shown in a notebook. */
  async showResults(path?: string, { rows = 4, ...options }: ShowResultsOptions = {}): Promise<Figure> {
    const examples = await predictExamples(this.core.evaluationContext(), this.exampleChips(), rows);
    return finished(await resultsFigure(examples, this.data.classes, options), path);
  }

  /** Losses and metrics over the epochs; saved (`.svg` or `.png`) when a path is given, shown in a notebook. */
  async plotLosses(path?: string): Promise<Figure> {
    return finished(await lossesFigure(this.core.records), path);
  }

  /** The last learning-rate sweep, by `lrFind` or by `fit` without `lr`. @throws INVALID_ARGUMENT before one */
  async plotLr(path?: string): Promise<Figure> {
    const { lastSweep } = this.core;
    if (lastSweep === null)
      throw new GeoLearnError("INVALID_ARGUMENT", "There is no learning-rate sweep to plot.", { hint: "Call lrFind() first." });
    return finished(await lrCurveFigure(lastSweep.curve, lastSweep.lr), path);
  }

  /** The confusion matrix of the validation side. */
  async plotConfusionMatrix(path?: string): Promise<Figure> {
    const { confusion } = await this.evaluate();
    return finished(await confusionFigure(confusion, this.data.classes), path);
  }

  /** Writes one self-contained HTML page about model, data, training and results. */
  async report(path: string): Promise<void> {
    const { core, data, name } = this;
    const evaluation = data.valid.count > 0 ? await this.evaluate() : null;
    const examples = await predictExamples(core.evaluationContext(), this.exampleChips(), 4);
    await writeReport(path, { name, core, evaluation, examples, sweep: core.lastSweep });
  }

  /**
   * Writes the model as a `.dlpk`: description, weights, statistics, validation metrics, and a picture of some results.
   *
   * @throws UNSUPPORTED_FORMAT for another extension; DISK_FULL, WRITE_FAILED
   */
  async save(path: string): Promise<void> {
    if (!/\.dlpk$/i.test(path)) {
      throw new GeoLearnError("UNSUPPORTED_FORMAT", `A model is saved as a .dlpk file, not as "${path}".`, {
        hint: 'Use a path such as "buildings.dlpk".',
      });
    }
    await writeModelPackage(path, await this.toPackage());
  }

  /** What `save` writes, in memory. */
  async toPackage(): Promise<ModelPackageContent> {
    const examples = await predictExamples(this.core.evaluationContext(), this.exampleChips(), 2);
    const preview = await resultsFigure(examples, this.data.classes);
    return { ...packageContent(this.core.network, await this.manifest()), preview: preview.png };
  }

  /**
   * Writes the model as an ONNX file of standard operators, which QGIS, PyTorch, browsers and others run: raw pixels in, scores out. Classes,
   * bands, statistics and metrics go along.
   *
   * @throws UNSUPPORTED_FORMAT for another extension; INVALID_ARGUMENT; DISK_FULL, WRITE_FAILED
   */
  async toOnnx(path: string, options: SaveOnnxOptions = {}): Promise<SavedOnnx> {
    return saveOnnx(path, { network: this.core.network, manifest: await this.manifest() }, options);
  }

  /** Puts the weights of a package of the same network into this learner. @throws WEIGHTS_MISMATCH */
  async load(source: string | Uint8Array | ModelPackage): Promise<this> {
    const { weights } = typeof source === "string" || source instanceof Uint8Array ? await readModelPackage(source) : source;
    this.core.network.setWeights(weights);
    return this;
  }

  /** Frees the network and what was compiled for it. The data stay open. */
  async dispose(): Promise<void> {
    await this.core.dispose();
  }

  private async manifest(): Promise<ModelManifest> {
    const metrics: PixelMetrics | null = this.data.valid.count > 0 ? await this.evaluate() : null;
    return learnerPackage(this.core, this.name, metrics);
  }

  private exampleChips(): LearningData["valid"] {
    return this.data.valid.count > 0 ? this.data.valid : this.data.train;
  }
}

async function finished(figure: Figure, path: string | undefined): Promise<Figure> {
  if (path !== undefined) await figure.save(path);
  return figure.show();
}
