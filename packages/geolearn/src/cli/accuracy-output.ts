/** Accuracy of pixels and of objects as the command line prints it. */

import type { CocoFigures, CocoMetrics, PixelMetrics, TileMetrics } from "@geolearn/core";
import { type ObjectAccuracy, accuracyTable } from "@geolearn/inference";
import type { z } from "zod";
import type { cocoResult, objectAccuracyResult, pixelAccuracyResult, tileResult } from "./results.ts";
import { list, table } from "./table.ts";

/** The published JSON of `evaluate` and of `accuracy` on pixels. */
export function accuracyJson({ pixelAccuracy, meanIou, kappa, classes }: PixelMetrics): z.infer<typeof pixelAccuracyResult> {
  return {
    pixelAccuracy,
    meanIou,
    kappa,
    classes: classes.map(({ value, name, iou, precision, recall, f1 }) => ({ value, name, iou, precision, recall, f1 })),
  };
}

/** The same as a table. */
export function accuracyText(metrics: PixelMetrics): string {
  return [
    list([
      ["pixel accuracy", metrics.pixelAccuracy],
      ["mean IoU", metrics.meanIou],
      ["kappa", metrics.kappa],
      ["pixels", metrics.pixels],
    ]),
    table(
      ["value", "class", "IoU", "precision", "recall", "F1"],
      metrics.classes.map(({ value, name, iou, precision, recall, f1 }) => [value, name, iou, precision, recall, f1]),
    ),
  ].join("\n\n");
}

/** COCO's numbers of boxes, and of outlines where the model draws them. */
interface CocoOutcome extends CocoMetrics {
  readonly masks: CocoMetrics | null;
}

/** The published JSON of `evaluate` on objects. */
export function cocoJson(metrics: CocoOutcome): z.infer<typeof cocoResult> {
  return { ...cocoPart(metrics), ...(metrics.masks === null ? {} : { masks: cocoPart(metrics.masks) }) };
}

function cocoPart(metrics: CocoMetrics): Omit<z.infer<typeof cocoResult>, "masks"> {
  return {
    ...figuresOf(metrics),
    classes: metrics.classes.map((own) => ({
      value: own.value,
      name: own.name,
      truthObjects: own.truthObjects,
      predictedObjects: own.predictedObjects,
      ...figuresOf(own),
    })),
  };
}

function figuresOf({ AP, AP50, AP75, APsmall, APmedium, APlarge, AR1, AR10, AR100, ARsmall, ARmedium, ARlarge }: CocoFigures): CocoFigures {
  return { AP, AP50, AP75, APsmall, APmedium, APlarge, AR1, AR10, AR100, ARsmall, ARmedium, ARlarge };
}

/** The same as a table. */
export function cocoText(metrics: CocoOutcome): string {
  const { masks } = metrics;
  const [boxes, outlines] = [figuresOf(metrics), masks && figuresOf(masks)];
  const names = Object.keys(boxes) as (keyof CocoFigures)[];
  return [
    table(
      ["", "boxes", ...(outlines === null ? [] : ["outlines"])],
      names.map((name) => [name, boxes[name], ...(outlines === null ? [] : [outlines[name]])]),
    ),
    table(
      ["value", "class", "AP", "AP50", "AP75", "AR100", ...(masks === null ? [] : ["AP50 of outlines"]), "objects", "found"],
      metrics.classes.map((own, i) => [
        ...[own.value, own.name, own.AP, own.AP50, own.AP75, own.AR100],
        ...(masks === null ? [] : [masks.classes[i]!.AP50]),
        ...[own.truthObjects, own.predictedObjects],
      ]),
    ),
  ].join("\n\n");
}

/** The published JSON of `evaluate` on chips with classes of their own. */
export function tileJson(metrics: TileMetrics): z.infer<typeof tileResult> {
  const { accuracy, top5Accuracy, kappa, exactMatch, meanF1, meanAp, chips, classes } = metrics;
  return {
    ...{ accuracy, top5Accuracy, kappa, exactMatch, meanF1, meanAp, chips },
    classes: classes.map(({ value, name, precision, recall, f1, averagePrecision, truthChips, predictedChips }) => ({
      ...{ value, name, precision, recall, f1, averagePrecision, truthChips, predictedChips },
    })),
  };
}

/** The same as a table. */
export function tileText(metrics: TileMetrics): string {
  const several = metrics.confusion === null;
  const { accuracy, top5Accuracy, kappa, exactMatch, meanF1, meanAp, chips } = metrics;
  const own: [string, number | null][] = several
    ? [
        ["exactly right", exactMatch],
        ["mean average precision", meanAp],
      ]
    : [["accuracy", accuracy], ...(top5Accuracy === null ? [] : ([["top 5", top5Accuracy]] as [string, number][])), ["kappa", kappa]];
  return [
    list([...own, ["mean F1", meanF1], ["chips", chips]]),
    table(
      ["value", "class", "precision", "recall", "F1", ...(several ? ["AP"] : []), "chips", "predicted"],
      metrics.classes.map((c) => [
        ...[c.value, c.name, c.precision, c.recall, c.f1],
        ...(several ? [c.averagePrecision] : []),
        ...[c.truthChips, c.predictedChips],
      ]),
    ),
  ].join("\n\n");
}

/** The published JSON of `accuracy` on objects. */
export function objectAccuracyJson(accuracy: ObjectAccuracy): z.infer<typeof objectAccuracyResult> {
  const { truePositives, falsePositives, falseNegatives, precision, recall, f1, ap } = accuracy;
  return { truePositives, falsePositives, falseNegatives, precision, recall, f1, ap };
}

/** The same as a table, class by class. */
export function objectAccuracyText(accuracy: ObjectAccuracy): string {
  const { minIou, meanAp, scoreField, ignored } = accuracy;
  return [
    table(
      ["class", "precision", "recall", "F1", "AP", "right", "wrong", "missed"],
      accuracyTable(accuracy).map((row) => [
        row.Class === "All Classes" ? "all" : row.Class,
        row.Precision,
        row.Recall,
        row.F1_Score,
        row.AP,
        row.True_Positive,
        row.False_Positive,
        row.False_Negative,
      ]),
    ),
    list([
      ["right from IoU", minIou],
      ["mAP, IoU 0.50 to 0.95", meanAp],
      ["scores", scoreField ?? "none"],
      [
        "left out by the mask",
        ignored.predicted + ignored.truth === 0 ? null : `${ignored.predicted} detections, ${ignored.truth} objects`,
      ],
    ]),
  ].join("\n\n");
}
