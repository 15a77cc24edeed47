/** `geolearn classify-pixels`: a model on a scene. */

import { dirname } from "node:path";
import { makeFolder } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import {
  type ClassifiedRaster,
  type ClassifyOptions,
  type InferenceEstimate,
  classifyPixels,
  estimateClassification,
} from "@geolearn/inference";
import { Command, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { several, withCompute, withScene } from "../options.ts";
import { list, table } from "../table.ts";

interface Options extends Pick<
  ClassifyOptions,
  "network" | "mask" | "extent" | "bands" | "outOfRange" | "overlap" | "blend" | "tta" | "merge" | "scores" | "batchSize" | "workers"
> {
  readonly model: string;
  readonly raster: string[];
  readonly out: string;
  readonly cellSize?: number | "model" | "scene";
  readonly predictBackground: boolean;
  readonly device?: Device;
  readonly threads?: number;
  readonly estimate?: boolean;
  readonly json?: boolean;
}

export function classifyPixelsCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("classify-pixels")
    .description("Give every pixel of a scene a class, as a Cloud-Optimized GeoTIFF.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .requiredOption("--raster <path>", "imagery: file, folder, glob, list or VRT; may be given several times", several)
    .requiredOption("--out <map.tif>", "where the map goes; a run that was killed is continued, a cancelled one leaves nothing")
    .addOption(new Option("--blend <name>", "how windows meet").choices(["hann", "crop", "none"]))
    .option("--tta", "average the eight flips and turns of each window")
    .addOption(new Option("--merge <name>", "how the eight positions are merged").choices(["mean", "max", "min"]))
    .option("--scores", "also write the scores, a band per class, beside the map")
    .option("--out-of-range", "also write where the scene leaves the range of the training data, beside the map")
    .option("--no-predict-background", "never answer background (value 0)")
    .option("--estimate", "say what it would take, and write nothing");
  return withCompute(withScene(command, "land outside becomes nodata")).action(async () => {
    const { model, raster, estimate, json: _json, ...options } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const work: ClassifyOptions = { ...options, signal, onProgress, onWarning };
    const scene = raster.length === 1 ? raster[0]! : raster;
    if (estimate) {
      const cost = await estimateClassification(model, scene, work);
      return print(cost, estimateText(cost));
    }
    await makeFolder(dirname(options.out));
    const map = await classifyPixels(model, scene, work);
    print(
      {
        out: map.path,
        windows: map.windows,
        seconds: map.seconds,
        megapixelsPerSecond: map.megapixelsPerSecond,
        peakMemoryMb: process.resourceUsage().maxRSS / 1024,
        classes: (map.classes ?? []).map(({ value, name }) => ({ value, name, pixels: map.pixels.get(value) ?? 0 })),
      },
      resultText(map),
    );
  });
}

function resultText(map: ClassifiedRaster): string {
  const all = [...map.pixels.values()].reduce((sum, pixels) => sum + pixels, 0);
  return [
    `${map.path}: ${map.width} x ${map.height} pixels, ${map.windows} windows, ${map.seconds.toFixed(1)} s, ${map.megapixelsPerSecond.toFixed(2)} megapixels per second`,
    table(
      ["value", "class", "pixels", "share"],
      (map.classes ?? []).map(({ value, name }) => {
        const pixels = map.pixels.get(value) ?? 0;
        return [value, name, pixels, all === 0 ? null : pixels / all];
      }),
    ),
  ].join("\n\n");
}

function estimateText(cost: InferenceEstimate): string {
  return list([
    ["windows", cost.windows],
    ["time", `${Math.ceil(cost.seconds)} s`],
    ["memory", `${Math.ceil(cost.memoryMb)} MiB`],
    ["disk, at most", `${Math.ceil(cost.diskMb)} MiB`],
  ]);
}
