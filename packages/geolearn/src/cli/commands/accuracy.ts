/** `geolearn accuracy`: how right a map is, by pixels, or by objects when both sides are features. */

import { GeoLearnError, type NetworkOptions, isFeaturePath, requireReportPath, writeFeatures } from "@geolearn/core";
import { objectAccuracy, pixelAccuracy, writeAccuracyReport, writeAccuracyTable } from "@geolearn/inference";
import { Command } from "commander";
import { accuracyJson, accuracyText, objectAccuracyJson, objectAccuracyText } from "../accuracy-output.ts";
import type { CommandContext } from "../context.ts";
import { number, withNetwork } from "../options.ts";

interface Options extends NetworkOptions {
  readonly predicted: string;
  readonly truth: string;
  readonly mask?: string;
  readonly classField?: string;
  readonly predictedClassField?: string;
  readonly scoreField?: string;
  readonly minIou?: number;
  readonly out?: string;
  readonly table?: string;
  readonly report?: string;
}

export function accuracyCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("accuracy")
    .description("Compare a class raster with the truth, pixel by pixel, or detected features with true ones, object by object.")
    .requiredOption("--predicted <path>", "the class raster, or the detected polygons")
    .requiredOption("--truth <path>", "a class raster or labelled polygons; polygons when `--predicted` are polygons")
    .option("--mask <path>", "polygons; only land inside is compared")
    .option("--class-field <name>", "field that holds the class: of the true polygons, and of the detected ones")
    .option(
      "--predicted-class-field <name>",
      "objects: field of the detected polygons that holds the class, when it has another name there",
    )
    .option("--score-field <name>", "objects: field of the detected polygons that holds their score")
    .option("--min-iou <number>", "objects: IoU from which on a detection is right (0.5)", number)
    .option("--out <path>", "objects: write detections and missed objects, each marked TP, FP or FN")
    .option("--table <path.csv>", "objects: write the accuracy table")
    .option("--report <path.html>", "objects: write a report");
  return withNetwork(command).action(async () => {
    const options = command.opts<Options>();
    const context = contextOf(command);
    if (isFeaturePath(options.predicted)) return compareObjects(options, context);
    return comparePixels(options, context);
  });
}

/** What only the comparison of objects knows. */
const OF_OBJECTS = ["predictedClassField", "scoreField", "minIou", "out", "table", "report"] as const;

async function comparePixels(options: Options, { signal, onProgress, onWarning, print }: CommandContext): Promise<void> {
  const { predicted, truth, mask, classField, network = false } = options;
  const given = OF_OBJECTS.filter((name) => options[name] !== undefined);
  if (given.length > 0) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${given.map((name) => `\`${name}\``).join(", ")} belong to the comparison of objects; ${predicted} is a raster.`,
      {
        hint: "Leave them out, or outline the raster first (`geolearn to-polygons`).",
      },
    );
  }
  const metrics = await pixelAccuracy(predicted, truth, {
    ...(mask === undefined ? {} : { mask }),
    ...(classField === undefined ? {} : { classField }),
    network,
    signal,
    onProgress,
    onWarning,
  });
  print(accuracyJson(metrics), accuracyText(metrics));
}

async function compareObjects(options: Options, { signal, onProgress, onWarning, print }: CommandContext): Promise<void> {
  const { predicted, truth, mask, classField, predictedClassField, scoreField, minIou, out, table, report } = options;
  if (!isFeaturePath(truth)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${predicted} holds features, but ${truth} does not; objects are compared with objects.`, {
      hint: "Give the true objects as polygons, or outline the raster first (`geolearn to-polygons`).",
    });
  }
  if (predictedClassField !== undefined && classField === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "`predictedClassField` was given without `classField`, the field of the true polygons.");
  }
  if (report !== undefined) requireReportPath(report);
  const accuracy = await objectAccuracy(predicted, truth, {
    ...(mask === undefined ? {} : { mask }),
    ...(classField === undefined ? {} : { classField: { predicted: predictedClassField ?? classField, truth: classField } }),
    ...(scoreField === undefined ? {} : { scoreField }),
    ...(minIou === undefined ? {} : { minIou }),
    signal,
    onProgress,
    onWarning,
  });
  if (table !== undefined) await writeAccuracyTable(table, accuracy);
  if (report !== undefined) await writeAccuracyReport(report, accuracy);
  if (out !== undefined) await writeFeatures(accuracy.features, out, { signal, onWarning });
  print(objectAccuracyJson(accuracy), objectAccuracyText(accuracy));
}
