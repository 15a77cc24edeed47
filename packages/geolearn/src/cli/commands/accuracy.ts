/** `geolearn accuracy`: how right a map is. */

import type { NetworkOptions } from "@geolearn/core";
import { pixelAccuracy } from "@geolearn/inference";
import { Command } from "commander";
import { accuracyJson, accuracyText } from "../accuracy-output.ts";
import type { CommandContext } from "../context.ts";
import { withNetwork } from "../options.ts";

interface Options extends NetworkOptions {
  readonly predicted: string;
  readonly truth: string;
  readonly mask?: string;
  readonly classField?: string;
}

export function accuracyCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("accuracy")
    .description("Compare a class raster with the truth, pixel by pixel.")
    .requiredOption("--predicted <map.tif>", "the class raster")
    .requiredOption("--truth <path>", "a class raster or labelled polygons")
    .option("--mask <path>", "polygons; only land inside is compared")
    .option("--class-field <name>", "field of the true polygons that holds the class");
  return withNetwork(command).action(async () => {
    const { predicted, truth, mask, classField, network = false } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const metrics = await pixelAccuracy(predicted, truth, {
      ...(mask === undefined ? {} : { mask }),
      ...(classField === undefined ? {} : { classField }),
      network,
      signal,
      onProgress,
      onWarning,
    });
    print(accuracyJson(metrics), accuracyText(metrics));
  });
}
