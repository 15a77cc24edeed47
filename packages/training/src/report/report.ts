/** The training report: one HTML file that holds its pictures and asks nothing of the network. */

import { type ReportPage, requireReportPath, writeReportPage } from "@geolearn/core";

import { lossesFigure } from "../figures/losses.ts";
import { lrCurveFigure } from "../figures/lr-curve.ts";
import { SIDE_TITLE } from "../figures/side-title.ts";
import { dataUrl, escapeMarkup } from "../figures/svg.ts";
import type { LearnerCore } from "../learner/core.ts";
import { recordTable } from "../learner/display.ts";
import type { LrFindResult } from "../learner/lr-find.ts";
import type { ReportSection } from "../tasks/task.ts";
import { scroll } from "./html.ts";

/** What a report tells of. */
export interface ReportContent {
  readonly name: string;
  readonly core: LearnerCore;
  /** What the task says of the validation side; none without validation chips. */
  readonly evaluation: readonly ReportSection[];
  /** A picture of some chips, PNG. */
  readonly examples: Uint8Array;
  readonly sweep: LrFindResult | null;
}

/** Writes the report. @throws UNSUPPORTED_FORMAT for a path that does not end in .html; DISK_FULL, WRITE_FAILED */
export async function writeReport(path: string, content: ReportContent): Promise<void> {
  requireReportPath(path);
  await writeReportPage(path, await trainingPage(content));
}

async function trainingPage({ name, core, evaluation, examples, sweep }: ReportContent): Promise<ReportPage> {
  const { network, records } = core;
  const sections = [
    ...(evaluation.length === 0 ? [section("Results", "<p>There were no validation chips.</p>")] : []),
    ...evaluation.map(({ title, html }) => section(title, html)),
    section(
      "Examples",
      `<img src="${dataUrl(examples)}" alt="${SIDE_TITLE[core.data.valid.count > 0 ? "valid" : "train"]} with truth and prediction">`,
    ),
    records.length > 0 && section("Training", (await lossesFigure(records)).svg! + scroll(recordTable(records))),
    sweep && section("Learning rate", (await lrCurveFigure(sweep.curve, sweep.lr)).svg!),
    section("Data", pairs(dataFacts(core)) + bandTable(core)),
    section("Model", pairs(modelFacts(core, sweep))),
    section("Settings", `<pre>${escapeMarkup(JSON.stringify({ network: network.config, loss: core.task.describedLoss }, null, 2))}</pre>`),
  ];
  return { title: name, kind: "Training report", sections: sections.filter((part) => part !== null && part !== false) };
}

function section(title: string, body: string): ReportPage["sections"][number] {
  return { title, body };
}

function bandTable({ data }: LearnerCore): string {
  const rows = data.statistics.map(({ min, max, mean, std }, b) => {
    const figures = [min, max, mean, std].map((value) => `<td>${Number(value.toPrecision(5))}</td>`).join("");
    return `<tr><td>${escapeMarkup(data.bandNames[b] ?? `band ${b + 1}`)}</td>${figures}</tr>`;
  });
  return scroll(
    `<table><thead><tr><th>band</th><th>min</th><th>max</th><th>mean</th><th>std. dev.</th></tr></thead><tbody>${rows.join("")}</tbody></table>`,
  );
}

function dataFacts({ data, task }: LearnerCore): (readonly [string, string])[] {
  return [
    ["training chips", String(data.train.count)],
    ["validation chips", String(data.valid.count)],
    ["chip", `${data.chipWidth} x ${data.chipHeight} pixels, ${data.bands} bands, ${data.sampleType}`],
    ["ground size of a pixel", data.resolution === null ? "unknown" : `${Number(data.resolution.toPrecision(4))} m`],
    ["batch", `${data.batchSize} chips`],
    ...task.labelFacts(),
    ["seed of the data", String(data.seed)],
  ];
}

function modelFacts(
  { network, engine, seed, records, frozen, task }: LearnerCore,
  sweep: LrFindResult | null,
): (readonly [string, string])[] {
  const trainable = network.parameters.filter((p) => p.trainable).reduce((sum, { variable }) => sum + variable.size, 0);
  const backbone = network.config["backbone"];
  return [
    ["architecture", `${network.modelType}${typeof backbone === "string" ? ` with ${backbone}` : ", plain encoder"}`],
    ["trainable parameters", trainable.toLocaleString("en-US")],
    ["loss", task.describedLoss.type],
    ["backbone", frozen ? "held" : "trained"],
    ["epochs", String(records.length)],
    ["training time", `${records.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1)} s`],
    ["learning-rate sweep", sweep === null ? "none" : `${sweep.seconds.toFixed(1)} s`],
    ["seed of the weights", String(seed)],
    ["device", `${engine.device}, ${engine.threads} threads`],
  ];
}

function pairs(facts: readonly (readonly [string, string])[]): string {
  return `<dl class="facts">${facts.map(([name, value]) => `<dt>${escapeMarkup(name)}</dt><dd>${escapeMarkup(value)}</dd>`).join("")}</dl>`;
}
