/** Chips straight out of a raster with labels, without a folder in between. */

import {
  type Affine,
  createRng,
  GeoLearnError,
  type OptionRules,
  rasterize,
  rules,
  windowTransform,
  type WorkOptions,
} from "@geolearn/core";

import { chipOrigins } from "../export/chip-grid.ts";
import { fingerprintOf, rasterIdentity } from "../export/export-state.ts";
import type { InputOptions } from "../export/input-options.ts";
import { chipTransform, type InputPart, type Inputs, openInputs } from "../export/inputs.ts";
import { type LabelGrid, withoutBurning } from "../export/label-layer.ts";
import { type LabelSource, resolveStride } from "../export/options.ts";
import { requireObjects } from "../export/require-objects.ts";
import { readBlock, type RowBlock } from "../export/row-blocks.ts";
import { INPUT_RULES, STRIDE } from "../export/rules.ts";
import type { ChipObject } from "../objects/chip-object.ts";
import type { CutObject } from "../objects/cut-object.ts";
import { maskBox, maskFromPixels } from "../objects/object-mask.ts";
import { shownObjects } from "../objects/shown-objects.ts";
import { type ChipSize, chipSizeOf, sizeFrom } from "../option-rules.ts";
import { type ChipEntry, type ChipImage, type ChipSource, IGNORE_VALUE, type ObjectChip } from "./chip.ts";
import { drawWindows, type PartWindow } from "./draw-windows.ts";

/** Raster and labels to sample chips from; the same options as in `exportTrainingData` mean the same. */
export interface WindowSourceOptions extends Omit<InputOptions, "additionalRaster" | "onWarning" | "signal" | "minOverlap" | "labels"> {
  /** Polygons, lines, points or a class raster, in any reference system. */
  readonly labels: LabelSource;
  /** Side of a window, pixels. @defaultValue the `chipSize` of `prepareData`, else 256 */
  readonly chipSize?: number | { readonly width: number; readonly height: number };
  /** Pixels between windows of a grid; 0 lays them side by side. @defaultValue half the chip */
  readonly stride?: number | { readonly width: number; readonly height: number };
  /** `"grid"`: windows like those of an export; `"random"`: `samples` windows anywhere. @defaultValue "grid", or "random" when samples is given */
  readonly sampling?: "grid" | "random";
  /** Windows to draw at random. @defaultValue as many as the grid has */
  readonly samples?: number;
  /** Draw windows around pixels of each class equally often, instead of evenly over the ground. @defaultValue false */
  readonly balanced?: boolean;
  /** Keep windows without a label too. @defaultValue false */
  readonly allTiles?: boolean;
}

/** Rules for {@link WindowSourceOptions}. */
export const WINDOW_RULES: OptionRules<WindowSourceOptions> = {
  ...INPUT_RULES,
  labels: rules.required(INPUT_RULES.labels),
  chipSize: rules.hinted(sizeFrom(1), "256 is a good start."),
  stride: STRIDE,
  sampling: rules.hinted(rules.oneOf("grid", "random"), 'With `sampling: "random"` windows lie anywhere.'),
  samples: rules.hinted(rules.whole(1, 10_000_000), "A few thousand are plenty."),
  balanced: rules.boolean,
  allTiles: rules.boolean,
};

type Work = WorkOptions & { readonly seed: number };

/** Opens raster and labels as a source of chips with a class per pixel. @throws as exportTrainingData does for its inputs */
export async function openWindowSource(options: WindowSourceOptions, work: Work): Promise<ChipSource> {
  return openWindows(await openInputs(inputOptions(options, work)), options, work, {
    keeps: async (input, grid) => (options.allTiles ?? false) || showsLabel(input, grid, work.signal),
    complete: (image, { labels }) => ({ ...image, labels }),
  });
}

/** Options of {@link openObjectWindows} besides those of windows. */
export interface ObjectWindowOptions extends Work {
  readonly masks: boolean;
  /** Share of an object that a window must hold. */
  readonly minOverlap: number;
}

/**
 * Opens raster and labels as a source of chips with objects: those of a window, clipped at its border. Windows lie wholly inside `mask`.
 *
 * @throws as exportTrainingData does for its inputs; UNSUPPORTED_FORMAT for a class raster
 */
export async function openObjectWindows(options: WindowSourceOptions, work: ObjectWindowOptions): Promise<ChipSource<ObjectChip>> {
  const { masks, minOverlap, onWarning } = work;
  if (options.mask !== undefined && isRandom(options)) {
    throw new GeoLearnError("INVALID_ARGUMENT", "Windows at random cannot heed a `mask` when labels are objects.", {
      hint: 'Use `sampling: "grid"`: windows wholly inside the mask are taken.',
    });
  }
  const inputs = await openInputs({ ...inputOptions(options, work), minOverlap });
  try {
    requireObjects(inputs, { what: "a task of objects", onWarning });
  } catch (error) {
    await inputs.close();
    throw error;
  }
  const allTouched = options.allTouched ?? false;
  return openWindows(inputs, options, work, {
    async keeps(input, grid) {
      const inside = input.inside === null ? undefined : input.inside(grid);
      if (inside === null || inside?.includes(0) === true) return false;
      return (options.allTiles ?? false) || input.labels.objects!(grid).length > 0;
    },
    complete(image, _, input) {
      const grid = { transform: image.transform!, width: image.width, height: image.height };
      const shown = shownObjects(input.labels.objects!(grid), image.mask, grid, minOverlap);
      return { ...image, objects: shown.flatMap((object) => chipObject(object, grid, masks, allTouched)) };
    },
    reads: withoutBurning,
  });
}

/** A cut object with the mask of its pixels, where that is wanted; none when it holds no pixel. */
function chipObject({ classValue, box, geometry }: CutObject, grid: LabelGrid, masks: boolean, allTouched: boolean): ChipObject[] {
  if (!masks) return [{ classValue, box, mask: null }];
  const col = Math.max(0, Math.floor(box[0]) - 1);
  const row = Math.max(0, Math.floor(box[1]) - 1);
  const width = Math.min(grid.width, Math.ceil(box[2]) + 1) - col;
  const height = Math.min(grid.height, Math.ceil(box[3]) + 1) - row;
  const near = rasterize([{ geometry, value: 1 }], { transform: windowTransform(grid.transform, col, row), width, height, allTouched });
  const pixels: number[] = [];
  near.forEach((value, i) => value === 1 && pixels.push((row + Math.floor(i / width)) * grid.width + col + (i % width)));
  if (pixels.length === 0) return [];
  const mask = maskFromPixels(pixels, grid.width);
  return [{ classValue, box: maskBox(mask), mask }];
}

function inputOptions(options: WindowSourceOptions, { signal, onWarning }: WorkOptions): InputOptions {
  return { ...options, ...(signal === undefined ? {} : { signal }), ...(onWarning === undefined ? {} : { onWarning }) };
}

function isRandom({ sampling, samples }: WindowSourceOptions): boolean {
  return (sampling ?? (samples === undefined ? "grid" : "random")) === "random";
}

/** What tells one kind of labels from another. */
interface WindowKind<C extends ChipImage> {
  /** Whether a window of the grid is taken. */
  keeps(input: InputPart, grid: LabelGrid): Promise<boolean>;
  /** Adds the labels to the image of a window. */
  complete(image: ChipImage, block: RowBlock, input: InputPart): C;
  /** The part as windows are read from it. @defaultValue as it is */
  readonly reads?: (input: InputPart) => InputPart;
}

async function openWindows<C extends ChipImage>(
  inputs: Inputs,
  options: WindowSourceOptions,
  { signal, seed }: Work,
  kind: WindowKind<C>,
): Promise<ChipSource<C>> {
  try {
    const chip = chipSizeOf(options.chipSize ?? 256);
    const { width, height } = chip;
    const grid = gridWindows(inputs.parts, chip, resolveStride(options.stride, chip));
    const windows = isRandom(options)
      ? await drawWindows(inputs.parts, {
          width,
          height,
          count: options.samples ?? grid.length,
          balanced: options.balanced ?? false,
          rng: createRng([seed, 5]),
          signal,
        })
      : await keptWindows(inputs.parts, grid, { width, height, signal }, kind);
    if (windows.length === 0) {
      throw new GeoLearnError("LABELS_EMPTY", `No window of ${inputs.parts[0]!.raster.name} holds a label.`, {
        hint: "Check that the labels lie on the raster: `geolearn check --raster ... --labels ...`.",
      });
    }
    const identity = fingerprintOf([
      await Promise.all(inputs.parts.map(({ original }) => rasterIdentity(original))),
      inputs.labelIdentity,
      options.cellSize,
      options.extent,
    ]);
    const entries = windows.map((window, index): ChipEntry => ({
      name: String(index).padStart(9, "0"),
      version: `${identity}/${window.part}/${window.col}/${window.row}/${width}/${height}`,
    }));
    const parts = inputs.parts.map(kind.reads ?? ((input) => input));
    return {
      name: inputs.parts.map(({ raster }) => raster.name).join(", "),
      width,
      height,
      bands: inputs.bands,
      bandNames: inputs.bandNames,
      sampleType: inputs.sampleType,
      classes: inputs.classes,
      chips: entries,
      folder: null,
      overlap: inputs.overlap,
      async read(index, readSignal) {
        const { part, col, row } = windows[index]!;
        const input = parts[part]!;
        const block = await readBlock(input, { col, row, width, height }, readSignal);
        const transform: Affine | null = chipTransform(input.raster, col, row);
        const { crs, nodata, sampleType } = input.raster;
        const image = { image: block.image, mask: block.valid, transform, crs, nodata, bands: inputs.bands, width, height, sampleType };
        return kind.complete(image, block, input);
      },
      close: () => inputs.close(),
    };
  } catch (error) {
    await inputs.close();
    throw error;
  }
}

function gridWindows(parts: readonly InputPart[], chip: ChipSize, stride: ChipSize): PartWindow[] {
  return parts.flatMap(({ raster }, part) =>
    chipOrigins(raster.height, chip.height, stride.height).flatMap((row) =>
      chipOrigins(raster.width, chip.width, stride.width).map((col) => ({ part, col, row })),
    ),
  );
}

/** Windows of a grid that are taken. */
async function keptWindows<C extends ChipImage>(
  parts: readonly InputPart[],
  windows: readonly PartWindow[],
  { width, height, signal }: { width: number; height: number; signal: AbortSignal | undefined },
  kind: WindowKind<C>,
): Promise<PartWindow[]> {
  const kept: PartWindow[] = [];
  for (const window of windows) {
    signal?.throwIfAborted();
    const input = parts[window.part]!;
    const transform = chipTransform(input.raster, window.col, window.row) ?? [1, 0, window.col, 0, 1, window.row];
    if (await kind.keeps(input, { transform, width, height })) kept.push(window);
  }
  return kept;
}

async function showsLabel(input: InputPart, grid: LabelGrid, signal: AbortSignal | undefined): Promise<boolean> {
  const labels = await input.labels.burn(grid, signal);
  const inside = input.inside === null ? undefined : input.inside(grid);
  if (inside === null) return false;
  return labels.some((value, i) => value !== 0 && value !== IGNORE_VALUE && (inside === undefined || inside[i] === 1));
}
