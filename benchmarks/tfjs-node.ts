/** A training step of the plain U-Net beside the same network in plain tfjs on tfjs-node (libtensorflow), each side a process of its own, in turn. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { stepSettings } from "./engine-step.ts";
import { lastJson, measureProcess } from "./measure.ts";

const FOLDER = process.env["GEOLEARN_TFJS_NODE"] ?? fileURLToPath(new URL("../../.tfjs-node", import.meta.url));

async function stepOf(program: string, ...args: readonly string[]): Promise<number> {
  return Number(lastJson(await measureProcess(process.execPath, [await builtProgram(program), ...args]))["trainMsPerImage"]);
}

/** The row of the training step. */
export async function tfjsNode({ quick, runs, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const settings = stepSettings("plain", quick);
  const rounds = runs ?? (quick ? 1 : 5);
  const built = existsSync(join(FOLDER, "node_modules/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node"));
  if (!built) log(`tfjs-node: no binding in ${FOLDER}; build it by scripts/build-tfjs-node.sh`);
  const ours = (): Promise<number> => stepOf("engine-step-program", JSON.stringify(settings));
  const peer = built ? (): Promise<number> => stepOf("tfjs-node-program", FOLDER, JSON.stringify(settings)) : null;
  const results = await alternate(rounds, ours, peer);
  return [
    makeRow({
      ...{ name: "tfjs-node-train", unit: "ms/image", atMost: 0.5, ours: results.ours, peer: results.peer },
      peerName: built ? "plain tfjs on tfjs-node, libtensorflow 2.15" : null,
      conditions: { ...settings },
    }),
  ];
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "tfjs-node", run: tfjsNode }];
