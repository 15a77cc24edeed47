/** Whether long work keeps its memory: resident memory over a thousand training steps in one session, and over a thousand sessions. */

import { type Benchmark, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { lastJson, measureProcess } from "./measure.ts";

const MOST_MB = 10;

async function growth(kind: string, first: number, last: number): Promise<number> {
  const program = await builtProgram("memory-growth-program");
  return Number(lastJson(await measureProcess(process.execPath, ["--expose-gc", program, kind, String(first), String(last)]))["growthMb"]);
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = ["steps", "sessions"].map((kind) => ({
  name: `memory-growth-${kind}`,
  async run({ quick, runs }) {
    const [first, last] = quick ? [20, 60] : [100, 1000];
    const ours: number[] = [];
    for (let run = 0; run < (runs ?? 1); run++) ours.push(await growth(kind, first, last));
    return [
      makeRow({ name: `memory-growth-${kind}`, unit: "MiB", atMost: MOST_MB, ours, peer: [], peerName: null, conditions: { first, last } }),
    ];
  },
}));
