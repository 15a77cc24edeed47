/** A confusion matrix as a table of shaded cells. */

import type { ClassDefinition, ConfusionMatrix, Figure } from "@geolearn/core";

import { escapeMarkup, FONT, INK, QUIET_INK, svgFigure } from "./svg.ts";

const CELL = 74;
const CHARACTER = 6.4;

/** Rows are the truth, columns the prediction; each cell shows pixels (or chips, or objects) and the share of its row, which also shades it. */
export async function confusionFigure(
  matrix: ConfusionMatrix,
  classes: readonly ClassDefinition[],
  subtitle: string = "rows: truth, columns: prediction; share of the row",
): Promise<Figure> {
  const n = matrix.size;
  const longest = Math.max(...classes.map(({ name }) => clip(name).length));
  const left = 36 + longest * CHARACTER + 22;
  const top = 66 + (n > 3 ? longest * CHARACTER * 0.75 : 0) + 18;
  const width = Math.max(left + n * CELL + 20, 24 + CHARACTER * subtitle.length);
  const height = top + n * CELL + 20;
  const cells = classes.flatMap((_, row) => {
    const total = rowTotal(matrix, row);
    return classes.map((__, col) => cell(left + col * CELL, top + row * CELL, matrix.counts[row * n + col]!, total));
  });
  const rows = classes.map(
    ({ name, color }, row) =>
      `${swatch(left - 20, top + row * CELL + CELL / 2 - 6, color)}<text x="${left - 28}" y="${top + row * CELL + CELL / 2 + 4}" text-anchor="end">${escapeMarkup(clip(name))}</text>`,
  );
  const columns = classes.map(({ name, color }, col) => {
    const x = left + col * CELL + CELL / 2;
    const turn = n > 3 ? ` transform="rotate(-45 ${x} ${top - 24})" text-anchor="start"` : ' text-anchor="middle"';
    return `${swatch(x - 6, top - 18, color)}<text x="${x}" y="${top - 24}"${turn}>${escapeMarkup(clip(name))}</text>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="11" fill="${INK}">
<rect width="${width}" height="${height}" fill="white"/>
<text x="12" y="24" font-size="14" font-weight="bold">Confusion matrix</text>
<text x="12" y="41" fill="${QUIET_INK}">${subtitle}</text>
${columns.join("\n")}
${rows.join("\n")}
${cells.join("\n")}
</svg>`;
  return svgFigure("Confusion matrix", svg);
}

function cell(x: number, y: number, count: number, total: number): string {
  const share = total === 0 ? 0 : count / total;
  const light = share > 0.55 ? "white" : INK;
  const percent = total === 0 ? "-" : `${(100 * share).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;
  return `<rect x="${x + 1}" y="${y + 1}" width="${CELL - 2}" height="${CELL - 2}" fill="${shade(share)}"/><text x="${x + CELL / 2}" y="${y + CELL / 2 - 1}" text-anchor="middle" font-size="12" fill="${light}">${percent}</text><text x="${x + CELL / 2}" y="${y + CELL / 2 + 15}" text-anchor="middle" font-size="9" fill="${light}">${compact(count)}</text>`;
}

/** White to blue. */
function shade(share: number): string {
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * share);
  return `rgb(${mix(244, 0)},${mix(247, 88)},${mix(250, 150)})`;
}

function swatch(x: number, y: number, [r, g, b]: readonly [number, number, number]): string {
  return `<rect x="${x}" y="${y}" width="12" height="12" fill="rgb(${r},${g},${b})" stroke="#9aa5b1"/>`;
}

function rowTotal(matrix: ConfusionMatrix, row: number): number {
  let total = matrix.unpredicted[row]!;
  for (let col = 0; col < matrix.size; col++) total += matrix.counts[row * matrix.size + col]!;
  return total;
}

function compact(count: number): string {
  return count.toLocaleString("en-US", { notation: count >= 1e5 ? "compact" : "standard", maximumFractionDigits: 1 });
}

function clip(name: string): string {
  return name.length > 24 ? `${name.slice(0, 23)}…` : name;
}
