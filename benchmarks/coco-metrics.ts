/** COCO's twelve numbers of 10,000 true boxes beside pycocotools: the same boxes, the same numbers, one thread each. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { lastJson, measureProcess } from "./measure.ts";

const PEER = fileURLToPath(new URL("peers/coco_metrics.py", import.meta.url));
const SEED = 5;

interface Run {
  readonly seconds: number;
  readonly figures: readonly (number | null)[];
  readonly predicted: number;
}

async function runOf(command: string, args: readonly string[]): Promise<Run> {
  return lastJson(await measureProcess(command, args)) as unknown as Run;
}

async function cocoRows({ quick, runs, scratch, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const boxes = quick ? 1000 : 10_000;
  const program = await builtProgram("coco-metrics-program");
  const rows: BenchmarkRow[] = [];
  for (const perImage of [20, 200]) {
    const file = join(scratch, `boxes-${perImage}.json`);
    await runOf(process.execPath, [program, "make", String(boxes), String(perImage), String(SEED), file]);
    log(`${boxes} boxes, ${perImage} an image`);
    const results = await alternate(
      runs ?? (quick ? 1 : 5),
      () => runOf(process.execPath, [program, "run", file]),
      python === null ? null : () => runOf(python, [PEER, file]),
    );
    const [own, other] = [results.ours[0]!, results.peer[0]];
    const sameFigures = other === undefined ? "no peer" : own.figures.every((figure, i) => sameFigure(figure, other.figures[i] ?? null));
    rows.push(
      makeRow({
        name: `coco-metrics-${boxes}-boxes-${perImage}-an-image`,
        unit: "s",
        atMost: 1,
        ours: results.ours.map(({ seconds }) => seconds),
        peer: results.peer.map(({ seconds }) => seconds),
        peerName: other === undefined ? null : "pycocotools (evaluate and accumulate)",
        conditions: { boxes, perImage, predicted: own.predicted, classes: 10, sameFigures, threads: 1 },
      }),
    );
  }
  return rows;
}

function sameFigure(one: number | null, other: number | null): boolean {
  return one === null || other === null ? one === other : Math.abs(one - other) < 1e-9;
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "coco-metrics", run: cocoRows }];
