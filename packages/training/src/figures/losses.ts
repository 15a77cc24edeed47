/** The course of a training run: losses and validation metrics over the epochs. */

import { type Figure, GeoLearnError } from "@geolearn/core";

import type { EpochRecord } from "../learner/records.ts";
import { chartFigure } from "./chart.ts";

/** Metrics drawn below the losses, where a record has them. */
const METRICS = [
  ["meanIou", "mean IoU"],
  ["pixelAccuracy", "pixel accuracy"],
  ["kappa", "kappa"],
] as const;

/**
 * Losses of both sides above, validation metrics below.
 *
 * @throws INVALID_ARGUMENT before the first epoch.
 */
export async function lossesFigure(records: readonly EpochRecord[]): Promise<Figure> {
  if (records.length === 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", "There are no losses to plot yet.", { hint: "Call fit() first." });
  }
  const losses = records.flatMap(({ epoch, trainLoss, validLoss }) => [
    { epoch, series: "training", value: trainLoss },
    ...(validLoss === null ? [] : [{ epoch, series: "validation", value: validLoss }]),
  ]);
  const metrics = records.flatMap(({ epoch, metrics: values }) =>
    METRICS.flatMap(([key, series]) => (typeof values[key] === "number" ? [{ epoch, series, value: values[key] }] : [])),
  );
  const panel = (values: readonly object[], title: string, height: number, zero: boolean): object => ({
    width: 460,
    height,
    data: { values },
    mark: { type: "line", strokeWidth: 2, point: { size: 28, filled: true } },
    encoding: {
      x: {
        field: "epoch",
        type: "quantitative",
        title: "epoch",
        axis: { tickMinStep: 1, format: "d" },
        scale: { zero: false, nice: false },
      },
      y: { field: "value", type: "quantitative", title, scale: zero ? { domain: [Math.min(0, ...valuesOf(values)), 1] } : { zero: false } },
      color: { field: "series", type: "nominal", title: null, sort: null },
    },
  });
  return chartFigure("Losses", {
    title: "Training",
    vconcat: [panel(losses, "loss", 200, false), ...(metrics.length > 0 ? [panel(metrics, "validation metric", 160, true)] : [])],
    resolve: { scale: { color: "independent" } },
  } as Parameters<typeof chartFigure>[1]);
}

function valuesOf(points: readonly object[]): number[] {
  return points.map((point) => (point as { value: number }).value);
}
