/** Where batches are assembled: in worker threads, or here when there are none. The arrays are the same either way. */

import { WorkerPool } from "@geolearn/core";

import type { Recipe } from "../augment/recipe.ts";
import { type Assembling, assemble } from "./assemble-any.ts";

/** Makes the arrays of a batch from its chips. */
export interface Assembler<C, A> {
  run(chips: readonly C[], recipes: readonly Recipe[], signal?: AbortSignal): Promise<A>;
  close(): Promise<void>;
}

/** Reading and assembling a batch takes well under a second; a worker that needs this long is stuck. */
const DEADLINE_MS = 300_000;

/**
 * An assembler with `workers` threads, started when first needed; 0 assembles in the calling thread.
 *
 * @param pack the part of a chip that is sent
 */
export function createAssembler<K extends keyof Assembling, C>(
  setup: Assembling[K]["setup"],
  workers: number,
  pack: (chip: C) => Assembling[K]["chip"],
): Assembler<C, Assembling[K]["batch"]> {
  type Request = { readonly chips: readonly Assembling[K]["chip"][]; readonly recipes: readonly Recipe[] };
  if (workers === 0) {
    return { run: async (chips, recipes) => assemble<K>(setup, { chips: chips.map(pack), recipes }), close: async () => undefined };
  }
  const pool = new WorkerPool<Request, Assembling[K]["batch"]>(import.meta.url, "assemble.worker", {
    size: workers,
    deadline: DEADLINE_MS,
    workerData: setup,
  });
  return {
    run: (chips, recipes, signal) => pool.run({ chips: chips.map(pack), recipes }, signal === undefined ? {} : { signal }),
    close: () => pool.close(),
  };
}

/** The part of a chip's picture that assembling needs. */
export function packImage<P extends Assembling[keyof Assembling]["chip"]>({
  image,
  mask,
  width,
  height,
  nodata,
  sampleType,
}: P): Pick<P, "image" | "mask" | "width" | "height" | "nodata" | "sampleType"> {
  return { image, mask, width, height, nodata, sampleType };
}
