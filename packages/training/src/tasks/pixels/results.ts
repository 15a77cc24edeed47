/** Example chips beside their labels and what the network makes of them. */

import {
  type ClassDefinition,
  encodePng,
  type Figure,
  overlayClasses,
  renderBands,
  renderClasses,
  type RgbaImage,
  scaleNearest,
  tileImages,
} from "@geolearn/core";
import type { ShownPicture } from "@geolearn/data-prep";

import { SIDE_TITLE } from "../../figures/side-title.ts";
import { dataUrl, escapeMarkup, FONT, INK, QUIET_INK, svgFigure } from "../../figures/svg.ts";
import type { Side } from "../task.ts";

/** One chip with its truth and its prediction, both as class indices; negative truth is ignored. */
export interface Example {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  /** `[height, width, bands]`. */
  readonly image: Float32Array;
  readonly truth: Int32Array;
  readonly predicted: Int32Array;
}

const SIDE = 200;
const GAP = 8;
const HEADER = 48;

/** A grid of image (or those of both dates), truth, prediction and errors (yellow where wrong, gray where ignored), one chip a row. */
export async function resultsFigure(
  examples: readonly Example[],
  classes: readonly ClassDefinition[],
  shown: readonly ShownPicture[],
  side: Side = "valid",
): Promise<Figure> {
  const first = examples[0];
  const titles = [...shown.map(({ title }) => title), "truth", "prediction", "errors"];
  const legend = legendRows(classes, titles.length * (SIDE + GAP));
  const rowHeight = first ? Math.round((SIDE * first.height) / first.width) : SIDE;
  const width = titles.length * (SIDE + GAP) + GAP;
  const height = HEADER + examples.length * (rowHeight + GAP) + legend.height + GAP;
  const pictures = examples.flatMap((example, row) =>
    panels(example, classes, shown).map((panel, col) => {
      const x = GAP + col * (SIDE + GAP);
      const y = HEADER + row * (rowHeight + GAP);
      // Enlarged here by a whole factor, so that viewers have no pixels to blur.
      const factor = Math.max(1, Math.floor((2 * SIDE) / panel.width));
      const png = encodePng(scaleNearest(panel, panel.width * factor, panel.height * factor));
      return `<image x="${x}" y="${y}" width="${SIDE}" height="${rowHeight}" href="${dataUrl(png)}"/>`;
    }),
  );
  const headings = titles.map((title, col) => `<text x="${GAP + col * (SIDE + GAP)}" y="40" fill="${QUIET_INK}">${title}</text>`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="11" fill="${INK}">
<rect width="${width}" height="${height}" fill="white"/>
<text x="${GAP}" y="20" font-size="14" font-weight="bold">${SIDE_TITLE[side]}</text>
${headings.join("\n")}
${pictures.join("\n")}
<g transform="translate(${GAP} ${HEADER + examples.length * (rowHeight + GAP)})">${legend.svg}</g>
</svg>`;
  return svgFigure("Results", svg);
}

/** The same without words and legend, for viewers that want pixels. */
export function resultsPicture(
  examples: readonly Example[],
  classes: readonly ClassDefinition[],
  shown: readonly ShownPicture[],
): RgbaImage {
  const pictures = examples.flatMap((example) => panels(example, classes, shown));
  return tileImages(pictures, pictures.length / examples.length);
}

function panels(example: Example, classes: readonly ClassDefinition[], shown: readonly ShownPicture[]): RgbaImage[] {
  const { width, height, bands, image, truth, predicted } = example;
  const array = { data: image, bands, width, height, layout: "pixels" as const };
  const pictures = shown.map((picture) => renderBands(array, picture));
  const judged = truth.map((index, p) => (index < 0 ? IGNORED : index === predicted[p] ? RIGHT : WRONG));
  return [
    ...pictures,
    renderClasses(truth, width, height, classes, { ignoredColor: GRAY }),
    renderClasses(predicted, width, height, classes, { ignoredColor: GRAY }),
    overlayClasses(pictures.at(-1)!, judged, JUDGEMENTS, 0.8, { skip: RIGHT }),
  ];
}

const GRAY = [205, 210, 214] as const;
const RIGHT = 0;
const WRONG = 1;
const IGNORED = 2;
const JUDGEMENTS: readonly ClassDefinition[] = [
  { value: RIGHT, name: "right", color: [255, 255, 255] },
  { value: WRONG, name: "wrong", color: [255, 221, 0] },
  { value: IGNORED, name: "ignored", color: GRAY },
];

/** Colours and names of the classes, as many a row as fit. */
function legendRows(classes: readonly ClassDefinition[], width: number): { svg: string; height: number } {
  let x = 0;
  let y = 0;
  const entries = [...classes, JUDGEMENTS[WRONG]!, JUDGEMENTS[IGNORED]!].map(({ name, color: [r, g, b] }) => {
    const space = 34 + 6.6 * name.length;
    if (x > 0 && x + space > width) [x, y] = [0, y + 20];
    const entry = `<rect x="${x}" y="${y + 2}" width="12" height="12" fill="rgb(${r},${g},${b})" stroke="#9aa5b1"/><text x="${x + 18}" y="${y + 12}">${escapeMarkup(name)}</text>`;
    x += space;
    return entry;
  });
  return { svg: entries.join(""), height: y + 20 };
}
