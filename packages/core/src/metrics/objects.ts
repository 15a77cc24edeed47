/** Objects of one image, as the metrics of detection and instance segmentation take them. */

import { type BoxArray, boxArea, boxCoverage, boxIou, checkBoxes, checkPerBox, descendingOrder } from "../boxes/boxes.ts";
import { type RleMask, maskArea, maskIntersection } from "../boxes/rle-mask.ts";
import { GeoLearnError } from "../errors.ts";

/** What boxes or masks say of objects in an image. */
export interface ImageObjects {
  /** Needed to compare by boxes. */
  readonly boxes?: BoxArray;
  /** Needed to compare by masks, one for each object. */
  readonly masks?: readonly RleMask[];
  /** Class of each object, as its position in the class list. */
  readonly labels: ArrayLike<number>;
}

/** The true objects of an image. */
export interface TruthObjects extends ImageObjects {
  /**
   * 1 for each outline that is a crowd of objects (COCO's `iscrowd`) or too difficult to ask for (VOC's `difficult`): it need not be
   * found, and what lies in it is not counted as wrong. @defaultValue none
   */
  readonly ignore?: ArrayLike<number>;
  /** Area of each object in pixels, COCO's `area`. @defaultValue that of its box or mask */
  readonly areas?: ArrayLike<number>;
}

/** What a network found in an image. */
export interface PredictedObjects extends ImageObjects {
  readonly scores: ArrayLike<number>;
}

/** How objects are laid on one another. */
export type IouOf = "boxes" | "masks";

/** An image's objects, checked; overlaps are computed as they are asked for. */
export interface ImagePair {
  /** True and predicted objects by class; predictions from the best score down. */
  readonly classes: ReadonlyMap<number, { readonly truth: readonly number[]; readonly predicted: readonly number[] }>;
  readonly ignored: Uint8Array;
  readonly truthAreas: Float64Array;
  readonly predictedAreas: Float64Array;
  readonly scores: ArrayLike<number>;
  /** IoU of a prediction with a true object. */
  iou(predicted: number, truth: number): number;
  /** Share of a prediction that lies in a true object. */
  coverage(predicted: number, truth: number): number;
}

/**
 * Checks the two sides of an image and sorts them by class.
 *
 * @throws INVALID_ARGUMENT for sides that do not fit together; CLASS_UNKNOWN for a label of `classCount` or more
 */
export function pairImage(truth: TruthObjects, predicted: PredictedObjects, iouOf: IouOf, classCount: number): ImagePair {
  const [truths, predictions] = [
    checkObjects(truth, iouOf, classCount, "truth"),
    checkObjects(predicted, iouOf, classCount, "predictions"),
  ];
  checkPerBox("scores", predicted.scores, predictions);
  if (truth.ignore !== undefined) checkPerBox("ignore", truth.ignore, truths);
  if (truth.areas !== undefined) checkPerBox("areas", truth.areas, truths);
  const classes = new Map<number, { truth: number[]; predicted: number[] }>();
  const ofClass = (label: number): { truth: number[]; predicted: number[] } => {
    let lists = classes.get(label);
    if (lists === undefined) classes.set(label, (lists = { truth: [], predicted: [] }));
    return lists;
  };
  for (let g = 0; g < truths; g++) ofClass(truth.labels[g]!).truth.push(g);
  for (const d of descendingOrder(predicted.scores)) ofClass(predicted.labels[d]!).predicted.push(d);
  const own = {
    classes,
    ignored: Uint8Array.from({ length: truths }, (_, g) => (truth.ignore !== undefined && truth.ignore[g] !== 0 ? 1 : 0)),
    scores: predicted.scores,
  };
  if (iouOf === "boxes") {
    const [a, b] = [predicted.boxes!, truth.boxes!];
    return {
      ...own,
      truthAreas: Float64Array.from(truth.areas ?? { length: truths }, (area: number | undefined, g) => area ?? boxArea(b, g)),
      predictedAreas: Float64Array.from({ length: predictions }, (_, d) => boxArea(a, d)),
      iou: (d, g) => boxIou(a, d, b, g),
      coverage: (d, g) => boxCoverage(a, d, b, g),
    };
  }
  const [a, b] = [predicted.masks!, truth.masks!];
  const maskAreas = Float64Array.from(b, maskArea);
  const predictedAreas = Float64Array.from(a, maskArea);
  return {
    ...own,
    truthAreas: truth.areas === undefined ? maskAreas : Float64Array.from(truth.areas),
    predictedAreas,
    iou: (d, g) => {
      const shared = maskIntersection(a[d]!, b[g]!);
      return shared === 0 ? 0 : shared / (predictedAreas[d]! + maskAreas[g]! - shared);
    },
    coverage: (d, g) => {
      const shared = maskIntersection(a[d]!, b[g]!);
      return shared === 0 ? 0 : shared / predictedAreas[d]!;
    },
  };
}

/** @throws INVALID_ARGUMENT unless it is an IoU above 0 and at most 1 */
export function checkMinIou(minIou: number): void {
  if (minIou > 0 && minIou <= 1) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`minIou\` is ${minIou}; expected a number above 0 and at most 1.`);
}

function checkObjects({ boxes, masks, labels }: ImageObjects, iouOf: IouOf, classCount: number, side: string): number {
  const given = iouOf === "boxes" ? boxes : masks;
  if (given === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The ${side} of an image have no ${iouOf}.`, {
      hint: `Give \`${iouOf}\` on both sides, or compare by ${iouOf === "boxes" ? "masks" : "boxes"}.`,
    });
  }
  const count = iouOf === "boxes" ? checkBoxes(boxes!) : masks!.length;
  checkPerBox("labels", labels, count);
  for (let i = 0; i < count; i++) {
    if (Number.isInteger(labels[i]) && labels[i]! >= 0 && labels[i]! < classCount) continue;
    throw new GeoLearnError(
      "CLASS_UNKNOWN",
      `Object ${i} of the ${side} has the class index ${labels[i]}; there are ${classCount} classes.`,
      {
        hint: "Map the values of both sides to positions in the same class list first.",
      },
    );
  }
  return count;
}
