/** A training step and a forward pass of the plain U-Net beside PyTorch eager, each side a process of its own, in turn. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const PROGRAM = fileURLToPath(new URL("engine-step-program.ts", import.meta.url));
const THREADS = 2;

interface Run {
  readonly train: number;
  readonly infer: number;
  readonly params: number;
  readonly peakMb: number;
}

function toRun(measured: ProcessMeasurement): Run {
  const line = lastJson(measured) as { params: number; trainMsPerImage: { median: number }; inferMsPerImage: { median: number } };
  return { train: line.trainMsPerImage.median, infer: line.inferMsPerImage.median, params: line.params, peakMb: measured.peakMb };
}

/** Rows of the training step, the forward pass and the peak memory of both together. */
export async function engineStep({ quick, runs, python, peerScripts, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const size = quick ? 64 : 256;
  const shape = { base: 16, depth: 4, batch: 4, size, threads: THREADS, steps: quick ? 2 : 8 };
  const rounds = runs ?? (quick ? 1 : 5);
  log(`plain U-Net, ${size} px, batch ${shape.batch}, ${THREADS} threads, ${rounds} runs a side`);
  const ours = async (): Promise<Run> =>
    toRun(
      await measureProcess(process.execPath, [
        ...["--conditions=@geolearn/source", "--import", "tsx", PROGRAM],
        ...[...Object.values(shape), 3, 2].map(String),
      ]),
    );
  const peer =
    python === null || peerScripts === null
      ? null
      : async (): Promise<Run> =>
          toRun(
            await measureProcess(python, [
              join(peerScripts, "torch_unet_step.py"),
              ...Object.entries(shape).flatMap(([name, value]) => [`--${name}`, String(value)]),
            ]),
          );
  const results = await alternate(rounds, ours, peer);
  const row = (name: string, unit: string, atMost: number, pick: (run: Run) => number): BenchmarkRow =>
    makeRow({
      ...{ name, unit, atMost },
      ours: results.ours.map(pick),
      peer: results.peer.map(pick),
      peerName: peer === null ? null : "PyTorch eager, CPU",
      conditions: { ...shape, parameters: results.ours[0]!.params },
    });
  return [
    row("engine-step-train", "ms/image", 1.5, (run) => run.train),
    row("engine-step-forward", "ms/image", 0.75, (run) => run.infer),
    row("engine-step-memory", "MiB", 1.5, (run) => run.peakMb),
  ];
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "engine-step", run: engineStep }];
