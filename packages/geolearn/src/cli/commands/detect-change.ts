/** `geolearn detect-change`: what changed between two dates. */

import { dirname } from "node:path";
import { makeFolder } from "@geolearn/core";
import { type DetectChangeOptions, detectChange, estimateChange } from "@geolearn/inference";
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { several } from "../options.ts";
import { printEstimate } from "../scene-estimate.ts";
import { type PixelMapOptions, printMap, withPixelMap } from "./pixel-map.ts";

interface Options extends PixelMapOptions {
  readonly earlier: string[];
  readonly later: string[];
}

export function detectChangeCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("detect-change")
    .description("Give every pixel the kind of change between two dates, as a Cloud-Optimized GeoTIFF on the grid of the earlier one.")
    .requiredOption("--model <model.dlpk>", "the package of a change detector")
    .requiredOption("--earlier <path>", "imagery of the earlier date: file, folder, glob, list or VRT; may be given several times", several)
    .requiredOption("--later <path>", "imagery of the later date, on any grid", several);
  return withPixelMap(command).action(async () => {
    const { model, earlier, later, estimate, json: _json, ...options } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const work: DetectChangeOptions = { ...options, signal, onProgress, onWarning };
    const [before, after] = [earlier, later].map((paths) => (paths.length === 1 ? paths[0]! : paths)) as [
      string | string[],
      string | string[],
    ];
    if (estimate) return printEstimate(await estimateChange(model, before, after, work), print);
    await makeFolder(dirname(options.out));
    printMap(await detectChange(model, before, after, work), print);
  });
}
