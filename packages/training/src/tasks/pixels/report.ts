/** What the training report says of pixel classification. */

import type { ClassDefinition } from "@geolearn/core";

import { confusionFigure } from "../../figures/confusion.ts";
import { escapeMarkup } from "../../figures/svg.ts";
import { percent, scroll } from "../../report/html.ts";
import type { ReportSection } from "../task.ts";
import type { PixelEvaluation } from "./evaluate.ts";

/** Figures, a table of the classes, the confusion matrix. */
export async function pixelSections(evaluation: PixelEvaluation, classes: readonly ClassDefinition[]): Promise<ReportSection[]> {
  return [
    { title: "Results", html: summary(evaluation) },
    { title: "Classes", html: classTable(classes, evaluation) },
    { title: "Confusion matrix", html: (await confusionFigure(evaluation.confusion, classes)).svg! },
  ];
}

function summary({ meanIou, pixelAccuracy, kappa, loss, pixels }: PixelEvaluation): string {
  const figures: [string, string][] = [
    ["mean IoU", percent(meanIou)],
    ["pixel accuracy", percent(pixelAccuracy)],
    ["kappa", kappa === null ? "-" : kappa.toFixed(3)],
    ["validation loss", loss === null ? "-" : loss.toFixed(4)],
    ["pixels compared", pixels.toLocaleString("en-US")],
  ];
  return `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
}

function classTable(definitions: readonly ClassDefinition[], { classes }: PixelEvaluation): string {
  const rows = classes.map(({ name, value, iou, precision, recall, f1, truthPixels }, i) => {
    const [r, g, b] = definitions[i]!.color;
    const cells = [iou, precision, recall, f1].map((figure) => `<td>${percent(figure)}</td>`).join("");
    return `<tr><td><span class="swatch" style="background:rgb(${r},${g},${b})"></span>${escapeMarkup(name)}</td><td>${value}</td>${cells}<td>${truthPixels.toLocaleString("en-US")}</td></tr>`;
  });
  return scroll(
    `<table><thead><tr><th>class</th><th>value</th><th>IoU</th><th>precision</th><th>recall</th><th>F1 (Dice)</th><th>true pixels</th></tr></thead><tbody>${rows.join("")}</tbody></table>`,
  );
}
