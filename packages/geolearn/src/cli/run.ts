/** Parses arguments, runs a command and turns its end into an exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */

import { GeoLearnError, type Warning, terminalProgress } from "@geolearn/core";
import { Command, CommanderError, type Option } from "commander";
import { version } from "../version.ts";
import { accuracyCommand } from "./commands/accuracy.ts";
import { checkCommand } from "./commands/check.ts";
import { classifyObjectsCommand } from "./commands/classify-objects.ts";
import { classifyPixelsCommand } from "./commands/classify-pixels.ts";
import { demoCommand } from "./commands/demo.ts";
import { detectChangeCommand } from "./commands/detect-change.ts";
import { detectObjectsCommand } from "./commands/detect-objects.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { exportOnnxCommand } from "./commands/export-onnx.ts";
import { exportCommand } from "./commands/export-training-data.ts";
import { importOnnxCommand } from "./commands/import-onnx.ts";
import { infoCommand } from "./commands/info.ts";
import { regularizeCommand } from "./commands/regularize.ts";
import { toPolygonsCommand } from "./commands/to-polygons.ts";
import { trainCommand } from "./commands/train.ts";
import { type CommandContext, UsageError } from "./context.ts";
import { withFlags } from "./flags.ts";

/** Where progress, warnings and errors go; `process.stderr` is one. */
export interface ErrorStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where a run writes and what cancels it. */
export interface CliSurroundings {
  readonly signal: AbortSignal;
  readonly out: (text: string) => void;
  readonly err: ErrorStream;
}

const commands = [
  infoCommand,
  checkCommand,
  exportCommand,
  trainCommand,
  evaluateCommand,
  classifyPixelsCommand,
  detectChangeCommand,
  detectObjectsCommand,
  classifyObjectsCommand,
  toPolygonsCommand,
  regularizeCommand,
  accuracyCommand,
  exportOnnxCommand,
  importOnnxCommand,
  demoCommand,
];

/** Runs one command line (without the program's name) and gives the exit status. */
export async function runCli(args: readonly string[], { signal, out, err }: CliSurroundings): Promise<number> {
  const progress = terminalProgress({ stream: err });
  const program = new Command("geolearn")
    .description("Geospatial deep learning: from imagery and labels to a trained network to a map.")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: (text) => void err.write(text) })
    .showHelpAfterError("(add --help for the options)");
  const contextOf = (command: Command): CommandContext => ({
    signal,
    onProgress: progress.onProgress,
    onWarning: (warning) => {
      progress.end();
      err.write(formatWarning(warning, command.options));
    },
    note: (line) => {
      progress.end();
      err.write(`geolearn: ${line}\n`);
    },
    print: (value, text) => {
      progress.end();
      const { json } = command.opts<{ json?: boolean }>();
      out(json ? `${JSON.stringify(value, null, 2)}\n` : `${text}\n`);
    },
  });
  for (const add of commands) {
    const command = add(contextOf)
      .exitOverride()
      .configureOutput({ writeOut: out, writeErr: (text: string) => void err.write(text) });
    program.addCommand(command.option("--json", "print the result as JSON").showHelpAfterError("(add --help for the options)"));
  }
  let options: readonly Option[] = [];
  program.hook("preAction", (_, command) => {
    ({ options } = command);
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    progress.end();
    return reportFailure(error, signal, err, options);
  }
}

function reportFailure(error: unknown, signal: AbortSignal, err: ErrorStream, options: readonly Option[]): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError) {
    err.write(`geolearn: ${error.message}\n(add --help for the options)\n`);
    return 2;
  }
  if (signal.aborted) {
    err.write("geolearn: interrupted; nothing was left half-written.\n");
    return 130;
  }
  if (GeoLearnError.is(error)) {
    err.write(`geolearn: ${error.code}: ${withFlags(error.message, options)}\n`);
    if (error.hint !== undefined) err.write(`  ${withFlags(error.hint, options)}\n`);
    return 1;
  }
  err.write(`geolearn: UNEXPECTED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  err.write("  This is a fault of geolearn; please report it with the lines above.\n");
  return 1;
}

function formatWarning({ code, message, hint }: Warning, options: readonly Option[]): string {
  const more = hint === undefined ? "" : `  ${withFlags(hint, options)}\n`;
  return `geolearn: warning: ${code}: ${withFlags(message, options)}\n${more}`;
}
