/** `stats.txt`: the counts of an export for people. Never read for numbers: copied folders carry stale ones. */

import type { ClassCounts } from "./accumulated-stats.ts";

/** What `stats.txt` tells. */
export interface StatsFileContent {
  readonly chips: number;
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly classesPerImage: { readonly min: number; readonly max: number; readonly sum: number };
  readonly classes: readonly ClassCounts[];
}

/** The text, in the columns of Esri's file for classified tiles. */
export function formatStatsFile(content: StatsFileContent): string {
  const { chips, bands, width, height, classesPerImage } = content;
  const mean = chips === 0 ? 0 : classesPerImage.sum / chips;
  const lines = [
    `images = ${chips} *${bands}*${width}*${height}`,
    `classes = ${content.classes.length}`,
    `classes per image = [min = ${classesPerImage.min}, mean = ${mean.toFixed(2)}, max = ${classesPerImage.max}]`,
    "cls name              cls value     images   pixels      min size   mean size    max size",
    ...content.classes.map((row) => classRow(row)),
  ];
  return `${lines.join("\n")}\n`;
}

function classRow(row: ClassCounts): string {
  const mean = row.images === 0 ? 0 : row.pixels / row.count;
  return [
    row.name.padEnd(20),
    String(row.value).padStart(11),
    String(row.images).padStart(11),
    String(row.pixels).padStart(11),
    row.min.toFixed(2).padStart(12),
    mean.toFixed(2).padStart(12),
    row.max.toFixed(2).padStart(12),
  ].join("");
}
