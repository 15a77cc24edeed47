/** `geolearn classify-objects`: a model on the features of a layer, or on geotagged photos. */

import { dirname } from "node:path";
import { checkFeaturePath, formatOfPath, makeFolder, openFeatures, writeFeatures } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import {
  classifyPhotos,
  type ClassifyObjectsOptions,
  estimateObjects,
  type ObjectCounts,
  streamClassifiedObjects,
} from "@geolearn/inference";
import { Command, Option } from "commander";
import { type CommandContext, UsageError } from "../context.ts";
import { bands, camelCase, cellSize, integer, length, several, withCompute, withNetwork } from "../options.ts";
import { printEstimate } from "../scene-estimate.ts";
import { table } from "../table.ts";

interface Options extends Pick<
  ClassifyObjectsOptions,
  "network" | "bands" | "buffer" | "esriFields" | "batchSize" | "workers" | "threads"
> {
  readonly model: string;
  readonly raster?: string[];
  readonly features?: string;
  readonly photos?: string;
  readonly out: string;
  readonly cropMode?: "fixed-size" | "bounding-box";
  readonly cellSize?: number | "model" | "scene";
  readonly device?: Device;
  readonly estimate?: boolean;
  readonly json?: boolean;
}

/** What only features of a layer have, as flags. */
const OF_FEATURES = {
  network: "--network",
  bands: "--bands",
  buffer: "--buffer",
  cropMode: "--crop-mode",
  cellSize: "--cell-size",
  batchSize: "--batch-size",
  estimate: "--estimate",
} as const;

export function classifyObjectsCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("classify-objects")
    .description("Give the features of a layer a class from the pixels around them, or geotagged photos one from what they show.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .option("--raster <path>", "imagery: file, folder, glob, list or VRT; may be given several times", several)
    .option("--features <path>", "polygons, points or lines to be classified, in any reference system")
    .option("--photos <folder>", "photos with positions in their EXIF data, instead of --raster and --features")
    .requiredOption("--out <path>", "where the classified features go: .gpkg, .geojson, .geojsonl, .fgb, .parquet, .shp or .zip")
    .addOption(
      new Option("--crop-mode <name>", "how chips are cut around features (default: as the model's training chips were)").choices([
        "fixed-size",
        "bounding-box",
      ]),
    )
    .option("--buffer <metres>", "with bounding boxes: how much more than the box is seen at each side", length)
    .option("--cell-size <metres|model|scene>", "ground size of a pixel to work at", cellSize)
    .option("--bands <band,...>", "bands of the raster to feed, in the model's order, by number from 0 or by name", bands)
    .option("--esri-fields", "name the fields Class and Confidence, as Esri's tools do")
    .option("--batch-size <features>", "features per call of the network", integer(1))
    .option("--estimate", "say what the features of a layer would take, and write nothing");
  return withCompute(withNetwork(command)).action(async () => {
    const options = command.opts<Options>();
    const context = contextOf(command);
    checkInputs(options);
    // What only shows when the work is done must not fail then.
    formatOfPath(options.out, "write");
    if (options.estimate) {
      const cost = await estimateObjects(options.model, sceneOf(options), options.features!, layerOptions(options, context));
      return printEstimate(cost, context.print, "disk");
    }
    const started = performance.now();
    const { counts, skipped } =
      options.photos === undefined ? await classifyLayer(options, context) : await classifyFolder(options, context);
    const seconds = (performance.now() - started) / 1000;
    const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
    const { features: count, outside, classes } = counts;
    context.print(
      { out: options.out, count, outside, skipped, seconds, peakMemoryMb, classes },
      [
        `${options.out}: ${count} ${options.photos === undefined ? "features" : "photos"}, ${outside + skipped} without a class, ${seconds.toFixed(1)} s`,
        table(["class", "features"], Object.entries(classes)),
      ].join("\n\n"),
    );
  });
}

/** A layer on a raster, or photos: one of them, whole. */
function checkInputs({ raster, features, photos, ...rest }: Options): void {
  if (photos === undefined && raster !== undefined && features !== undefined) return;
  if (photos === undefined) throw new UsageError("Give --raster and --features, or --photos.");
  if (raster !== undefined || features !== undefined) throw new UsageError("--photos goes without --raster and --features.");
  const foreign = (Object.keys(OF_FEATURES) as (keyof typeof OF_FEATURES)[]).find((key) => rest[key] !== undefined);
  if (foreign !== undefined) throw new UsageError(`${OF_FEATURES[foreign]} is for the features of a layer, not for photos.`);
}

interface Outcome {
  readonly counts: ObjectCounts;
  readonly skipped: number;
}

function sceneOf({ raster }: Options): string | string[] {
  return raster!.length === 1 ? raster![0]! : raster!;
}

function layerOptions(options: Options, { signal, onProgress, onWarning }: CommandContext): ClassifyObjectsOptions {
  const { network, bands: chosen, buffer, esriFields, batchSize, workers, threads, cellSize: cell, device } = options;
  const mode =
    options.cropMode === undefined ? undefined : (camelCase(options.cropMode) as NonNullable<ClassifyObjectsOptions["cropMode"]>);
  const given = { network, bands: chosen, buffer, esriFields, batchSize, workers, threads, cropMode: mode, cellSize: cell, device };
  return {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ClassifyObjectsOptions),
    ...{ signal, onProgress, onWarning },
  };
}

async function classifyLayer(options: Options, context: CommandContext): Promise<Outcome> {
  const { signal, onWarning } = context;
  const { model, features, out } = options;
  const layer = await openFeatures(features!, { signal, onWarning });
  checkFeaturePath(out, layer.crs);
  await makeFolder(dirname(out));
  const stream = await streamClassifiedObjects(model, sceneOf(options), layer, layerOptions(options, context));
  try {
    await writeFeatures(stream, out, { signal, onWarning });
  } finally {
    await stream.close();
  }
  return { counts: stream.counts(), skipped: 0 };
}

async function classifyFolder({ model, photos, out, ...options }: Options, context: CommandContext): Promise<Outcome> {
  const { signal, onProgress, onWarning } = context;
  const { esriFields, workers, threads, device } = options;
  const given = Object.entries({ esriFields, workers, threads, device }).filter(([, value]) => value !== undefined);
  await makeFolder(dirname(out));
  const found = await classifyPhotos(model, photos!, { ...Object.fromEntries(given), signal, onProgress, onWarning });
  await writeFeatures(found, out, { signal, onWarning });
  return { counts: found.counts, skipped: found.skipped.length };
}
