/** Precision over recall of a detector's classes. */

import type { ClassDefinition, CocoCurve, CocoMetrics, Figure } from "@geolearn/core";

import { chartFigure } from "./chart.ts";

/** One line a class, at an IoU of 0.5, as COCO interpolates it: AP50 is the mean height of a line. */
export async function precisionRecallFigure(
  { curves, classes: numbers }: Pick<CocoMetrics, "classes"> & { readonly curves: readonly (CocoCurve | null)[] },
  classes: readonly ClassDefinition[],
): Promise<Figure> {
  const series = classes.map(({ name }, k) => {
    const score = numbers[k]!.AP50;
    return score === null ? `${name}, no true objects` : `${name}, AP50 ${score.toFixed(3)}`;
  });
  const values = curves.flatMap((curve, k) =>
    Array.from(curve?.precision ?? [], (precision, r) => ({ recall: r / 100, precision, series: series[k]! })),
  );
  const axis = (field: string): object => ({ field, type: "quantitative", title: field, scale: { domain: [0, 1] } });
  return chartFigure("Precision and recall", {
    width: 460,
    height: 300,
    title: { text: "Precision and recall", subtitle: "at an IoU of 0.5" },
    data: { values },
    mark: { type: "line", strokeWidth: 2, interpolate: "step-before" },
    encoding: {
      x: axis("recall"),
      y: axis("precision"),
      color: {
        field: "series",
        type: "nominal",
        title: null,
        sort: null,
        scale: { domain: series, range: classes.map(({ color }) => `rgb(${color.join(",")})`) },
      },
    },
  } as Parameters<typeof chartFigure>[1]);
}
