/** Outlining a class map beside GDAL (rasterio.features.shapes): same connectivity, same polygons, one thread each. */

import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const PEER = fileURLToPath(new URL("peers/polygonize_shapes.py", import.meta.url));
const SEED = 3;

interface Run {
  readonly seconds: number;
  readonly peakMb: number;
  readonly count: number;
  readonly areas: Readonly<Record<string, number>>;
}

function toRun(measured: ProcessMeasurement): Run {
  const { seconds, count, areas } = lastJson(measured) as { seconds: number; count: number; areas: Record<string, number> };
  return { seconds, count, areas, peakMb: measured.peakMb };
}

async function ourProgram(...args: readonly string[]): Promise<ProcessMeasurement> {
  return measureProcess(process.execPath, [await builtProgram("polygonize-program"), ...args]);
}

async function polygonizeRows({ quick, scratch, python, log }: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const size = quick ? 1024 : 4096;
  const runs = quick ? 1 : 5;
  const file = join(scratch, "classes.u8");
  const made = await ourProgram("make", String(size), String(SEED), file);
  if (made.code !== 0) throw new Error(made.stderr.slice(-2000));
  const rows: BenchmarkRow[] = [];
  for (const connectivity of [4, 8]) {
    log(`${size} x ${size}, connectivity ${connectivity}`);
    const args = [String(size), String(connectivity), file];
    const peer = python === null ? null : async (): Promise<Run> => toRun(await measureProcess(python, [PEER, ...args]));
    const results = await alternate(runs, async () => toRun(await ourProgram("run", ...args)), peer);
    const [own, other] = [results.ours[0]!, results.peer[0]];
    const samePolygons = other === undefined ? "no peer" : own.count === other.count && sameAreas(own.areas, other.areas);
    rows.push(
      makeRow({
        name: `polygonize-${size}-connectivity-${connectivity}`,
        unit: "s",
        atMost: 1.5,
        ours: results.ours.map((run) => run.seconds),
        peer: results.peer.map((run) => run.seconds),
        peerName: other === undefined ? null : "rasterio.features.shapes (GDAL)",
        conditions: { size, connectivity, polygons: own.count, samePolygons, threads: 1, peakMb: Math.round(own.peakMb) },
      }),
    );
  }
  if (!quick) rows.push(...(await ceilings(file, size, scratch, log)));
  return rows;
}

const LARGE = 20_000;

/** Memory of outlining a map of 20,000 x 20,000 pixels into files that are written as a stream. */
async function ceilings(file: string, size: number, scratch: string, log: (text: string) => void): Promise<BenchmarkRow[]> {
  const rows: BenchmarkRow[] = [];
  for (const format of ["fgb", "geojsonl"]) {
    const out = join(scratch, `polygons.${format}`);
    const measured = await ourProgram("write", String(size), file, String(LARGE), out);
    const { seconds, count } = lastJson(measured);
    const bytes = (await stat(out)).size;
    await rm(out);
    log(
      `${LARGE} x ${LARGE} into .${format}: ${Number(seconds).toFixed(0)} s, ${String(count)} polygons, ${Math.round(measured.peakMb)} MiB`,
    );
    rows.push(
      makeRow({
        ...{
          name: `polygonize-${LARGE}-memory-ceiling-${format}`,
          unit: "MiB",
          atMost: 1536,
          ours: [measured.peakMb],
          peer: [],
          peerName: null,
        },
        conditions: { size: LARGE, polygons: Number(count), seconds: Math.round(Number(seconds)), fileMb: Math.round(bytes / 2 ** 20) },
      }),
    );
  }
  return rows;
}

function sameAreas(one: Run["areas"], other: Run["areas"]): boolean {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].every((value) => one[value] === other[value]);
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [{ name: "polygonize", run: polygonizeRows }];
