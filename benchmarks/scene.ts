/**
 * Whole-scene inference beside PyTorch and rasterio: the same weights, windows of 256, overlap 64, Hann. Both sides are
 * programs of their own, measured from outside, start-up included in memory and left out of time.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { openRaster } from "@geolearn/core";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const CHIP = 256;
const OVERLAP = 64;
const SEED = 7;
const PROGRAM = fileURLToPath(new URL("scene-program.ts", import.meta.url));

interface Run {
  readonly seconds: number;
  readonly peakMb: number;
}

async function ourProgram(...args: readonly string[]): Promise<ProcessMeasurement> {
  const measured = await measureProcess(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", PROGRAM, ...args]);
  if (measured.code !== 0) throw new Error(`${args.join(" ")} exited with ${measured.code}:\n${measured.stderr.slice(-3000)}`);
  return measured;
}

async function ours(model: string, scene: string, out: string): Promise<Run> {
  const measured = await ourProgram("classify", model, scene, out, String(OVERLAP));
  return { seconds: Number(lastJson(measured)["seconds"]), peakMb: measured.peakMb };
}

/** Scene and weights; the weights come from the peer where there is one, so that both sides have the same. */
async function prepare(context: BenchmarkContext, size: number): Promise<{ scene: string; model: string; state: string }> {
  const { scratch, python, peerScripts, log } = context;
  const file = (name: string): string => join(scratch, name);
  log(`making a scene of ${size} x ${size}`);
  await ourProgram("make", String(size), String(SEED), file("scene.tif"));
  if (python !== null && peerScripts !== null) {
    const script = fileURLToPath(new URL("peers/plain_unet_weights.py", import.meta.url));
    const made = await measureProcess(python, [
      script,
      "--networks",
      peerScripts,
      "--raster",
      file("scene.tif"),
      "--state",
      file("net.pt"),
      "--safetensors",
      file("net.safetensors"),
    ]);
    lastJson(made);
    await ourProgram("package", file("net.safetensors"), file("net.dlpk"), String(CHIP));
  } else await ourProgram("package", "random", file("net.dlpk"), String(CHIP));
  return { scene: file("scene.tif"), model: file("net.dlpk"), state: file("net.pt") };
}

async function besidePeer(context: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const size = context.quick ? 1024 : 8192;
  const runs = context.runs ?? (context.quick ? 1 : 3);
  const { scene, model, state } = await prepare(context, size);
  const [ourMap, peerMap] = [join(context.scratch, "ours.tif"), join(context.scratch, "peer.tif")];
  const { python, peerScripts, log } = context;
  let peerName: string | null = null;
  const peer =
    python === null || peerScripts === null
      ? null
      : async (): Promise<Run> => {
          const measured = await measureProcess(python, [
            join(peerScripts, "torch_scene.py"),
            "--raster",
            scene,
            "--out",
            peerMap,
            "--weights",
            state,
            "--chip",
            String(CHIP),
            "--overlap",
            String(OVERLAP),
          ]);
          const told = lastJson(measured);
          peerName = String(told["peer"]);
          log(`peer ${Number(told["seconds"]).toFixed(1)} s, ${measured.peakMb.toFixed(0)} MiB`);
          return { seconds: Number(told["seconds"]), peakMb: measured.peakMb };
        };
  const results = await alternate(
    runs,
    async () => {
      const run = await ours(model, scene, ourMap);
      log(`ours ${run.seconds.toFixed(1)} s, ${run.peakMb.toFixed(0)} MiB`);
      return run;
    },
    peer,
  );
  const conditions = { size, bands: 3, chip: CHIP, overlap: OVERLAP, blend: "hann", network: "plain U-Net, base 16, depth 4", threads: 2 };
  const rows = (["seconds", "peakMb"] as const).map((unit) =>
    makeRow({
      name: unit === "seconds" ? `scene ${size} time` : `scene ${size} memory`,
      unit: unit === "seconds" ? "s" : "MiB",
      atMost: unit === "seconds" ? 1 : 0.5,
      conditions,
      ours: results.ours.map((run) => run[unit]),
      peer: results.peer.map((run) => run[unit]),
      peerName,
    }),
  );
  if (peer === null) return rows;
  const equal = await equalShare(ourMap, peerMap);
  return [
    ...rows,
    makeRow({ name: `scene ${size} equal pixels`, unit: "%", atLeast: 99.9, conditions, ours: [100 * equal], peer: [], peerName: null }),
  ];
}

/** Share of pixels that two rasters of one size have in common. */
async function equalShare(a: string, b: string): Promise<number> {
  const [one, other] = [await openRaster(a), await openRaster(b)];
  const { width, height } = one;
  let equal = 0;
  for (let row = 0; row < height; row += 512) {
    const window = { col: 0, row, width, height: Math.min(512, height - row) };
    const [x, y] = [(await one.read(window)).data, (await other.read(window)).data];
    for (let i = 0; i < x.length; i++) if (x[i] === y[i]) equal++;
  }
  await one.close();
  await other.close();
  return equal / (width * height);
}

async function largeScene(context: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const size = context.quick ? 2048 : 20_000;
  const { scene, model } = await prepare({ ...context, python: null }, size);
  const run = await ours(model, scene, join(context.scratch, "ours.tif"));
  context.log(`ours ${run.seconds.toFixed(1)} s, ${run.peakMb.toFixed(0)} MiB`);
  const conditions = { size, bands: 3, chip: CHIP, overlap: OVERLAP, blend: "hann", seconds: Math.round(run.seconds) };
  return [
    makeRow({ name: `scene ${size} memory ceiling`, unit: "MiB", atMost: 1536, conditions, ours: [run.peakMb], peer: [], peerName: null }),
  ];
}

/** Found by `run.ts`. */
export const benchmarks: readonly Benchmark[] = [
  { name: "scene", run: besidePeer },
  { name: "scene-large", run: largeScene },
];
