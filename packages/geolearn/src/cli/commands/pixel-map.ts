/** What the commands that write a class raster have in common: how windows are put together, and what is told at the end. */

import type { ClassifiedRaster, ClassifyOptions } from "@geolearn/inference";
import type { Device } from "@geolearn/engine";
import { type Command, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { withCompute, withScene } from "../options.ts";
import { table } from "../table.ts";

/** Options of such a command besides its model and rasters. */
export interface PixelMapOptions extends Pick<
  ClassifyOptions,
  "network" | "mask" | "extent" | "bands" | "outOfRange" | "overlap" | "blend" | "tta" | "merge" | "scores" | "batchSize" | "workers"
> {
  readonly model: string;
  readonly out: string;
  readonly cellSize?: number | "model" | "scene";
  readonly predictBackground: boolean;
  readonly device?: Device;
  readonly threads?: number;
  readonly estimate?: boolean;
  readonly json?: boolean;
}

/** Adds the options. */
export function withPixelMap(command: Command): Command {
  const own = command
    .requiredOption("--out <map.tif>", "where the map goes; a run that was killed is continued, a cancelled one leaves nothing")
    .addOption(new Option("--blend <name>", "how windows meet").choices(["hann", "crop", "none"]))
    .option("--tta", "average the eight flips and turns of each window")
    .addOption(new Option("--merge <name>", "how the eight positions are merged").choices(["mean", "max", "min"]))
    .option("--scores", "also write the scores, a band per class, beside the map")
    .option("--out-of-range", "also write where the scene leaves the range of the training data, beside the map")
    .option("--no-predict-background", "never answer background (value 0)")
    .option("--estimate", "say what it would take, and write nothing");
  return withCompute(withScene(own, "land outside becomes nodata"));
}

/** Tells what the map holds. */
export function printMap(map: ClassifiedRaster, print: CommandContext["print"]): void {
  print(
    {
      out: map.path,
      windows: map.windows,
      seconds: map.seconds,
      megapixelsPerSecond: map.megapixelsPerSecond,
      peakMemoryMb: process.resourceUsage().maxRSS / 1024,
      classes: (map.classes ?? []).map(({ value, name }) => ({ value, name, pixels: map.pixels.get(value) ?? 0 })),
    },
    resultText(map),
  );
}

function resultText(map: ClassifiedRaster): string {
  const all = [...map.pixels.values()].reduce((sum, pixels) => sum + pixels, 0);
  return [
    `${map.path}: ${map.width} x ${map.height} pixels, ${map.windows} windows, ${map.seconds.toFixed(1)} s, ${Number(map.megapixelsPerSecond.toPrecision(2))} megapixels per second`,
    table(
      ["value", "class", "pixels", "share"],
      (map.classes ?? []).map(({ value, name }) => {
        const pixels = map.pixels.get(value) ?? 0;
        return [value, name, pixels, all === 0 ? null : pixels / all];
      }),
    ),
  ].join("\n\n");
}
