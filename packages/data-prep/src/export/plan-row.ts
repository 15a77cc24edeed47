/** One row of chips: reads what it needs, decides which windows become chips, and names them. */

import { type Affine, composeAffine, rasterize, warpRaster, windowTransform } from "@geolearn/core";

import { IGNORE_VALUE } from "../chips/chip.ts";
import { cutObject } from "../objects/cut-object.ts";
import { shownObjects } from "../objects/shown-objects.ts";
import type { Panel } from "./chip-grid.ts";
import type { ChipTask } from "./chip-job.ts";
import { type ChipWindow, groundContent, labelContent, validPixels } from "./cut-chip.ts";
import type { FeatureWindow } from "./feature-windows.ts";
import { chipTransform } from "./inputs.ts";
import type { LabelFeature } from "./label-layer.ts";
import { readBlock, type RowBlock, type RowReader, toBlock } from "./row-blocks.ts";
import { type ExportRun, type PlannedPart, stemOf } from "./run.ts";

/** The chips of one row of a panel. */
export interface PlannedRow {
  readonly groups: readonly { readonly blocks: readonly RowBlock[]; readonly tasks: readonly ChipTask[] }[];
  readonly chips: number;
  readonly windows: number;
  readonly unlabelled: number;
  readonly ignored: number;
  readonly missing: number;
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
  if (part.features !== null) return planFeature(run, part, part.features[row]!, firstIndex);
  const { resolved, angles, options } = run;
  const { chipWidth: width, chipHeight: height } = resolved;
  const blocks = await reader.blocks(row, height, options.signal);
  const straight: ChipTask[] = [];
  const groups: { blocks: readonly RowBlock[]; tasks: ChipTask[] }[] = [{ blocks, tasks: straight }];
  const skipped = { unlabelled: 0, ignored: 0, missing: 0 };
  let index = firstIndex;
  const plan = (own: readonly RowBlock[], window: ChipWindow, transform: Affine | null): ChipTask | null => {
    const labels = labelsOfChip(run, part, own, window, transform);
    if (typeof labels !== "string") return { stem: stemOf(index++), col: window.col, row: window.row, transform, ...labels };
    if (labels === "unlabelled") skipped.unlabelled++;
    else skipped.ignored++;
    if (labels === "missing") skipped.missing++;
    return null;
  };

  for (const col of panel.origins) {
    const transform = chipTransform(part.input.raster, col, row);
    const task = plan(blocks, { col: col - panel.col, row, width, height }, transform);
    if (task !== null) straight.push(task);
    for (const angle of angles.slice(1)) {
      const upright = transform ?? windowTransform([1, 0, 0, 0, 1, 0], col, row);
      const { block, transform: turned } = await turnedBlock(part, upright, width, height, angle, options.signal);
      const copy = plan([block], { col: 0, row: 0, width, height }, turned);
      if (copy !== null) groups.push({ blocks: [block], tasks: [copy] });
    }
  }
  return { groups, chips: index - firstIndex, windows: panel.origins.length * angles.length, ...skipped };
}

/** The chip around one feature and its turned copies. */
async function planFeature(
  run: ExportRun,
  part: PlannedPart,
  { feature, ...window }: FeatureWindow,
  firstIndex: number,
): Promise<PlannedRow> {
  const { angles, options, resolved } = run;
  const { width, height } = window;
  const { raster } = part.input;
  const upright = chipTransform(raster, window.col, window.row)!;
  const groups: { blocks: readonly RowBlock[]; tasks: ChipTask[] }[] = [];
  const skipped = { unlabelled: 0, ignored: 0, missing: 0 };
  let index = firstIndex;
  for (const angle of angles) {
    const cut =
      angle === 0
        ? { block: await readBlock(part.input, window, options.signal), transform: upright }
        : await turnedBlock(part, upright, width, height, angle, options.signal);
    // one block is one chip: it begins at its own left edge
    const block = { ...cut.block, row: 0 };
    const ground = groundContent([block], { col: 0, row: 0, width, height }, IGNORE_VALUE);
    if (ground !== "whole") {
      skipped.ignored++;
      if (ground === "missing") skipped.missing++;
      continue;
    }
    const grid = { transform: cut.transform, width, height };
    const object = cutObject(feature.geometry, feature.classValue, grid);
    const valid = validPixels([block], { col: 0, row: 0, width, height });
    if (object === null || shownObjects([object], valid, grid, resolved.minOverlap).length === 0) {
      skipped.unlabelled++;
      continue;
    }
    const own = resolved.blacken ? blackened(block, feature, cut.transform, resolved.allTouched) : block;
    const task = {
      stem: stemOf(index++),
      col: 0,
      row: 0,
      transform: cut.transform,
      labels: null,
      objects: [object],
      size: { width, height },
    };
    groups.push({ blocks: [own], tasks: [task] });
  }
  return { groups, chips: index - firstIndex, windows: angles.length, ...skipped };
}

/** A copy of a block with 0 in every pixel outside a feature. */
function blackened(block: RowBlock, { geometry }: LabelFeature, transform: Affine, allTouched: boolean): RowBlock {
  const { width, rows: height } = block;
  const inside = rasterize([{ geometry, value: 1 }], { transform, width, height, allTouched });
  const image = block.image.slice();
  for (let i = 0; i < image.length; i++) if (inside[i % inside.length] === 0) image[i] = 0;
  return { ...block, image };
}

/** Grid of rasters without a position, whose chips have no objects. */
const UNPLACED: Affine = [1, 0, 0, 0, 1, 0];

/** The labels of a window that becomes a chip, or why it does not. */
function labelsOfChip(
  { resolved, format }: ExportRun,
  part: PlannedPart,
  blocks: readonly RowBlock[],
  window: ChipWindow,
  transform: Affine | null,
): Pick<ChipTask, "labels" | "objects"> | "unlabelled" | "ignored" | "missing" {
  if (format.write === null) {
    const content = labelContent(blocks, window, IGNORE_VALUE);
    if (content === "ignored" || content === "missing") return content;
    if (content === "background" && !resolved.allTiles) return "unlabelled";
    return { labels: cutShort(part, blocks, window, transform), objects: null };
  }
  const ground = groundContent(blocks, window, IGNORE_VALUE);
  // label files of objects cannot say "not surveyed": a chip that reaches beyond the mask would teach that nothing is there
  if (ground !== "whole") return ground === "missing" ? "missing" : "ignored";
  const { width, height } = window;
  const grid = { transform: transform ?? UNPLACED, width, height };
  const found = transform === null ? [] : part.input.labels.objects!(grid);
  const objects = shownObjects(found, validPixels(blocks, window), grid, resolved.minOverlap);
  return objects.length === 0 && !resolved.allTiles ? "unlabelled" : { labels: null, objects };
}

/** Labels of a chip that cuts features shorter than wanted, with the blocks' ignored pixels; else null. */
function cutShort(part: PlannedPart, blocks: readonly RowBlock[], window: ChipWindow, transform: Affine | null): Uint16Array | null {
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
