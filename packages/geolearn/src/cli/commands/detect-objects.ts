/** `geolearn detect-objects`: a model on a scene, and what it finds as features. */

import { dirname } from "node:path";
import { checkFeaturePath, formatOfPath, makeFolder, openRaster, writeFeatures } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import { type DetectedObjects, type DetectOptions, detectObjects, estimateDetection } from "@geolearn/inference";
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { integer, length, number, several, withCompute, withScene } from "../options.ts";
import { printEstimate } from "../scene-estimate.ts";
import { table } from "../table.ts";

interface Options extends Pick<
  DetectOptions,
  | "network"
  | "mask"
  | "extent"
  | "bands"
  | "overlap"
  | "tta"
  | "minScore"
  | "nmsOverlap"
  | "maxDetections"
  | "excludeEdge"
  | "simplify"
  | "esriFields"
  | "batchSize"
  | "workers"
  | "threads"
> {
  readonly model: string;
  readonly raster: string[];
  readonly out: string;
  readonly cellSize?: number | "model" | "scene";
  readonly device?: Device;
  readonly estimate?: boolean;
  readonly json?: boolean;
}

/** What `detectObjects` takes when nothing is said. */
const MIN_SCORE = 0.5;

export function detectObjectsCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("detect-objects")
    .description("Find the objects of a scene, each once: boxes, or polygons where the model outlines them.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .requiredOption("--raster <path>", "imagery: file, folder, glob, list or VRT; may be given several times", several)
    .requiredOption("--out <path>", "where the objects go: .gpkg, .geojson, .geojsonl, .fgb, .parquet, .shp or .zip")
    .option("--tta", "look at each window in its eight flips and turns")
    .option("--min-score <number>", `leave out objects of lower scores, 0 to 1 (default: ${MIN_SCORE})`, number)
    .option("--nms-overlap <number>", "of two objects of a class that overlap more (IoU) only the better one stays (default: 0.5)", number)
    .option("--max-detections <number>", "objects a window can have at most (default: 300)", integer(1))
    .option("--exclude-edge", "leave out what a window's border cuts instead of putting the pieces together")
    .option("--simplify <metres>", "straighten outlines within this tolerance (default: 0)", length)
    .option("--esri-fields", "name the fields Class and Confidence, as Esri's tools do")
    .option("--estimate", "say what it would take, and write nothing");
  return withCompute(withScene(command, "nothing is looked for outside")).action(async () => {
    const { model, raster, out, estimate, json: _json, ...options } = command.opts<Options>();
    const { signal, onProgress, onWarning, note, print } = contextOf(command);
    // What only shows when the work is done must not fail then.
    formatOfPath(out, "write");
    const scene = raster.length === 1 ? raster[0]! : raster;
    const work: DetectOptions = { ...options, signal, onProgress, onWarning };
    if (estimate) return printEstimate(await estimateDetection(model, scene, work), print, "disk");
    const opened = await openRaster(scene, { network: options.network ?? false, signal });
    const find = async (): Promise<DetectedObjects> => {
      try {
        checkFeaturePath(out, opened.crs);
        await makeFolder(dirname(out));
        return await detectObjects(model, opened, work);
      } finally {
        await opened.close();
      }
    };
    const found = await find();
    const count = await writeFeatures(found, out, { signal, onWarning });
    const { windows, seconds, megapixelsPerSecond } = found;
    const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
    print({ out, windows, seconds, megapixelsPerSecond, peakMemoryMb, count }, resultText(found, out, options.esriFields ?? false));
    if (count === 0) note(`no object scored ${options.minScore ?? MIN_SCORE} or more; a lower --min-score keeps less sure ones.`);
  });
}

function resultText({ features, windows, seconds, megapixelsPerSecond }: DetectedObjects, out: string, esriFields: boolean): string {
  const counts = new Map<string, number>();
  for (const { properties } of features) {
    const name = String(properties[esriFields ? "Class" : "class"]);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const line = `${out}: ${features.length} objects, ${windows} windows, ${seconds.toFixed(1)} s, ${Number(megapixelsPerSecond.toPrecision(2))} megapixels per second`;
  return counts.size === 0 ? line : `${line}\n\n${table(["class", "objects"], [...counts])}`;
}
