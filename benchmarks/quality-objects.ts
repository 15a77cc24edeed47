/**
 * AP50 of detectors on real data against the same networks trained in PyTorch: five folds by place, pooled; the same chips, first
 * weights and schedule on both sides, the weights of the last epoch. Each set also has a baseline that looks at no pixel.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type PredictedObjects, type TruthObjects, cocoMetrics } from "@geolearn/core";
import type { LearnerOptions } from "@geolearn/training";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { lastJson, measureProcess } from "./measure.ts";
import { type FoldedChips, sharedData, treeChips, writeSplit } from "./object-chips.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const TWIN = fileURLToPath(new URL("peers/detector_twin.py", import.meta.url));
const FOLDS = 5;
/** How far our figure may lie below the peer's. */
const MARGIN = 0.03;

interface QualitySet {
  readonly name: string;
  readonly data: string;
  readonly chips: (folder: string, out: string, folds: number) => Promise<FoldedChips>;
  readonly classes: readonly string[];
  readonly network: LearnerOptions;
  readonly training: Readonly<Record<"epochs" | "batch" | "lr" | "clipNorm", number>>;
}

const SETS: readonly QualitySet[] = [
  {
    name: "trees",
    data: "trees-neon",
    chips: treeChips,
    classes: ["tree"],
    network: { modelType: "retinanet", backbone: "resnet18", fpnWidth: 64, anchors: { sizes: [12, 24, 48, 96, 128] } },
    training: { epochs: 60, batch: 8, lr: 5e-4, clipNorm: 1 },
  },
];

/** What a side found on the validation chips of a fold. */
interface Outcome {
  readonly seconds: number;
  readonly losses: readonly number[];
  readonly images: readonly FoundImage[];
}

interface FoundImage {
  readonly name: string;
  readonly boxes: readonly number[];
  readonly scores: readonly number[];
  readonly labels: readonly number[];
  /** Only on our side. */
  readonly truth?: { readonly boxes: readonly number[]; readonly labels: readonly number[] };
}

async function outcome(command: string, args: readonly string[]): Promise<Outcome> {
  const measured = await measureProcess(command, args, { cwd: root });
  if (measured.code !== 0) throw new Error(`${args[0]!} failed: ${measured.stderr.slice(-3000)}`);
  return lastJson(measured) as unknown as Outcome;
}

async function rowsOf(set: QualitySet, context: BenchmarkContext): Promise<readonly BenchmarkRow[]> {
  const { quick, scratch, python, log } = context;
  const data = sharedData(set.data);
  if (data === null) {
    log(`${set.data} is not there; skipped`);
    return [];
  }
  const { chips, folds, by } = await set.chips(data, join(scratch, "chips"), FOLDS);
  const training = quick ? { ...set.training, epochs: 1 } : set.training;
  const program = await builtProgram("quality-objects-program");
  const [ours, peer]: [FoundImage[][], FoundImage[][]] = [[], []];
  for (const [fold, names] of folds.entries()) {
    if (quick && fold > 0) break;
    const folder = join(scratch, `fold-${fold}`);
    await mkdir(folder, { recursive: true });
    const split = await writeSplit(join(folder, "split.txt"), names);
    const options = { ...training, chips, split, folder, seed: fold + 1, threads: 2, network: set.network };
    await outcome(process.execPath, [program, JSON.stringify({ ...options, exportOnly: true })]);
    const mine = await outcome(process.execPath, [program, JSON.stringify(options)]);
    ours.push([...mine.images]);
    tell("ours", fold, mine, truthOf(mine.images));
    if (python === null) continue;
    const given = { chips, twin: join(folder, "twin.json"), initial: join(folder, "initial.safetensors"), seed: fold + 1, threads: 2 };
    const { epochs, batch, lr, clipNorm: clip } = training;
    const args = Object.entries({ ...given, epochs, batch, lr, clip }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const theirs = await outcome(python, [TWIN, ...args]);
    peer.push([...theirs.images]);
    tell("peer", fold, theirs, truthOf(mine.images));
  }
  const truth = truthOf(ours.flat());
  const own = ap50(truth, ours.flat());
  const other = peer.length === 0 ? null : ap50(truth, peer.flat());
  const baseline = ap50(truth, grid(truth));
  const conditions = {
    ...training,
    folds: ours.length,
    by,
    chips: truth.size,
    objects: [...truth.values()].reduce((sum, one) => sum + one.labels.length, 0),
  };
  return [
    makeRow({
      ...{ name: `quality-${set.name}/ap50`, unit: "AP50, pooled", ours: [own] },
      ...{ peer: other === null ? [] : [other], peerName: other === null ? null : "detector_twin.py (torchvision)" },
      ...(other !== null && other > 0 && { atLeast: (other - MARGIN) / other }),
      conditions: { ...conditions, baseline, perFold: perFold(ours), peerPerFold: perFold(peer) },
    }),
  ];

  function tell(side: string, fold: number, { seconds, losses, images }: Outcome, among: ReadonlyMap<string, Truth>): void {
    const shown = [losses[0], losses[Math.floor(losses.length / 2)], losses.at(-1)].join(" ");
    log(`${set.name}, fold ${fold}, ${side}: AP50 ${ap50(among, images).toFixed(4)}, losses ${shown}, ${seconds.toFixed(0)} s`);
  }
  function perFold(side: readonly (readonly FoundImage[])[]): string {
    return side.map((images, fold) => ap50(truthOf(ours[fold]!), images).toFixed(4)).join(" ");
  }
}

type Truth = TruthObjects & { readonly boxes: Float64Array };

function truthOf(images: readonly FoundImage[]): Map<string, Truth> {
  return new Map(
    images.map(({ name, truth }): [string, Truth] => [name, { boxes: Float64Array.from(truth!.boxes), labels: truth!.labels }]),
  );
}

/** Pooled over the images of the truth. */
function ap50(truth: ReadonlyMap<string, Truth>, images: readonly FoundImage[]): number {
  const byName = new Map(images.map((image) => [image.name, image]));
  const predicted = [...truth.keys()].map((name): PredictedObjects => {
    const { boxes, scores, labels } = byName.get(name)!;
    return { boxes: Float64Array.from(boxes), scores, labels };
  });
  const highest = Math.max(0, ...[...truth.values()].flatMap(({ labels }) => [...Array.from(labels)]));
  const classes = Array.from({ length: highest + 1 }, (_, k) => ({ value: k + 1, name: `class ${k + 1}` }));
  return cocoMetrics([...truth.values()], predicted, { classes }).AP50 ?? 0;
}

/** The baseline: boxes of median size side by side over every chip. */
function grid(truth: ReadonlyMap<string, Truth>): FoundImage[] {
  const sides = [...truth.values()].flatMap(({ boxes }) =>
    Array.from({ length: boxes.length / 4 }, (_, i) =>
      Math.sqrt((boxes[4 * i + 2]! - boxes[4 * i]!) * (boxes[4 * i + 3]! - boxes[4 * i + 1]!)),
    ),
  );
  const side = sides.sort((a, b) => a - b)[sides.length >> 1]!;
  const extent = Math.max(...[...truth.values()].flatMap(({ boxes }) => Array.from(boxes)));
  const count = Math.max(1, Math.floor(extent / side));
  return [...truth.keys()].map((name) => {
    const cells = Array.from({ length: count * count }, (_, i) => [(i % count) * side, Math.floor(i / count) * side] as const);
    return {
      name,
      boxes: cells.flatMap(([x, y]) => [x, y, x + side, y + side]),
      scores: cells.map(() => 0.5),
      labels: cells.map(() => 0),
    };
  });
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = SETS.map((set) => ({
  name: `quality-${set.name}`,
  run: (context) => rowsOf(set, context),
}));
