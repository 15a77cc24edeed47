/** How a run is watched by default: a bar in a terminal, a table in a notebook, nothing elsewhere. */

import { notebookOutput, type OnProgress, terminalProgress } from "@geolearn/core";

import { escapeMarkup } from "../figures/svg.ts";
import type { EpochRecord } from "./records.ts";

/** A display to be fed with progress. */
export interface FitDisplay {
  readonly onProgress: OnProgress;
  end(): void;
}

/** The display that fits the surroundings, or null. `records` grows as epochs end. */
export function fitDisplay(records: readonly EpochRecord[]): FitDisplay | null {
  const output = notebookOutput();
  if (output) return notebookTable(output, records);
  return process.stderr.isTTY ? terminalProgress() : null;
}

const REDRAW_MS = 500;

function notebookTable(output: { html(markup: string): void }, records: readonly EpochRecord[]): FitDisplay {
  let drawnAt = -Infinity;
  let last = "";
  const draw = (line: string): void => output.html(recordTable(records) + (line === "" ? "" : `<p>${escapeMarkup(line)}</p>`));
  return {
    onProgress({ stage, done, total, unit, values = {} }) {
      const figures = Object.entries(values).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
      last = done >= total ? "" : [`${stage}: ${done}/${total} ${unit}`, ...figures].join(", ");
      if (done < total && performance.now() - drawnAt < REDRAW_MS) return;
      drawnAt = performance.now();
      draw(last);
    },
    end: () => draw(last),
  };
}

/** The epochs as an HTML table. */
export function recordTable(records: readonly EpochRecord[]): string {
  const metrics = Object.keys(records[0]?.metrics ?? {});
  const cell = (value: number | null | undefined, digits = 4): string =>
    `<td>${typeof value === "number" ? value.toFixed(digits) : "-"}</td>`;
  const heading = ["epoch", "training loss", "validation loss", ...metrics, "seconds"]
    .map((title) => `<th>${escapeMarkup(title)}</th>`)
    .join("");
  const rows = records.map(
    ({ epoch, trainLoss, validLoss, metrics: values, seconds }) =>
      `<tr><td>${epoch}</td>${cell(trainLoss)}${cell(validLoss)}${metrics.map((name) => cell(values[name])).join("")}${cell(seconds, 1)}</tr>`,
  );
  return `<table><thead><tr>${heading}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}
