/** `stats.txt`: the counts of an export for people. Never read for numbers: copied folders carry stale ones. */

import type { ClassCounts, LabelUnit } from "./accumulated-stats.ts";

/** What `stats.txt` tells. */
export interface StatsFileContent {
  readonly chips: number;
  readonly bands: number;
  readonly width: number;
  readonly height: number;
  readonly unit: LabelUnit;
  readonly perImage: { readonly min: number; readonly max: number; readonly sum: number };
  readonly classes: readonly ClassCounts[];
}

/** The text, in the columns of Esri's files for classified tiles and for objects. */
export function formatStatsFile(content: StatsFileContent): string {
  const { chips, bands, width, height, perImage, classes, unit } = content;
  const mean = chips === 0 ? 0 : perImage.sum / chips;
  const spread = `per image = [min = ${perImage.min}, mean = ${mean.toFixed(2)}, max = ${perImage.max}]`;
  const features = classes.reduce((sum, { count }) => sum + count, 0);
  const lines = [
    `images = ${chips} *${bands}*${width}*${height}`,
    ...(unit === "pixels"
      ? [`classes = ${classes.length}`, `classes ${spread}`]
      : [`features = ${features}`, `features ${spread}`, `classes = ${classes.length}`]),
    `cls name              cls value     images   ${unit === "pixels" ? "pixels  " : "features"}    min size   mean size    max size`,
    ...classes.map((row) => classRow(row, unit)),
  ];
  return `${lines.join("\n")}\n`;
}

function classRow(row: ClassCounts, unit: LabelUnit): string {
  const mean = row.images === 0 ? 0 : row.sum / row.count;
  return [
    row.name.padEnd(20),
    String(row.value).padStart(11),
    String(row.images).padStart(11),
    String(unit === "pixels" ? row.sum : row.count).padStart(11),
    row.min.toFixed(2).padStart(12),
    mean.toFixed(2).padStart(12),
    row.max.toFixed(2).padStart(12),
  ].join("");
}
