/** Which classes detections take for which, and the counts of right, wrong and missed objects that follow. */

import type { ClassDefinition } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import { type ConfusionMatrix, createConfusionMatrix } from "./confusion.ts";
import { type IouOf, type PredictedObjects, type TruthObjects, checkMinIou, pairImage } from "./objects.ts";
import { type PrecisionRecall, precisionRecall } from "./precision-recall.ts";

/** Options of {@link countDetections}. */
export interface CountDetectionsOptions {
  /** IoU from which on a detection and an object are the same thing, whatever their classes. @defaultValue 0.5 */
  readonly minIou?: number;
  /** Detections with a lower score are left out. @defaultValue 0 */
  readonly minScore?: number;
  /** Whether IoU is that of boxes or of masks. @defaultValue "boxes" */
  readonly iou?: IouOf;
}

/** An empty matrix for detections of `classCount` classes: one row and column more, the last, for the background. */
export function createDetectionConfusion(classCount: number): ConfusionMatrix {
  return createConfusionMatrix(classCount + 1);
}

/**
 * Adds the objects of an image to a matrix, in place. Detections and objects are joined one to one whatever their class, the pairs of
 * greatest IoU first (of equal ones the better score, then the earlier object). A pair counts in the row of its true class; an object
 * without a partner counts in the background's column, missed, and a detection without one in the background's row. Ignored objects
 * and the detections joined to them do not count.
 *
 * @throws as `cocoMetrics`
 * @example
 * const matrix = createDetectionConfusion(classes.length);
 * for (const [truth, predicted] of images) countDetections(matrix, truth, predicted, { minScore: 0.5 });
 * detectionCounts(matrix, classes).classes[0].recall;
 */
export function countDetections(
  { size, counts }: ConfusionMatrix,
  truth: TruthObjects,
  predicted: PredictedObjects,
  { minIou = 0.5, minScore = 0, iou = "boxes" }: CountDetectionsOptions = {},
): void {
  checkMinIou(minIou);
  const background = size - 1;
  const pair = pairImage(truth, predicted, iou, background);
  const detections = [...pair.classes.values()].flatMap((lists) => lists.predicted).filter((d) => pair.scores[d]! >= minScore);
  const objects = [...pair.classes.values()].flatMap((lists) => lists.truth);
  const pairs = detections
    .flatMap((d) => objects.map((g) => ({ d, g, overlap: pair.iou(d, g) })))
    .filter(({ overlap }) => overlap >= minIou)
    .sort((a, b) => b.overlap - a.overlap || pair.scores[b.d]! - pair.scores[a.d]! || a.g - b.g || a.d - b.d);
  const [usedDetections, usedObjects] = [new Set<number>(), new Set<number>()];
  for (const { d, g } of pairs) {
    if (usedDetections.has(d) || usedObjects.has(g)) continue;
    usedDetections.add(d);
    usedObjects.add(g);
    if (pair.ignored[g] === 0) counts[truth.labels[g]! * size + predicted.labels[d]!]! += 1;
  }
  for (const g of objects) if (!usedObjects.has(g) && pair.ignored[g] === 0) counts[truth.labels[g]! * size + background]! += 1;
  for (const d of detections) if (!usedDetections.has(d)) counts[background * size + predicted.labels[d]!]! += 1;
}

/** Right, wrong and missed objects, of one class or of all. */
export interface DetectionCounts extends PrecisionRecall {
  /** Detections of an object of their class. */
  readonly truePositives: number;
  /** Detections of nothing, or of an object of another class. */
  readonly falsePositives: number;
  /** Objects that were not found, or taken for another class. */
  readonly falseNegatives: number;
}

/** Counts over all classes and for each. */
export interface DetectionMetrics extends DetectionCounts {
  /** In the order of the class list. */
  readonly classes: readonly (DetectionCounts & { readonly value: number; readonly name: string })[];
}

/**
 * Precision, recall and F1 of each class, and over all detections, from a matrix of {@link countDetections}.
 *
 * @throws INVALID_ARGUMENT unless the matrix has one row more than there are classes
 */
export function detectionCounts(
  { size, counts }: ConfusionMatrix,
  classes: readonly Pick<ClassDefinition, "value" | "name">[],
): DetectionMetrics {
  if (size !== classes.length + 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A matrix of ${size} rows was given for ${classes.length} classes and the background.`, {
      hint: "Make it with `createDetectionConfusion(classes.length)`.",
    });
  }
  const perClass = classes.map(({ value, name }, k) => {
    let [truth, predicted] = [0, 0];
    for (let other = 0; other < size; other++) {
      truth += counts[k * size + other]!;
      predicted += counts[other * size + k]!;
    }
    const hits = counts[k * size + k]!;
    return { value, name, ...countsOf(hits, predicted - hits, truth - hits) };
  });
  const sum = (count: "truePositives" | "falsePositives" | "falseNegatives"): number =>
    perClass.reduce((total, row) => total + row[count], 0);
  return { ...countsOf(sum("truePositives"), sum("falsePositives"), sum("falseNegatives")), classes: perClass };
}

/** The counts with the figures that follow from them. */
export function countsOf(truePositives: number, falsePositives: number, falseNegatives: number): DetectionCounts {
  return {
    truePositives,
    falsePositives,
    falseNegatives,
    ...precisionRecall(truePositives, truePositives + falsePositives, truePositives + falseNegatives),
  };
}
