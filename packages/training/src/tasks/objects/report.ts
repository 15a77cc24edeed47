/** What the training report says of finding objects. */

import { escapeMarkup } from "../../figures/svg.ts";
import { percent, scroll } from "../../report/html.ts";
import type { ReportSection } from "../task.ts";
import type { ObjectEvaluation } from "./evaluate.ts";

/** COCO's numbers, and a table of the classes. */
export function objectSections({ AP, AP50, AP75, AR100, loss, images, classes }: ObjectEvaluation): ReportSection[] {
  const figures: [string, string][] = [
    ["AP", percent(AP)],
    ["AP50", percent(AP50)],
    ["AP75", percent(AP75)],
    ["AR100", percent(AR100)],
    ["validation loss", loss === null ? "-" : loss.toFixed(4)],
    ["images", images.toLocaleString("en-US")],
  ];
  const rows = classes.map(({ name, value, truthObjects, ...own }) => {
    const cells = [own.AP, own.AP50, own.AP75, own.AR100, own.APsmall, own.APmedium, own.APlarge].map(
      (figure) => `<td>${percent(figure)}</td>`,
    );
    return `<tr><td>${escapeMarkup(name)}</td><td>${value}</td>${cells.join("")}<td>${truthObjects.toLocaleString("en-US")}</td></tr>`;
  });
  const heads = ["class", "value", "AP", "AP50", "AP75", "AR100", "AP small", "AP medium", "AP large", "true objects"];
  return [
    {
      title: "Results",
      html: `<dl class="figures">${figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`,
    },
    {
      title: "Classes",
      html: scroll(
        `<table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table>`,
      ),
    },
  ];
}
