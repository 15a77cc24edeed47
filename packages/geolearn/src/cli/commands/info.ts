/** `geolearn info`: what a file is. */

import { Command } from "commander";
import { type FeaturesInfo, type Info, type RasterInfo, describe } from "../../info.ts";
import type { CommandContext } from "../context.ts";
import { list, table } from "../table.ts";

export function infoCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("info")
    .description("Describe a raster, labels, a chip folder or a model package.")
    .argument("<path>", "the file or folder");
  return command.action(async (path: string) => {
    const { signal, onProgress, print } = contextOf(command);
    const info = await describe(path, { signal, onProgress });
    print(info, textOf(info));
  });
}

function textOf(info: Info): string {
  if (info.kind === "raster") return rasterText(info);
  if (info.kind === "features") return featuresText(info);
  const { kind, path, ...rest } = info;
  return `${path}: ${kind}\n${JSON.stringify(rest, null, 2)}`;
}

function rasterText(info: RasterInfo): string {
  return [
    `${info.path}: raster`,
    list([
      ["size", `${info.width} x ${info.height} pixels, ${info.bands.length} bands, ${info.sampleType}`],
      ["CRS", info.crs ? crsText(info.crs) : "none"],
      ["extent", info.extent?.join(", ")],
      ["resolution", info.resolution === null ? null : `${Number(info.resolution.toPrecision(4))} m on the ground`],
      ["nodata", info.nodata],
      ["blocks", `${info.blockWidth} x ${info.blockHeight}`],
      ["overviews", info.overviews.map(({ width, height }) => `${width} x ${height}`).join(", ") || "none"],
      ["statistics", info.sampled ? "estimated from a sample of the pixels" : null],
      ["classes", info.classes?.map(({ value, name }) => `${value} ${name}`).join(", ")],
    ]),
    table(
      ["band", "name", "colour", "min", "max", "mean", "std"],
      info.bands.map(({ name, interpretation, statistics }, i) => [
        i,
        name,
        interpretation,
        statistics?.min ?? null,
        statistics?.max ?? null,
        statistics?.mean ?? null,
        statistics?.std ?? null,
      ]),
    ),
  ].join("\n\n");
}

function featuresText(info: FeaturesInfo): string {
  return [
    `${info.path}: ${info.count} features`,
    list([
      ["CRS", info.crs ? crsText(info.crs) : "none"],
      ["extent", info.extent?.join(", ")],
      [
        "geometries",
        Object.entries(info.geometries)
          .map(([type, count]) => `${count} ${type}`)
          .join(", "),
      ],
    ]),
    table(
      ["field", "filled", "values"],
      Object.entries(info.fields).map(([name, { filled, values }]) => [
        name,
        filled,
        values === null
          ? "many"
          : Object.entries(values)
              .map(([value, count]) => `${value} (${count})`)
              .join(", "),
      ]),
    ),
  ].join("\n\n");
}

function crsText({ epsg, name }: { readonly epsg: number | null; readonly name: string }): string {
  return epsg === null ? name : `EPSG:${epsg} ${name}`;
}
