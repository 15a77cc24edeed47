/** A Learner of pixel classification, with the figures of this task. */

import { checkOptions, type ClassMetrics, type Figure, rules } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";

import { confusionFigure } from "../../figures/confusion.ts";
import { checkFigurePath } from "../../figures/figure-path.ts";
import type { LearnerCore } from "../../learner/core.ts";
import { finished, Learner } from "../../learner/learner.ts";
import { LEARNER_RULES } from "../../learner/option-rules.ts";
import { type ChipPrediction, type PixelEvaluation, predictChips } from "./evaluate.ts";
import { ignoredPositions } from "./loss-spec.ts";
import type { PixelTask } from "./pixel-task.ts";

/** Options of `perClassMetrics`. */
export interface PerClassOptions {
  /** Classes, by name or value, that are left out of the table. @defaultValue none */
  readonly ignoreClasses?: readonly (string | number)[];
}

/** Trains, measures and saves a network that gives every pixel a class. Made by `createLearner`. */
export class PixelLearner extends Learner<"pixelClassification", PixelEvaluation, LearningData<"pixelClassification">> {
  private readonly pixels: PixelTask;

  /** @internal Use `createLearner`. */
  constructor(core: LearnerCore<PixelEvaluation>, pixels: PixelTask, data: LearningData<"pixelClassification">, name: string) {
    super(core, data, name);
    this.pixels = pixels;
  }

  /**
   * Class values of chips given as raw pixels `[count, chipHeight, chipWidth, bands]`, in any number. For scenes of any size save
   * the model and use `classifyPixels`.
   *
   * @throws INVALID_ARGUMENT when the values are no whole chips
   */
  async predict(images: Float32Array): Promise<ChipPrediction> {
    return predictChips(this.pixels.context(), images);
  }

  /** Share of validation pixels that are right. */
  async accuracy(): Promise<number | null> {
    return (await this.evaluate()).pixelAccuracy;
  }

  /** Mean intersection over union on the validation side; with `mean: false` the value of each class by name. */
  async mIOU(options: { readonly mean: false }): Promise<Record<string, number | null>>;
  async mIOU(options?: { readonly mean?: true }): Promise<number | null>;
  async mIOU(options: { readonly mean?: boolean } = {}): Promise<number | null | Record<string, number | null>> {
    checkOptions(options, { mean: rules.boolean }, "mIOU()");
    const { mean = true } = options;
    const { meanIou, classes } = await this.evaluate();
    return mean ? meanIou : Object.fromEntries(classes.map(({ name, iou }) => [name, iou]));
  }

  /** Precision, recall, F1 and IoU of each class on the validation side. @throws CLASS_UNKNOWN for a class to leave out that there is not */
  async perClassMetrics(options: PerClassOptions = {}): Promise<readonly ClassMetrics[]> {
    checkOptions(options, { ignoreClasses: LEARNER_RULES.ignoreClasses }, "perClassMetrics()");
    const { ignoreClasses = [] } = options;
    const left = ignoredPositions(this.data.classes, ignoreClasses);
    return (await this.evaluate()).classes.filter((_, position) => !left.includes(position));
  }

  /** The confusion matrix of the validation side. */
  async plotConfusionMatrix(path?: string): Promise<Figure> {
    checkFigurePath("plotConfusionMatrix", path);
    const { confusion } = await this.evaluate();
    return finished(await confusionFigure(confusion, this.data.classes), path);
  }
}
