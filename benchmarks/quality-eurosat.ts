/**
 * Accuracy of a ResNet-18 that classifies EuroSAT's chips from the beginning, against torchvision's trained in PyTorch: same folds, same first weights,
 * same constants, last epoch on both sides. Five folds, each class spread over them by its chips' names shuffled with seed 1, so that every chip is
 * judged once by a network that never saw it; three seeds of weights and order a side unless `--runs` asks for more.
 */

import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { createRng, openRaster } from "@geolearn/core";
import { prepareData } from "@geolearn/data-prep";
import { writeSafetensors } from "@geolearn/models";
import { createLearner } from "@geolearn/training";

import { type Benchmark, type BenchmarkContext, type BenchmarkRow, makeRow } from "./bench.ts";
import { lastJson, measureProcess } from "./measure.ts";

const CHIPS = fileURLToPath(new URL("../../shared/data/eurosat-rgb", import.meta.url));
const TWIN = fileURLToPath(new URL("peers/eurosat_twin.py", import.meta.url));
const FOLDS = 5;
const THREADS = 1;
const BATCH = 8;
const LR = 1e-3;
/** How far our mean may lie below the peer's. */
const MARGIN = 0.03;

export const benchmarks: readonly Benchmark[] = [
  {
    name: "quality-eurosat",
    async run(context) {
      if (!existsSync(CHIPS)) {
        context.log("the chips are not there; skipped");
        return [];
      }
      const [seeds, epochs] = context.quick ? [1, 1] : [context.runs ?? 3, 20];
      const folds = foldsOf();
      const [ours, peer]: number[][] = [[], []];
      for (let seed = 1; seed <= seeds; seed++) {
        const right = { ours: 0, peer: 0 };
        for (const [fold, valid] of folds.entries()) {
          const start = await ourFold(context, { seed, fold, valid, epochs });
          right.ours += start.right;
          const other = await peerFold(context, { ...start, seed, valid, epochs });
          right.peer += other ?? 0;
          context.log(
            `seed ${seed}, fold ${fold + 1}: of ${valid.length} right ${start.right} here${other === null ? "" : `, ${other} there`}`,
          );
        }
        ours!.push(right.ours / folds.flat().length);
        if (context.python) peer!.push(right.peer / folds.flat().length);
      }
      return rowsOf(ours!, peer!, await baselines(folds), { seeds, epochs });
    },
  },
];

interface Fold {
  readonly seed: number;
  readonly valid: readonly string[];
  readonly epochs: number;
}

function chipNames(): string[] {
  const classes = readdirSync(CHIPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return classes.flatMap(({ name }) => readdirSync(join(CHIPS, name)).map((file) => `${name}/${file.replace(/\.jpg$/, "")}`)).sort();
}

/** Names of the validation chips of each fold. */
function foldsOf(): string[][] {
  const folds = Array.from({ length: FOLDS }, (): string[] => []);
  const names = chipNames();
  for (const [k, own] of [...new Set(names.map(classOf))].entries()) {
    const members = names.filter((name) => classOf(name) === own);
    for (const [i, at] of createRng([1, k]).permutation(members.length).entries()) folds[(i + 2 * k) % FOLDS]!.push(members[at]!);
  }
  return folds.map((fold) => fold.sort());
}

const classOf = (name: string): string => name.split("/")[0]!;

interface OurFold {
  readonly right: number;
  /** First weights and constants, for the twin. */
  readonly initial: string;
  readonly constants: string;
}

async function ourFold(context: BenchmarkContext, { seed, fold, valid, epochs }: Fold & { readonly fold: number }): Promise<OurFold> {
  const folder = join(context.scratch, `${seed}-${fold}`);
  await mkdir(folder, { recursive: true });
  const split = join(folder, "valid.txt");
  await writeFile(split, valid.join("\n"));
  const options = { task: "objectClassification", batchSize: BATCH, seed, split, workingFolder: folder, workers: 0 } as const;
  const data = await prepareData(CHIPS, options);
  const learner = await createLearner(data, { backbone: "resnet18", seed, threads: THREADS });
  try {
    const [initial, constants] = [join(folder, "initial.safetensors"), join(folder, "constants.json")];
    await writeSafetensors(initial, learner.network.weights());
    await writeFile(constants, JSON.stringify(learner.network.config["normalization"]));
    await learner.fit({ epochs, lr: LR, optimizer: "adam", restoreBest: false, onProgress: () => undefined });
    const { accuracy, chips } = await learner.evaluate();
    return { right: Math.round(accuracy! * chips), initial, constants };
  } finally {
    await learner.dispose();
    await data.close();
  }
}

async function peerFold({ python, scratch }: BenchmarkContext, fold: Fold & OurFold): Promise<number | null> {
  if (python === null) return null;
  const list = join(scratch, "valid.txt");
  await writeFile(list, fold.valid.join("\n"));
  const options = { chips: CHIPS, valid: list, initial: fold.initial, constants: fold.constants };
  const numbers = { epochs: fold.epochs, batch: BATCH, lr: LR, seed: fold.seed, threads: THREADS };
  const args = Object.entries({ ...options, ...numbers }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const measured = await measureProcess(python, [TWIN, ...args]);
  if (measured.code !== 0) throw new Error(`${TWIN} failed: ${measured.stderr.slice(-2000)}`);
  return Number((lastJson(measured) as { right: number }).right);
}

/** What needs no network: the largest class (all are alike large, so any), and the class whose mean colour is nearest. */
async function baselines(folds: readonly (readonly string[])[]): Promise<{ readonly largest: number; readonly colour: number }> {
  const colours = new Map<string, readonly number[]>();
  for (const name of folds.flat()) {
    const raster = await openRaster(join(CHIPS, `${name}.jpg`));
    const { data, width, height } = await raster.read();
    await raster.close();
    const area = width * height;
    const means = [0, 0, 0];
    for (let i = 0; i < 3 * area; i++) means[Math.floor(i / area)]! += data[i]! / area;
    colours.set(name, means);
  }
  let [largest, colour] = [0, 0];
  for (const valid of folds) {
    const known = folds.flat().filter((name) => !valid.includes(name));
    const classes = [...new Set(known.map(classOf))].sort();
    const sizes = classes.map((own) => known.filter((name) => classOf(name) === own));
    const most = sizes.reduce((a, b) => (b.length > a.length ? b : a));
    const centroids = sizes.map((members) =>
      [0, 1, 2].map((band) => members.reduce((sum, name) => sum + colours.get(name)![band]!, 0) / members.length),
    );
    for (const name of valid) {
      const own = colours.get(name)!;
      const distances = centroids.map((centre) => Math.hypot(...centre.map((v, band) => v - own[band]!)));
      if (classes[distances.indexOf(Math.min(...distances))] === classOf(name)) colour++;
      if (classOf(most[0]!) === classOf(name)) largest++;
    }
  }
  const count = folds.flat().length;
  return { largest: largest / count, colour: colour / count };
}

/** Means, not medians, of the seeds; the bound is a difference, given as the ratio it amounts to. */
function rowsOf(
  ours: readonly number[],
  peer: readonly number[],
  { largest, colour }: { readonly largest: number; readonly colour: number },
  conditions: BenchmarkRow["conditions"],
): BenchmarkRow[] {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const listed = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(" ");
  const other = peer.length > 0 ? mean(peer) : null;
  const baseline = { largestClass: Number(largest.toFixed(4)), nearestMeanColour: Number(colour.toFixed(4)) };
  return [
    makeRow({
      name: "quality-eurosat/accuracy",
      unit: "share of 70 chips",
      ours: [mean(ours)],
      peer: other === null ? [] : [other],
      peerName: other === null ? null : "eurosat_twin.py",
      ...(other !== null && { atLeast: (other - MARGIN) / other }),
      conditions: {
        ...conditions,
        folds: FOLDS,
        batch: BATCH,
        backbone: "resnet18",
        ...baseline,
        ourSeeds: listed(ours),
        peerSeeds: listed(peer),
      },
    }),
  ];
}
