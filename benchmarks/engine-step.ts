/** A training step and a forward pass of two U-Nets, a DeepLab, a PSPNet and a detector of change beside PyTorch eager, each side a process of its own, in turn. */

import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, alternate, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import type { StepFigures, StepSettings } from "./engine-step-program.ts";
import { type ProcessMeasurement, lastJson, measureProcess } from "./measure.ts";

const THREADS = 2;
const PIXEL_NETWORKS = fileURLToPath(new URL("peers/pixel_network_step.py", import.meta.url));

interface Run {
  readonly train: number;
  readonly infer: number;
  readonly peakMb: number;
}

type OurRun = Run & StepFigures;

/** What both sides of a training step are told; small ones when it must be `quick`. */
export function stepSettings(net: StepSettings["net"], quick: boolean): StepSettings {
  const size = quick ? 64 : 256;
  // a detector of change sees the bands of both dates
  return { net, base: 16, depth: 4, batch: 4, size, threads: THREADS, steps: quick ? 2 : 8, bands: net === "change" ? 6 : 3, classes: 2 };
}

async function ourProgram(settings: StepSettings): Promise<ProcessMeasurement> {
  return measureProcess(process.execPath, [await builtProgram("engine-step-program"), JSON.stringify(settings)]);
}

async function ours(settings: StepSettings): Promise<OurRun> {
  const measured = await ourProgram(settings);
  const figures = lastJson(measured) as unknown as StepFigures;
  return { ...figures, train: figures.trainMsPerImage, infer: figures.inferMsPerImage, peakMb: measured.peakMb };
}

async function peer(settings: StepSettings, python: string, script: string): Promise<Run> {
  const options = Object.entries({ ...settings, net: settings.net }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const measured = await measureProcess(python, [script, ...options]);
  const line = lastJson(measured) as { trainMsPerImage: { median: number }; inferMsPerImage: { median: number } };
  return { train: line.trainMsPerImage.median, infer: line.inferMsPerImage.median, peakMb: measured.peakMb };
}

/** The peer's program of a network; null where the folder with that of the U-Nets is not given. */
function peerOf(net: StepSettings["net"], peerScripts: string | null): string | null {
  if (net === "deeplab" || net === "pspnet" || net === "change") return PIXEL_NETWORKS;
  return peerScripts === null ? null : join(peerScripts, "torch_unet_step.py");
}

/** Both sides must measure one network: as many parameters, and the same scores from the same weights. */
async function refuseOtherNetwork(settings: StepSettings, python: string, scratch: string): Promise<void> {
  const small = { ...settings, size: 64, batch: 2 };
  const folder = await mkdtemp(join(scratch, "check-"));
  const own = lastJson(await ourProgram({ ...small, check: folder })) as { params: number };
  const options = Object.entries({ ...small, check: folder }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const theirs = lastJson(await measureProcess(python, [PIXEL_NETWORKS, ...options])) as { params: number; difference: number };
  if (theirs.params !== own.params || !(theirs.difference < 1e-4))
    throw new Error(`${settings.net} is another network than the peer's: ${JSON.stringify({ own, theirs })}`);
}

/** What is asked of a network: bounds of the ratios to the peer. */
interface Bounds {
  readonly train: number;
  readonly infer?: number;
  readonly peakMb: number;
}

/** Rows of one network: training step, forward pass, peak memory of both together, and what JavaScript adds to a step. */
async function stepRows(context: BenchmarkContext, net: StepSettings["net"], bounds: Bounds): Promise<readonly BenchmarkRow[]> {
  const { quick, runs, python, peerScripts, log } = context;
  const settings = stepSettings(net, quick);
  if (context.profile) {
    log((await ourProgram({ ...settings, profile: true })).stdout);
    return [];
  }
  const rounds = runs ?? (quick ? 1 : 5);
  const script = peerOf(net, peerScripts);
  if (python !== null && script === PIXEL_NETWORKS) await refuseOtherNetwork(settings, python, context.scratch);
  log(`${net}, ${settings.size} px, batch ${settings.batch}, ${THREADS} threads, ${rounds} runs a side`);
  const results = await alternate(
    rounds,
    () => ours(settings),
    python === null || script === null ? null : () => peer(settings, python, script),
  );
  const common = {
    peerName: results.peer.length > 0 ? "PyTorch eager, CPU" : null,
    conditions: { ...settings, parameters: results.ours[0]!.params },
  };
  const name = (part: string): string => `engine-step-${net}-${part}`;
  const row = (part: string, unit: string, pick: keyof Run): BenchmarkRow =>
    makeRow({
      ...common,
      ...{ name: name(part), unit, ...(bounds[pick] !== undefined && { atMost: bounds[pick] }) },
      ours: results.ours.map((run) => run[pick]),
      peer: results.peer.map((run) => run[pick]),
    });
  return [
    row("train", "ms/image", "train"),
    row("forward", "ms/image", "infer"),
    row("memory", "MiB", "peakMb"),
    makeRow({
      ...common,
      name: name("js-share"),
      unit: "of a step",
      atMost: 0.05,
      ours: results.ours.map(({ jsShare }) => jsShare),
      peer: [],
      peerName: null,
    }),
  ];
}

/** From the function to the first step of the largest network: recording, writing the graph, ONNX Runtime's own preparation. */
async function compileRow(context: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const settings = stepSettings("resnet34", context.quick);
  const seconds: number[] = [];
  for (let run = 0; run < (context.runs ?? 3); run++) seconds.push((await ours({ ...settings, steps: 1 })).compileSeconds);
  return [
    makeRow({
      name: "engine-compile-resnet34",
      unit: "s",
      atMost: 3,
      ours: seconds,
      peer: [],
      peerName: null,
      conditions: { ...settings },
    }),
  ];
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = [
  { name: "engine-step-plain", run: (context) => stepRows(context, "plain", { train: 1.15, infer: 0.75, peakMb: 1.5 }) },
  { name: "engine-step-resnet18", run: (context) => stepRows(context, "resnet18", { train: 1.35, peakMb: 1.5 }) },
  { name: "engine-step-deeplab", run: (context) => stepRows(context, "deeplab", { train: 1.5, peakMb: 1.5 }) },
  { name: "engine-step-pspnet", run: (context) => stepRows(context, "pspnet", { train: 1.5, peakMb: 1.5 }) },
  { name: "engine-step-change", run: (context) => stepRows(context, "change", { train: 1.5, peakMb: 1.5 }) },
  { name: "engine-compile", run: compileRow },
];
