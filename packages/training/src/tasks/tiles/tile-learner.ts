/** A Learner of whole chips, with the figures of this task. */

import { type Figure, GeoLearnError, type TileClassMetrics } from "@geolearn/core";
import type { TileData } from "@geolearn/data-prep";

import { confusionFigure } from "../../figures/confusion.ts";
import { checkFigurePath } from "../../figures/figure-path.ts";
import type { LearnerCore } from "../../learner/core.ts";
import { finished, Learner } from "../../learner/learner.ts";
import { predictTiles, type TileEvaluation, type TilePrediction } from "./evaluate.ts";
import type { TileTask } from "./tile-task.ts";

/** Trains, measures and saves a network that gives each chip a class, or several. Made by `createLearner`. */
export class TileLearner extends Learner<"objectClassification", TileEvaluation, TileData> {
  private readonly tiles: TileTask;

  /** @internal Use `createLearner`. */
  constructor(core: LearnerCore<TileEvaluation>, tiles: TileTask, data: TileData, name: string) {
    super(core, data, name);
    this.tiles = tiles;
  }

  /**
   * Classes of chips given as raw pixels `[count, chipHeight, chipWidth, bands]`, in any number. For the features of a map save the model
   * and use `classifyObjects`.
   *
   * @throws INVALID_ARGUMENT when the values are no whole chips
   */
  async predict(images: Float32Array): Promise<TilePrediction[]> {
    return predictTiles(this.tiles.context(), images);
  }

  /** Share of validation chips that are right; where chips may have several classes, of those that have exactly the right ones. */
  async accuracy(): Promise<number | null> {
    const { accuracy, exactMatch } = await this.evaluate();
    return this.data.multiLabel ? exactMatch : accuracy;
  }

  /** Precision, recall and F1 of each class on the validation side; where chips may have several classes also its average precision. */
  async perClassMetrics(): Promise<readonly TileClassMetrics[]> {
    return (await this.evaluate()).classes;
  }

  /** The confusion matrix of the validation side. @throws INVALID_ARGUMENT where chips may have several classes */
  async plotConfusionMatrix(path?: string): Promise<Figure> {
    checkFigurePath("plotConfusionMatrix", path);
    const { confusion } = await this.evaluate();
    if (confusion !== null) return finished(await confusionFigure(confusion, this.data.classes), path);
    throw new GeoLearnError("INVALID_ARGUMENT", "Chips with several classes have no confusion matrix.", {
      hint: "perClassMetrics() tells precision and recall of each class.",
    });
  }
}
