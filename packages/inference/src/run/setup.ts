/** Everything that is decided before the first window is computed. */

import { type Affine, type Crs, bandPositions, GeoLearnError, type OnWarning, type Raster, type RasterSource } from "@geolearn/core";

import type { Merge } from "../blend/accumulator.ts";
import type { Blend } from "../blend/weights.ts";
import type { BlockConfiguration, InferenceConfiguration, InferenceFunction, SceneFunction } from "../inference-function.ts";
import { type WindowPlan, planWindows } from "../windows/window-plan.ts";
import { WindowReader } from "../windows/window-reader.ts";
import type { InferenceOptions, SceneOptions } from "./options.ts";
import { type ParameterValue, parameterValues } from "./parameters.ts";
import { type RegionMask, readRegionMask } from "./region-mask.ts";
import { type Scene, cutScene, openScene, resampleScene, resolutionOf, sceneInfo } from "./scene.ts";

/** Further apart than this, scene and model are told to differ. */
const RESOLUTION_TOLERANCE = 0.2;
/** Further apart than this factor, the work is refused unless the caller says it is meant. */
const RESOLUTION_LIMIT = 4;

/** A scene, a function and how they meet. */
export interface SceneSetup<Config extends BlockConfiguration, Fn extends SceneFunction<Config> = SceneFunction<Config>> {
  readonly fn: Fn;
  readonly config: Config;
  readonly scene: Scene;
  readonly crs: Crs | null;
  readonly transform: Affine | null;
  readonly plan: WindowPlan;
  readonly bands: readonly number[];
  readonly tta: boolean;
  readonly batchSize: number;
  readonly region: RegionMask | null;
  /** A value for each parameter of the function. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  createReader(): WindowReader;
  close(): Promise<void>;
}

/** The same for a function of pixels, with the way its results are put together. */
export interface Setup extends SceneSetup<InferenceConfiguration, InferenceFunction> {
  readonly blend: Blend;
  readonly merge: Merge;
}

/** {@link prepareScene} for a function of pixels. */
export async function prepareInference(fn: InferenceFunction, source: RasterSource, options: InferenceOptions): Promise<Setup> {
  const setup = await prepareScene(fn, source, options, checkOutput);
  return { ...setup, blend: chooseBlend(setup.config, options), merge: options.merge ?? "mean" };
}

/** Opens the scene, asks the function what it wants, checks that they fit and lays the windows. */
export async function prepareScene<Config extends BlockConfiguration, Fn extends SceneFunction<Config>>(
  fn: Fn,
  source: RasterSource,
  options: SceneOptions,
  check: (config: Config, name: string) => void,
): Promise<SceneSetup<Config, Fn>> {
  const parameters = parameterValues(fn, options.parameters);
  const { raster, close } = await openScene(source, options);
  try {
    const config = await fn.configure({ ...sceneInfo(raster), bandsChosen: options.bands !== undefined }, parameters);
    checkBlocks(config, fn.name);
    check(config, fn.name);
    for (const warning of config.warnings ?? []) options.onWarning?.(warning);
    const sized = atCellSize(raster, config, options);
    const scene = cutScene(sized, options.extent);
    if (scene.raster.crs === null) {
      options.onWarning?.({
        code: "CRS_MISSING",
        message: `${raster.name} names no reference system; the result will have none either.`,
        hint: "Give the raster a reference system if the result is to lie on a map.",
      });
    }
    const bands = chooseBands(options.bands ?? config.bands, config, raster);
    const { stride = 1, margin = 0, tileWidth, tileHeight } = config;
    const { width, height } = scene.view;
    const overlap = chooseOverlap(config, options);
    const plan = planWindows({ width, height, tileWidth, tileHeight, overlap, stride, margin });
    const { signal } = options;
    const readerOptions = { view: scene.view, plan, bands, signal, ...fillRule(config, bands.length, raster.nodata) };
    const budget = (options.inputMemoryMb ?? 192) * 1024 * 1024;
    return {
      fn,
      config,
      scene,
      crs: scene.raster.crs,
      transform: scene.transform,
      plan,
      bands,
      tta: options.tta ?? false,
      batchSize: checkBatchSize(options.batchSize ?? config.batchSize),
      region: options.mask === undefined ? null : await readRegionMask(options.mask, scene, options.onWarning),
      parameters,
      createReader: () => new WindowReader(scene.raster, { ...readerOptions, budget }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function checkBlocks({ tileWidth, tileHeight, margin = 0, stride = 1 }: BlockConfiguration, name: string): void {
  const sane = [tileWidth, tileHeight, stride].every((n) => Number.isInteger(n) && n >= 1) && Number.isInteger(margin) && margin >= 0;
  if (sane && Math.min(tileWidth, tileHeight) > 2 * margin) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `The function ${name} asks for blocks of ${tileWidth} x ${tileHeight} pixels with margin ${margin} and stride ${stride}.`,
    {
      hint: "All must be whole numbers, and a block larger than its margins.",
    },
  );
}

function checkOutput({ outputBands, classes, output }: InferenceConfiguration, name: string): void {
  if (!Number.isInteger(outputBands) || outputBands < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The function ${name} gives ${outputBands} output bands.`, {
      hint: "Give a whole number of at least 1.",
    });
  }
  if (output === "scores" && classes !== null && classes.length !== outputBands) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The function ${name} gives ${outputBands} scores for ${classes.length} classes.`, {
      hint: "Give one score per class.",
    });
  }
}

function atCellSize(raster: Raster, config: BlockConfiguration, { cellSize, onWarning }: SceneOptions): Raster {
  const wanted = config.resolution ?? null;
  if (typeof cellSize === "number") return resampleScene(raster, cellSize);
  if (cellSize === "model") {
    if (wanted !== null) return resampleScene(raster, wanted);
    throw new GeoLearnError("INVALID_ARGUMENT", "The model does not say at which pixel size it was trained.", {
      hint: "Give `cellSize` in metres, or leave it out.",
    });
  }
  const resolution = resolutionOf(raster);
  if (wanted !== null && resolution !== null) compareResolution(raster.name, resolution, wanted, cellSize === "scene", onWarning);
  return raster;
}

function compareResolution(name: string, scene: number, model: number, accepted: boolean, onWarning: OnWarning | undefined): void {
  const ratio = Math.max(scene / model, model / scene);
  if (ratio <= 1 + RESOLUTION_TOLERANCE) return;
  const message = `Pixels of ${name} are ${metres(scene)} on the ground; the model was trained at ${metres(model)}.`;
  const hint = `Use \`cellSize: "model"\` to resample the scene to ${metres(model)}.`;
  if (ratio > RESOLUTION_LIMIT && !accepted) {
    throw new GeoLearnError("RESOLUTION_MISMATCH", message, {
      hint: `${hint} Use \`cellSize: "scene"\` to go on as it is.`,
      data: { scene, model },
    });
  }
  onWarning?.({ code: "RESOLUTION_MISMATCH", message, hint });
}

function metres(value: number): string {
  return `${Number(value.toPrecision(3))} m`;
}

function chooseBands(wanted: readonly (number | string)[], config: BlockConfiguration, raster: Raster): readonly number[] {
  const names = raster.bandInfo.map(({ name }) => name);
  const bands = bandPositions(wanted, names, raster.name);
  if (bands.length === config.bands.length) return bands;
  const needed = config.bandNames === undefined ? "" : ` (${config.bandNames.join(", ")})`;
  throw new GeoLearnError(
    "BANDS_MISMATCH",
    `${bands.length} bands of ${raster.name} were chosen (${wanted.join(", ")}); the model needs ${config.bands.length}${needed}.`,
    {
      hint: `Give \`bands\` as ${config.bands.length} numbers from 0 to ${raster.bands - 1}, or names: ${names.join(", ")}.`,
      data: { bands, rasterBands: raster.bands, modelBands: config.bands.length },
    },
  );
}

function chooseOverlap(config: BlockConfiguration, { overlap, padding }: SceneOptions): number {
  const { tileWidth, tileHeight, margin = 0, stride = 1 } = config;
  if (overlap !== undefined) return overlap;
  if (padding !== undefined) return 2 * padding;
  const core = Math.min(tileWidth, tileHeight) - 2 * margin;
  return Math.max(0, Math.min(2 * config.padding, core - stride));
}

function chooseBlend({ output, outputType }: InferenceConfiguration, { blend }: InferenceOptions): Blend {
  return blend ?? (output === "values" && !outputType.startsWith("float") ? "crop" : "hann");
}

function checkBatchSize(batchSize: number): number {
  if (Number.isInteger(batchSize) && batchSize >= 1) return batchSize;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`batchSize\` is ${batchSize}; expected a whole number of at least 1.`);
}

/**
 * Missing samples get the value the function asks for. A sample equal to nodata in a pixel that is otherwise valid is missing
 * only where training never saw that value: 0 may be nodata and a dark pixel at once.
 */
export function fillRule(
  config: BlockConfiguration,
  bands: number,
  nodata: number | null,
): { fill: readonly number[]; dropNodata: readonly boolean[] } {
  const { statistics } = config;
  const fill = config.fill ?? statistics?.map(({ mean }) => mean) ?? [];
  return {
    fill: Array.from({ length: bands }, (_, band) => fill[band] ?? 0),
    dropNodata: Array.from({ length: bands }, (_, band) => {
      const known = statistics?.[band];
      return nodata !== null && (known === undefined ? nodata < 0 : nodata < known.min || nodata > known.max);
    }),
  };
}
