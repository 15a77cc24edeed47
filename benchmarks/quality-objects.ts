/**
 * AP50 of detectors on real data against the same networks trained in PyTorch: five folds by place, pooled; the same chips, first
 * weights and schedule on both sides, the weights of the last epoch; `--runs` asks for that many seeds. Each set also has a baseline that looks at no pixel.
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type PredictedObjects, type RleMask, type TruthObjects, cocoMetrics } from "@geolearn/core";
import type { LearnerOptions } from "@geolearn/training";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, makeRow } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { lastJson, measureProcess } from "./measure.ts";
import { type FoldedChips, kampalaChips, sharedData, shipChips, treeChips, writeSplit } from "./object-chips.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const TWIN = fileURLToPath(new URL("peers/detector_twin.py", import.meta.url));
/** Decides how chips are cut. */
const CHIPS = fileURLToPath(new URL("object-chips.ts", import.meta.url));
const FOLDS = 5;
/** How far our figure may lie below the peer's. */
const MARGIN = 0.03;

interface QualitySet {
  readonly name: string;
  readonly data: string;
  readonly chips: (folder: string, out: string, folds: number) => Promise<FoldedChips>;
  /** Side of the chips, where masks are to be compared. */
  readonly outlines: number | null;
  readonly network: LearnerOptions;
  readonly training: Readonly<Record<"epochs" | "batch" | "lr" | "clipNorm", number>>;
}

const SETS: readonly QualitySet[] = [
  {
    name: "trees",
    data: "trees-neon",
    chips: treeChips,
    outlines: null,
    network: { modelType: "retinanet", backbone: "resnet18", fpnWidth: 64, anchors: { sizes: [12, 24, 48, 96, 128] } },
    training: { epochs: 20, batch: 4, lr: 5e-4, clipNorm: 1 },
  },
  {
    name: "ships",
    data: "ships-sentinel2",
    chips: shipChips,
    outlines: 64,
    network: { modelType: "mask-rcnn", preset: "compact", backbone: "resnet18", anchors: { sizes: [8, 16, 32, 64, 128] } },
    training: { epochs: 20, batch: 4, lr: 5e-4, clipNorm: 5 },
  },
  {
    name: "kampala",
    data: "buildings-kampala",
    chips: kampalaChips,
    outlines: 128,
    network: { modelType: "mask-rcnn", preset: "compact", backbone: "resnet18" },
    training: { epochs: 15, batch: 4, lr: 1e-3, clipNorm: 5 },
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
  /** Runs of each object's mask. */
  readonly masks?: readonly (readonly number[])[];
  /** Only on our side. */
  readonly truth?: Pick<FoundImage, "boxes" | "labels" | "masks">;
}

/** What an earlier run of the same settings left in the file, or what is made now. */
async function kept<T>(path: string, settings: unknown, make: () => Promise<T>): Promise<T> {
  const key = JSON.stringify(settings);
  const former = existsSync(path) ? (JSON.parse(await readFile(path, "utf8")) as { readonly key: string; readonly made: T }) : null;
  if (former?.key === key) return former.made;
  const made = await make();
  await writeFile(path, JSON.stringify({ key, made }));
  return made;
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
  // chips of other settings are made anew, and so is all that came of them
  const made = { folds: FOLDS, settings: await readFile(CHIPS, "utf8") };
  const { chips, folds, by } = await kept(join(scratch, "folds.json"), made, async () => {
    const former = (await readdir(scratch)).filter((name) => name === "chips" || name.startsWith("fold-"));
    for (const name of former) await rm(join(scratch, name), { recursive: true, force: true });
    return set.chips(data, join(scratch, "chips"), FOLDS);
  });
  const training = quick ? { ...set.training, epochs: 1 } : set.training;
  const program = await builtProgram("quality-objects-program");
  const seeds = quick ? 1 : (context.runs ?? 1);
  // of each seed and fold
  const [ours, peer]: [FoundImage[][][], FoundImage[][][]] = [[], []];
  for (let seed = 1; seed <= seeds; seed++) {
    const [mine, theirs]: [FoundImage[][], FoundImage[][]] = [[], []];
    for (const [fold, names] of (quick ? folds.slice(0, 1) : folds).entries()) {
      const folder = join(scratch, `fold-${fold}${seed === 1 ? "" : `-seed-${seed}`}`);
      await mkdir(folder, { recursive: true });
      const options = {
        ...training,
        chips,
        split: await writeSplit(join(folder, "split.txt"), names),
        folder,
        // the same number for no two networks
        seed: fold + 1 + FOLDS * (seed - 1),
        threads: 1,
        task: set.outlines === null ? "objectDetection" : "instanceSegmentation",
        network: set.network,
      };
      await outcome(process.execPath, [program, JSON.stringify({ ...options, exportOnly: true })]);
      const found = await kept(join(folder, "ours.json"), options, () => outcome(process.execPath, [program, JSON.stringify(options)]));
      mine.push([...found.images]);
      tell("ours", fold, found, found.images);
      if (python === null) continue;
      const given = {
        chips,
        twin: join(folder, "twin.json"),
        initial: join(folder, "initial.safetensors"),
        seed: options.seed,
        threads: 1,
      };
      const { epochs, batch, lr, clipNorm: clip } = training;
      const args = Object.entries({ ...given, epochs, batch, lr, clip }).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const other = await kept(join(folder, "peer.json"), args, () => outcome(python, [TWIN, ...args]));
      theirs.push([...other.images]);
      tell("peer", fold, other, found.images);
    }
    ours.push(mine);
    if (python !== null) peer.push(theirs);
  }
  const truth = ours[0]!.flat();
  const conditions = {
    ...training,
    seeds,
    folds: ours[0]!.length,
    by,
    chips: truth.length,
    objects: sumOf(truth.map((image) => image.truth!.labels.length)),
  };
  return (set.outlines === null ? (["boxes"] as const) : (["masks", "boxes"] as const)).map((iou) => {
    const score = (among: readonly FoundImage[], found: readonly FoundImage[]): number => ap50(among, found, iou, set.outlines);
    const pooled = (side: readonly FoundImage[][][]): number[] => side.map((one) => score(truth, one.flat()));
    const listed = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(" ");
    const perFold = (side: readonly FoundImage[][][]): string =>
      side.map((one) => listed(one.map((images, fold) => score(ours[0]![fold]!, images)))).join("; ");
    // means, not medians, of the seeds
    const other = peer.length === 0 ? null : meanOf(pooled(peer));
    // masks are compared with full boxes
    const baseline = Math.max(...[grid(truth), usualBox(truth)].map((found) => ap50(truth, found, "boxes", null)));
    return makeRow({
      ...{ name: `quality-${set.name}/ap50${iou === "masks" ? "-masks" : ""}`, unit: "AP50, pooled", ours: [meanOf(pooled(ours))] },
      ...{ peer: other === null ? [] : [other], peerName: other === null ? null : "detector_twin.py (torchvision)" },
      ...(other !== null && other > 0 && { atLeast: (other - MARGIN) / other }),
      conditions: {
        ...{ ...conditions, baseline, perSeed: listed(pooled(ours)), peerPerSeed: listed(pooled(peer)) },
        ...{ perFold: perFold(ours), peerPerFold: perFold(peer) },
      },
    });
  });

  function tell(side: string, fold: number, { seconds, losses, images }: Outcome, truths: readonly FoundImage[]): void {
    const shown = [losses[0], losses[Math.floor(losses.length / 2)], losses.at(-1)].join(" ");
    const scores = set.outlines === null ? ["boxes" as const] : ["boxes" as const, "masks" as const];
    const told = scores.map((iou) => `${iou} ${ap50(truths, images, iou, set.outlines).toFixed(4)}`).join(", ");
    log(`${set.name}, fold ${fold}, ${side}: AP50 of ${told}; losses ${shown}, ${seconds.toFixed(0)} s`);
  }
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;

/** Pooled over the images of the truth. */
function ap50(truth: readonly FoundImage[], images: readonly FoundImage[], iou: "boxes" | "masks", side: number | null): number {
  const byName = new Map(images.map((image) => [image.name, image]));
  const masksOf = (runs: FoundImage["masks"]): readonly RleMask[] =>
    (runs ?? []).map((counts) => ({ width: side!, height: side!, counts: Uint32Array.from(counts) }));
  const objects = ({ boxes, labels, masks }: Pick<FoundImage, "boxes" | "labels" | "masks">): TruthObjects => ({
    labels,
    ...(iou === "boxes" ? { boxes: Float64Array.from(boxes) } : { masks: masksOf(masks) }),
  });
  const predicted = truth.map(({ name }): PredictedObjects => ({ ...objects(byName.get(name)!), scores: byName.get(name)!.scores }));
  const all = truth.map((image) => objects(image.truth!));
  return cocoMetrics(all, predicted, { classes: [{ value: 1, name: "object" }], iou }).AP50 ?? 0;
}

/** Where the boxes of some images lie, side by side. */
function cornersOf(images: readonly FoundImage[]): number[][] {
  return images.flatMap(({ truth }) => Array.from({ length: truth!.labels.length }, (_, i) => truth!.boxes.slice(4 * i, 4 * i + 4)));
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** A baseline: boxes of median size side by side over every chip. */
function grid(truth: readonly FoundImage[]): FoundImage[] {
  const corners = cornersOf(truth);
  const side = middle(corners.map(([x0, y0, x1, y1]) => Math.sqrt((x1! - x0!) * (y1! - y0!))));
  const count = Math.max(1, Math.floor(Math.max(...corners.flat()) / side));
  const cells = Array.from({ length: count * count }, (_, i) => [(i % count) * side, Math.floor(i / count) * side] as const);
  return blind(
    truth,
    cells.map(([x, y]) => [x, y, x + side, y + side]),
  );
}

/** A baseline: the median of all boxes, once in every chip. */
function usualBox(truth: readonly FoundImage[]): FoundImage[] {
  const corners = cornersOf(truth);
  return blind(truth, [[0, 1, 2, 3].map((side) => middle(corners.map((box) => box[side]!)))]);
}

/** The same boxes in every chip. */
function blind(truth: readonly FoundImage[], boxes: readonly (readonly number[])[]): FoundImage[] {
  return truth.map(({ name }) => ({ name, boxes: boxes.flat(), scores: boxes.map(() => 0.5), labels: boxes.map(() => 0) }));
}

/** What `run.ts` finds. */
export const benchmarks: readonly Benchmark[] = SETS.map((set) => ({
  name: `quality-${set.name}`,
  run: (context) => rowsOf(set, context),
}));
