/** What an export works through: grids of chips, their description, and the digest that tells one export from another. */

import { type ClassDefinition, sampleBytes, wrongOption } from "@geolearn/core";

import { type FolderFormat, FORMATS } from "../formats/formats.ts";
import { checkClassFolders } from "../formats/imagenet.ts";
import { crsText } from "../split/footprint.ts";
import { chipOrigins, chipPanels, copyAngles, type Panel } from "./chip-grid.ts";
import type { ChipProfile } from "./chip-job.ts";
import { checkChipFormat } from "./encode-chip.ts";
import { type FeatureWindow, featureWindows } from "./feature-windows.ts";
import { fingerprintOf, rasterIdentity } from "./export-state.ts";
import type { InputPart, Inputs } from "./inputs.ts";
import { withoutBurning } from "./label-layer.ts";
import type { ExportOptions, ResolvedExport } from "./options.ts";
import { requireObjects } from "./require-objects.ts";

/** Memory one panel of chip columns may take; fixed, because it decides how chips are numbered. */
const PANEL_BYTES = 192 * 2 ** 20;

/** Everything that stays the same during an export. */
export interface ExportRun {
  readonly options: ExportOptions;
  readonly resolved: ResolvedExport;
  readonly format: FolderFormat;
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
  /** Windows around features; null on a grid. */
  readonly features: readonly FeatureWindow[] | null;
  /** Upper edges of the rows of chips, or positions in {@link features}. */
  readonly rows: readonly number[];
  readonly panels: readonly Panel[];
}

/** Lays chips on every grid. @throws INVALID_ARGUMENT, UNSUPPORTED_FORMAT */
export async function planRun(inputs: Inputs, options: ExportOptions, resolved: ResolvedExport): Promise<ExportRun> {
  const { chipWidth, chipHeight, strideX, strideY, rotation } = resolved;
  const angles = copyAngles(rotation);
  for (const { raster } of inputs.parts) checkChipFormat(resolved.chipFormat, inputs.bands, raster.sampleType, raster.name);
  const format = FORMATS[resolved.format];
  if (options.ignoreValue !== undefined) checkIgnoreValue(options.ignoreValue, new Set(inputs.classes.map(({ value }) => value)));
  if (format.write !== null && options.labels !== undefined)
    requireObjects(inputs, { what: `\`format: "${resolved.format}"\``, onWarning: options.onWarning });
  if (format.classFolders !== undefined) checkClassFolders(inputs.classes);
  const parts = inputs.parts.map((part): PlannedPart => {
    const input = format.write === null ? part : withoutBurning(part);
    const { width, height, sampleType, blockHeight } = input.raster;
    if (format.around === "features") {
      const features = featureWindows(input, resolved);
      return { input, features, rows: features.map((_, i) => i), panels: [{ col: 0, width, origins: [0] }] };
    }
    const held = chipHeight + Math.min(1024, Math.max(128, blockHeight));
    const bytesPerColumn = held * (input.bands.length * sampleBytes(sampleType) + 3);
    return {
      input,
      features: null,
      rows: chipOrigins(height, chipHeight, strideY),
      panels: chipPanels(chipOrigins(width, chipWidth, strideX), chipWidth, bytesPerColumn, PANEL_BYTES),
    };
  });
  const windows = parts.reduce((sum, { rows, panels }) => sum + rows.length * panels.reduce((n, { origins }) => n + origins.length, 0), 0);
  const {
    raster: _r,
    additionalRaster: _a,
    labels: _l,
    mask: _m,
    out: _o,
    signal: _s,
    onProgress: _p,
    onWarning: _w,
    workers: _k,
    ...plain
  } = options;
  const { startIndex: _i, overwrite: _v, resume: _c, estimate: _e, ...content } = plain;
  const originals = [...inputs.parts.map(({ original }) => original), ...(inputs.later?.rasters ?? [])];
  const identity = await Promise.all(originals.map((raster) => rasterIdentity(raster)));
  const dates = inputs.later === null ? [] : ["dates", inputs.parts.length];
  return {
    options,
    resolved,
    format,
    inputs,
    angles,
    parts,
    windows: windows * angles.length,
    fingerprint: fingerprintOf([2, resolved, content, identity, inputs.labelIdentity, ...dates]),
  };
}

/** @throws INVALID_ARGUMENT for the value of a class */
export function checkIgnoreValue(ignoreValue: number, classes: ReadonlySet<number>): void {
  if (!classes.has(ignoreValue)) return;
  throw wrongOption("exportTrainingData()", "ignoreValue", ignoreValue, {
    expected: "a value that no class has",
    hint: `The classes are ${[...classes].slice(0, 12).join(", ")}.`,
  });
}

/** What the chips of a part have in common. */
export function chipProfile(
  { options, resolved, inputs }: ExportRun,
  { input }: PlannedPart,
  { labelType, ignoreValue }: { readonly labelType: "uint8" | "uint16"; readonly ignoreValue: number },
  earlier: readonly ClassDefinition[] = [],
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
    later: inputs.later === null ? null : { bandNames: inputs.later.bandNames, nodata: inputs.later.nodata },
    labelType,
    ignoreValue,
    format: resolved.format,
    classes: mergeClasses(earlier, inputs.classes).map(({ value, name }) => ({ value, name })),
    allTouched: resolved.allTouched,
  };
}

/** File stem of a chip. */
export function stemOf(index: number): string {
  return String(index).padStart(9, "0");
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

/** Classes of earlier exports and of this one, ascending by value; those of before keep their names. */
export function mergeClasses(before: readonly ClassDefinition[], now: readonly ClassDefinition[]): ClassDefinition[] {
  const all = new Map(now.map((entry) => [entry.value, entry]));
  for (const entry of before) all.set(entry.value, entry);
  return [...all.values()].sort((a, b) => a.value - b.value);
}
