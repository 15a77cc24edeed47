/** Where chips are cut and written: in worker threads, or here when there are none. */

import { WorkerPool } from "@geolearn/core";

import { type ChipJob, type ChipOutcome, runChipJob } from "./chip-job.ts";

/** Runs chip jobs. */
export interface ChipPool {
  /** Jobs worth having under way at once. */
  readonly width: number;
  run(job: ChipJob, signal?: AbortSignal): Promise<ChipOutcome[]>;
  close(): Promise<void>;
}

/** A job writes a few dozen chips; a worker that needs this long is stuck on a dead disk. */
const DEADLINE_MS = 600_000;

/** A pool of `workers` threads, started when first needed; 0 works in the calling thread. */
export function createChipPool(workers: number): ChipPool {
  if (workers === 0) return { width: 1, run: runChipJob, close: async () => undefined };
  const pool = new WorkerPool<ChipJob, ChipOutcome[]>(import.meta.url, "chip.worker", { size: workers, deadline: DEADLINE_MS });
  return {
    width: workers,
    run: (job, signal) => pool.run(job, { writes: true, ...(signal === undefined ? {} : { signal }) }),
    close: () => pool.close(),
  };
}
