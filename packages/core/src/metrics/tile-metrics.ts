/**
 * How well whole chips are classified. Where a figure has no meaning it is `null`, as in `pixelMetrics`: precision of a class that was never predicted,
 * recall and average precision of one that no chip has, F1 of one that is on neither side, kappa when chance alone would agree everywhere,
 * everything without chips. Means are taken over the classes whose figure is not null.
 */

import type { ClassDefinition } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import { type ConfusionMatrix, countPixels, createConfusionMatrix } from "./confusion.ts";
import { cohenKappa } from "./kappa.ts";
import { type PrecisionRecall, precisionRecall, share } from "./precision-recall.ts";
import { topKAccuracy } from "./top-k.ts";

/** Accuracy of one class. */
export interface TileClassMetrics extends PrecisionRecall {
  readonly value: number;
  readonly name: string;
  /** Chips that have the class. */
  readonly truthChips: number;
  /** Chips given the class. */
  readonly predictedChips: number;
  /** Where chips may have several classes: average precision, as scikit-learn's `average_precision_score`; else null. */
  readonly averagePrecision: number | null;
}

/** Accuracy of classified chips. */
export interface TileMetrics {
  /** Share of chips whose class is right; null where chips may have several. */
  readonly accuracy: number | null;
  /** Share of chips whose class is among the five of greatest score; null with five classes or fewer, and where chips may have several. */
  readonly top5Accuracy: number | null;
  /** Cohen's kappa; null where chips may have several classes. */
  readonly kappa: number | null;
  /** Where chips may have several classes: share of chips with exactly the right ones; else null. */
  readonly exactMatch: number | null;
  /** Mean of the classes' F1. */
  readonly meanF1: number | null;
  /** Where chips may have several classes: mean of the classes' average precision; else null. */
  readonly meanAp: number | null;
  /** Chips compared. */
  readonly chips: number;
  /** In the order of the class list. */
  readonly classes: readonly TileClassMetrics[];
  /** Chips of each true class given each class; null where chips may have several. */
  readonly confusion: ConfusionMatrix | null;
}

/** Fewest classes for which the best five say anything. */
const FEWEST_FOR_TOP_5 = 6;

/**
 * Metrics of chips with one class each. The class of the greatest score is the prediction, of equal ones the first.
 *
 * @param scores - a score for each class, one chip after another
 * @param truth - position of each chip's class in `classes`; negative ones do not count
 * @throws INVALID_ARGUMENT for scores that are not finite or do not fit the truth; CLASS_UNKNOWN
 * @example
 * tileMetrics([0.9, 0.1, 0.2, 0.8], [0, 0], classes).accuracy; // 0.5
 */
export function tileMetrics(scores: ArrayLike<number>, truth: ArrayLike<number>, classes: readonly ClassDefinition[]): TileMetrics {
  const size = classes.length;
  const accuracy = topKAccuracy(scores, truth, size, 1);
  const confusion = createConfusionMatrix(size);
  countPixels(
    confusion,
    truth,
    Int32Array.from({ length: truth.length }, (_, i) => bestClass(scores, i * size, size)),
  );
  const { counts } = confusion;
  const perClass = classes.map((definition, k) => {
    let [given, own] = [0, 0];
    for (let other = 0; other < size; other++) {
      given += counts[other * size + k]!;
      own += counts[k * size + other]!;
    }
    return classMetrics(definition, { hits: counts[k * size + k]!, predicted: given, truth: own, averagePrecision: null });
  });
  return {
    accuracy,
    top5Accuracy: size < FEWEST_FOR_TOP_5 ? null : topKAccuracy(scores, truth, size, 5),
    kappa: cohenKappa(confusion),
    exactMatch: null,
    meanF1: meanOf(perClass.map(({ f1 }) => f1)),
    meanAp: null,
    chips: perClass.reduce((sum, { truthChips }) => sum + truthChips, 0),
    classes: perClass,
    confusion,
  };
}

/**
 * Metrics of chips with any number of classes. A chip is given each class whose score reaches the class's threshold.
 *
 * @param scores - a score for each class, one chip after another
 * @param truth - 1 where a chip has a class, else 0, in the same order
 * @throws INVALID_ARGUMENT for scores that are not finite, or sides that do not fit each other
 * @example
 * multiLabelMetrics([0.9, 0.1, 0.7, 0.8], [1, 0, 0, 1], classes, [0.5, 0.5]).exactMatch; // 0.5
 */
export function multiLabelMetrics(
  scores: ArrayLike<number>,
  truth: ArrayLike<number>,
  classes: readonly ClassDefinition[],
  thresholds: readonly number[],
): TileMetrics {
  const size = classes.length;
  if (scores.length !== truth.length || thresholds.length !== size || size === 0 || truth.length % size !== 0) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${scores.length} scores and ${truth.length} labels were given for ${size} classes with ${thresholds.length} thresholds.`,
      { hint: "Give a score, a label and a threshold for each class." },
    );
  }
  const chips = truth.length / size;
  const wrongChips = new Uint8Array(chips);
  const perClass = classes.map((definition, k) => {
    let [hits, predicted, own] = [0, 0, 0];
    for (let chip = 0; chip < chips; chip++) {
      const score = scores[chip * size + k]!;
      if (!Number.isFinite(score))
        throw new GeoLearnError("INVALID_ARGUMENT", `Chip ${chip} has the score ${score} for class ${k}; expected a finite number.`);
      const [given, has] = [score >= thresholds[k]!, truth[chip * size + k]! > 0];
      if (given) predicted += 1;
      if (has) own += 1;
      if (given && has) hits += 1;
      if (given !== has) wrongChips[chip] = 1;
    }
    return classMetrics(definition, { hits, predicted, truth: own, averagePrecision: rankedPrecision(scores, truth, k, size) });
  });
  const wrong = wrongChips.reduce((sum, one) => sum + one, 0);
  return {
    accuracy: null,
    top5Accuracy: null,
    kappa: null,
    exactMatch: share(chips - wrong, chips),
    meanF1: meanOf(perClass.map(({ f1 }) => f1)),
    meanAp: meanOf(perClass.map(({ averagePrecision }) => averagePrecision)),
    chips,
    classes: perClass,
    confusion: null,
  };
}

interface Counts {
  readonly hits: number;
  readonly predicted: number;
  readonly truth: number;
  readonly averagePrecision: number | null;
}

function classMetrics({ value, name }: ClassDefinition, { hits, predicted, truth, averagePrecision }: Counts): TileClassMetrics {
  return { value, name, ...precisionRecall(hits, predicted, truth), truthChips: truth, predictedChips: predicted, averagePrecision };
}

function bestClass(scores: ArrayLike<number>, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (scores[from + k]! > scores[from + best]!) best = k;
  return best;
}

/** Sum over falling thresholds of precision times the recall won; equal scores fall together. */
function rankedPrecision(scores: ArrayLike<number>, truth: ArrayLike<number>, column: number, columns: number): number | null {
  const count = truth.length / columns;
  const order = Array.from({ length: count }, (_, i) => i * columns + column).sort((a, b) => scores[b]! - scores[a]!);
  const positives = order.reduce((sum, at) => sum + (truth[at]! > 0 ? 1 : 0), 0);
  if (positives === 0) return null;
  let [sum, hits, before] = [0, 0, 0];
  for (const [rank, at] of order.entries()) {
    if (truth[at]! > 0) hits += 1;
    const next = order[rank + 1];
    if (next !== undefined && scores[next] === scores[at]) continue;
    sum += ((hits - before) / positives) * (hits / (rank + 1));
    before = hits;
  }
  return sum;
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
