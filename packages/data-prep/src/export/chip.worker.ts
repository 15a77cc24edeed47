/** Cuts, encodes and writes chips away from the thread that reads and burns. */

import { serveRequests } from "@geolearn/core";

import { type ChipJob, type ChipOutcome, runChipJob } from "./chip-job.ts";

serveRequests<ChipJob, ChipOutcome[]>(async (job) => ({ reply: await runChipJob(job) }));
