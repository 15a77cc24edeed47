/** What `--estimate` tells of work on a scene, or on the features of a layer. */

import type { InferenceEstimate, ObjectsEstimate } from "@geolearn/inference";
import type { CommandContext } from "./context.ts";
import { list } from "./table.ts";

/** Tells what the work would take. */
export function printEstimate(
  cost: InferenceEstimate | ObjectsEstimate,
  print: CommandContext["print"],
  disk: "disk" | "disk, at most" = "disk, at most",
): void {
  print(
    cost,
    list([
      "windows" in cost ? ["windows", cost.windows] : ["features", cost.features],
      ["time", `${Math.ceil(cost.seconds)} s`],
      ["memory", `${Math.ceil(cost.memoryMb)} MiB`],
      [disk, `${Math.ceil(cost.diskMb)} MiB`],
    ]),
  );
}
