/** `exportTrainingData`: chips and label chips of a raster in Esri's folder layout. */

import { rmdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { checkOptions, type ClassDefinition, lockFolder, makeFolder } from "@geolearn/core";

import { LATER_IMAGES } from "../chips/two-dates.ts";
import { type ChipOutcome, imagePath, laterPath } from "./chip-job.ts";
import { type ChipPool, createChipPool } from "./chip-pool.ts";
import { estimateExport } from "./estimate.ts";
import { type ExportState, readState, removeState, storeState } from "./export-state.ts";
import { chooseLabelType, type ExistingFolder, imagesByStem, noChips, prepareFolder, readFolder, writeMetadata } from "./folder.ts";
import { openInputs } from "./inputs.ts";
import { type ExportEstimate, type ExportOptions, type ExportResult, resolveExport, warnOfChipSize } from "./options.ts";
import { planRow } from "./plan-row.ts";
import { EXPORT_RULES } from "./rules.ts";
import { RowReader } from "./row-blocks.ts";
import { chipProfile, type ExportRun, planRun, stemOf } from "./run.ts";
import { addToTally, emptyTally, type Tally } from "./tally.ts";

/** How often progress is stored, in milliseconds. */
const STORE_EVERY_MS = 1000;

/**
 * Cuts a raster and its labels into chips for training, in one of ArcGIS' layouts: `images/`, `labels/`, `map.txt`, `stats.txt`,
 * `esri_model_definition.emd` and `esri_accumulated_stats.json`.
 *
 * `classifiedTiles`: labels are burnt like `rasterio.features.rasterize` does (a pixel belongs to a polygon that holds its centre); where features
 * overlap the later one wins. Pixels outside `mask` and pixels without image data get the ignore value, which is also the
 * nodata value of the label chips and stands in the `.emd` under `GeoLearn.IgnoreValue`.
 *
 * `rcnnMasks`, `pascalVoc`, `kitti`: the features of a chip are objects, clipped at its border; those of which less than
 * `minOverlap` lies inside are left out. Only chips wholly inside `mask` are written.
 *
 * `labeledTiles`, `imagenet`: a chip around every feature, with its class. `multiLabeledTiles`: chips of a grid with the classes of their
 * features. `exportTiles`: chips alone.
 *
 * `additionalRaster`: a second image per chip in `images2/`, of a later date of the same ground on the same grid; the labels say what changed.
 *
 * The last column and row of chips are
 * moved back to end at the raster's border.
 *
 * The work can be stopped at any time: the same call goes on where it stopped and leaves the same bytes.
 *
 * @throws INVALID_ARGUMENT, RASTER_MISMATCH for a later date of other ground, bands or numbers, ALL_NODATA, LABELS_EMPTY, LABELS_OUTSIDE, CRS_MISSING, FIELD_MISSING, OUTPUT_EXISTS, OUTPUT_LOCKED, DISK_FULL
 * @example
 * await exportTrainingData({ raster: "scene.tif", labels: "buildings.geojson", out: "chips", chipSize: 256, stride: 128 });
 */
export function exportTrainingData(options: ExportOptions & { readonly estimate: true }): Promise<ExportEstimate>;
export function exportTrainingData(options: ExportOptions & { readonly estimate?: false }): Promise<ExportResult>;
export function exportTrainingData(options: ExportOptions): Promise<ExportResult | ExportEstimate>;
export async function exportTrainingData(options: ExportOptions): Promise<ExportResult | ExportEstimate> {
  checkOptions(options, EXPORT_RULES, "exportTrainingData()", "Give at least `raster`, `labels` and `out`.");
  const resolved = resolveExport(options);
  warnOfChipSize(resolved, options.onWarning);
  options.signal?.throwIfAborted();
  const inputs = await openInputs(options);
  try {
    const run = await planRun(inputs, options, resolved);
    if (options.estimate === true) return await estimateExport(run);
    await makeFolder(options.out);
    const unlock = await lockFolder(options.out);
    try {
      return await exportInto(run);
    } finally {
      await unlock();
    }
  } finally {
    await inputs.close();
  }
}

async function exportInto(run: ExportRun): Promise<ExportResult> {
  const { options, inputs, fingerprint } = run;
  const started = performance.now();
  const former = options.resume === false ? null : await readState(options.out);
  const existing = await readFolder(options.out);
  const finished = existing?.definition.geolearn?.Runs.find((entry) => entry.Fingerprint === fingerprint) ?? null;
  if (finished !== null && former === null && options.overwrite !== true && options.resume !== false) {
    if (await chipsAreThere(run, finished.FirstIndex, finished.EndIndex)) {
      const state = { firstIndex: finished.FirstIndex, nextIndex: finished.EndIndex };
      return resultOf(run, existing!, state, { unlabelled: 0, ignored: 0 }, started, true);
    }
  }

  const resumable = former !== null && former.fingerprint === fingerprint ? former : null;
  const resumed = resumable !== null && (await chipsAreThere(run, resumable.firstIndex, resumable.nextIndex));
  const base = await prepareFolder(run, existing, resumable);
  const labelType = chooseLabelType(inputs.classes, options.ignoreValue, base);
  const firstIndex = resumable?.firstIndex ?? base.firstIndex;
  let state: ExportState = resumed
    ? resumable
    : {
        version: 3,
        fingerprint,
        firstIndex,
        part: 0,
        panel: 0,
        row: 0,
        nextIndex: firstIndex,
        tally: emptyTally(inputs.bands * (inputs.later === null ? 1 : 2)),
        base: base.stats,
      };
  await makeFolder(join(options.out, "images"));
  if (inputs.later !== null) await makeFolder(join(options.out, LATER_IMAGES));
  if (run.format.labelPath?.("") !== "") await makeFolder(join(options.out, "labels"));
  await storeState(options.out, state);

  const pool = createChipPool(options.workers ?? defaultWorkers(run));
  try {
    state = await writeChips(run, pool, state, labelType, base.definition?.classes ?? []);
  } finally {
    await pool.close();
  }
  if (state.nextIndex === state.firstIndex) {
    await removeState(options.out);
    // folders that hold chips of an earlier export are not empty and stay
    for (const empty of ["images", LATER_IMAGES, "labels"]) await rmdir(join(options.out, empty)).catch(() => undefined);
    throw noChips(run, state.tally);
  }
  const folder = await writeMetadata(run, state, labelType, base);
  await removeState(options.out);
  return resultOf(run, folder, state, state.tally, started, resumed);
}

/** All chips of the export from a state on; returns the state at the end. */
async function writeChips(
  run: ExportRun,
  pool: ChipPool,
  start: ExportState,
  label: { readonly labelType: "uint8" | "uint16"; readonly ignoreValue: number },
  earlier: readonly ClassDefinition[],
): Promise<ExportState> {
  const { options, inputs } = run;
  const { signal, onProgress, out } = options;
  const declared = new Set(inputs.classes.map(({ value }) => value));
  const tally: Tally = structuredClone(start.tally);
  let state = start;
  let lastStored = performance.now();
  const total = run.windows;
  let done = windowsBefore(run, start);
  const report = (): void => onProgress?.({ stage: "export-training-data", done, total, unit: "windows", values: { chips: tally.chips } });
  report();

  /** Rows whose chips are being written, in order. */
  const pending: PendingRow[] = [];
  const settle = async (): Promise<void> => {
    // stays in the list until all of it is written: where one job fails, the others are waited for
    const row = pending[0]!;
    for (const outcomes of await Promise.all(row.jobs)) for (const chip of outcomes) addToTally(tally, chip, perImage(run, chip, declared));
    pending.shift();
    tally.unlabelled += row.unlabelled;
    tally.ignored += row.ignored;
    tally.missing += row.missing;
    done += row.windows;
    state = { ...state, ...row.next, tally: structuredClone(tally) };
    report();
    if (performance.now() - lastStored < STORE_EVERY_MS) return;
    await storeState(out, state);
    lastStored = performance.now();
  };

  let nextIndex = start.nextIndex;
  try {
    for (let p = start.part; p < run.parts.length; p++) {
      const part = run.parts[p]!;
      const profile = chipProfile(run, part, label, earlier);
      for (let q = p === start.part ? start.panel : 0; q < part.panels.length; q++) {
        const panel = part.panels[q]!;
        const firstRow = p === start.part && q === start.panel ? start.row : 0;
        if (firstRow >= part.rows.length) continue;
        const reader = new RowReader(part.input, panel.col, panel.width, part.rows[firstRow]!);
        for (let r = firstRow; r < part.rows.length; r++) {
          signal?.throwIfAborted();
          const planned = await planRow(run, part, panel, part.rows[r]!, reader, nextIndex);
          nextIndex += planned.chips;
          const jobs = planned.groups.flatMap(({ blocks, tasks }) =>
            chunks(tasks, chunkSize(tasks.length, pool.width)).map((chips) => guarded(pool.run({ profile, blocks, chips }, signal))),
          );
          pending.push({ ...planned, jobs, next: { part: p, panel: q, row: r + 1, nextIndex } });
          while (pending.length > 2) await settle();
        }
      }
    }
    while (pending.length > 0) await settle();
  } catch (error) {
    // what is under way ends first, so that nothing is written after the folder was given back
    await Promise.allSettled(pending.flatMap(({ jobs }) => jobs));
    await storeState(out, state).catch(() => undefined);
    throw error;
  }
  await storeState(out, state);
  return state;
}

/** Objects of a chip, or its classes: an undeclared 0 is none. */
function perImage({ format }: ExportRun, { classes }: ChipOutcome, declared: ReadonlySet<number>): number {
  if (format.write !== null) return classes.reduce((sum, { count }) => sum + count, 0);
  return classes.filter(({ value }) => value !== 0 || declared.has(0)).length;
}

/** Megapixels of chips below which starting threads costs more than they save; compression has threads of its own anyway. */
const WORTH_THREADS = 48;

function defaultWorkers({ windows, resolved }: ExportRun): number {
  const megapixels = (windows * resolved.chipWidth * resolved.chipHeight) / 1e6;
  return megapixels < WORTH_THREADS ? 0 : Math.min(8, Math.max(1, availableParallelism() - 1));
}

interface PendingRow {
  readonly jobs: readonly Promise<ChipOutcome[]>[];
  readonly windows: number;
  readonly unlabelled: number;
  readonly ignored: number;
  readonly missing: number;
  readonly next: Pick<ExportState, "part" | "panel" | "row" | "nextIndex">;
}

/** Windows of everything before a state. */
function windowsBefore({ parts, angles }: ExportRun, state: ExportState): number {
  let windows = 0;
  parts.forEach(({ rows, panels }, p) => {
    panels.forEach(({ origins }, q) => {
      const passed =
        p < state.part || (p === state.part && q < state.panel) ? rows.length : p === state.part && q === state.panel ? state.row : 0;
      windows += passed * origins.length;
    });
  });
  return windows * angles.length;
}

/** True when every image of a range is there and not empty. */
async function chipsAreThere(
  { options: { out }, resolved: { chipFormat }, format, inputs }: ExportRun,
  from: number,
  to: number,
): Promise<boolean> {
  const byClass = format.classFolders === undefined ? null : await imagesByStem(out, chipFormat, inputs.classes);
  for (let index = from; index < to; index++) {
    const stem = stemOf(index);
    const path = byClass === null ? imagePath(stem, chipFormat) : byClass.get(stem);
    for (const file of inputs.later === null ? [path] : [path, laterPath(stem, chipFormat)]) {
      const info = file === undefined ? null : await stat(join(out, file)).catch(() => null);
      if (info === null || info.size === 0) return false;
    }
  }
  return true;
}

function chunkSize(tasks: number, workers: number): number {
  return Math.max(2, Math.ceil(tasks / (2 * workers)));
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += size) parts.push(list.slice(i, i + size));
  return parts;
}

/** A failure is reported when its turn comes; until then it must not count as unhandled. */
function guarded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function resultOf(
  { options, resolved, inputs, format }: ExportRun,
  folder: ExistingFolder,
  { firstIndex, nextIndex }: { readonly firstIndex: number; readonly nextIndex: number },
  skipped: { readonly unlabelled: number; readonly ignored: number },
  started: number,
  resumed: boolean,
): ExportResult {
  const counts = new Map(folder.stats.classes.map((entry) => [entry.value, entry]));
  const chips = nextIndex - firstIndex;
  return {
    out: options.out,
    chips,
    firstIndex,
    endIndex: nextIndex,
    skipped: { unlabelled: skipped.unlabelled, ignored: skipped.ignored },
    chipWidth: resolved.chipWidth,
    chipHeight: resolved.chipHeight,
    bands: inputs.bands,
    sampleType: inputs.sampleType,
    classes: folder.definition.classes.map((entry) => ({
      ...entry,
      pixels: format.write === null ? (counts.get(entry.value)?.sum ?? 0) : 0,
      objects: format.write === null ? 0 : (counts.get(entry.value)?.count ?? 0),
      chips: counts.get(entry.value)?.images ?? 0,
    })),
    ignoreValue: folder.definition.geolearn?.IgnoreValue ?? 0,
    megapixels: (chips * resolved.chipWidth * resolved.chipHeight) / 1e6,
    seconds: (performance.now() - started) / 1000,
    resumed,
  };
}
