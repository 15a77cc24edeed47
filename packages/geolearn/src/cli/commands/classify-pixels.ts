/** `geolearn classify-pixels`: a model on a scene. */

import { dirname } from "node:path";
import { makeFolder } from "@geolearn/core";
import { type ClassifyOptions, classifyPixels, estimateClassification } from "@geolearn/inference";
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { several } from "../options.ts";
import { printEstimate } from "../scene-estimate.ts";
import { type PixelMapOptions, printMap, withPixelMap } from "./pixel-map.ts";

interface Options extends PixelMapOptions {
  readonly raster: string[];
}

export function classifyPixelsCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("classify-pixels")
    .description("Give every pixel of a scene a class, as a Cloud-Optimized GeoTIFF.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .requiredOption("--raster <path>", "imagery: file, folder, glob, list or VRT; may be given several times", several);
  return withPixelMap(command).action(async () => {
    const { model, raster, estimate, json: _json, ...options } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const work: ClassifyOptions = { ...options, signal, onProgress, onWarning };
    const scene = raster.length === 1 ? raster[0]! : raster;
    if (estimate) return printEstimate(await estimateClassification(model, scene, work), print);
    await makeFolder(dirname(options.out));
    printMap(await classifyPixels(model, scene, work), print);
  });
}
