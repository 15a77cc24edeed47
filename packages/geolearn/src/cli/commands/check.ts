/** `geolearn check`: what could be wrong with training data. */

import { type TrainingDataCheck, checkTrainingData } from "@geolearn/data-prep";
import { Command } from "commander";
import { type CommandContext, UsageError } from "../context.ts";
import { crs, integer } from "../options.ts";
import { list, table } from "../table.ts";

interface Options {
  readonly raster?: string;
  readonly labels?: string;
  readonly mask?: string;
  readonly classField?: string;
  readonly crs?: number | string;
  readonly chipSize: number;
}

export function checkCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("check")
    .description("Look for shifted labels, unlabelled land, duplicates, leaks between training and validation, rare classes.")
    .argument("[folder]", "a chip folder; or give --raster and --labels")
    .option("--raster <path>", "imagery")
    .option("--labels <path>", "labels to go with the imagery")
    .option("--mask <path>", "polygons of the surveyed land")
    .option("--class-field <name>", "field of the labels that holds the class")
    .option("--crs <code>", "reference system of rasters that name none, e.g. 32633", crs)
    .option("--chip-size <pixels>", "side of the windows that are looked at", integer(16), 256);
  return command.action(async (folder?: string) => {
    const { raster, labels, ...more } = command.opts<Options & { json?: boolean }>();
    const { json: _json, ...windows } = more;
    const { signal, onProgress, onWarning, print } = contextOf(command);
    if (folder === undefined && (raster === undefined || labels === undefined))
      throw new UsageError("check needs a chip folder, or --raster and --labels.");
    if (folder !== undefined && (raster !== undefined || labels !== undefined))
      throw new UsageError("check takes a chip folder, or --raster and --labels, not both.");
    const source = folder === undefined ? { raster: raster!, labels: labels!, ...windows } : { chips: folder };
    const result = await checkTrainingData(source, { signal, onProgress, onWarning });
    print(result, resultText(result));
  });
}

function resultText(check: TrainingDataCheck): string {
  const shift = check.labelShift;
  return [
    list([
      ["chips", check.chips],
      ["without labels", check.unlabelledChips],
      ["ignored share", check.ignoredShare],
      ["label shift", shift && `${JSON.stringify(shift)}`],
      ["duplicates", check.duplicates.length],
      ["leak", check.leakage && JSON.stringify(check.leakage)],
    ]),
    table(
      ["value", "class", "pixels", "share"],
      check.classes.map(({ value, name, pixels, share }) => [value, name, pixels, share]),
    ),
    check.findings.length === 0
      ? "Nothing found."
      : check.findings.map(({ severity, code, message }) => `${severity}: ${code}: ${message}`).join("\n"),
  ].join("\n\n");
}
