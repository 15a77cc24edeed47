/** `exportTrainingData`: chips and label chips of a raster in Esri's folder layout. */

import { mkdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { type Affine, composeAffine, lockFolder, windowTransform, warpRaster } from "@geolearn/core";

import { IGNORE_VALUE, sampleBytes } from "../chips/chip.ts";
import { crsText } from "../split/footprint.ts";
import { chipOrigins, chipPanels, copyAngles, type Panel } from "./chip-grid.ts";
import { type ChipOutcome, type ChipProfile, type ChipTask, imagePath } from "./chip-job.ts";
import { type ChipPool, createChipPool } from "./chip-pool.ts";
import { labelContent } from "./cut-chip.ts";
import { checkChipFormat } from "./encode-chip.ts";
import { estimateExport } from "./estimate.ts";
import { type ExportState, fingerprintOf, rasterIdentity, readState, removeState, storeState } from "./export-state.ts";
import { chooseLabelType, type ExistingFolder, prepareFolder, readFolder, writeMetadata } from "./folder.ts";
import { chipTransform, type InputPart, type Inputs, openInputs } from "./inputs.ts";
import { type ExportEstimate, type ExportOptions, type ExportResult, type ResolvedExport, resolveExport } from "./options.ts";
import { type RowBlock, RowReader, toBlock } from "./row-blocks.ts";
import { addToTally, emptyTally, type Tally } from "./tally.ts";

/** Memory one panel of chip columns may take; fixed, because it decides how chips are numbered. */
const PANEL_BYTES = 192 * 2 ** 20;
/** How often progress is stored, in milliseconds. */
const STORE_EVERY_MS = 1000;

/**
 * Cuts a raster and its labels into chips for training, in the layout of ArcGIS' Classified_Tiles: `images/`, `labels/`,
 * `map.txt`, `stats.txt`, `esri_model_definition.emd` and `esri_accumulated_stats.json`.
 *
 * Labels are burnt like `rasterio.features.rasterize` does (a pixel belongs to a polygon that holds its centre); where features
 * overlap the later one wins. Pixels outside `mask` and pixels without image data get the ignore value, which is also the
 * nodata value of the label chips and stands in the `.emd` under `GeoLearn.IgnoreValue`. The last column and row of chips are
 * moved back to end at the raster's border.
 *
 * The work can be stopped at any time: the same call goes on where it stopped and leaves the same bytes.
 *
 * @throws INVALID_ARGUMENT, LABELS_EMPTY, LABELS_OUTSIDE, CRS_MISSING, FIELD_MISSING, OUTPUT_EXISTS, OUTPUT_LOCKED, DISK_FULL
 * @example
 * await exportTrainingData({ raster: "scene.tif", labels: "buildings.geojson", out: "chips", chipSize: 256, stride: 128 });
 */
export function exportTrainingData(options: ExportOptions & { readonly estimate: true }): Promise<ExportEstimate>;
export function exportTrainingData(options: ExportOptions & { readonly estimate?: false }): Promise<ExportResult>;
export function exportTrainingData(options: ExportOptions): Promise<ExportResult | ExportEstimate>;
export async function exportTrainingData(options: ExportOptions): Promise<ExportResult | ExportEstimate> {
  const resolved = resolveExport(options);
  options.signal?.throwIfAborted();
  const inputs = await openInputs(options);
  try {
    const run = await planRun(inputs, options, resolved);
    if (options.estimate === true) return await estimateExport(run);
    await mkdir(options.out, { recursive: true });
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

/** Everything that stays the same during an export. */
export interface ExportRun {
  readonly options: ExportOptions;
  readonly resolved: ResolvedExport;
  readonly inputs: Inputs;
  readonly angles: readonly number[];
  readonly parts: readonly PlannedPart[];
  /** Windows in all, turned copies included. */
  readonly windows: number;
  readonly fingerprint: string;
}

/** A grid with its chip origins. */
export interface PlannedPart {
  readonly input: InputPart;
  readonly rows: readonly number[];
  readonly panels: readonly Panel[];
}

async function planRun(inputs: Inputs, options: ExportOptions, resolved: ResolvedExport): Promise<ExportRun> {
  const { chipWidth, chipHeight, strideX, strideY, rotation } = resolved;
  const angles = copyAngles(rotation);
  for (const { raster } of inputs.parts) checkChipFormat(resolved.chipFormat, inputs.bands, raster.sampleType, raster.name);
  const parts = inputs.parts.map((input) => {
    const { width, height, sampleType, blockHeight } = input.raster;
    const held = chipHeight + Math.min(1024, Math.max(128, blockHeight));
    const bytesPerColumn = held * (inputs.bands * sampleBytes(sampleType) + 3);
    return {
      input,
      rows: chipOrigins(height, chipHeight, strideY),
      panels: chipPanels(chipOrigins(width, chipWidth, strideX), chipWidth, bytesPerColumn, PANEL_BYTES),
    };
  });
  const windows = parts.reduce((sum, { rows, panels }) => sum + rows.length * panels.reduce((n, { origins }) => n + origins.length, 0), 0);
  const { raster: _r, labels: _l, mask: _m, out: _o, signal: _s, onProgress: _p, onWarning: _w, workers: _k, ...plain } = options;
  const { startIndex: _i, overwrite: _v, resume: _c, estimate: _e, ...content } = plain;
  const identity = await Promise.all(inputs.parts.map(({ original }) => rasterIdentity(original)));
  return {
    options,
    resolved,
    inputs,
    angles,
    parts,
    windows: windows * angles.length,
    fingerprint: fingerprintOf([1, resolved, content, identity, inputs.labelIdentity]),
  };
}

async function exportInto(run: ExportRun): Promise<ExportResult> {
  const { options, inputs, resolved, fingerprint } = run;
  const started = performance.now();
  const former = options.resume === false ? null : await readState(options.out);
  const existing = await readFolder(options.out);
  const finished = existing?.definition.geolearn?.Runs.find((entry) => entry.Fingerprint === fingerprint) ?? null;
  if (finished !== null && former === null && options.overwrite !== true && options.resume !== false) {
    if (await chipsAreThere(options.out, finished.FirstIndex, finished.EndIndex, resolved)) {
      const state = { firstIndex: finished.FirstIndex, nextIndex: finished.EndIndex };
      return resultOf(run, existing!, state, { unlabelled: 0, ignored: 0 }, started, true);
    }
  }

  const resumable = former !== null && former.fingerprint === fingerprint ? former : null;
  const resumed = resumable !== null && (await chipsAreThere(options.out, resumable.firstIndex, resumable.nextIndex, resolved));
  const base = await prepareFolder(run, existing, resumable);
  const labelType = chooseLabelType(inputs.classes, options.ignoreValue, base);
  const firstIndex = resumable?.firstIndex ?? base.firstIndex;
  let state: ExportState = resumed
    ? resumable
    : {
        version: 1,
        fingerprint,
        firstIndex,
        part: 0,
        panel: 0,
        row: 0,
        nextIndex: firstIndex,
        tally: emptyTally(inputs.bands),
        base: base.stats,
      };
  await mkdir(join(options.out, "images"), { recursive: true });
  await mkdir(join(options.out, "labels"), { recursive: true });
  await storeState(options.out, state);

  const pool = createChipPool(options.workers ?? Math.min(8, availableParallelism()));
  try {
    state = await writeChips(run, pool, state, labelType);
  } finally {
    await pool.close();
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
    const row = pending.shift()!;
    for (const outcomes of await Promise.all(row.jobs))
      for (const chip of outcomes) addToTally(tally, chip, (value) => value !== 0 || declared.has(0));
    tally.unlabelled += row.unlabelled;
    tally.ignored += row.ignored;
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
      const profile = chipProfile(run, part, label);
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

interface PendingRow {
  readonly jobs: readonly Promise<ChipOutcome[]>[];
  readonly windows: number;
  readonly unlabelled: number;
  readonly ignored: number;
  readonly next: Pick<ExportState, "part" | "panel" | "row" | "nextIndex">;
}

/** The chips of one row of a panel. */
export interface PlannedRow {
  readonly groups: readonly { readonly blocks: readonly RowBlock[]; readonly tasks: readonly ChipTask[] }[];
  readonly chips: number;
  readonly windows: number;
  readonly unlabelled: number;
  readonly ignored: number;
}

/** Reads what a row of chips needs, decides which windows become chips, and names them. */
export async function planRow(
  run: ExportRun,
  part: PlannedPart,
  panel: Panel,
  row: number,
  reader: RowReader,
  firstIndex: number,
): Promise<PlannedRow> {
  const { resolved, angles, options } = run;
  const { chipWidth: width, chipHeight: height } = resolved;
  const blocks = await reader.blocks(row, height, options.signal);
  const straight: ChipTask[] = [];
  const groups: { blocks: readonly RowBlock[]; tasks: readonly ChipTask[] }[] = [{ blocks, tasks: straight }];
  let index = firstIndex;
  let unlabelled = 0;
  let ignored = 0;

  const wanted = (content: ReturnType<typeof labelContent>): boolean => {
    if (content === "labelled" || (content === "background" && resolved.allTiles)) return true;
    if (content === "ignored") ignored++;
    else unlabelled++;
    return false;
  };

  for (const col of panel.origins) {
    const transform = chipTransform(part.input.raster, col, row);
    const window = { col: col - panel.col, row, width, height };
    if (wanted(labelContent(blocks, window, IGNORE_VALUE))) {
      straight.push({ stem: stemOf(index++), col: window.col, row, transform, labels: cutShort(part, blocks, window, transform) });
    }
    for (const angle of angles.slice(1)) {
      const block = await turnedBlock(
        part,
        transform ?? windowTransform([1, 0, 0, 0, 1, 0], col, row),
        width,
        height,
        angle,
        options.signal,
      );
      if (!wanted(labelContent([block.block], { col: 0, row: 0, width, height }, IGNORE_VALUE))) continue;
      const labels = cutShort(part, [block.block], { col: 0, row: 0, width, height }, block.transform);
      groups.push({ blocks: [block.block], tasks: [{ stem: stemOf(index++), col: 0, row: 0, transform: block.transform, labels }] });
    }
  }
  return { groups, chips: index - firstIndex, windows: panel.origins.length * angles.length, unlabelled, ignored };
}

/** Labels of a chip that cuts features shorter than wanted, with the blocks' ignored pixels; else null. */
function cutShort(
  part: PlannedPart,
  blocks: readonly RowBlock[],
  window: { readonly col: number; readonly row: number; readonly width: number; readonly height: number },
  transform: Affine | null,
): Uint16Array | null {
  if (transform === null) return null;
  const { width, height } = window;
  const own = part.input.labels.burnChip({ transform, width, height });
  if (own === null) return null;
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  for (const block of blocks) {
    const to = Math.min(window.row + height, block.row + block.rows);
    for (let y = Math.max(window.row, block.row); y < to; y++) {
      const source = (y - block.row) * block.width + window.col;
      const target = (y - window.row) * width;
      for (let x = 0; x < width; x++) if (block.labels[source + x] === ignore) own[target + x] = ignore;
    }
  }
  return own;
}

/** A copy of a chip turned counter-clockwise on the map about its middle; image bilinear, labels burnt anew on the turned grid. */
async function turnedBlock(
  { input }: PlannedPart,
  transform: Affine,
  width: number,
  height: number,
  angle: number,
  signal: AbortSignal | undefined,
): Promise<{ block: RowBlock; transform: Affine }> {
  const radians = (angle * Math.PI) / 180;
  const cos = Math.cos(radians);
  const sin = Math.sin(radians);
  const cx = width / 2;
  const cy = height / 2;
  const turn: Affine = [cos, -sin, cx - cos * cx + sin * cy, sin, cos, cy - sin * cx - cos * cy];
  const grid = { transform: composeAffine(transform, turn), width, height };
  const { raster } = input;
  const view = warpRaster(raster, { crs: raster.crs, ...grid, resampling: "bilinear" });
  const pixels = await view.read(undefined, { bands: input.bands, ...(signal === undefined ? {} : { signal }) });
  return { block: await toBlock(input, pixels, grid, 0, signal), transform: grid.transform };
}

/** What the chips of a part have in common. */
export function chipProfile(
  { options, resolved, inputs }: ExportRun,
  { input }: PlannedPart,
  { labelType, ignoreValue }: { readonly labelType: "uint8" | "uint16"; readonly ignoreValue: number },
): ChipProfile {
  const { raster } = input;
  return {
    out: options.estimate === true ? null : options.out,
    chipFormat: resolved.chipFormat,
    compression: resolved.compression,
    level: resolved.level,
    quality: resolved.quality,
    width: resolved.chipWidth,
    height: resolved.chipHeight,
    bands: inputs.bands,
    sampleType: raster.sampleType,
    nodata: raster.nodata,
    crs: raster.crs,
    bandNames: inputs.bandNames,
    labelType,
    ignoreValue,
  };
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
async function chipsAreThere(out: string, from: number, to: number, { chipFormat }: ResolvedExport): Promise<boolean> {
  for (let index = from; index < to; index++) {
    const info = await stat(join(out, imagePath(stemOf(index), chipFormat))).catch(() => null);
    if (info === null || info.size === 0) return false;
  }
  return true;
}

/** File stem of a chip. */
export function stemOf(index: number): string {
  return String(index).padStart(9, "0");
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
  { options, resolved, inputs }: ExportRun,
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
      pixels: counts.get(entry.value)?.pixels ?? 0,
      chips: counts.get(entry.value)?.images ?? 0,
    })),
    ignoreValue: folder.definition.geolearn?.IgnoreValue ?? 0,
    megapixels: (chips * resolved.chipWidth * resolved.chipHeight) / 1e6,
    seconds: (performance.now() - started) / 1000,
    resumed,
  };
}

/** Cell sizes of all parts, smallest and largest. */
export function cellSizes(parts: readonly PlannedPart[]): { x: number; y: number; wkid: number | null }[] {
  return parts
    .filter(({ input }) => input.raster.transform !== null)
    .map(({ input: { raster } }) => {
      const [a, b, , d, e] = raster.transform!;
      return { x: Math.hypot(a, d), y: Math.hypot(b, e), wkid: raster.crs?.epsg ?? null };
    })
    .sort((p, q) => p.x * p.y - q.x * q.y);
}

/** Reference system of each part's chips, as the folder keeps it. */
export function partCrs({ input }: PlannedPart): string | null {
  return crsText(input.raster.crs);
}
