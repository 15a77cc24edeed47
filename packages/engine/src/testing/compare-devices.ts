/** Runs the device cases in a process of their own and compares them with the CPU's. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { EngineInfo } from "../engine-state.ts";
import { startEngine } from "../start.ts";
import { deviceCases } from "./device-cases.ts";
import { worstError } from "./fixtures.ts";

/** What one device computed. */
export interface DeviceRun {
  readonly info: EngineInfo;
  /** Arrays of each case, by group and name. */
  readonly results: ReadonlyMap<string, Readonly<Record<string, ArrayLike<number>>>>;
  /** Messages of the cases that failed. */
  readonly failures: readonly string[];
}

interface Line {
  readonly info?: EngineInfo;
  readonly refused?: string;
  readonly group: string;
  readonly name: string;
  readonly arrays?: Readonly<Record<string, readonly (number | null)[]>>;
  readonly error?: string;
}

const PROGRAM = fileURLToPath(new URL("device-program.ts", import.meta.url));
const keyOf = ({ group, name }: { readonly group: string; readonly name: string }): string => `${group}: ${name}`;

/** Runs the cases on a device in a child process, or says why the device cannot be had. */
export async function runOnDevice(device: string, env: Readonly<Record<string, string | undefined>>): Promise<DeviceRun | string> {
  const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", PROGRAM, device], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on("close", (...how) => resolve(how)));
  const lines = Buffer.concat(out).toString().trim().split("\n").filter(Boolean).map((line) => JSON.parse(line) as Line); // prettier-ignore
  const refused = lines.find((line) => line.refused !== undefined)?.refused;
  if (refused !== undefined) return refused;
  const tail = Buffer.concat(errors).toString().slice(-2000);
  if (code !== 0) throw new Error(`the process on ${device} ended with ${signal ?? code} after ${lines.length} lines\n${tail}`);
  const results = new Map(
    lines
      .filter(({ arrays }) => arrays !== undefined)
      .map((line) => [keyOf(line), Object.fromEntries(Object.entries(line.arrays!).map(([k, v]) => [k, v.map((x) => x ?? NaN)]))]),
  );
  const failures = lines.filter(({ error }) => error !== undefined).map((line) => `${keyOf(line)}: ${line.error}`);
  return { info: lines[0]!.info!, results, failures };
}

/** The same on the CPU in this process. */
export async function runOnCpu(): Promise<DeviceRun> {
  return runHere(await startEngine({ threads: 2 }));
}

/** The same in this process, on the engine that runs. */
export async function runHere(info: EngineInfo): Promise<DeviceRun> {
  const results = new Map<string, Readonly<Record<string, ArrayLike<number>>>>();
  const failures: string[] = [];
  for (const row of deviceCases()) {
    try {
      results.set(keyOf(row), await row.compute());
    } catch (error) {
      failures.push(`${keyOf(row)}: ${String(error)}`);
    }
  }
  return { info, results, failures };
}

/** Names of all cases by group. */
export function caseGroups(): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const row of deviceCases()) groups.set(row.group, [...(groups.get(row.group) ?? []), keyOf(row)]);
  return groups;
}

/** Every array of a case, within `tolerance` of the CPU's greatest value (or of 1, if that is smaller). */
export function expectAlike(name: string, device: DeviceRun, cpu: DeviceRun, tolerance: number): void {
  const actual = device.results.get(name);
  const expected = cpu.results.get(name)!;
  expect(Object.keys(actual ?? {}), name).toEqual(Object.keys(expected));
  for (const [array, values] of Object.entries(expected)) {
    expect(worstError(actual![array]!, values), `${name}, ${array}`).toBeLessThan(tolerance);
  }
}
