/** Pixel accuracy as the command line prints it. */

import type { PixelMetrics } from "@geolearn/core";
import type { z } from "zod";
import type { pixelAccuracyResult } from "./results.ts";
import { list, table } from "./table.ts";

/** The published JSON of `evaluate` and `accuracy`. */
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
