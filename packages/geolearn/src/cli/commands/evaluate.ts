/** `geolearn evaluate`: how good a model is on a chip folder. */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GeoLearnError } from "@geolearn/core";
import { chipBandNames, prepareData } from "@geolearn/data-prep";
import type { Device } from "@geolearn/engine";
import { modelBands } from "@geolearn/inference";
import { labelledClasses, type ModelManifest, readModelPackage } from "@geolearn/models";
import { type EvaluationOf, type TrainableTask, evaluatePackage } from "@geolearn/training";
import { Command, Option } from "commander";
import { accuracyJson, accuracyText, cocoJson, cocoText, tileJson, tileText } from "../accuracy-output.ts";
import type { CommandContext } from "../context.ts";
import { bands, integer, several, withDevice } from "../options.ts";

interface Options {
  readonly model: string;
  readonly data: string[];
  readonly mask?: string;
  readonly bands?: (number | string)[];
  readonly side?: "valid" | "all";
  readonly split?: string;
  readonly batchSize: number;
  readonly device?: Device;
}

export function evaluateCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("evaluate")
    .description("Compare a model with the labels of chips.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .requiredOption("--data <folder>", "chip folder; may be given several times", several)
    .option("--mask <path>", "polygons; labels outside are ignored")
    .option("--bands <band,...>", "bands of the chips to feed, in the model's order, by number from 0 or by name", bands)
    .addOption(
      new Option(
        "--side <name>",
        "which chips: the validation side of the stored split, or all (default: valid where a split is stored)",
      ).choices(["valid", "all"]),
    )
    .option("--split <blocks|random|FILE>", "the split the model was trained with, for --side valid")
    .option("--batch-size <chips>", "chips per step", integer(1), 8);
  return withDevice(command).action(async () => {
    const context = contextOf(command);
    const metrics = await evaluate(command.opts<Options>(), context);
    if ("AP50" in metrics) return context.print(cocoJson(metrics), cocoText(metrics));
    if ("pixelAccuracy" in metrics) return context.print(accuracyJson(metrics), accuracyText(metrics));
    context.print(tileJson(metrics), tileText(metrics));
  });
}

async function evaluate(options: Options, { signal, onProgress, onWarning }: CommandContext): Promise<EvaluationOf<TrainableTask>> {
  const modelPackage = await readModelPackage(options.model);
  const { task } = modelPackage.manifest;
  const classes = labelledClasses(modelPackage.manifest);
  const side = options.side ?? (options.split !== undefined || (await hasSplit(options.data)) ? "valid" : "all");
  const data = await prepareData(options.data, {
    task,
    batchSize: options.batchSize,
    classes,
    bands: await chosenBands(options, modelPackage.manifest),
    augment: false,
    ...(side === "all" ? { valSplit: 1 } : {}),
    ...(options.split === undefined ? {} : { split: options.split }),
    ...(options.mask === undefined ? {} : { mask: options.mask }),
    // Chips of whole classes may have any size; the model's is what it was trained on.
    ...(task === "objectClassification" ? { resizeTo: chipSizeOf(modelPackage.manifest) } : {}),
    signal,
    onProgress,
    onWarning,
  });
  try {
    const unknown = data.classes.filter(({ value }) => !classes.some((known) => known.value === value));
    if (unknown.length > 0) {
      throw new GeoLearnError(
        "CLASS_UNKNOWN",
        `The labels hold ${unknown.map(({ value, name }) => `${value} ${name}`).join(", ")}; the model knows ${classes.map(({ value, name }) => `${value} ${name}`).join(", ")}.`,
        { hint: "Evaluate on chips with the classes the model was trained on." },
      );
    }
    const device = options.device === undefined ? {} : { device: options.device };
    return await evaluatePackage(modelPackage, data, { ...device, signal, onProgress, onWarning });
  } finally {
    await data.close();
  }
}

function chipSizeOf({ chipWidth: width, chipHeight: height }: ModelManifest): { readonly width: number; readonly height: number } {
  return { width, height };
}

async function chosenBands(options: Options, manifest: ModelManifest): Promise<readonly (number | string)[]> {
  if (options.bands === undefined) {
    const bandNames = await chipBandNames(options.data[0]!);
    return modelBands(manifest, { bands: bandNames.length, bandNames });
  }
  const { bandNames } = manifest;
  if (options.bands.length === bandNames.length) return options.bands;
  throw new GeoLearnError("BANDS_MISMATCH", `${options.bands.length} bands were chosen; the model needs ${bandNames.length}.`, {
    hint: `Give \`bands\` for ${bandNames.join(", ")}.`,
  });
}

async function hasSplit(folders: readonly string[]): Promise<boolean> {
  return (await stat(join(folders[0]!, "split.json")).catch(() => null)) !== null;
}
