/** The training report: one HTML file that holds its pictures and asks nothing of the network. */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import { GeoLearnError, writeAtomic } from "@geolearn/core";

import { confusionFigure } from "../figures/confusion.ts";
import { lossesFigure } from "../figures/losses.ts";
import { lrCurveFigure } from "../figures/lr-curve.ts";
import { type Example, resultsFigure } from "../figures/results.ts";
import { dataUrl, escapeMarkup } from "../figures/svg.ts";
import type { LearnerCore } from "../learner/core.ts";
import { recordTable } from "../learner/display.ts";
import type { Evaluation } from "../learner/evaluate.ts";
import type { LrFindResult } from "../learner/lr-find.ts";

/** What a report tells of. */
export interface ReportContent {
  readonly name: string;
  readonly core: LearnerCore;
  readonly evaluation: Evaluation | null;
  readonly examples: readonly Example[];
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
  const { data, network, records } = core;
  const results = await resultsFigure(examples, data.classes);
  const sections = [
    section("Results", evaluation === null ? "<p>There were no validation chips.</p>" : summary(evaluation)),
    evaluation && section("Classes", classTable(core, evaluation)),
    section("Examples", `<img src="${dataUrl(results.png)}" alt="validation chips with truth and prediction">`),
    evaluation && section("Confusion matrix", (await confusionFigure(evaluation.confusion, data.classes)).svg!),
    records.length > 0 && section("Training", (await lossesFigure(records)).svg! + scroll(recordTable(records))),
    sweep && section("Learning rate", (await lrCurveFigure(sweep.curve, sweep.lr)).svg!),
    section("Data", pairs(dataFacts(core)) + bandTable(core)),
    section("Model", pairs(modelFacts(core, sweep))),
    section("Settings", `<pre>${escapeMarkup(JSON.stringify({ network: network.config, loss: core.describedLoss }, null, 2))}</pre>`),
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

function summary({ meanIou, pixelAccuracy, kappa, loss, pixels }: Evaluation): string {
  const figures: [string, string][] = [
    ["mean IoU", percent(meanIou)],
    ["pixel accuracy", percent(pixelAccuracy)],
    ["kappa", kappa === null ? "-" : kappa.toFixed(3)],
    ["validation loss", loss === null ? "-" : loss.toFixed(4)],
    ["pixels compared", pixels.toLocaleString("en-US")],
  ];
  return `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
}

function classTable({ data }: LearnerCore, { classes }: Evaluation): string {
  const rows = classes.map(({ name, value, iou, precision, recall, f1, truthPixels }, i) => {
    const [r, g, b] = data.classes[i]!.color;
    const cells = [iou, precision, recall, f1].map((figure) => `<td>${percent(figure)}</td>`).join("");
    return `<tr><td><span class="swatch" style="background:rgb(${r},${g},${b})"></span>${escapeMarkup(name)}</td><td>${value}</td>${cells}<td>${truthPixels.toLocaleString("en-US")}</td></tr>`;
  });
  return scroll(
    `<table><thead><tr><th>class</th><th>value</th><th>IoU</th><th>precision</th><th>recall</th><th>F1 (Dice)</th><th>true pixels</th></tr></thead><tbody>${rows.join("")}</tbody></table>`,
  );
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

function dataFacts({ data }: LearnerCore): [string, string][] {
  const total = data.classPixels.reduce((a, b) => a + b, 0);
  return [
    ["training chips", String(data.train.count)],
    ["validation chips", String(data.valid.count)],
    ["chip", `${data.chipWidth} x ${data.chipHeight} pixels, ${data.bands} bands, ${data.sampleType}`],
    ["ground size of a pixel", data.resolution === null ? "unknown" : `${Number(data.resolution.toPrecision(4))} m`],
    ["batch", `${data.batchSize} chips`],
    [
      "labelled training pixels",
      data.classes.map(({ name }, k) => `${name} ${total === 0 ? "-" : percent(data.classPixels[k]! / total)}`).join(", "),
    ],
    ["seed of the data", String(data.seed)],
  ];
}

function modelFacts(
  { network, engine, seed, records, frozen, describedLoss }: LearnerCore,
  sweep: LrFindResult | null,
): [string, string][] {
  const trainable = network.parameters.filter((p) => p.trainable).reduce((sum, { variable }) => sum + variable.size, 0);
  const backbone = network.config["backbone"];
  return [
    ["architecture", `${network.modelType}${typeof backbone === "string" ? ` with ${backbone}` : ", plain encoder"}`],
    ["trainable parameters", trainable.toLocaleString("en-US")],
    ["loss", describedLoss.type],
    ["backbone", frozen ? "held" : "trained"],
    ["epochs", String(records.length)],
    ["training time", `${records.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1)} s`],
    ["learning-rate sweep", sweep === null ? "none" : `${sweep.seconds.toFixed(1)} s`],
    ["seed of the weights", String(seed)],
    ["device", `${engine.device}, ${engine.threads} threads`],
  ];
}

function pairs(facts: readonly [string, string][]): string {
  return `<dl class="facts">${facts.map(([name, value]) => `<dt>${escapeMarkup(name)}</dt><dd>${escapeMarkup(value)}</dd>`).join("")}</dl>`;
}

function scroll(table: string): string {
  return `<div class="scroll">${table}</div>`;
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(1)} %`;
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
