/** The Learner: a network, its data, and the verbs of training. */

import {
  checkOptions,
  type Figure,
  GeoLearnError,
  inNotebook,
  type OptionRules,
  requireReportPath,
  type Task,
  rules,
  type WorkOptions,
} from "@geolearn/core";
import { shownBands } from "@geolearn/data-prep";
import {
  type AnyNetwork,
  type ModelManifest,
  type ModelPackage,
  type ModelPackageContent,
  type SaveOnnxOptions,
  type SavedOnnx,
  checkSaveOnnx,
  packageContent,
  readModelPackage,
  saveOnnx,
  writeModelPackage,
} from "@geolearn/models";

import { checkFigurePath } from "../figures/figure-path.ts";
import { lossesFigure } from "../figures/losses.ts";
import { lrCurveFigure } from "../figures/lr-curve.ts";
import { writeReport } from "../report/report.ts";
import type { AnyData, ResultsFigureOptions, Side, TaskEvaluation } from "../tasks/task.ts";
import { checkFitOptions, checkLrFindOptions } from "./check-options.ts";
import type { LearnerCore } from "./core.ts";
import { fitDisplay } from "./display.ts";
import { estimateFit, type FitEstimate } from "./estimate.ts";
import { runFit } from "./fit.ts";
import { type LrFindResult, sweepLearningRates } from "./lr-find.ts";
import { learnerPackage } from "./model-package.ts";
import type { FitOptions, FitResult, LrFindOptions } from "./options.ts";
import type { EpochRecord } from "./records.ts";
import { type Held, holdNetwork } from "./state.ts";

/** Options of `showResults`. */
export interface ShowResultsOptions extends ResultsFigureOptions {
  /** Chips shown. @defaultValue 4 */
  readonly rows?: number;
}

/** What bands there are is known to the data. */
const RESULTS_RULES: OptionRules<ShowResultsOptions> = { rows: rules.whole(), rgb: rules.any };

/** Trains, measures and saves a network, whatever its task. Made by `createLearner`. */
export abstract class Learner<T extends Task = Task, E extends TaskEvaluation = TaskEvaluation, D extends AnyData = AnyData> {
  readonly data: D & { readonly task: T };
  /** Name in the model package. */
  readonly name: string;
  private readonly core: LearnerCore<E>;
  private lastEvaluation: { readonly evaluation: E; readonly weights: Held } | null = null;

  /** @internal Use `createLearner`. */
  constructor(core: LearnerCore<E>, data: D & { readonly task: T }, name: string) {
    this.core = core;
    this.data = data;
    this.name = name;
  }

  /** The task of the data. */
  get task(): T {
    return this.data.task;
  }

  /** The network; its weights change as training goes on. */
  get network(): AnyNetwork {
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
    checkLrFindOptions(options);
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
   * @throws LOSS_NOT_FINITE naming epoch and chips; the learner then holds the weights of the best finished epoch of this call, or those from before
   * it where no epoch was finished. OUTPUT_LOCKED when another run uses the checkpoint folder; WRITE_FAILED for the folder of `tensorboard`; CHECKPOINT_CORRUPT; INVALID_ARGUMENT; DISK_FULL
   */
  async fit(options: FitOptions = {}): Promise<FitResult> {
    this.checkFit(options);
    const display = options.onProgress ? null : fitDisplay(this.core.records);
    try {
      return await runFit(this.core, display ? { ...options, onProgress: display.onProgress } : options);
    } finally {
      display?.end();
    }
  }

  /**
   * Looks at options of `fit`, which does so first, without training: for programs that have something to prepare or to ask before it.
   *
   * @throws INVALID_ARGUMENT
   */
  checkFit(options: FitOptions): void {
    checkFitOptions(this.core, options);
  }

  /**
   * Time, memory and disk `fit` would need with these options, from three batches; afterwards the learner is as it was, to the bit.
   *
   * @throws INVALID_ARGUMENT when there is nothing to train
   */
  async estimate(options: FitOptions = {}): Promise<FitEstimate> {
    return estimateFit(this.core, options);
  }

  /** Loss and metrics on the validation side. */
  async evaluate(options: WorkOptions = {}): Promise<E> {
    checkOptions(options, rules.work, "evaluate()");
    const { valid } = this.data;
    if (valid.count === 0) {
      throw new GeoLearnError("SPLIT_IMPOSSIBLE", "There are no validation chips to evaluate on.", {
        hint: "Prepare the data with `valSplit` above 0.",
      });
    }
    // The same weights give the same figures; tables, plots and report share one evaluation.
    const weights = holdNetwork(this.core.network);
    if (this.lastEvaluation?.weights.every(({ data }, i) => data === weights[i]!.data)) return this.lastEvaluation.evaluation;
    const evaluation = await this.core.task.evaluate(options.signal);
    this.lastEvaluation = { evaluation, weights };
    return evaluation;
  }

  /**
   * Some validation chips, or training chips where there are none, beside truth and prediction; saved (`.svg` or `.png`) when a path is given, shown in a notebook.
   * Chips with objects, or with more than background, come first, evenly spread over all; the same data always show the same chips.
   * All are stretched alike, at least over what is usual in the training chips.
   *
   * @throws INVALID_ARGUMENT; BANDS_MISMATCH for bands that are not there; UNSUPPORTED_FORMAT for another extension; DISK_FULL, WRITE_FAILED
   */
  async showResults(path?: string, options: ShowResultsOptions = {}): Promise<Figure> {
    checkFigurePath("showResults", path);
    checkOptions(options, RESULTS_RULES, "showResults()");
    const { rows = 4, rgb } = options;
    shownBands(this.data, rgb);
    const results = await this.core.task.results(this.exampleSide(), rows);
    return finished(await results.figure(rgb && { rgb }), path);
  }

  /** Losses and metrics over the epochs; saved (`.svg` or `.png`) when a path is given, shown in a notebook. */
  async plotLosses(path?: string): Promise<Figure> {
    checkFigurePath("plotLosses", path);
    return finished(await lossesFigure(this.core.records), path);
  }

  /** The last learning-rate sweep, by `lrFind` or by `fit` without `lr`. @throws INVALID_ARGUMENT before one */
  async plotLr(path?: string): Promise<Figure> {
    checkFigurePath("plotLr", path);
    const { lastSweep } = this.core;
    if (lastSweep === null)
      throw new GeoLearnError("INVALID_ARGUMENT", "There is no learning-rate sweep to plot.", { hint: "Call lrFind() first." });
    return finished(await lrCurveFigure(lastSweep.curve, lastSweep.lr), path);
  }

  /** Writes one self-contained HTML page about model, data, training and results. @throws UNSUPPORTED_FORMAT for a path that does not end in .html */
  async report(path: string): Promise<void> {
    requireReportPath(path);
    const { core, data, name } = this;
    const evaluation = data.valid.count > 0 ? await core.task.reportSections(await this.evaluate()) : [];
    const examples = await (await core.task.results(this.exampleSide(), 4)).figure();
    await writeReport(path, { name, core, evaluation, examples: examples.png, sweep: core.lastSweep });
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
    const preview = await (await this.core.task.results(this.exampleSide(), 2)).figure();
    return { ...packageContent(this.core.network, await this.manifest()), preview: preview.png };
  }

  /**
   * Writes the model as an ONNX file of standard operators, which QGIS, PyTorch, browsers and others run: raw pixels in, scores out. Classes,
   * bands, statistics and metrics go along.
   *
   * @throws UNSUPPORTED_FORMAT for another extension; INVALID_ARGUMENT; DISK_FULL, WRITE_FAILED
   */
  async toOnnx(path: string, options: SaveOnnxOptions = {}): Promise<SavedOnnx> {
    checkSaveOnnx(path, this.core.network, this.data, options);
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
    const { task } = this.core;
    const metrics = this.data.valid.count > 0 ? task.packageMetrics(await this.evaluate()) : {};
    return learnerPackage(this.core, this.name, metrics);
  }

  private exampleSide(): Side {
    return this.data.valid.count > 0 ? "valid" : "train";
  }
}

/** Saves a figure where a path is given; shows it in a notebook. */
export async function finished(figure: Figure, path: string | undefined): Promise<Figure> {
  if (path !== undefined) await figure.save(path);
  return figure.show();
}
