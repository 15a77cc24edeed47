/** Scores of a chip as fields of a feature. */

import type { ClassDefinition, FieldValue } from "@geolearn/core";

/** How results are named. */
export interface ClassFieldRule {
  readonly classes: readonly ClassDefinition[];
  /** Where a chip may have several classes, the score from which it has each; else null. */
  readonly thresholds: readonly number[] | null;
  /** Names the fields `Class` and `Confidence`, as Esri's tools do, instead of `class` and `score`. */
  readonly esriFields: boolean;
}

/** Names of the fields for class and score. */
export function fieldNames(esriFields: boolean): readonly [className: string, value: string, score: string] {
  return esriFields ? ["Class", "value", "Confidence"] : ["class", "value", "score"];
}

/** What a chip is. */
export interface Verdict {
  /** Names of its classes, the surest first; none where it has none. */
  readonly names: readonly string[];
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/**
 * The class of the greatest score, or all that reach their threshold, joined by commas, the surest first; the score is the greatest. Without scores
 * all is null.
 */
export function verdictOf(scores: Float32Array | null, { classes, thresholds, esriFields }: ClassFieldRule): Verdict {
  const [className, value, score] = fieldNames(esriFields);
  if (scores === null) return { names: [], fields: { [className]: null, [value]: null, [score]: null } };
  const order = Array.from(scores, (_, k) => k).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const greatest = roundedScore(scores[order[0]!]!);
  if (thresholds === null) {
    const own = classes[order[0]!]!;
    return { names: [own.name], fields: { [className]: own.name, [value]: own.value, [score]: greatest } };
  }
  const own = order.filter((k) => scores[k]! >= thresholds[k]!).map((k) => classes[k]!);
  const joined = (list: readonly (string | number)[]): string => list.join(", ");
  const names = own.map(({ name }) => name);
  return { names, fields: { [className]: joined(names), [value]: joined(own.map((one) => one.value)), [score]: greatest } };
}

/** Six digits are what float32 has. */
function roundedScore(score: number): number {
  return Number(score.toFixed(6));
}
