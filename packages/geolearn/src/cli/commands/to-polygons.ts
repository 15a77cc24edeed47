/** `geolearn to-polygons`: outlines of the classes of a map. */

import { dirname } from "node:path";
import { checkFeaturePath, makeFolder, openRaster, writeFeatures, type Feature, type NetworkOptions } from "@geolearn/core";
import { type PolygonizeOptions, polygonize } from "@geolearn/postprocess";
import { Command, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { integer, length, withNetwork, words } from "../options.ts";
import { table } from "../table.ts";

interface Options extends NetworkOptions {
  readonly raster: string;
  readonly out: string;
  readonly band?: number;
  readonly classes?: string[];
  readonly minArea?: number | string;
  readonly sieve?: number | string;
  readonly connectivity: "4" | "8";
  readonly simplify?: number | string;
  readonly maxVertices?: number;
}

export function toPolygonsCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("to-polygons")
    .description("Outline the classes of a map as polygons, exact to the pixel edge.")
    .requiredOption("--raster <map.tif>", "a class raster")
    .requiredOption("--out <path>", "where the polygons go: .gpkg, .geojson, .geojsonl, .fgb, .parquet, .shp or .zip")
    .option("--band <number>", "the band that holds the classes, from 0, in a raster of several", integer(0))
    .option("--classes <name,...>", "classes to outline, by name or value (default: all)", words)
    .option("--min-area <m2>", 'leave out smaller polygons; square metres on the ground, or e.g. "20 crs"', length)
    .option("--sieve <m2>", "give smaller regions to their largest neighbour first", length)
    .addOption(
      new Option("--connectivity <number>", "whether pixels that meet at a corner belong together").choices(["4", "8"]).default("4"),
    )
    .option("--simplify <metres>", "straighten borders within this tolerance; shared borders stay shared", length)
    .option(
      "--max-vertices <number>",
      "points of outlines held in memory; beyond, the largest regions are cut (default: 4 million)",
      integer(16),
    );
  return withNetwork(command).action(async () => {
    const {
      raster: path,
      out,
      band,
      classes,
      connectivity,
      minArea,
      sieve,
      simplify,
      maxVertices,
      network = false,
    } = command.opts<Options>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const options: PolygonizeOptions = {
      connectivity: connectivity === "8" ? 8 : 4,
      ...(band === undefined ? {} : { band }),
      ...(classes === undefined ? {} : { classes: classes.map((name) => (/^\d+$/.test(name) ? Number(name) : name)) }),
      ...(minArea === undefined ? {} : { minArea }),
      ...(sieve === undefined ? {} : { sieve }),
      ...(simplify === undefined ? {} : { simplify }),
      ...(maxVertices === undefined ? {} : { maxVertices }),
      signal,
      onProgress,
      onWarning,
    };
    const raster = await openRaster(path, { network });
    try {
      checkFeaturePath(out, raster.crs);
      await makeFolder(dirname(out));
      const counts: Record<string, number> = {};
      const count = await writeFeatures(counted(polygonize(raster, options), counts), out, { crs: raster.crs, signal, onWarning });
      print({ out, count, classes: counts }, `${count} polygons in ${out}\n\n${table(["class", "polygons"], Object.entries(counts))}`);
    } finally {
      await raster.close();
    }
  });
}

async function* counted(features: AsyncIterable<Feature>, counts: Record<string, number>): AsyncGenerator<Feature> {
  for await (const feature of features) {
    const name = String(feature.properties["class"]);
    counts[name] = (counts[name] ?? 0) + 1;
    yield feature;
  }
}
