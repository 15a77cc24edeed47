/** A training step of detectors beside torchvision's own networks in PyTorch eager, from the same weights, each side a process of its own, in turn. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import type { DetectorFigures, DetectorSettings } from "./detector-step-program.ts";
import { lastJson, measureProcess } from "./measure.ts";

const THREADS = 2;
/** By how much losses of the same network from the same weights may part; which of nearly equal proposals is left is decided by rounding. */
const SAME_LOSS = 0.02;

type Run = DetectorFigures & { readonly peakMb: number };

async function stepRows(context: BenchmarkContext, net: DetectorSettings["net"]): Promise<readonly BenchmarkRow[]> {
  const { quick, runs, python, log, profile } = context;
  const folder = await mkdtemp(join(tmpdir(), "detector-step-"));
  try {
    const size = { batch: 2, size: quick ? 64 : 128, threads: THREADS, steps: quick ? 2 : 12 };
    const settings: DetectorSettings = { net, ...size, weights: join(folder, "first.safetensors"), config: join(folder, "config.json") };
    const ours = async (): Promise<Run> => {
      const measured = await measureProcess(process.execPath, [await builtProgram("detector-step-program"), JSON.stringify({ ...settings, profile })]); // prettier-ignore
      if (profile) log(measured.stdout);
      return { ...(profile ? { params: 0, trainMsPerImage: 0, losses: {} } : (lastJson(measured) as unknown as DetectorFigures)), peakMb: measured.peakMb }; // prettier-ignore
    };
    const script = fileURLToPath(new URL("peers/detector_step.py", import.meta.url));
    const peer = async (): Promise<Run> => {
      const measured = await measureProcess(python!, [script, JSON.stringify(settings)]);
      return { ...(lastJson(measured) as unknown as DetectorFigures), peakMb: measured.peakMb };
    };
    const first = await ours();
    if (profile) return [];
    const rounds = runs ?? (quick ? 1 : 5);
    log(`${net}, ${settings.size} px, batch ${settings.batch}, ${THREADS} threads, ${rounds} runs a side`);
    const results = await alternate(rounds, ours, python === null ? null : peer);
    for (const theirs of results.peer) checkSame(first, theirs);
    const row = (part: string, unit: string, pick: "trainMsPerImage" | "peakMb"): BenchmarkRow =>
      makeRow({
        ...{ name: `detector-step-${net}-${part}`, unit, atMost: 1.5, conditions: { net, ...size, parameters: first.params } },
        peerName: results.peer.length > 0 ? "torchvision in PyTorch eager, CPU" : null,
        ours: results.ours.map((run) => run[pick]),
        peer: results.peer.map((run) => run[pick]),
      });
    return [row("train", "ms/image", "trainMsPerImage"), row("memory", "MiB", "peakMb")];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A comparison of different networks would mean nothing. */
function checkSame(ours: DetectorFigures, theirs: DetectorFigures): void {
  if (ours.params !== theirs.params) throw new Error(`${ours.params} parameters here, ${theirs.params} there`);
  for (const [name, value] of Object.entries(ours.losses)) {
    const other = theirs.losses[name];
    if (other === undefined || Math.abs(value - other) > SAME_LOSS * Math.max(value, other))
      throw new Error(`the loss of ${name} is ${value} here and ${other} there`);
  }
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [
  { name: "detector-step-mask-rcnn", run: (context) => stepRows(context, "mask-rcnn") },
  { name: "detector-step-retinanet", run: (context) => stepRows(context, "retinanet") },
];
