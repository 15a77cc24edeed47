/**
 * Regularizing footprints of about 200 points: time beside buildingregulariser (right angles, a tolerance of 1 m, one process each),
 * memory from file to file, and on predicted buildings of Banepa how near OpenStreetMap the result is.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { BANEPA, hasBanepa } from "./fit-chips.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const PEER = fileURLToPath(new URL("peers/regularize_buildings.py", import.meta.url));
const JUDGE = fileURLToPath(new URL("peers/footprint_iou.py", import.meta.url));
const SEED = 5;
/** How far below that of the outlines they came from the IoU of regular footprints may be. */
const MARGIN = 0.01;

interface Run {
  readonly seconds: number;
  readonly count: number;
  readonly solved?: number;
  readonly vertices?: number;
}

async function program(name: string, ...args: readonly string[]): Promise<ProcessMeasurement> {
  const measured = await measureProcess(process.execPath, [await builtProgram(name), ...args]);
  if (measured.code !== 0) throw new Error(`${name} failed: ${measured.stderr.slice(-2000)}`);
  return measured;
}

/** Metres from one building to the next: none near another, and nearly all of them into their neighbours. */
const [APART, CROWDED] = [40, 12];

async function makeFootprints(count: number, scratch: string, pitch = APART): Promise<string> {
  const file = join(scratch, `footprints-${count}-${pitch}.geojsonl`);
  await program("regularize-program", "make", String(count), String(SEED), file, String(pitch));
  return file;
}

async function timeRows({ quick, scratch, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const count = quick ? 200 : 2000;
  const file = await makeFootprints(count, scratch);
  log(`${count} footprints`);
  const peer = python === null ? null : async (): Promise<Run> => lastJson(await measureProcess(python, [PEER, file])) as unknown as Run;
  const run = async (): Promise<Run> => lastJson(await program("regularize-program", "run", file)) as unknown as Run;
  const results = await alternate(quick ? 1 : 5, run, peer);
  const own = results.ours[0]!;
  const ours = results.ours.map(({ seconds }) => (1000 * seconds) / count);
  const conditions = { count, vertices: Math.round(own.vertices ?? 0), solved: own.solved ?? 0, threads: 1 };
  const row = { name: "regularize/time", unit: "ms a footprint", atMost: 1, ours, peer: [], peerName: null, conditions };
  const beside = results.peer.map(({ seconds }) => (1000 * seconds) / count);
  if (beside.length === 0) return [makeRow(row)];
  return [makeRow(row), makeRow({ ...row, name: "regularize/time-beside-peer", peer: beside, peerName: "buildingregulariser" })];
}

/** Buildings that overlap give way to each other, try after try; that must not take a hundred times as long as buildings apart, as it once did. */
async function crowdedRows({ quick, scratch, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const count = quick ? 200 : 2000;
  const [crowded, apart] = [await makeFootprints(count, scratch, CROWDED), await makeFootprints(count, scratch)];
  log(`${count} footprints that overlap`);
  const run = async (file: string): Promise<Run> => lastJson(await program("regularize-program", "run", file)) as unknown as Run;
  const { ours, peer } = await alternate(
    quick ? 1 : 3,
    () => run(crowded),
    () => run(apart),
  );
  const each = ({ seconds }: Run): number => (1000 * seconds) / count;
  return [
    makeRow({
      ...{ name: "regularize/time-crowded", unit: "ms a footprint", atMost: 12, ours: ours.map(each), peer: peer.map(each) },
      ...{ peerName: "footprints apart", conditions: { count, pitch: CROWDED, solved: ours[0]!.solved ?? 0, threads: 1 } },
    }),
  ];
}

/** Memory must not grow with the number of footprints but by their boxes. */
async function memoryRows({ quick, scratch, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const counts = quick ? [500, 2000] : [10_000, 100_000];
  const measured: ProcessMeasurement[] = [];
  for (const count of counts) {
    log(`${count} footprints, from file to file`);
    measured.push(await program("regularize-program", "stream", await makeFootprints(count, scratch), join(scratch, "regular.fgb")));
  }
  const [small, large] = measured as [ProcessMeasurement, ProcessMeasurement];
  const { seconds } = lastJson(large) as unknown as Run;
  return [
    makeRow({
      ...{ name: "regularize/memory", unit: "MiB", atMost: 400, ours: [large.peakMb], peer: [], peerName: null },
      conditions: { count: counts[1]!, seconds: Math.round(seconds), [`peakOf${counts[0]!}`]: Math.round(small.peakMb) },
    }),
  ];
}

async function qualityRows({ quick, scratch, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  if (!hasBanepa() || python === null) {
    log("regularize: no imagery or no Python to judge by; the IoU with OpenStreetMap is left out");
    return [];
  }
  const epochs = quick ? 1 : 6;
  const predicted = lastJson(await program("regularize-banepa-program", BANEPA, scratch, String(epochs), quick ? "quick" : "full"));
  const { extent, files } = predicted as unknown as { extent: readonly number[]; files: Readonly<Record<string, string>> };
  const args = [JUDGE, join(BANEPA, "buildings.geojson"), extent.join(","), ...Object.values(files)];
  const judged = lastJson(await measureProcess(python, args)) as unknown as {
    readonly iou: readonly number[];
    readonly count: readonly number[];
    readonly solved: readonly number[];
  };
  const raw = judged.iou[0]!;
  return Object.keys(files)
    .slice(1)
    .map((method, k) =>
      makeRow({
        ...{ name: `regularize/banepa-${method}`, unit: "IoU with OpenStreetMap", atLeast: (raw - MARGIN) / raw },
        ...{ ours: [judged.iou[k + 1]!], peer: [raw], peerName: "the outlines of the map" },
        conditions: { footprints: judged.count[k + 1]!, solved: judged.solved[k + 1]!, epochs },
      }),
    );
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: "regularize",
    run: async (context) => [
      ...(await timeRows(context)),
      ...(await crowdedRows(context)),
      ...(await memoryRows(context)),
      ...(await qualityRows(context)),
    ],
  },
];
