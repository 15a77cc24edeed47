/**
 * COCO's metrics of detection and instance segmentation, equal to pycocotools (https://github.com/cocodataset/cocoapi). For each of
 * ten IoU thresholds, 0.50 to 0.95, detections of an image are matched from the best score down, each with the free true object of its class
 * that it overlaps most; precision is interpolated at 101 recalls. Where a figure has no meaning (no true object of that size or
 * class), pycocotools writes -1 and this `null`.
 */

import type { ClassDefinition } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import { type ImagePair, type IouOf, type PredictedObjects, type TruthObjects, pairImage } from "./objects.ts";

/** The twelve numbers, under the names the field gives them. */
export interface CocoFigures {
  /** Average precision, mean over IoU 0.50 to 0.95. */
  readonly AP: number | null;
  /** At IoU 0.50, and at 0.75. */
  readonly AP50: number | null;
  readonly AP75: number | null;
  /** Of objects up to 32 x 32 pixels, from there to 96 x 96, and of larger ones; an area on a bound counts on both sides. */
  readonly APsmall: number | null;
  readonly APmedium: number | null;
  readonly APlarge: number | null;
  /** Average recall with at most 1, 10 and 100 detections an image and class. */
  readonly AR1: number | null;
  readonly AR10: number | null;
  readonly AR100: number | null;
  /** With at most 100, by size. */
  readonly ARsmall: number | null;
  readonly ARmedium: number | null;
  readonly ARlarge: number | null;
}

/** The twelve numbers of one class. */
export interface CocoClassMetrics extends CocoFigures {
  readonly value: number;
  readonly name: string;
  /** True objects to be found. */
  readonly truthObjects: number;
  /** Detections, of each image the best 100 at most. */
  readonly predictedObjects: number;
}

/** The twelve numbers over all classes, and each class by itself. */
export interface CocoMetrics extends CocoFigures {
  /** In the order of the class list. */
  readonly classes: readonly CocoClassMetrics[];
}

/** Precision over recall of one class: what pycocotools keeps as `eval["precision"]` and `eval["scores"]`. */
export interface CocoCurve {
  /** Interpolated precision at the recalls 0, 0.01, ... 1; 0 where no threshold of the score reaches the recall. */
  readonly precision: Float64Array;
  /** Least score of the detections that reach the recall; 0 where none do. */
  readonly scores: Float64Array;
}

/** Options of {@link cocoMetrics} and {@link CocoEvaluation}. */
export interface CocoOptions {
  /** The classes that labels are positions in. */
  readonly classes: readonly Pick<ClassDefinition, "value" | "name">[];
  /** Whether IoU is that of boxes or of masks. @defaultValue "boxes" */
  readonly iou?: IouOf;
}

/**
 * COCO's twelve numbers of a set of images; `truth[i]` and `predicted[i]` are one image. For images that come batch by batch see
 * {@link CocoEvaluation}.
 *
 * @throws INVALID_ARGUMENT for boxes, masks, scores or counts that do not fit; CLASS_UNKNOWN for a label outside the class list
 * @example
 * const truth = [{ boxes: new Float64Array([0, 0, 50, 50]), labels: [0] }];
 * const predicted = [{ boxes: new Float64Array([0, 0, 50, 40]), labels: [0], scores: [0.9] }];
 * cocoMetrics(truth, predicted, { classes: [{ value: 1, name: "building" }] }).AP; // 0.7: right up to IoU 0.8
 */
export function cocoMetrics(truth: readonly TruthObjects[], predicted: readonly PredictedObjects[], options: CocoOptions): CocoMetrics {
  if (truth.length !== predicted.length) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${truth.length} images with true objects were compared with ${predicted.length} images with predictions.`,
      {
        hint: "Give one entry for each image on both sides; an image without objects has empty boxes.",
      },
    );
  }
  const evaluation = new CocoEvaluation(options);
  for (const [i, objects] of truth.entries()) evaluation.add(objects, predicted[i]!);
  return evaluation.metrics();
}

const THRESHOLDS = 10;
/** As numpy.linspace gives them. */
const MIN_IOUS = Float64Array.from({ length: THRESHOLDS }, (_, t) =>
  t === THRESHOLDS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (THRESHOLDS - 1)),
);
const RECALLS = Float64Array.from({ length: 101 }, (_, r) => (r === 100 ? 1 : r * 0.01));
/** Least and greatest area, both included. */
const SIZES = { all: [0, 1e10], small: [0, 1024], medium: [1024, 9216], large: [9216, 1e10] } as const;
const SIZE_NAMES = ["all", "small", "medium", "large"] as const;
const MOST = 100;
/** In `outcomes`, the bits of a threshold: matched, and left out of the count. */
const IGNORED = THRESHOLDS;

/** COCO's metrics, gathered image by image in some 30 bytes a detection. Of equal scores the image added first comes first. */
export class CocoEvaluation {
  readonly #options: CocoOptions;
  readonly #records: readonly ClassRecord[];

  constructor(options: CocoOptions) {
    if (options.classes.length === 0) {
      throw new GeoLearnError("INVALID_ARGUMENT", "Objects were to be evaluated for an empty list of classes.");
    }
    this.#options = options;
    this.#records = options.classes.map(() => new ClassRecord());
  }

  /**
   * Matches the detections of an image.
   *
   * @throws as {@link cocoMetrics}; nothing of a refused image is counted
   */
  add(truth: TruthObjects, predicted: PredictedObjects): void {
    const pair = pairImage(truth, predicted, this.#options.iou ?? "boxes", this.#records.length);
    for (const label of pair.classes.keys()) matchClass(pair, label, this.#records[label]!);
  }

  /** The metrics of all images so far. */
  metrics(): CocoMetrics {
    const curves = this.#records.map(classCurves);
    return {
      ...figures(curves),
      classes: this.#options.classes.map(({ value, name }, k) => ({
        value,
        name,
        ...figures([curves[k]!]),
        truthObjects: this.#records[k]!.positives[0]!,
        predictedObjects: this.#records[k]!.count,
      })),
    };
  }

  /**
   * The curve of each class that AP50 is the mean of, or that of another IoU, with objects of every size; null for a class without true objects.
   *
   * @throws INVALID_ARGUMENT for an IoU that is none of the ten, 0.5, 0.55, ... 0.95
   */
  curves(minIou: number = 0.5): readonly (CocoCurve | null)[] {
    const t = MIN_IOUS.findIndex((one) => Math.abs(one - minIou) < 1e-9);
    if (t < 0) {
      throw new GeoLearnError("INVALID_ARGUMENT", `Curves at an IoU of ${minIou} were asked for; expected 0.5, 0.55, ... or 0.95.`, {
        data: { minIou },
      });
    }
    return this.#records.map((record) => (record.positives[0] === 0 ? null : curveAt(record, bestFirst(record), 0, MOST, t).curve));
  }
}

/** The detections of a class from the best score down. */
function bestFirst({ count, scores }: ClassRecord): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i).sort((i, j) => scores[j]! - scores[i]! || i - j);
}

/** The detections of a class: score, rank within its image, and for each range of sizes one bit a threshold for matched and for ignored. */
class ClassRecord {
  count = 0;
  scores = new Float64Array(64);
  ranks = new Uint8Array(64);
  outcomes = SIZE_NAMES.map(() => new Uint32Array(64));
  /** True objects to be found, by size. */
  readonly positives = new Float64Array(SIZE_NAMES.length);

  push(score: number, rank: number, outcomes: readonly number[]): void {
    if (this.count === this.scores.length) {
      this.scores = grown(this.scores, new Float64Array(2 * this.count));
      this.ranks = grown(this.ranks, new Uint8Array(2 * this.count));
      this.outcomes = this.outcomes.map((own) => grown(own, new Uint32Array(2 * this.count)));
    }
    this.scores[this.count] = score;
    this.ranks[this.count] = rank;
    for (const [size, own] of this.outcomes.entries()) own[this.count] = outcomes[size]!;
    this.count += 1;
  }
}

function grown<T extends Float64Array | Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function matchClass(pair: ImagePair, label: number, record: ClassRecord): void {
  const { truth, predicted } = pair.classes.get(label)!;
  const best = predicted.slice(0, MOST);
  const ious = new Float64Array(best.length * truth.length);
  for (const [d, detection] of best.entries()) {
    for (const [g, object] of truth.entries()) {
      ious[d * truth.length + g] = pair.ignored[object] === 1 ? pair.coverage(detection, object) : pair.iou(detection, object);
    }
  }
  const outcomes = best.map((): number[] => []);
  for (const [size, name] of SIZE_NAMES.entries()) {
    const [least, greatest] = SIZES[name];
    const outside = (area: number): boolean => area < least || area > greatest;
    const ignored = truth.map((object) => pair.ignored[object] === 1 || outside(pair.truthAreas[object]!));
    record.positives[size]! += ignored.filter((left) => !left).length;
    const order = [...truth.keys()].sort((g, h) => Number(ignored[g]) - Number(ignored[h]));
    const crowd = truth.map((object) => pair.ignored[object] === 1);
    for (const [d, bits] of matchDetections(ious, best.length, order, ignored, crowd).entries()) {
      // an unmatched detection of another size is neither right nor wrong
      const matched = bits & ((1 << THRESHOLDS) - 1);
      const free = outside(pair.predictedAreas[best[d]!]!) ? (~matched & ((1 << THRESHOLDS) - 1)) << IGNORED : 0;
      outcomes[d]!.push(bits | free);
    }
  }
  for (const [rank, detection] of best.entries()) record.push(pair.scores[detection]!, rank, outcomes[rank]!);
}

/**
 * Each detection, from the best score down, takes the free object it overlaps most, objects that count before ignored ones; only crowds
 * may be taken more than once. Bits of `result[d]`: t for a match at threshold t, 10 + t when that match is ignored.
 */
function matchDetections(
  ious: Float64Array,
  detections: number,
  order: readonly number[],
  ignored: readonly boolean[],
  crowd: readonly boolean[],
): Uint32Array {
  const result = new Uint32Array(detections);
  const objects = order.length;
  if (objects === 0) return result;
  for (let t = 0; t < THRESHOLDS; t++) {
    const taken = new Uint8Array(objects);
    for (let d = 0; d < detections; d++) {
      let most = Math.min(MIN_IOUS[t]!, 1 - 1e-10);
      let match = -1;
      for (const g of order) {
        if (taken[g] === 1 && !crowd[g]!) continue;
        if (match > -1 && !ignored[match]! && ignored[g]!) break;
        const iou = ious[d * objects + g]!;
        if (iou < most) continue;
        most = iou;
        match = g;
      }
      if (match === -1) continue;
      taken[match] = 1;
      result[d]! |= 1 << t;
      if (ignored[match]!) result[d]! |= 1 << (IGNORED + t);
    }
  }
  return result;
}

/** What the figures of a class are means of; null where there is no true object of the size. */
interface Curves {
  /** Mean interpolated precision by size and threshold, 100 detections. */
  readonly precision: readonly (readonly number[] | null)[];
  /** Recall by size and threshold, 100 detections. */
  readonly recall: readonly (readonly number[] | null)[];
  /** Recall by threshold with at most 1 and 10 detections an image. */
  readonly recall1: readonly number[] | null;
  readonly recall10: readonly number[] | null;
}

function classCurves(record: ClassRecord): Curves {
  const order = bestFirst(record);
  const bySize = SIZE_NAMES.map((_, size) => (record.positives[size] === 0 ? null : sizeCurves(record, order, size, MOST)));
  const few = (most: number): readonly number[] | null => (record.positives[0] === 0 ? null : sizeCurves(record, order, 0, most).recall);
  return {
    precision: bySize.map((curves) => curves && curves.precision),
    recall: bySize.map((curves) => curves && curves.recall),
    recall1: few(1),
    recall10: few(10),
  };
}

function sizeCurves(record: ClassRecord, order: Uint32Array, size: number, most: number): { precision: number[]; recall: number[] } {
  const result = { precision: [] as number[], recall: [] as number[] };
  for (let t = 0; t < THRESHOLDS; t++) {
    const { curve, recall } = curveAt(record, order, size, most, t);
    result.recall.push(recall);
    result.precision.push(curve.precision.reduce((sum, value) => sum + value, 0) / RECALLS.length);
  }
  return result;
}

/** The interpolated curve at one threshold of IoU, and the recall of all detections. */
function curveAt(
  { outcomes, positives, ranks, scores }: ClassRecord,
  order: Uint32Array,
  size: number,
  most: number,
  t: number,
): { readonly curve: CocoCurve; readonly recall: number } {
  const own = outcomes[size]!;
  const all = positives[size]!;
  const recalls = new Float64Array(order.length);
  const precisions = new Float64Array(order.length);
  const counted = new Uint32Array(order.length);
  let [right, wrong, points] = [0, 0, 0];
  for (const i of order) {
    if (ranks[i]! >= most) continue;
    const bits = own[i]!;
    if (((bits >> (IGNORED + t)) & 1) === 0) {
      if (((bits >> t) & 1) === 1) right += 1;
      else wrong += 1;
    }
    recalls[points] = right / all;
    counted[points] = i;
    precisions[points++] = right === 0 ? 0 : right / (right + wrong);
  }
  // from the right, precision never falls: what a lower threshold reaches counts for all recalls below
  for (let i = points - 1; i > 0; i--) if (precisions[i]! > precisions[i - 1]!) precisions[i - 1] = precisions[i]!;
  const curve = { precision: new Float64Array(RECALLS.length), scores: new Float64Array(RECALLS.length) };
  let at = 0;
  for (const [r, recall] of RECALLS.entries()) {
    while (at < points && recalls[at]! < recall) at += 1;
    if (at === points) break;
    curve.precision[r] = precisions[at]!;
    curve.scores[r] = scores[counted[at]!]!;
  }
  return { curve, recall: right / all };
}

function figures(curves: readonly Curves[]): CocoFigures {
  const [all, small, medium, large] = [0, 1, 2, 3] as const;
  const precision = (size: number): number | null => mean(curves.map((curve) => curve.precision[size] ?? null));
  const precisionAt = (t: number): number | null =>
    mean(curves.map((curve) => (curve.precision[all] == null ? null : [curve.precision[all][t]!])));
  const recall = (size: number): number | null => mean(curves.map((curve) => curve.recall[size] ?? null));
  return {
    AP: precision(all),
    AP50: precisionAt(0),
    AP75: precisionAt(5),
    APsmall: precision(small),
    APmedium: precision(medium),
    APlarge: precision(large),
    AR1: mean(curves.map(({ recall1 }) => recall1)),
    AR10: mean(curves.map(({ recall10 }) => recall10)),
    AR100: recall(all),
    ARsmall: recall(small),
    ARmedium: recall(medium),
    ARlarge: recall(large),
  };
}

/** Mean of all numbers of the lists that are there. */
function mean(lists: readonly (readonly number[] | null)[]): number | null {
  const known = lists.filter((list) => list !== null).flat();
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
