/** Assembles batches away from the thread that trains. */

import { workerData } from "node:worker_threads";

import { serveRequests } from "@geolearn/core";

import type { AssembleRequest, ChipPixels } from "./assemble.ts";
import { type Assembling, assemble } from "./assemble-any.ts";

type Kind = Assembling[keyof Assembling];

const setup = workerData as Kind["setup"];

serveRequests<AssembleRequest<ChipPixels>, Kind["batch"]>((request) => {
  const reply = assemble(setup, request as AssembleRequest<never>);
  const arrays = Object.values(reply).filter((value) => ArrayBuffer.isView(value));
  return { reply, transfer: arrays.map(({ buffer }) => buffer as ArrayBuffer) };
});
