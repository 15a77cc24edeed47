/** `geolearn regularize`: building footprints with straight walls. */

import { dirname } from "node:path";
import { type Feature, checkFeaturePath, makeFolder, openFeatures, readFeatures, writeFeatures } from "@geolearn/core";
import { type RegularizeMethod, type RegularizeOptions, regularize } from "@geolearn/postprocess";
import { Command, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { camelCase, length, number } from "../options.ts";

interface Options {
  readonly in: string;
  readonly out: string;
  readonly layer?: string;
  readonly method: string;
  readonly tolerance: number | string;
  readonly densification?: number | string;
  readonly precision?: number | string;
  readonly diagonalPenalty?: number;
  readonly minRadius?: number | string;
  readonly maxRadius?: number | string;
  readonly circleAreaRatio?: number;
  readonly alignment?: number | string;
  readonly alignmentTolerance?: number | string;
  readonly circleCompactness?: number;
}

export function regularizeCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("regularize")
    .description("Give building footprints straight walls. STATUS 0: done; 1: no solution within the tolerance, copied.")
    .requiredOption("--in <path>", "footprints: .gpkg, .geojson, .geojsonl, .fgb, .parquet, .shp or .zip")
    .requiredOption("--out <path>", "where the regular ones go, in any of these formats")
    .option("--layer <name>", "layer of a GeoPackage or Shapefile archive with several")
    .addOption(
      new Option("--method <method>", "how walls may run")
        .choices(["right-angles", "right-angles-and-diagonals", "any-angles", "circle"])
        .default("right-angles"),
    )
    .requiredOption("--tolerance <metres>", 'farthest from the former outline; metres on the ground, or e.g. "20 crs"', length)
    .option(
      "--densification <metres>",
      "pieces the outline is cut into, at most the tolerance; not for circle (default: the tolerance)",
      length,
    )
    .option("--precision <metres>", "grid that walls lie on, at most a quarter of the tolerance; for right angles (default: none)", length)
    .option("--diagonal-penalty <number>", "how much dearer diagonal walls are; for diagonals and any angles (default: 1.5)", number)
    .option("--min-radius <metres>", "least radius of a circle; not for any angles (default: 0.1)", length)
    .option("--max-radius <metres>", "greatest radius of a circle; not for any angles (default: 1000000)", length)
    .option(
      "--circle-area-ratio <number>",
      "circles may differ from the outline by this share of their area (default: by the tolerance)",
      number,
    )
    .option(
      "--alignment <lines>",
      "lines that walls run along or across, such as roads: a path, or an angle in degrees from east",
      pathOrAngle,
    )
    .option("--alignment-tolerance <metres>", "greatest distance of a line that is followed (default: any)", length)
    .option("--circle-compactness <number>", "outlines so compact become circles first; above 1 none (default: 0.92)", number);
  return command.action(async () => {
    const { in: source, out, layer, method, alignment, ...rest } = command.opts<Options & { json?: boolean }>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const { json: _json, ...lengths } = rest;
    const options: RegularizeOptions = {
      ...lengths,
      method: camelCase(method) as RegularizeMethod,
      ...(alignment === undefined
        ? {}
        : { alignment: typeof alignment === "number" ? alignment : await readFeatures(alignment, { signal, onWarning }) }),
      signal,
      onProgress,
      onWarning,
    };
    const features = await openFeatures(source, { signal, onWarning, ...(layer === undefined ? {} : { layer }) });
    checkFeaturePath(out, features.crs);
    await makeFolder(dirname(out));
    const counts = { regularized: 0, copied: 0 };
    const count = await writeFeatures(counted(regularize(features, options), counts), out, { crs: features.crs, signal, onWarning });
    print({ out, count, ...counts }, `${count} footprints in ${out}: ${counts.regularized} regularized, ${counts.copied} copied`);
  });
}

async function* counted(features: AsyncIterable<Feature>, counts: { regularized: number; copied: number }): AsyncGenerator<Feature> {
  for await (const feature of features) {
    if (feature.properties["STATUS"] === 0) counts.regularized++;
    else counts.copied++;
    yield feature;
  }
}

function pathOrAngle(text: string): number | string {
  const angle = Number(text);
  return text.trim() !== "" && Number.isFinite(angle) ? angle : text;
}
