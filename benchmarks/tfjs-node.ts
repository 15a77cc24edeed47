/** A training step of the plain U-Net beside the same network in plain tfjs on tfjs-node (libtensorflow), each side a process of its own, in turn. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { lastJson, measureProcess } from "./measure.ts";

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const FOLDER = process.env["GEOLEARN_TFJS_NODE"] ?? fileURLToPath(new URL("../../.tfjs-node", import.meta.url));
/** As many as the machine's cores: tfjs-node takes no number. */
const THREADS = 2;

async function stepOf(file: string, more: readonly string[], shape: Readonly<Record<string, number>>): Promise<number> {
  const args = ["--conditions=@geolearn/source", "--import", "tsx", program(file), ...more, ...[...Object.values(shape), 3, 2].map(String)];
  const line = lastJson(await measureProcess(process.execPath, args)) as { trainMsPerImage: { median: number } };
  return line.trainMsPerImage.median;
}

/** The row of the training step. */
export async function tfjsNode({ quick, runs, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const shape = { base: 16, depth: 4, batch: 4, size: quick ? 64 : 256, threads: THREADS, steps: quick ? 2 : 8 };
  const rounds = runs ?? (quick ? 1 : 5);
  const built = existsSync(join(FOLDER, "node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node"));
  if (!built) log(`tfjs-node: no binding in ${FOLDER}; build it by scripts/build-tfjs-node.sh`);
  const ours = (): Promise<number> => stepOf("engine-step-program.ts", [], shape);
  const peer = built ? (): Promise<number> => stepOf("tfjs-node-program.ts", [FOLDER], shape) : null;
  const results = await alternate(rounds, ours, peer);
  return [
    makeRow({
      ...{ name: "tfjs-node-train", unit: "ms/image", atMost: 0.5, ours: results.ours, peer: results.peer },
      peerName: built ? "plain tfjs on tfjs-node, libtensorflow 2.15" : null,
      conditions: shape,
    }),
  ];
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "tfjs-node", run: tfjsNode }];
