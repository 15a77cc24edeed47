/**
 * Whole-scene inference beside PyTorch and rasterio: the same weights, windows of 256, overlap 64, Hann. Both sides are
 * programs of their own, measured from outside, start-up included in memory and left out of time.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { openRaster } from "@geolearn/core";

import { builtProgram } from "./built.ts";
import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const CHIP = 256;
const OVERLAP = 64;
const SEED = 7;

interface Run {
  readonly seconds: number;
  readonly peakMb: number;
}

async function ourProgram(...args: readonly string[]): Promise<ProcessMeasurement> {
  const measured = await measureProcess(process.execPath, [await builtProgram("scene-program"), ...args]);
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

/** A peer's program on the same scene. */
async function peerRun(context: BenchmarkContext, script: string, args: readonly string[]): Promise<Run & { readonly peer: string }> {
  const window = ["--chip", String(CHIP), "--overlap", String(OVERLAP)];
  const measured = await measureProcess(context.python!, [join(context.peerScripts!, script), ...args, ...window]);
  const told = lastJson(measured);
  const run = { seconds: Number(told["seconds"]), peakMb: measured.peakMb, peer: String(told["peer"]) };
  context.log(`${script} ${run.seconds.toFixed(1)} s, ${run.peakMb.toFixed(0)} MiB`);
  return run;
}

async function besidePeers(context: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const size = context.quick ? 1024 : 8192;
  const runs = context.runs ?? (context.quick ? 1 : 3);
  const { scene, model, state } = await prepare(context, size);
  const file = (name: string): string => join(context.scratch, name);
  const { python, peerScripts, log } = context;
  const peers = python !== null && peerScripts !== null;
  if (peers) await measureProcess(python, [join(peerScripts, "ort_scene.py"), "--make", file("net.onnx"), "--chip", String(CHIP)]);
  const peer = async (): Promise<{ torch: Run & { peer: string }; ort: Run & { peer: string } }> => ({
    torch: await peerRun(context, "torch_scene.py", ["--raster", scene, "--out", file("torch.tif"), "--weights", state]),
    ort: await peerRun(context, "ort_scene.py", ["--raster", scene, "--out", file("ort.tif"), "--onnx", file("net.onnx")]),
  });
  const results = await alternate(
    runs,
    async () => {
      const run = await ours(model, scene, file("ours.tif"));
      log(`ours ${run.seconds.toFixed(1)} s, ${run.peakMb.toFixed(0)} MiB`);
      return run;
    },
    peers ? peer : null,
  );
  const conditions = { size, bands: 3, chip: CHIP, overlap: OVERLAP, blend: "hann", network: "plain U-Net, base 16, depth 4", threads: 2 };
  const row = (name: string, unit: "s" | "MiB", side: "torch" | "ort", atMost: number): BenchmarkRow => {
    const pick = (run: Run): number => (unit === "s" ? run.seconds : run.peakMb);
    const peerName = results.peer[0]?.[side].peer ?? null;
    return makeRow({
      ...{ name: `scene-${size}-${name}`, unit, atMost, conditions, peerName },
      ours: results.ours.map(pick),
      peer: results.peer.map((run) => pick(run[side])),
    });
  };
  const rows = [row("time", "s", "torch", 0.75), row("memory", "MiB", "torch", 0.3)];
  if (!peers) return rows;
  const equal = 100 * (await equalShare(file("ours.tif"), file("torch.tif")));
  return [
    ...rows,
    row("time-beside-onnxruntime", "s", "ort", 1.1),
    makeRow({ name: `scene-${size}-equal-pixels`, unit: "%", atLeast: 99.9, conditions, ours: [equal], peer: [], peerName: null }),
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
    makeRow({ name: `scene-${size}-memory-ceiling`, unit: "MiB", atMost: 1536, conditions, ours: [run.peakMb], peer: [], peerName: null }),
  ];
}

/** Found by `run.ts`. */
export const benchmarks: readonly Benchmark[] = [
  { name: "scene", run: besidePeers },
  { name: "scene-large", run: largeScene },
];
