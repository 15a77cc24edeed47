/** Charts described in Vega-Lite, drawn to SVG without a browser. */

import type { Figure } from "@geolearn/core";
import type { TopLevelSpec } from "vega-lite";

import { FONT, INK, QUIET_INK, svgFigure } from "./svg.ts";

/** Colours told apart by people with any colour vision (Okabe and Ito 2008), in the order they are handed out. */
export const SERIES_COLORS: readonly string[] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/** Draws a Vega-Lite description. Its data are inline; nothing is loaded. */
export async function chartFigure(title: string, description: Omit<TopLevelSpec, "$schema" | "config">): Promise<Figure> {
  // Vega and Vega-Lite are large; they are loaded when the first chart is drawn.
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const { spec } = compile({ ...description, config: STYLE } as TopLevelSpec);
  const view = new vega.View(vega.parse(spec), { renderer: "none", loader: refusingLoader(vega.loader()) });
  try {
    return await svgFigure(title, await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** A chart holds its data; a description that names a file or an address is not followed. */
function refusingLoader<T extends { load: unknown; http: unknown; file: unknown }>(loader: T): T {
  const refuse = (): Promise<never> => Promise.reject(new Error("charts load nothing"));
  return { ...loader, load: refuse, http: refuse, file: refuse };
}

const STYLE = {
  font: FONT,
  background: "white",
  padding: 12,
  view: { stroke: null },
  title: { anchor: "start", color: INK, fontSize: 14, fontWeight: "bold", offset: 10, subtitleColor: QUIET_INK, subtitleFontSize: 11 },
  axis: {
    labelColor: QUIET_INK,
    titleColor: INK,
    titleFontWeight: "normal",
    titleFontSize: 11,
    labelFontSize: 10,
    gridColor: "#e4e7eb",
    domainColor: "#9aa5b1",
    tickColor: "#9aa5b1",
  },
  legend: { labelColor: INK, titleColor: INK, labelFontSize: 11, titleFontWeight: "normal", symbolStrokeWidth: 2, labelLimit: 220 },
  range: { category: [...SERIES_COLORS] },
} as const;
