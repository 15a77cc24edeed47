/** How right detected objects are, polygon by polygon: Esri's `compute_accuracy_for_object_detection`. */

import {
  type DetectionCounts,
  type Feature,
  type Features,
  type FieldValue,
  GeoLearnError,
  type Surface,
  type WorkOptions,
  averagePrecision,
  countsOf,
  precisionRecallCurve,
  sharedArea,
  surfaceOverlaps,
  checkOptions,
  type OptionRules,
  rules,
} from "@geolearn/core";

import { type Candidate, type MatchObjectsInput, type Matching, matchObjects } from "./match-objects.ts";
import { type PlacedObjects, type PlacedScene, placeScene } from "./place-objects.ts";

/** Options of {@link objectAccuracy}. */
export interface ObjectAccuracyOptions extends WorkOptions {
  /**
   * Polygons, or a path to some: only objects completely inside count. An object that lies across the border need not be found, and a
   * detection across it that finds nothing is not wrong; nor is one of such an object.
   */
  readonly mask?: string | Features;
  /**
   * Field with the class value or name; its texts must be the same on both sides. Two names where the sides differ.
   * @defaultValue the first of "classvalue", "value" and "class" (in any case) that both have, else all objects are one class
   */
  readonly classField?: string | { readonly predicted: string; readonly truth: string };
  /** Field of the detections with their scores. @defaultValue the first of "confidence", "score" and "conf" there is, else there are none */
  readonly scoreField?: string;
  /** IoU from which on a detection is right, above 0 to 1. @defaultValue 0.5 */
  readonly minIou?: number;
}

const RULES: OptionRules<ObjectAccuracyOptions> = {
  mask: rules.polygons,
  classField: rules.either(
    rules.text,
    rules.fields("or { predicted, truth } with a text each", { predicted: rules.text, truth: rules.text }),
  ),
  scoreField: rules.text,
  minIou: {
    expected: "a number above 0 and at most 1",
    accepts: (value) => typeof value === "number" && value > 0 && value <= 1,
  },
  ...rules.work,
};

/** Counts and figures of one class. */
export interface ObjectClassAccuracy extends DetectionCounts {
  /** Text of the class field, or null when all objects are one class. */
  readonly name: string | null;
  /** Average precision (area under the curve, all points); null without scores or without true objects. */
  readonly ap: number | null;
  /** Precision and recall as the score falls, best detection first; null without scores. */
  readonly curve: { readonly precision: Float64Array; readonly recall: Float64Array } | null;
}

/** What {@link objectAccuracy} finds. */
export interface ObjectAccuracy extends DetectionCounts {
  /** Mean of the classes' average precision at `minIou`. */
  readonly ap: number | null;
  /** The same, averaged over IoU 0.50 to 0.95 in steps of 0.05. */
  readonly meanAp: number | null;
  readonly minIou: number;
  /** Field the scores come from, or null. */
  readonly scoreField: string | null;
  /** Objects left out because of the mask. */
  readonly ignored: { readonly predicted: number; readonly truth: number };
  /** By name, numbers before words. */
  readonly classes: readonly ObjectClassAccuracy[];
  /**
   * The detections and then the missed objects, in the system of the detections and with their own fields, and two more: `accuracy`,
   * which is `TP`, `FP` or `FN`, and `iou`, that of a TP with its object. What was left out is not among them.
   */
  readonly features: Features;
}

/**
 * Compares detected polygons or boxes with true ones, whatever their reference systems.
 *
 * The rule: detections take their turn from the best score down (of equal scores in the order of the file), each finds the true object of its
 * class that is still free and that it overlaps most, if their IoU is at least `minIou`; it is then a true positive, else a false one. What
 * no detection found is a false negative. Without scores, the pairs of greatest IoU are joined first. IoU is that of the polygons; rings
 * that cross themselves are taken as they look, polygons of one feature may overlap.
 *
 * @throws FIELD_MISSING, GEOMETRY_INVALID for points and lines, CRS_MISSING when one side names none, FEATURES_EMPTY for an empty mask,
 *   INVALID_ARGUMENT; what reading throws
 * @example
 * const { recall, ap, features } = await objectAccuracy("found.gpkg", "surveyed.geojson", { minIou: 0.5 });
 * await writeFeatures(features, "checked.gpkg"); // each marked TP, FP or FN
 */
export async function objectAccuracy(
  predicted: string | Features,
  truth: string | Features,
  options: ObjectAccuracyOptions = {},
): Promise<ObjectAccuracy> {
  checkOptions(options, RULES, "objectAccuracy()");
  const { minIou = 0.5, signal, onProgress } = options;
  const scene = await placeScene({ predicted, truth, mask: options.mask }, options);
  const total = scene.predicted.features.length;
  onProgress?.({ stage: "accuracy", done: 0, total, unit: "objects" });
  const classes = classesOf(scene, options.classField);
  const scoreField = options.scoreField ?? usualField([scene.predicted], SCORE_FIELDS)?.[0] ?? null;
  const input: MatchObjectsInput = {
    candidates: findCandidates(scene, classes, signal),
    scores: scoreField === null ? null : scoresOf(scene.predicted, scoreField),
    truthIgnored: outsideOf(scene.mask, scene.truth.surfaces),
    predictedIgnored: outsideOf(scene.mask, scene.predicted.surfaces),
  };
  signal?.throwIfAborted();
  const matching = matchObjects(input, minIou);
  const rows = classRows(matching, input, classes);
  onProgress?.({ stage: "accuracy", done: total, total, unit: "objects" });
  const sum = (count: "truePositives" | "falsePositives" | "falseNegatives"): number => rows.reduce((all, row) => all + row[count], 0);
  return {
    ...countsOf(sum("truePositives"), sum("falsePositives"), sum("falseNegatives")),
    ap: meanOf(rows.map(({ ap }) => ap)),
    meanAp: meanOf(MEAN_IOUS.map((iou) => meanOf(classRows(matchObjects(input, iou), input, classes).map(({ ap }) => ap)))),
    minIou,
    scoreField,
    ignored: {
      predicted: matching.predicted.filter((outcome) => outcome === "ignored").length,
      truth: input.truthIgnored.filter(Boolean).length,
    },
    classes: rows,
    features: { name: "accuracy", crs: scene.crs, features: [...markDetections(scene, matching), ...markMissed(scene, matching, input)] },
  };
}

/** As ArcGIS looks for them, and as its detections name them. */
const CLASS_FIELDS = ["classvalue", "value", "class"];
const SCORE_FIELDS = ["confidence", "score", "conf"];
const MEAN_IOUS = Array.from({ length: 10 }, (_, i) => (50 + 5 * i) / 100);

interface Classes {
  readonly predicted: readonly string[];
  readonly truth: readonly string[];
  /** Whether there is a class field at all. */
  readonly named: boolean;
}

function classesOf({ predicted, truth }: PlacedScene, given: ObjectAccuracyOptions["classField"]): Classes {
  const fields =
    typeof given === "string"
      ? [given, given]
      : given === undefined
        ? usualField([predicted, truth], CLASS_FIELDS)
        : [given.predicted, given.truth];
  if (fields === null) return { predicted: predicted.features.map(() => ""), truth: truth.features.map(() => ""), named: false };
  const text = ({ features, name }: PlacedObjects, field: string): string[] =>
    features.map(({ properties }, i) => {
      const value = properties[field];
      if (value !== undefined && value !== null) return String(value).trim();
      throw missing(name, i, field, properties, "classField");
    });
  return { predicted: text(predicted, fields[0]!), truth: text(truth, fields[1]!), named: true };
}

/** The first usual field that all sides with features have, as each side writes it. */
function usualField(sides: readonly PlacedObjects[], usual: readonly string[]): string[] | null {
  const names = sides.map(
    ({ features }) => new Map(features.flatMap(({ properties }) => Object.keys(properties)).map((name) => [name.toLowerCase(), name])),
  );
  const filled = names.filter((_, i) => sides[i]!.features.length > 0);
  const field = filled.length === 0 ? undefined : usual.find((name) => filled.every((own) => own.has(name)));
  return field === undefined ? null : names.map((own) => own.get(field) ?? field);
}

/** @throws FIELD_MISSING */
function scoresOf({ features, name }: PlacedObjects, field: string): number[] {
  return features.map(({ properties }, i) => {
    const value = properties[field];
    const score = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof score === "number" && Number.isFinite(score)) return score;
    throw missing(name, i, field, properties, "scoreField");
  });
}

function missing(
  source: string,
  index: number,
  field: string,
  properties: Readonly<Record<string, FieldValue>>,
  option: string,
): GeoLearnError {
  const value = properties[field];
  const what = value === undefined || value === null ? "no value" : `"${String(value)}", which is no number,`;
  return new GeoLearnError("FIELD_MISSING", `Feature ${index} of ${source} has ${what} in the field "${field}".`, {
    hint: `Fields are ${Object.keys(properties).join(", ") || "none"}; name the right one as \`${option}\`.`,
    data: { index, field },
  });
}

function findCandidates({ predicted, truth }: PlacedScene, classes: Classes, signal: AbortSignal | undefined): Candidate[] {
  const [own, other] = [predicted.surfaces, truth.surfaces];
  const sameClass = (d: number, g: number): boolean => {
    signal?.throwIfAborted();
    return classes.predicted[d] === classes.truth[g];
  };
  return surfaceOverlaps(own, other, sameClass).map(({ a, b, area }) => ({
    predicted: a,
    truth: b,
    iou: Math.min(1, area / (own[a]!.area + other[b]!.area - area)),
  }));
}

/** Reprojection and clipping move borders by this share of an object at most. */
const INSIDE = 1 - 1e-9;

function outsideOf(mask: Surface | null, surfaces: readonly Surface[]): boolean[] {
  return surfaces.map((surface) => mask !== null && !(surface.area > 0 && sharedArea(surface, mask) >= INSIDE * surface.area));
}

function classRows({ predicted, found }: Matching, { scores, truthIgnored }: MatchObjectsInput, classes: Classes): ObjectClassAccuracy[] {
  const names = [...new Set([...classes.truth, ...classes.predicted])].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const byName = new Map(names.map((name) => [name, { hits: [] as { score: number; hit: number }[], found: 0, missed: 0 }]));
  for (const [d, outcome] of predicted.entries()) {
    if (outcome === "ignored") continue;
    byName.get(classes.predicted[d]!)!.hits.push({ score: scores === null ? 0 : scores[d]!, hit: outcome === "wrong" ? 0 : 1 });
  }
  for (const [g, was] of found.entries()) {
    if (truthIgnored[g]!) continue;
    const row = byName.get(classes.truth[g]!)!;
    if (was) row.found += 1;
    else row.missed += 1;
  }
  const rows = classes.named ? names : [""];
  return rows.map((name) => {
    const { hits, found: right, missed } = byName.get(name) ?? { hits: [], found: 0, missed: 0 };
    const ordered = scores === null ? null : hits.sort((a, b) => b.score - a.score).map(({ hit }) => hit);
    return {
      name: classes.named ? name : null,
      ...countsOf(right, hits.length - right, missed),
      ap: ordered && averagePrecision(ordered, right + missed),
      curve: ordered && precisionRecallCurve(ordered, right + missed),
    };
  });
}

function markDetections({ predicted }: PlacedScene, matching: Matching): Feature[] {
  return predicted.features.flatMap((feature, d) => {
    const outcome = matching.predicted[d]!;
    if (outcome === "ignored") return [];
    return [outcome === "wrong" ? marked(feature, "FP", null) : marked(feature, "TP", outcome.iou)];
  });
}

function markMissed({ truth }: PlacedScene, { found }: Matching, { truthIgnored }: MatchObjectsInput): Feature[] {
  return truth.features.filter((_, g) => !found[g]! && !truthIgnored[g]!).map((feature) => marked(feature, "FN", null));
}

/** Without its id, which may be another feature's on the other side. */
function marked({ geometry, properties }: Feature, accuracy: "TP" | "FP" | "FN", iou: number | null): Feature {
  return { geometry, properties: { ...properties, accuracy, iou } };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
