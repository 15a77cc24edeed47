/** Chips straight out of a raster with labels, without a folder in between. */

import { type Affine, createRng, GeoLearnError, type WorkOptions } from "@geolearn/core";

import { chipOrigins } from "../export/chip-grid.ts";
import { fingerprintOf, rasterIdentity } from "../export/export-state.ts";
import type { InputOptions } from "../export/input-options.ts";
import { chipTransform, type InputPart, openInputs } from "../export/inputs.ts";
import { readBlock } from "../export/row-blocks.ts";
import { type ChipEntry, type ChipSource, IGNORE_VALUE } from "./chip.ts";
import { drawWindows, type PartWindow } from "./draw-windows.ts";

/** Raster and labels to sample chips from; the same options as in `exportTrainingData` mean the same. */
export interface WindowSourceOptions extends Omit<InputOptions, "onWarning" | "signal" | "minOverlap"> {
  /** Side of a window, pixels. @defaultValue 256 */
  readonly chipSize?: number | { readonly width: number; readonly height: number };
  /** Pixels between windows of a grid. @defaultValue half the chip */
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

/** Opens raster and labels as a source of chips. @throws as exportTrainingData does for its inputs */
export async function openWindowSource(options: WindowSourceOptions, work: WorkOptions & { readonly seed: number }): Promise<ChipSource> {
  const { signal, onWarning } = work;
  const inputs = await openInputs({
    ...options,
    ...(signal === undefined ? {} : { signal }),
    ...(onWarning === undefined ? {} : { onWarning }),
  });
  try {
    const [width, height] = sides("chipSize", options.chipSize ?? 256);
    const [strideX, strideY] =
      options.stride === undefined ? [Math.ceil(width / 2), Math.ceil(height / 2)] : sides("stride", options.stride);
    const grid = gridWindows(inputs.parts, width, height, strideX, strideY);
    const random = (options.sampling ?? (options.samples === undefined ? "grid" : "random")) === "random";
    const windows = random
      ? await drawWindows(inputs.parts, {
          width,
          height,
          count: count(options.samples ?? grid.length),
          balanced: options.balanced ?? false,
          rng: createRng([work.seed, 5]),
          signal,
        })
      : await withLabels(inputs.parts, grid, { width, height, allTiles: options.allTiles ?? false, signal });
    if (windows.length === 0) {
      throw new GeoLearnError("LABELS_EMPTY", `No window of ${inputs.parts[0]!.raster.name} holds a labelled pixel.`, {
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
        const input = inputs.parts[part]!;
        const { image, labels, valid } = await readBlock(input, { col, row, width, height }, readSignal);
        const transform: Affine | null = chipTransform(input.raster, col, row);
        const { crs, nodata, sampleType } = input.raster;
        return { image, labels, mask: valid, transform, crs, nodata, bands: inputs.bands, width, height, sampleType };
      },
      close: () => inputs.close(),
    };
  } catch (error) {
    await inputs.close();
    throw error;
  }
}

function gridWindows(parts: readonly InputPart[], width: number, height: number, strideX: number, strideY: number): PartWindow[] {
  return parts.flatMap(({ raster }, part) =>
    chipOrigins(raster.height, height, strideY).flatMap((row) =>
      chipOrigins(raster.width, width, strideX).map((col) => ({ part, col, row })),
    ),
  );
}

/** Windows of a grid that hold a label. */
async function withLabels(
  parts: readonly InputPart[],
  windows: readonly PartWindow[],
  { width, height, allTiles, signal }: { width: number; height: number; allTiles: boolean; signal: AbortSignal | undefined },
): Promise<PartWindow[]> {
  if (allTiles) return [...windows];
  const kept: PartWindow[] = [];
  for (const window of windows) {
    signal?.throwIfAborted();
    const input = parts[window.part]!;
    const transform = chipTransform(input.raster, window.col, window.row) ?? [1, 0, window.col, 0, 1, window.row];
    const grid = { transform, width, height };
    const labels = await input.labels.burn(grid, signal);
    const inside = input.inside === null ? undefined : input.inside(grid);
    if (inside === null) continue;
    if (labels.some((value, i) => value !== 0 && value !== IGNORE_VALUE && (inside === undefined || inside[i] === 1))) kept.push(window);
  }
  return kept;
}

function sides(name: string, size: number | { readonly width: number; readonly height: number }): [number, number] {
  const [width, height] = typeof size === "number" ? [size, size] : [size.width, size.height];
  if ([width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= 8192)) return [width, height];
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${name}\` is ${width} x ${height}; expected integers from 1 to 8192.`, {
    hint: "256 is a good start.",
  });
}

function count(samples: number): number {
  if (Number.isInteger(samples) && samples >= 1 && samples <= 10_000_000) return samples;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`samples\` is ${samples}; expected an integer from 1 to 10000000.`, {
    hint: "A few thousand are plenty.",
  });
}
