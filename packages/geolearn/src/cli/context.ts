/** What every command is given: where results, progress and warnings go, and how it is cancelled. */

import type { OnProgress, OnWarning } from "@geolearn/core";

/** Surroundings of one command. */
export interface CommandContext {
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly onWarning: OnWarning;
  /** Tells something worth knowing, on one line. */
  readonly note: (line: string) => void;
  /** Prints the result: the value as JSON with `--json`, else the text. */
  readonly print: (value: unknown, text: string) => void;
}

/** Thrown for wrong usage that the argument parser cannot see; exit status 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
