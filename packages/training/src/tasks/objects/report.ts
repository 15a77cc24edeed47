/** What the training report says of finding objects. */

import type { ClassDefinition, CocoMetrics, Figure } from "@geolearn/core";

import { confusionFigure } from "../../figures/confusion.ts";
import { precisionRecallFigure } from "../../figures/precision-recall.ts";
import { escapeMarkup } from "../../figures/svg.ts";
import { percent, scroll } from "../../report/html.ts";
import type { ReportSection } from "../task.ts";
import { type ObjectEvaluation, type ObjectMetrics, SURE } from "./evaluate.ts";

/** COCO's numbers, and for each way to compare objects a table of the classes, their precision over recall, and what is taken for what. */
export async function objectSections(
  { loss, images, masks, ...boxes }: ObjectEvaluation,
  classes: readonly ClassDefinition[],
): Promise<ReportSection[]> {
  const rest: [string, string][] = [
    ["validation loss", loss === null ? "-" : loss.toFixed(4)],
    ["images", images.toLocaleString("en-US")],
  ];
  const of = (name: string, metrics: CocoMetrics): [string, string][] =>
    (["AP", "AP50", "AP75", "AR100"] as const).map((figure) => [`${name}${figure}`, percent(metrics[figure])]);
  const figures = [...of("", boxes), ...(masks === null ? [] : of("mask ", masks)), ...rest];
  return [
    {
      title: "Results",
      html: `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`,
    },
    ...(await comparison(boxes, classes, masks === null ? "" : ", compared by boxes")),
    ...(masks === null ? [] : await comparison(masks, classes, ", compared by masks")),
  ];
}

async function comparison(metrics: ObjectMetrics, classes: readonly ClassDefinition[], how: string): Promise<ReportSection[]> {
  return [
    { title: `Classes${how}`, html: classTable(metrics) },
    { title: `Precision and recall${how}`, html: (await precisionRecallFigure(metrics, classes)).svg! },
    { title: `Confusion matrix${how}`, html: (await objectConfusionFigure(metrics, classes)).svg! },
  ];
}

/** Classes and, last, nothing at all: the row of what was found where nothing is, and the column of what was missed. */
export function objectConfusionFigure(
  { confusion }: Pick<ObjectMetrics, "confusion">,
  classes: readonly ClassDefinition[],
): Promise<Figure> {
  const nothing: ClassDefinition = { value: -1, name: "nothing", color: [255, 255, 255] };
  return confusionFigure(confusion, [...classes, nothing], `rows: truth, columns: found with scores from ${SURE} on; share of the row`);
}

function classTable({ classes }: CocoMetrics): string {
  const rows = classes.map(({ name, value, truthObjects, ...own }) => {
    const cells = [own.AP, own.AP50, own.AP75, own.AR100, own.APsmall, own.APmedium, own.APlarge].map(
      (figure) => `<td>${percent(figure)}</td>`,
    );
    return `<tr><td>${escapeMarkup(name)}</td><td>${value}</td>${cells.join("")}<td>${truthObjects.toLocaleString("en-US")}</td></tr>`;
  });
  const heads = ["class", "value", "AP", "AP50", "AP75", "AR100", "AP small", "AP medium", "AP large", "true objects"];
  return scroll(
    `<table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`,
  );
}
