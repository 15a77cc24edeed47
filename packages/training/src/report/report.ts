/** The training report: one HTML file that holds its pictures and asks nothing of the network. */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import { GeoLearnError, writeAtomic } from "@geolearn/core";

import { lossesFigure } from "../figures/losses.ts";
import { lrCurveFigure } from "../figures/lr-curve.ts";
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
  if (!/\.html?$/i.test(path)) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `A report is an HTML page; "${path}" does not end in .html.`, {
      hint: 'Use a path such as "report.html".',
    });
  }
  await mkdir(dirname(path), { recursive: true });
  await writeAtomic(path, await reportHtml(content));
}

/** The page. */
export async function reportHtml({ name, core, evaluation, examples, sweep }: ReportContent): Promise<string> {
  const { network, records } = core;
  const sections = [
    ...(evaluation.length === 0 ? [section("Results", "<p>There were no validation chips.</p>")] : []),
    ...evaluation.map(({ title, html }) => section(title, html)),
    section("Examples", `<img src="${dataUrl(examples)}" alt="chips with truth and prediction">`),
    records.length > 0 && section("Training", (await lossesFigure(records)).svg! + scroll(recordTable(records))),
    sweep && section("Learning rate", (await lrCurveFigure(sweep.curve, sweep.lr)).svg!),
    section("Data", pairs(dataFacts(core)) + bandTable(core)),
    section("Model", pairs(modelFacts(core, sweep))),
    section("Settings", `<pre>${escapeMarkup(JSON.stringify({ network: network.config, loss: core.task.describedLoss }, null, 2))}</pre>`),
  ];
  const title = escapeMarkup(name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}: training report</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${title}</h1><p>Training report, ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC</p></header>
<main>
${sections.filter((part) => typeof part === "string").join("\n")}
</main>
</body>
</html>
`;
}

function section(title: string, body: string): string {
  return `<section><h2>${escapeMarkup(title)}</h2>${body}</section>`;
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

const STYLE = `
:root { color: #1f2933; background: #f5f7fa; font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
header p { color: #66727f; margin-top: -.6rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.1rem; margin-top: 0; }
section { background: white; border: 1px solid #e4e7eb; border-radius: 6px; margin: 1rem 0; padding: 1.2rem; }
svg, img { display: block; height: auto; max-width: 100%; }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2.2rem; margin: 0; }
.figures dt { color: #66727f; font-size: .8rem; } .figures dd { font-size: 1.3rem; margin: 0; }
.facts { display: grid; gap: .2rem 1.2rem; grid-template-columns: max-content 1fr; margin: 0 0 1rem; }
.facts dt { color: #66727f; } .facts dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #e4e7eb; padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.swatch { border: 1px solid #9aa5b1; display: inline-block; height: .8em; margin-right: .5em; width: .8em; }
pre { background: #f5f7fa; font-size: .8rem; margin: 0; overflow-x: auto; padding: .8rem; }
`;
