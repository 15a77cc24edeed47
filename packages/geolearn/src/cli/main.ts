#!/usr/bin/env node
/** The `geolearn` command. */

import { runCli } from "./run.ts";

const controller = new AbortController();
process.on("SIGINT", () => {
  // A second Ctrl-C ends at once; outputs only ever appear whole, so nothing half-written shows.
  if (controller.signal.aborted) process.exit(130);
  controller.abort(new DOMException("Interrupted.", "AbortError"));
});

void runCli(process.argv.slice(2), {
  signal: controller.signal,
  out: (text) => process.stdout.write(text),
  err: process.stderr,
}).then((status) => {
  process.exitCode = status;
});
