/** Running a command in tests. */

import { expect } from "vitest";
import type { z } from "zod";
import { runCli } from "./run.ts";

/** Runs a command and gives what it printed. */
export async function runText(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const surroundings = {
    signal: new AbortController().signal,
    out: (line: string) => (out += line),
    err: { write: (line: string) => (err += line) },
  };
  const status = await runCli(args, surroundings);
  return { status, out, err };
}

/** Runs a command with `--json` that must succeed, and gives its result, checked against the published schema. */
export async function runJson<T extends z.ZodType>(schema: T, ...args: string[]): Promise<z.infer<T>> {
  const { status, out, err } = await runText(...args, "--json");
  expect(status, err).toBe(0);
  return schema.parse(JSON.parse(out));
}
