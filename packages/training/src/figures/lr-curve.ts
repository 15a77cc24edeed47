/** The losses of a learning-rate sweep. */

import type { Figure } from "@geolearn/core";

import type { LrPoint } from "../schedule/suggest-lr.ts";
import { chartFigure } from "./chart.ts";

/** Loss against learning rate on a logarithmic axis, the suggested rate marked. */
export async function lrCurveFigure(curve: readonly LrPoint[], suggestion: number | null): Promise<Figure> {
  // The last points shoot up; drawn in full they would flatten the part that matters.
  const start = Math.max(...curve.slice(0, 5).map(({ smoothed }) => smoothed));
  const shown = curve.filter(({ smoothed }) => smoothed <= 1.5 * start);
  const x = { field: "lr", type: "quantitative", title: "learning rate", scale: { type: "log" }, axis: { format: "~e", grid: false } };
  return chartFigure("Learning rate", {
    width: 460,
    height: 240,
    title: { text: "Learning-rate sweep", ...(suggestion !== null && { subtitle: `suggested: ${suggestion.toExponential(2)}` }) },
    layer: [
      {
        data: { values: shown.map(({ lr, smoothed }) => ({ lr, smoothed })) },
        mark: { type: "line", strokeWidth: 2, color: "#0072b2" },
        encoding: { x, y: { field: "smoothed", type: "quantitative", title: "loss, smoothed", scale: { zero: false } } },
      },
      ...(suggestion === null
        ? []
        : [{ data: { values: [{ lr: suggestion }] }, mark: { type: "rule", strokeDash: [5, 4], color: "#d55e00" }, encoding: { x } }]),
    ],
  } as Parameters<typeof chartFigure>[1]);
}
