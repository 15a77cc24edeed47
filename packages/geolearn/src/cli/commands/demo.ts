/** `geolearn demo`: the whole main job on a made-up town. */

import { Command } from "commander";
import { type DemoOptions, type DemoResult, runDemo } from "../../demo/demo.ts";
import { accuracyText } from "../accuracy-output.ts";
import type { CommandContext } from "../context.ts";
import { integer } from "../options.ts";

/** @param size - of another town than the usual one, for tests */
export function demoCommand(contextOf: (command: Command) => CommandContext, size?: DemoOptions["size"]): Command {
  const command = new Command("demo")
    .description("Make a small town, train on most of it, map the rest: the whole job in a few minutes, without data of your own.")
    .option("--out <folder>", "where everything goes", "demo-output")
    .option("--seed <number>", "decides town and training", integer(0), 7)
    .option("--epochs <number>", "times through the chips", integer(1), 20);
  return command.action(async () => {
    const { out, seed, epochs } = command.opts<{ out: string; seed: number; epochs: number }>();
    const { signal, onProgress, onWarning, print } = contextOf(command);
    const result = await runDemo({ out, seed, epochs, ...(size && { size }), signal, onProgress, onWarning });
    print(result, resultText(result));
  });
}

function resultText(result: DemoResult): string {
  return [
    "On the eastern quarter of the town, which training never saw:",
    accuracyText(result.metrics),
    `building IoU        ${result.buildingIou.toFixed(3)}   (the best rule on colour alone: ${result.colourOnlyIou.toFixed(3)})`,
    `${result.polygons} footprints, ${Math.round(result.seconds)} s in all. In ${result.out}/:`,
    result.files.map((file) => `  ${file}`).join("\n"),
  ].join("\n\n");
}
