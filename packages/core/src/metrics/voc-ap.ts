/** Average precision by PASCAL VOC's rules. */

import type { ClassDefinition } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import { type ApMethod, averagePrecision } from "./average-precision.ts";
import { type IouOf, type PredictedObjects, type TruthObjects, checkMinIou, pairImage } from "./objects.ts";

/** Options of {@link vocAp}. */
export interface VocApOptions {
  /** The classes that labels are positions in. */
  readonly classes: readonly Pick<ClassDefinition, "value" | "name">[];
  /** IoU from which on a detection is right. @defaultValue 0.5 */
  readonly minIou?: number;
  /** @defaultValue "allPoints" */
  readonly method?: ApMethod;
  /** Whether IoU is that of boxes or of masks. @defaultValue "boxes" */
  readonly iou?: IouOf;
}

/** Average precision of each class, and their mean. */
export interface VocAp {
  /** Mean over the classes that have true objects; null where none has. */
  readonly meanAp: number | null;
  /** In the order of the class list; `ap` is null without true objects. */
  readonly classes: readonly { readonly value: number; readonly name: string; readonly ap: number | null }[];
}

/**
 * Average precision at one IoU, as the VOC development kit measures it: the detections of all images in the order of their scores, each
 * compared with the true object it overlaps most, be that taken or not; a second detection of an object is wrong, one of an ignored
 * object does not count. IoU is that of continuous boxes, without the kit's "+ 1".
 *
 * @throws as `cocoMetrics`
 * @example
 * vocAp(truth, predicted, { classes, method: "elevenPoints" }).meanAp; // VOC 2007's mAP
 */
export function vocAp(
  truth: readonly TruthObjects[],
  predicted: readonly PredictedObjects[],
  { classes, minIou = 0.5, method = "allPoints", iou = "boxes" }: VocApOptions,
): VocAp {
  checkMinIou(minIou);
  if (truth.length !== predicted.length) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${truth.length} images with true objects were compared with ${predicted.length} images with predictions.`,
    );
  }
  const outcomes = classes.map((): { score: number; hit: number }[] => []);
  const positives = new Float64Array(classes.length);
  for (const [i, objects] of truth.entries()) {
    const pair = pairImage(objects, predicted[i]!, iou, classes.length);
    for (const [label, lists] of pair.classes) {
      positives[label]! += lists.truth.filter((g) => pair.ignored[g] === 0).length;
      const taken = new Set<number>();
      for (const d of lists.predicted) {
        let [most, match] = [-1, -1];
        for (const g of lists.truth) {
          const overlap = pair.iou(d, g);
          if (overlap > most) [most, match] = [overlap, g];
        }
        const found = match !== -1 && most >= minIou;
        if (found && pair.ignored[match] === 1) continue;
        outcomes[label]!.push({ score: pair.scores[d]!, hit: found && !taken.has(match) ? 1 : 0 });
        if (found) taken.add(match);
      }
    }
  }
  const perClass = classes.map(({ value, name }, k) => {
    const hits = outcomes[k]!.sort((a, b) => b.score - a.score).map(({ hit }) => hit);
    return { value, name, ap: averagePrecision(hits, positives[k]!, method) };
  });
  const known = perClass.map(({ ap }) => ap).filter((ap) => ap !== null);
  return { meanAp: known.length === 0 ? null : known.reduce((sum, ap) => sum + ap, 0) / known.length, classes: perClass };
}
