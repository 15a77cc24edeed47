/** What the training report says of finding objects. */

import type { CocoMetrics } from "@geolearn/core";

import { escapeMarkup } from "../../figures/svg.ts";
import { percent, scroll } from "../../report/html.ts";
import type { ReportSection } from "../task.ts";
import type { ObjectEvaluation } from "./evaluate.ts";

/** COCO's numbers, and a table of the classes; of masks, too, where there are. */
export function objectSections({ loss, images, masks, ...boxes }: ObjectEvaluation): ReportSection[] {
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
    { title: masks === null ? "Classes" : "Classes, compared by boxes", html: classTable(boxes) },
    ...(masks === null ? [] : [{ title: "Classes, compared by masks", html: classTable(masks) }]),
  ];
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
