/** Regularizing footprints of about 200 points beside buildingregulariser: right angles, a tolerance of 1 m, one process each. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const PEER = fileURLToPath(new URL("peers/regularize_buildings.py", import.meta.url));
const SEED = 5;

interface Run {
  readonly seconds: number;
  readonly count: number;
  readonly solved?: number;
  readonly vertices?: number;
}

async function ourProgram(...args: readonly string[]): Promise<ProcessMeasurement> {
  return measureProcess(process.execPath, [await builtProgram("regularize-program"), ...args]);
}

async function regularizeRows({ quick, scratch, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const count = quick ? 200 : 2000;
  const runs = quick ? 1 : 5;
  const file = join(scratch, "footprints.geojsonl");
  const made = await ourProgram("make", String(count), String(SEED), file);
  if (made.code !== 0) throw new Error(made.stderr.slice(-2000));
  log(`${count} footprints`);
  const peer = python === null ? null : async (): Promise<Run> => lastJson(await measureProcess(python, [PEER, file])) as unknown as Run;
  const results = await alternate(runs, async () => lastJson(await ourProgram("run", file)) as unknown as Run, peer);
  const own = results.ours[0]!;
  return [
    makeRow({
      name: "regularize-right-angles",
      unit: "ms a footprint",
      atMost: 1 / 2.3,
      ours: results.ours.map(({ seconds }) => (1000 * seconds) / count),
      peer: results.peer.map(({ seconds }) => (1000 * seconds) / count),
      peerName: results.peer.length === 0 ? null : "buildingregulariser",
      conditions: { count, vertices: Math.round(own.vertices ?? 0), solved: own.solved ?? 0, threads: 1 },
    }),
  ];
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "regularize", run: regularizeRows }];
