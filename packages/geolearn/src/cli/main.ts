#!/usr/bin/env node
/** The `geolearn` command. */

import { setMaxListeners } from "node:events";
import { runCli } from "./run.ts";

const controller = new AbortController();
// Every read that is under way listens; Node takes more than ten for a leak and says so on stderr.
setMaxListeners(0, controller.signal);
process.on("SIGINT", () => {
  // A second Ctrl-C ends at once; outputs only ever appear whole, so nothing half-written shows.
  if (controller.signal.aborted) process.exit(130);
  controller.abort(new DOMException("Interrupted.", "AbortError"));
});

let finished = false;
process.once("beforeExit", () => {
  if (finished) return;
  process.stderr.write("geolearn: the work ended without a result; please report this.\n");
  process.exitCode = controller.signal.aborted ? 130 : 1;
});

void runCli(process.argv.slice(2), {
  signal: controller.signal,
  out: (text) => process.stdout.write(text),
  err: process.stderr,
}).then((status) => {
  finished = true;
  process.exitCode = status;
});
