/** Time, memory and disk of an export ahead of the work, from three rows of chips that are cut and encoded but not written. */

import { availableParallelism } from "node:os";

import { runChipJob } from "./chip-job.ts";
import { planRow } from "./plan-row.ts";
import { chipProfile, type ExportRun } from "./run.ts";
import { chooseLabelType } from "./folder.ts";
import type { ExportEstimate } from "./options.ts";
import { RowReader } from "./row-blocks.ts";

/** Measures an export without writing anything. */
export async function estimateExport(run: ExportRun): Promise<ExportEstimate> {
  const { inputs, parts, options } = run;
  const label = chooseLabelType(inputs.classes, options.ignoreValue, { firstIndex: 0, rows: [], definition: null, stats: null });
  const rows = parts.flatMap((part) => part.panels.flatMap((panel) => part.rows.map((row) => ({ part, panel, row }))));
  const chosen = [...new Set([0, 0.5, 0.99].map((share) => Math.floor(share * rows.length)))].map((i) => rows[i]!);
  let windows = 0;
  let chips = 0;
  let bytes = 0;
  let readMs = 0;
  let writeMs = 0;
  let held = 0;
  for (const { part, panel, row } of chosen) {
    const start = performance.now();
    const reader = new RowReader(part.input, panel.col, panel.width, row);
    const planned = await planRow(run, part, panel, row, reader, 0);
    const read = performance.now();
    const profile = chipProfile(run, part, label);
    for (const { blocks, tasks } of planned.groups) {
      for (const chip of await runChipJob({ profile, blocks, chips: tasks })) bytes += chip.bytes;
      held = Math.max(
        held,
        blocks.reduce((sum, { image, labels }) => sum + image.byteLength + labels.byteLength, 0),
      );
    }
    readMs += read - start;
    writeMs += performance.now() - read;
    windows += planned.windows;
    chips += planned.chips;
  }
  const scale = windows === 0 ? 0 : run.windows / windows;
  const workers = options.workers ?? Math.min(8, availableParallelism());
  return {
    out: options.out,
    // elsewhere every window may become a chip
    chips: run.windows - (windows - chips),
    bytes: Math.round(bytes * scale),
    seconds: ((readMs + writeMs / Math.max(1, workers)) * scale) / 1000,
    // three rows of chips are under way at once; each worker and the reader hold about 60 MB of their own
    memoryBytes: Math.round(3 * held + (workers + 1) * 60e6),
  };
}
