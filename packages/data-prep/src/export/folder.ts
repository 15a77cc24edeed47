/** The folder an export writes into: what is there already, whether it fits, and the four metadata files at the end. */

import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { type ClassDefinition, GeoLearnError, writeAtomic } from "@geolearn/core";

import {
  type AccumulatedStats,
  accumulatedStatsJson,
  type BandMoments,
  type ClassCounts,
  type LabelUnit,
  mergeMoments,
  momentsToStatistics,
  parseAccumulatedStats,
} from "../esri/accumulated-stats.ts";
import { parseJsonObject, readTextFile } from "../esri/json.ts";
import { formatMapFile, type MapRow, parseMapFile } from "../esri/map-file.ts";
import {
  type ExportRun as RunEntry,
  type GeoLearnSection,
  type ModelDefinition,
  modelDefinitionJson,
  parseModelDefinition,
} from "../esri/model-definition.ts";
import { formatStatsFile } from "../esri/stats-file.ts";
import { COCO_FILE } from "../formats/coco.ts";
import { classFolder } from "../formats/imagenet.ts";
import { maskPath } from "../formats/rcnn-masks.ts";
import { YOLO_FILES } from "../formats/yolo.ts";
import { SPLIT_FILE } from "../split/split-file.ts";
import { STATISTICS_FILE } from "../chips/statistics-file.ts";
import { LATER_IMAGES } from "../chips/two-dates.ts";
import { imagePath, laterPath } from "./chip-job.ts";
import { type ExportState, STATE_FILE } from "./export-state.ts";
import type { ResolvedExport } from "./options.ts";
import { checkIgnoreValue, cellSizes, type ExportRun, mergeClasses, partCrs, stemOf } from "./run.ts";
import type { Tally } from "./tally.ts";

const MAP = "map.txt";
const STATS = "stats.txt";
const DEFINITION = "esri_model_definition.emd";
const ACCUMULATED = "esri_accumulated_stats.json";

/** A folder that holds a finished export. */
export interface ExistingFolder {
  readonly rows: readonly MapRow[];
  readonly definition: ModelDefinition;
  readonly stats: AccumulatedStats;
}

/** What a new export builds on. */
export interface FolderBase {
  readonly firstIndex: number;
  /** Rows, classes and counts from before; null for a new folder. */
  readonly rows: readonly MapRow[];
  readonly definition: ModelDefinition | null;
  readonly stats: AccumulatedStats | null;
}

/** The export that stands in a folder, or null when there is none. */
export async function readFolder(out: string): Promise<ExistingFolder | null> {
  const [map, definition, stats] = await Promise.all([MAP, DEFINITION, ACCUMULATED].map((file) => readTextFile(join(out, file))));
  if (typeof map !== "string" || typeof definition !== "string" || typeof stats !== "string") return null;
  return {
    rows: parseMapFile(map, join(out, MAP)),
    definition: parseModelDefinition(parseJsonObject(definition, join(out, DEFINITION)), join(out, DEFINITION)),
    stats: parseAccumulatedStats(parseJsonObject(stats, join(out, ACCUMULATED)), join(out, ACCUMULATED)),
  };
}

/**
 * Makes the folder ready: empty, to be appended to, or to be continued.
 *
 * @throws OUTPUT_EXISTS for a folder with other chips, CHIPS_MISMATCH when an appended export does not fit
 */
export async function prepareFolder(run: ExportRun, existing: ExistingFolder | null, state: ExportState | null): Promise<FolderBase> {
  const { options } = run;
  if (state !== null) return continued(existing, state);
  if (options.overwrite === true) {
    await clearFolder(options.out);
    return freshBase(options.startIndex);
  }
  const leftovers = await chipFiles(options.out);
  if (options.startIndex === undefined || (existing === null && leftovers.length > 0)) {
    if (existing === null && leftovers.length === 0) return freshBase(options.startIndex);
    throw new GeoLearnError(
      "OUTPUT_EXISTS",
      existing === null
        ? `${options.out} holds an unfinished export made with other inputs or options (${leftovers[0]}).`
        : `${options.out} holds ${existing.rows.length} chips of another export.`,
      {
        hint: 'Choose another folder, append with `startIndex: "next"`, or replace with `overwrite: true`.',
        data: { out: options.out },
      },
    );
  }
  if (existing === null) return freshBase(options.startIndex);
  return appended(run, existing);
}

function freshBase(startIndex: number | "next" | undefined): FolderBase {
  return { firstIndex: typeof startIndex === "number" ? startIndex : 0, rows: [], definition: null, stats: null };
}

/** The base of an interrupted export: counts from its own state, since the files may be new already. */
function continued(existing: ExistingFolder | null, state: ExportState): FolderBase {
  if (state.base === null) return { firstIndex: state.firstIndex, rows: [], definition: null, stats: null };
  // an appended export begins after every chip that was there
  const rows = (existing?.rows ?? []).filter(({ image }) => (indexOfPath(image) ?? -1) < state.firstIndex);
  const runs = existing?.definition.geolearn?.Runs.filter((entry) => entry.Fingerprint !== state.fingerprint) ?? [];
  const definition = existing === null ? null : withRuns(existing.definition, runs);
  return { firstIndex: state.firstIndex, rows, definition, stats: state.base };
}

function withRuns(definition: ModelDefinition, runs: readonly RunEntry[]): ModelDefinition {
  return definition.geolearn === null ? definition : { ...definition, geolearn: { ...definition.geolearn, Runs: runs } };
}

function appended(run: ExportRun, existing: ExistingFolder): FolderBase {
  const { options, resolved, inputs, format } = run;
  const { stats, definition, rows } = existing;
  const mismatch = (what: string, there: string, here: string): GeoLearnError =>
    new GeoLearnError("CHIPS_MISMATCH", `${options.out} holds chips with ${what} ${there}; this export has ${here}.`, {
      hint: "Append with the same chip size, bands and format, or export into another folder.",
      data: { out: options.out },
    });
  if (stats.metaDataMode !== format.mode) throw mismatch("format", stats.metaDataMode || "unknown", format.mode);
  if (stats.width !== resolved.chipWidth || stats.height !== resolved.chipHeight) {
    throw mismatch("size", `${stats.width} x ${stats.height}`, `${resolved.chipWidth} x ${resolved.chipHeight}`);
  }
  if (stats.bands !== inputs.bands) throw mismatch("bands", String(stats.bands), String(inputs.bands));
  const dates = (two: boolean): string => (two ? "two dates" : "one date");
  if ((stats.later !== null) !== (inputs.later !== null))
    throw mismatch("pictures of", dates(stats.later !== null), dates(inputs.later !== null));
  for (const { value, name } of inputs.classes) {
    const same = definition.classes.find((entry) => entry.value === value);
    if (same !== undefined && same.name !== name) throw mismatch(`the name of class ${value}`, `"${same.name}"`, `"${name}"`);
  }
  const all = mergeClasses(definition.classes, inputs.classes);
  if (format.relative === true && definition.classes.some(({ value }, i) => all[i]!.value !== value)) {
    throw mismatch("class positions of", listed(definition.classes), listed(all));
  }
  const used = rows.map(({ image }) => indexOfPath(image) ?? -1);
  const next = Math.max(stats.nextIndex, ...used.map((index) => index + 1));
  const firstIndex = options.startIndex === "next" ? next : (options.startIndex ?? 0);
  const clash = used.find((index) => index >= firstIndex);
  if (clash !== undefined) {
    throw new GeoLearnError("OUTPUT_EXISTS", `${options.out} already has chip ${stemOf(clash)}; the export would begin at ${firstIndex}.`, {
      hint: `Begin at ${next} or later, or use \`startIndex: "next"\`.`,
      data: { out: options.out, next },
    });
  }
  return { firstIndex, rows, definition, stats };
}

function listed(classes: readonly ClassDefinition[]): string {
  return classes.map(({ name }) => name).join(", ");
}

/** The label type, and the value that means "ignore", which no class may have. */
export function chooseLabelType(
  classes: readonly ClassDefinition[],
  wanted: number | undefined,
  base: FolderBase,
): { labelType: "uint8" | "uint16"; ignoreValue: number } {
  const values = new Set([...classes, ...(base.definition?.classes ?? [])].map(({ value }) => value));
  const section = base.definition?.geolearn ?? null;
  if (section !== null) {
    const limit = section.LabelSampleType === "uint8" ? 255 : 65535;
    const bad = [...values].find((value) => value > limit || value === section.IgnoreValue);
    if (bad === undefined) return { labelType: section.LabelSampleType, ignoreValue: section.IgnoreValue };
    throw new GeoLearnError(
      "CHIPS_MISMATCH",
      `Class value ${bad} does not fit the label chips of the folder (${section.LabelSampleType}, ignore ${section.IgnoreValue}).`,
      {
        hint: "Export into another folder.",
        data: { value: bad },
      },
    );
  }
  const largest = Math.max(0, ...values);
  const free = (from: number): number | null => {
    for (let value = from; value > 0; value--) if (!values.has(value)) return value;
    return null;
  };
  if (wanted !== undefined) {
    checkIgnoreValue(wanted, values);
    return { labelType: Math.max(largest, wanted) <= 255 ? "uint8" : "uint16", ignoreValue: wanted };
  }
  const byte = largest <= 255 ? free(255) : null;
  return byte !== null ? { labelType: "uint8", ignoreValue: byte } : { labelType: "uint16", ignoreValue: free(65535)! };
}

/** Writes map.txt, stats.txt, the accumulated statistics and, last, the `.emd` that says the export is complete. */
export async function writeMetadata(
  run: ExportRun,
  state: ExportState,
  label: { readonly labelType: "uint8" | "uint16"; readonly ignoreValue: number },
  base: FolderBase,
): Promise<ExistingFolder> {
  const { options, resolved, inputs, format } = run;
  const { out } = options;
  const { firstIndex, nextIndex } = state;
  const own = await mapRows(run, firstIndex, nextIndex);
  const rows = [...base.rows, ...own].sort((a, b) => (a.image < b.image ? -1 : a.image > b.image ? 1 : 0));
  const classes = mergeClasses(base.definition?.classes ?? [], inputs.classes);
  const stats = mergeStats(run, state, base.stats, classes, nextIndex);
  const runs: RunEntry[] = [...(base.definition?.geolearn?.Runs ?? []), ...runEntries(run, firstIndex, nextIndex)];
  const geolearn: GeoLearnSection = { FormatVersion: 1, IgnoreValue: label.ignoreValue, LabelSampleType: label.labelType, Runs: runs };

  const definition = modelDefinitionJson({
    width: resolved.chipWidth,
    height: resolved.chipHeight,
    metaDataMode: format.mode,
    blacken: resolved.blacken,
    cropMode: resolved.cropMode,
    classes,
    bandNames: stats.bandNames,
    bandStatistics: stats.bandMoments.map(momentsToStatistics),
    minCellSize: stats.minCellSize,
    maxCellSize: stats.maxCellSize,
    rasterCount: stats.rasterCount,
    later:
      stats.later === null
        ? null
        : { ...stats.later, bandStatistics: stats.later.bandMoments.map((moments) => momentsToStatistics(moments)) },
    sensorName: stats.sensorName,
    geolearn,
  });
  await format.finish?.(out, rows, classes, { width: resolved.chipWidth, height: resolved.chipHeight });
  await writeAtomic(join(out, MAP), formatMapFile(rows));
  await writeAtomic(join(out, STATS), formatStatsFile(stats));
  await writeAtomic(join(out, ACCUMULATED), json(accumulatedStatsJson(stats)));
  await writeAtomic(join(out, DEFINITION), json(definition));
  return { rows, definition: { ...parseModelDefinition(definition, DEFINITION), classes }, stats };
}

/** Rows of the chips of this export: one each, or one per class a chip has a file of. */
async function mapRows({ options, resolved, format, inputs }: ExportRun, firstIndex: number, nextIndex: number): Promise<MapRow[]> {
  const stems = Array.from({ length: nextIndex - firstIndex }, (_, i) => stemOf(firstIndex + i));
  const image = (stem: string): string => imagePath(stem, resolved.chipFormat);
  const { labelPath, classFolders } = format;
  if (classFolders !== undefined) return classFolderRows(stems, options.out, resolved, inputs);
  // pairs without labels stand as pairs, as ArcGIS writes them
  const secondOf = (stem: string): string => (inputs.later === null ? "" : laterPath(stem, resolved.chipFormat));
  if (labelPath !== null) return stems.map((stem) => ({ image: image(stem), label: labelPath(stem) || secondOf(stem) }));
  const rows: MapRow[] = [];
  for (const { value } of inputs.classes) {
    const there = new Set(await readdir(join(options.out, dirname(maskPath(value, "")))).catch(() => [] as string[]));
    for (const stem of stems) {
      const label = maskPath(value, stem);
      if (there.has(basename(label))) rows.push({ image: image(stem), label });
    }
  }
  return rows;
}

/** Rows of images in the folders of their classes. */
async function classFolderRows(
  stems: readonly string[],
  out: string,
  { chipFormat }: ResolvedExport,
  { classes }: Pick<ExportRun["inputs"], "classes">,
): Promise<MapRow[]> {
  const images = await imagesByStem(out, chipFormat, classes);
  return stems.map((stem) => ({ image: images.get(stem)!, label: "" }));
}

/** The image of every stem in the folders of the classes. */
export async function imagesByStem(
  out: string,
  chipFormat: ResolvedExport["chipFormat"],
  classes: readonly ClassDefinition[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const ending = imagePath("", chipFormat).slice("images/".length);
  for (const { name } of classes) {
    const folder = classFolder(name);
    for (const file of await readdir(join(out, "images", folder)).catch(() => [] as string[])) {
      if (file.endsWith(ending)) found.set(file.slice(0, -ending.length), `images/${folder}/${file}`);
    }
  }
  return found;
}

/** Why no window became a chip. */
export function noChips({ options, inputs, format }: ExportRun, tally: Tally): GeoLearnError {
  if (tally.unlabelled === 0 && tally.missing > 0 && tally.missing === tally.ignored) {
    return new GeoLearnError(
      "ALL_NODATA",
      `No chip was written: every pixel of ${inputs.parts.map(({ raster }) => raster.name).join(", ")} is nodata, masked or not finite.`,
      { hint: "`geolearn info` on the raster tells its nodata value and statistics.", data: { out: options.out, windows: tally.missing } },
    );
  }
  return new GeoLearnError(
    "LABELS_EMPTY",
    format.write === null
      ? `No chip was written: ${tally.unlabelled} windows hold no labelled pixel and ${tally.ignored} nothing but missing or masked pixels.`
      : `No chip was written: ${tally.unlabelled} windows show no object and ${tally.ignored} have no pixels or reach beyond the mask.`,
    {
      hint:
        format.write === null
          ? "Labels smaller than a pixel vanish (try `allTouched: true`); `allTiles: true` writes chips without labels too."
          : "A smaller `minOverlap` keeps objects that chips cut; `allTiles: true` writes chips without objects too.",
      data: { out: options.out, unlabelled: tally.unlabelled, ignored: tally.ignored },
    },
  );
}

/** One entry; several parts share it, their reference system is in each TIFF chip. */
function runEntries(run: ExportRun, firstIndex: number, endIndex: number): RunEntry[] {
  const { resolved, parts, fingerprint } = run;
  const systems = new Set(parts.map(partCrs));
  return [
    {
      FirstIndex: firstIndex,
      EndIndex: endIndex,
      Crs: systems.size === 1 ? [...systems][0]! : null,
      Stride: [resolved.strideX, resolved.strideY],
      Fingerprint: fingerprint,
    },
  ];
}

function mergeStats(
  { resolved, inputs, parts, format }: ExportRun,
  { tally }: ExportState,
  before: AccumulatedStats | null,
  classes: readonly ClassDefinition[],
  nextIndex: number,
): AccumulatedStats {
  const chips = (before?.chips ?? 0) + tally.chips;
  const cells = cellSizes(parts);
  const unit = format.write === null ? "pixels" : "features";
  return {
    bands: inputs.bands,
    width: resolved.chipWidth,
    height: resolved.chipHeight,
    chips,
    nextIndex: Math.max(nextIndex, before?.nextIndex ?? 0),
    metaDataMode: format.mode,
    unit,
    classes: classes.map(({ value, name }) => classCounts(value, name, unit, tally, before)),
    perImage:
      before === null || before.chips === 0
        ? tally.perImage
        : {
            min: Math.min(before.perImage.min, tally.perImage.min),
            max: Math.max(before.perImage.max, tally.perImage.max),
            sum: before.perImage.sum + tally.perImage.sum,
          },
    minCellSize: before?.minCellSize ?? cells[0] ?? null,
    maxCellSize: cells.at(-1) ?? before?.maxCellSize ?? null,
    rasterCount: (before?.rasterCount ?? 0) + parts.length,
    sensorName: before?.sensorName ?? "Undefined",
    bandNames: before?.bandNames ?? inputs.bandNames,
    bandMoments: mergeBands(before?.bandMoments ?? null, tally.bands.slice(0, inputs.bands)),
    later:
      inputs.later === null
        ? null
        : {
            rasterCount: (before?.later?.rasterCount ?? 0) + inputs.later.rasters.length,
            bandNames: before?.later?.bandNames ?? inputs.later.bandNames,
            bandMoments: mergeBands(before?.later?.bandMoments ?? null, tally.bands.slice(inputs.bands)),
          },
  };
}

function classCounts(value: number, name: string, unit: LabelUnit, tally: Tally, before: AccumulatedStats | null): ClassCounts {
  const own = tally.values[value];
  const old = before?.classes.find((entry) => entry.value === value);
  const chips = (before?.chips ?? 0) + tally.chips;
  const images = (old?.images ?? 0) + (own?.images ?? 0);
  // chips without the class have none of its pixels
  const someLack = unit === "pixels" && images < chips;
  const smallest = Math.min(old === undefined || old.images === 0 ? Infinity : old.min, own === undefined ? Infinity : own.min);
  return {
    value,
    name,
    images,
    sum: (old?.sum ?? 0) + (own?.sum ?? 0),
    min: someLack || smallest === Infinity ? 0 : smallest,
    max: Math.max(old?.max ?? 0, own?.max ?? 0),
    count: unit === "pixels" ? chips : (old?.count ?? 0) + (own?.count ?? 0),
  };
}

function mergeBands(before: readonly BandMoments[] | null, now: readonly BandMoments[]): BandMoments[] {
  return now.map((moments, band) => (before === null ? moments : mergeMoments(before[band]!, moments)));
}

/** Chips and metadata of earlier exports, and files of ours made from them; nothing else in the folder is touched. */
async function clearFolder(out: string): Promise<void> {
  for (const name of [
    "images",
    LATER_IMAGES,
    "labels",
    COCO_FILE,
    YOLO_FILES[0]!,
    MAP,
    STATS,
    DEFINITION,
    ACCUMULATED,
    STATE_FILE,
    SPLIT_FILE,
    STATISTICS_FILE,
  ]) {
    await rm(join(out, name), { recursive: true, force: true });
  }
}

/** Chips without metadata: an export that was interrupted or a folder that lost its files. */
async function chipFiles(out: string): Promise<string[]> {
  const found = await Promise.all(
    ["images", LATER_IMAGES, "labels"].map((folder) => readdir(join(out, folder)).catch(() => [] as string[])),
  );
  return found.flat().filter((name) => !name.endsWith(".tmp"));
}

function indexOfPath(image: string): number | null {
  const match = /(\d+)\.[a-z]+$/i.exec(image);
  return match === null ? null : Number(match[1]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
