/** Where batches are assembled: in worker threads, or here when there are none. The arrays are the same either way. */

import { WorkerPool } from "@geolearn/core";

import { assembleBatch, type AssembleRequest, type AssembleSetup, type AssembledBatch } from "./assemble.ts";

/** Assembles batches of one data set. */
export interface Assembler {
  /** Batches worth having under way at once. */
  readonly width: number;
  run(request: AssembleRequest, signal?: AbortSignal): Promise<AssembledBatch>;
  close(): Promise<void>;
}

/** Reading and assembling a batch takes well under a second; a worker that needs this long is stuck. */
const DEADLINE_MS = 300_000;

/** An assembler with `workers` threads, started when first needed; 0 assembles in the calling thread. */
export function createAssembler(setup: AssembleSetup, workers: number): Assembler {
  if (workers === 0) {
    return { width: 1, run: async (request) => assembleBatch(setup, request), close: async () => undefined };
  }
  const pool = new WorkerPool<AssembleRequest, AssembledBatch>(import.meta.url, "assemble.worker", {
    size: workers,
    deadline: DEADLINE_MS,
    workerData: setup,
  });
  return {
    width: workers,
    run: (request, signal) => pool.run(request, signal === undefined ? {} : { signal }),
    close: () => pool.close(),
  };
}
