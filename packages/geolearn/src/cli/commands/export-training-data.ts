/** `geolearn export-training-data`: chips and labels in Esri's layout. */

import {
  type ChipFolderFormat,
  chipFolderFormats,
  type ExportEstimate,
  type ExportOptions,
  type ExportResult,
  exportTrainingData,
} from "@geolearn/data-prep";
import { Command, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { bands, bounds, camelCase, crs, integer, kebabCase, length, nextOrInteger, number, several, withNetwork } from "../options.ts";
import { list, table } from "../table.ts";

interface Options extends Omit<ExportOptions, "format" | "raster" | "additionalRaster"> {
  readonly raster: string[];
  readonly additionalRaster?: string[];
  readonly format: string;
  readonly json?: boolean;
}

export function exportCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("export-training-data")
    .description("Cut training chips from rasters, with their labels as classes of pixels, masks or boxes of objects.")
    .requiredOption("--raster <path>", "imagery: file, folder, glob, list or VRT; may be given several times", several)
    .option("--additional-raster <path>", "the same ground at a later date, for change detection; may be given several times", several)
    .option("--labels <path>", "polygons, lines or points, or a class raster; only export-tiles goes without")
    .requiredOption("--out <folder>", "where the chips go; an unfinished export there is continued")
    .option("--mask <path>", "polygons of the surveyed land; labels outside are ignored")
    .addOption(new Option("--format <name>", "layout of the folder").choices(chipFolderFormats.map(kebabCase)).default("classified-tiles"))
    .addOption(new Option("--chip-format <name>", "file type of the images").choices(["tiff", "png", "jpeg"]))
    .option("--chip-size <pixels>", "side of a chip (default: 256)", integer(1))
    .option("--stride <pixels>", "step between chips, 0 for side by side (default: half the chip)", integer(0))
    .option("--class-field <name>", "field of the labels that holds the class")
    .option("--buffer-radius <metres>", 'buffer around points and lines, on the ground, or e.g. "2 crs"', length)
    .option("--rotation <degrees>", "further copies of each chip, turned by this step", number)
    .option("--min-overlap <share>", "share of an object that must lie in a chip, 0 to 1", number)
    .addOption(
      new Option("--crop-mode <mode>", "chips around features: of one size, or as large as the feature").choices([
        "fixed-size",
        "bounding-box",
      ]),
    )
    .option("--blacken", "chips around features: everything but the feature is 0")
    .option("--all-tiles", "keep chips without labels, too")
    .option("--all-touched", "burn every pixel a polygon touches, not only those whose centre it covers")
    .option("--cell-size <metres>", 'ground size of a pixel to resample to, or e.g. "0.3 crs"', length)
    .option("--bands <band,...>", "bands to write, by number from 0 or by name (default: all but alpha)", bands)
    .option("--crs <code>", "reference system of rasters that name none, e.g. 32633", crs)
    .option("--extent <xmin,ymin,xmax,ymax>", "only this part, in the raster's CRS", bounds)
    .option("--start-index <number>", 'number of the first chip, to append to a folder; "next" goes on after the last', nextOrInteger)
    .option("--overwrite", "replace what an earlier export left in the folder")
    .option("--workers <number>", "threads that cut and write", integer(1))
    .option("--estimate", "say what it would take, and write nothing");
  return withNetwork(command).action(async () => {
    const { format, cropMode, json: _json, ...options } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const result = await exportTrainingData({
      ...options,
      format: camelCase(format) as ChipFolderFormat,
      ...(cropMode === undefined ? {} : { cropMode: camelCase(cropMode) as NonNullable<ExportOptions["cropMode"]> }),
      signal,
      onProgress,
      onWarning,
    });
    print(result, "firstIndex" in result ? resultText(result) : estimateText(result));
  });
}

function resultText(result: ExportResult): string {
  return [
    `${result.chips} chips of ${result.chipWidth} x ${result.chipHeight} pixels in ${result.out}`,
    table(
      ["value", "class", "chips", result.classes.some(({ objects }) => objects > 0) ? "objects" : "pixels"],
      result.classes.map(({ value, name, chips, pixels, objects }) => [value, name, chips, objects > 0 ? objects : pixels]),
    ),
  ].join("\n\n");
}

function estimateText(estimate: ExportEstimate): string {
  return list([
    ["chips, at most", estimate.chips],
    ["disk", `${Math.ceil(estimate.bytes / 2 ** 20)} MiB`],
    ["memory", `${Math.ceil(estimate.memoryBytes / 2 ** 20)} MiB`],
    ["time", `${Math.ceil(estimate.seconds)} s`],
  ]);
}
