/** What `--estimate` tells of work on a scene. */

import type { InferenceEstimate } from "@geolearn/inference";
import type { CommandContext } from "./context.ts";
import { list } from "./table.ts";

/** Tells what the work would take. */
export function printEstimate(
  cost: InferenceEstimate,
  print: CommandContext["print"],
  disk: "disk" | "disk, at most" = "disk, at most",
): void {
  print(
    cost,
    list([
      ["windows", cost.windows],
      ["time", `${Math.ceil(cost.seconds)} s`],
      ["memory", `${Math.ceil(cost.memoryMb)} MiB`],
      [disk, `${Math.ceil(cost.diskMb)} MiB`],
    ]),
  );
}
