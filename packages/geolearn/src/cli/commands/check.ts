/** `geolearn check`: what could be wrong with training data. */

import type { NetworkOptions } from "@geolearn/core";
import { type LabelOverlap, type TrainingDataCheck, checkTrainingData, shiftText } from "@geolearn/data-prep";
import { Command } from "commander";
import { type CommandContext, UsageError } from "../context.ts";
import { crs, integer, withNetwork } from "../options.ts";
import { list, share, table } from "../table.ts";

interface Options extends NetworkOptions {
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
  return withNetwork(command).action(async (folder?: string) => {
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
  const { leakage, findings, overlap } = check;
  return [
    list([
      ["labels on raster", overlap && overlapText(overlap)],
      ["chips", check.chips],
      [HOLDING[check.unit], `${check.chips - check.unlabelledChips} chips`],
      ["images without label", check.unpairedImages === 0 ? null : check.unpairedImages],
      ["ignored pixels", check.unit === "pixels" ? share(check.ignoredShare) : null],
      ["label shift", check.unit === "pixels" ? shiftText(check.labelShift) : null],
      ["duplicates", check.duplicates.length === 0 ? "none" : `${check.duplicates.length} groups of equal chips`],
      ["leak", leakage && (leakage.chips === 0 ? "none" : `${leakage.chips} validation chips share ground with training chips`)],
    ]),
    table(
      ["value", "class", check.unit, "share"],
      check.classes.map((entry) => [
        entry.value,
        entry.name,
        check.unit === "chips" ? entry.chips : entry.pixels + entry.objects,
        share(entry.share),
      ]),
    ),
    ...(findings.length === 0 ? [] : [findings.map(({ severity, code, message }) => `${severity}: ${code}: ${message}`).join("\n")]),
    verdictText(check),
  ].join("\n\n");
}

/** What chips that are of use hold. */
const HOLDING: Readonly<Record<TrainingDataCheck["unit"], string>> = {
  pixels: "with labels",
  objects: "with objects",
  chips: "with a class",
};

function overlapText({ features, inside, labelledShare }: LabelOverlap): string {
  const ground = `${share(labelledShare)} of its ground lies within their extent`;
  return features === null ? ground : `${inside} of ${features} features; ${ground}`;
}

function verdictText({ good, findings }: TrainingDataCheck): string {
  const warnings = findings.filter(({ severity }) => severity === "warning").length;
  if (!good) return `Verdict: look at the ${warnings === 1 ? "warning" : `${warnings} warnings`} above before training.`;
  return `Verdict: good to train on${findings.length === 0 ? ", nothing found" : ""}.`;
}
