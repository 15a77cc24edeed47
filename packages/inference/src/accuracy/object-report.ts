/** What `objectAccuracy` found, as Esri's table and as a page to read. */

import { dirname } from "node:path";

import { GeoLearnError, escapeMarkup, makeFolder, writeAtomic, writeReportPage } from "@geolearn/core";

import type { ObjectAccuracy, ObjectClassAccuracy } from "./object-accuracy.ts";

/** A row of the accuracy table, with Esri's field names. */
export interface AccuracyTableRow {
  /** Class, or `All Classes` in the last row. */
  readonly Class: string;
  readonly Precision: number | null;
  readonly Recall: number | null;
  readonly F1_Score: number | null;
  readonly AP: number | null;
  readonly True_Positive: number;
  readonly False_Positive: number;
  readonly False_Negative: number;
}

/** The accuracy table of ArcGIS: a row for each class, then one for all. */
export function accuracyTable(accuracy: ObjectAccuracy): AccuracyTableRow[] {
  const row = (
    name: string,
    { precision, recall, f1, ap, truePositives, falsePositives, falseNegatives }: ObjectAccuracy | ObjectClassAccuracy,
  ): AccuracyTableRow => ({
    Class: name,
    Precision: precision,
    Recall: recall,
    F1_Score: f1,
    AP: ap,
    True_Positive: truePositives,
    False_Positive: falsePositives,
    False_Negative: falseNegatives,
  });
  return [...accuracy.classes.filter(({ name }) => name !== null).map((own) => row(own.name!, own)), row("All Classes", accuracy)];
}

/** Writes the accuracy table as CSV; figures without a meaning are empty. @throws UNSUPPORTED_FORMAT for a path that does not end in .csv; DISK_FULL, WRITE_FAILED */
export async function writeAccuracyTable(path: string, accuracy: ObjectAccuracy): Promise<void> {
  if (!/\.csv$/i.test(path)) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `The accuracy table is a CSV file; "${path}" does not end in .csv.`, {
      hint: 'Use a path such as "accuracy.csv".',
    });
  }
  const rows = accuracyTable(accuracy);
  const lines = [Object.keys(rows[0]!), ...rows.map((row) => Object.values(row) as (string | number | null)[])].map((cells) =>
    cells.map(csvCell).join(","),
  );
  await makeFolder(dirname(path));
  await writeAtomic(path, `${lines.join("\n")}\n`);
}

/** Writes a report with the figures, the table and the precision-recall curves. @throws UNSUPPORTED_FORMAT for a path that does not end in .html; DISK_FULL, WRITE_FAILED */
export async function writeAccuracyReport(path: string, accuracy: ObjectAccuracy, title = "Detected objects"): Promise<void> {
  const curves = accuracy.classes.filter(({ curve, recall }) => curve !== null && recall !== null);
  await writeReportPage(path, {
    title,
    kind: "Accuracy report",
    sections: [
      { title: "Results", body: summary(accuracy) },
      { title: "Classes", body: tableOf(accuracy) },
      {
        title: "Precision and recall",
        body: curves.length === 0 ? "<p>The detections have no scores, so there is no curve.</p>" : curveDrawing(curves),
      },
      { title: "How it was measured", body: facts(accuracy) },
    ],
  });
}

function csvCell(value: string | number | null): string {
  const text = value === null ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function summary({ precision, recall, f1, ap, meanAp, minIou, truePositives, falsePositives, falseNegatives }: ObjectAccuracy): string {
  const figures: [string, string][] = [
    ["precision", percent(precision)],
    ["recall", percent(recall)],
    ["F1", percent(f1)],
    [`AP at IoU ${minIou}`, percent(ap)],
    ["mAP, IoU 0.50 to 0.95", percent(meanAp)],
    ["right", String(truePositives)],
    ["wrong", String(falsePositives)],
    ["missed", String(falseNegatives)],
  ];
  return `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
}

function tableOf(accuracy: ObjectAccuracy): string {
  const rows = accuracyTable(accuracy).map(
    (row) =>
      `<tr><td>${escapeMarkup(row.Class)}</td>${[row.Precision, row.Recall, row.F1_Score, row.AP].map((share) => `<td>${percent(share)}</td>`).join("")}${[row.True_Positive, row.False_Positive, row.False_Negative].map((count) => `<td>${count}</td>`).join("")}</tr>`,
  );
  const head = ["class", "precision", "recall", "F1", "AP", "right", "wrong", "missed"].map((name) => `<th>${name}</th>`).join("");
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function facts({ minIou, scoreField, ignored }: ObjectAccuracy): string {
  const entries: [string, string][] = [
    ["a detection is right", `from IoU ${minIou} on with a free object of its class`],
    ["order of the detections", scoreField === null ? "greatest IoU first, there are no scores" : `best "${scoreField}" first`],
    ["left out by the mask", `${ignored.predicted} detections, ${ignored.truth} objects`],
  ];
  return `<dl class="facts">${entries.map(([name, value]) => `<dt>${escapeMarkup(name)}</dt><dd>${escapeMarkup(value)}</dd>`).join("")}</dl>`;
}

/** Colours told apart by people with any colour vision (Okabe and Ito 2008). */
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const SIDE = 320;
const MARGIN = 44;

/** Recall to the right, precision upwards, one line a class. */
function curveDrawing(classes: readonly ObjectClassAccuracy[]): string {
  const x = (recall: number): string => (MARGIN + recall * SIDE).toFixed(1);
  const y = (precision: number): string => (10 + (1 - precision) * SIDE).toFixed(1);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (at) =>
      `<path d="M${x(0)} ${y(at)}H${x(1)}M${x(at)} ${y(0)}V${y(1)}" stroke="#e4e7eb"/><text x="${MARGIN - 6}" y="${y(at)}" text-anchor="end" dominant-baseline="middle">${at}</text><text x="${x(at)}" y="${SIDE + 28}" text-anchor="middle">${at}</text>`,
  );
  const lines = classes.map(({ curve, name }, k) => {
    const points = Array.from(curve!.recall, (recall, i) => `${x(recall)},${y(curve!.precision[i]!)}`);
    const color = COLORS[k % COLORS.length]!;
    const label = name === null ? "" : `<text x="${MARGIN + SIDE + 14}" y="${22 + 18 * k}" fill="${color}">${escapeMarkup(name)}</text>`;
    return `<polyline points="${points.join(" ")}" fill="none" stroke="${color}" stroke-width="1.8"/>${label}`;
  });
  const height = Math.max(SIDE + 50, 30 + 18 * classes.length);
  return `<svg viewBox="0 0 ${MARGIN + SIDE + 180} ${height}" width="${MARGIN + SIDE + 180}" height="${height}" font-size="11" fill="#66727f" role="img" aria-label="precision over recall">${grid.join("")}<text x="${MARGIN + SIDE / 2}" y="${SIDE + 44}" text-anchor="middle">recall</text><text transform="translate(11 ${10 + SIDE / 2}) rotate(-90)" text-anchor="middle">precision</text>${lines.join("")}</svg>`;
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(1)} %`;
}
