/** Assembles batches away from the thread that trains. */

import { workerData } from "node:worker_threads";

import { serveRequests } from "@geolearn/core";

import { assembleBatch, type AssembleRequest, type AssembleSetup, type AssembledBatch } from "./assemble.ts";

const setup = workerData as AssembleSetup;

serveRequests<AssembleRequest, AssembledBatch>((request) => {
  const reply = assembleBatch(setup, request);
  return { reply, transfer: [reply.images.buffer as ArrayBuffer, reply.targets.buffer as ArrayBuffer] };
});
