/** Convolutions in groups, forward and with their gradients, beside PyTorch eager, each side a process of its own, in turn. */

import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import type { GroupedCase, GroupedFigures, GroupedSettings } from "./grouped-convolution-program.ts";
import { lastJson, measureProcess } from "./measure.ts";

const PEER = fileURLToPath(new URL("peers/grouped_convolution.py", import.meta.url));

/** The layers of MobileNet and EfficientNet, a depth multiplier, and those of ResNeXt and RegNet. */
const CASES: readonly GroupedCase[] = [
  { name: "depthwise 3x3", batch: 4, size: 56, channels: 144, out: 144, groups: 144, kernel: 3 },
  { name: "depthwise 5x5", batch: 4, size: 28, channels: 240, out: 240, groups: 240, kernel: 5 },
  { name: "depthwise 3x3, multiplier 2", batch: 4, size: 56, channels: 64, out: 128, groups: 64, kernel: 3 },
  { name: "groups of 4", batch: 4, size: 56, channels: 128, out: 128, groups: 32, kernel: 3 },
  { name: "groups of 16", batch: 4, size: 28, channels: 256, out: 256, groups: 16, kernel: 3 },
];

async function groupedConvolution({ quick, runs, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const cases = quick ? CASES.map((each) => ({ ...each, batch: 1, size: 14 })) : CASES;
  const settings: GroupedSettings = { cases, layers: 4, steps: quick ? 2 : 8, threads: 2 };
  const rounds = runs ?? (quick ? 1 : 5);
  log(`${cases.length} kinds of layers, ${rounds} runs a side`);
  const program = await builtProgram("grouped-convolution-program");
  const figures = async (command: string, script: string): Promise<GroupedFigures> =>
    lastJson(await measureProcess(command, [script, JSON.stringify(settings)])) as unknown as GroupedFigures;
  const peer = python === null ? null : () => figures(python, PEER);
  const results = await alternate(rounds, () => figures(process.execPath, program), peer);
  return cases.flatMap((each) =>
    (["forward", "step"] as const).map((what) =>
      makeRow({
        name: `grouped-convolution: ${each.name}, ${what}`,
        unit: "ms",
        ours: results.ours.map((run) => run[each.name]![what]),
        peer: results.peer.map((run) => run[each.name]![what]),
        peerName: peer === null ? null : "PyTorch eager, CPU",
        conditions: { ...each, layers: settings.layers, threads: settings.threads },
      }),
    ),
  );
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "grouped-convolution", run: groupedConvolution }];
