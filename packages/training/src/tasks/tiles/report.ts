/** What the training report says of classifying whole chips. */

import type { ClassDefinition } from "@geolearn/core";

import { confusionFigure } from "../../figures/confusion.ts";
import { escapeMarkup } from "../../figures/svg.ts";
import { percent, scroll } from "../../report/html.ts";
import type { ReportSection } from "../task.ts";
import type { TileEvaluation } from "./evaluate.ts";

/** Figures, a table of the classes, and the confusion matrix where a chip has one class. */
export async function tileSections(evaluation: TileEvaluation, classes: readonly ClassDefinition[]): Promise<ReportSection[]> {
  const { confusion } = evaluation;
  return [
    { title: "Results", html: summary(evaluation) },
    { title: "Classes", html: classTable(classes, evaluation) },
    ...(confusion === null ? [] : [{ title: "Confusion matrix", html: (await confusionFigure(confusion, classes)).svg! }]),
  ];
}

function summary({ accuracy, top5Accuracy, kappa, exactMatch, meanF1, meanAp, loss, chips, confusion }: TileEvaluation): string {
  const own: [string, string][] =
    confusion === null
      ? [
          ["exactly right", percent(exactMatch)],
          ["mean average precision", percent(meanAp)],
        ]
      : [
          ["accuracy", percent(accuracy)],
          ...(top5Accuracy === null ? [] : ([["among the best five", percent(top5Accuracy)]] as [string, string][])),
          ["kappa", kappa === null ? "-" : kappa.toFixed(3)],
        ];
  const figures: [string, string][] = [
    ...own,
    ["mean F1", percent(meanF1)],
    ["validation loss", loss === null ? "-" : loss.toFixed(4)],
    ["chips compared", chips.toLocaleString("en-US")],
  ];
  return `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
}

function classTable(definitions: readonly ClassDefinition[], { classes, confusion }: TileEvaluation): string {
  const several = confusion === null;
  const rows = classes.map(({ name, value, precision, recall, f1, averagePrecision, truthChips, predictedChips }, i) => {
    const [r, g, b] = definitions[i]!.color;
    const figures = [precision, recall, f1, ...(several ? [averagePrecision] : [])].map((figure) => `<td>${percent(figure)}</td>`).join("");
    return `<tr><td><span class="swatch" style="background:rgb(${r},${g},${b})"></span>${escapeMarkup(name)}</td><td>${value}</td>${figures}<td>${truthChips.toLocaleString("en-US")}</td><td>${predictedChips.toLocaleString("en-US")}</td></tr>`;
  });
  const heads = ["class", "value", "precision", "recall", "F1", ...(several ? ["average precision"] : []), "true chips", "chips given it"];
  const head = heads.map((title) => `<th>${title}</th>`).join("");
  return scroll(`<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`);
}
