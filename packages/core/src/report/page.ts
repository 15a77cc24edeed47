/** Reports: one HTML page that holds all it shows and asks nothing of the network. */

import { dirname } from "node:path";

import { GeoLearnError } from "../errors.ts";
import { writeAtomic } from "../files/atomic.ts";
import { makeFolder } from "../files/make-folder.ts";

/** What a report page shows. Titles are plain text, bodies are HTML whose texts went through {@link escapeMarkup}. */
export interface ReportPage {
  readonly title: string;
  /** What kind of report it is, e.g. `Training report`. */
  readonly kind: string;
  readonly sections: readonly { readonly title: string; readonly body: string }[];
}

/** The page as HTML, in the style of all reports: `.figures` and `.facts` are lists, `.scroll` holds a wide table. */
export function reportPage({ title, kind, sections }: ReportPage): string {
  const name = escapeMarkup(title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${name}: ${escapeMarkup(kind.toLowerCase())}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${name}</h1><p>${escapeMarkup(kind)}, ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC</p></header>
<main>
${sections.map((section) => `<section><h2>${escapeMarkup(section.title)}</h2>${section.body}</section>`).join("\n")}
</main>
</body>
</html>
`;
}

/** Writes a page. @throws UNSUPPORTED_FORMAT for a path that does not end in .html; DISK_FULL, WRITE_FAILED */
export async function writeReportPage(path: string, page: ReportPage): Promise<void> {
  requireReportPath(path);
  await makeFolder(dirname(path));
  await writeAtomic(path, reportPage(page));
}

/** @throws UNSUPPORTED_FORMAT for a path that does not end in .html */
export function requireReportPath(path: string): void {
  if (/\.html?$/i.test(path)) return;
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `A report is an HTML page; "${path}" does not end in .html.`, {
    hint: 'Use a path such as "report.html".',
  });
}

/** Text safe inside SVG and HTML, as content or as an attribute. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
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
