/**
 * Our side of the COCO benchmark, as a program of its own:
 *
 *     coco-metrics-program.ts make BOXES PER_IMAGE SEED FILE    images with true boxes and about as many found ones
 *     coco-metrics-program.ts run FILE                          evaluates them and prints {seconds, figures, predicted}
 */

import { readFileSync, writeFileSync } from "node:fs";

import { type PredictedObjects, type TruthObjects, cocoMetrics, createRng } from "@geolearn/core";

const CLASSES = 10;
const SIDE = 1024;

/** As both sides read them. */
interface Objects {
  readonly boxes: number[];
  readonly labels: number[];
  readonly scores: number[];
}

/** True boxes, of which nine in ten are found, moved a little, and one false box for every four. */
function makeImages(boxes: number, perImage: number, seed: number): { truth: Objects; predicted: Objects }[] {
  const rng = createRng(seed);
  const place = (): number[] => {
    const [width, height] = [8 + 150 * rng.next() ** 2, 8 + 150 * rng.next() ** 2];
    const [x, y] = [rng.next() * (SIDE - width), rng.next() * (SIDE - height)];
    return [x, y, x + width, y + height];
  };
  return Array.from({ length: Math.round(boxes / perImage) }, () => {
    const truth: Objects = { boxes: [], labels: [], scores: [] };
    const predicted: Objects = { boxes: [], labels: [], scores: [] };
    for (let i = 0; i < perImage; i++) {
      const box = place();
      const label = rng.int(CLASSES);
      truth.boxes.push(...box);
      truth.labels.push(label);
      if (rng.next() < 0.9) {
        const moved = box.map((corner, k) => corner + 0.1 * (rng.next() - 0.5) * (box[(k % 2) + 2]! - box[k % 2]!));
        predicted.boxes.push(...moved);
        predicted.labels.push(label);
        predicted.scores.push(Math.round(1000 * rng.next()) / 1000);
      }
      if (rng.next() < 0.25) {
        predicted.boxes.push(...place());
        predicted.labels.push(rng.int(CLASSES));
        predicted.scores.push(Math.round(1000 * rng.next()) / 1000);
      }
    }
    return { truth, predicted };
  });
}

function evaluate(file: string): { seconds: number; figures: (number | null)[]; predicted: number } {
  const images = JSON.parse(readFileSync(file, "utf8")) as { truth: Objects; predicted: Objects }[];
  const truth = images.map((image): TruthObjects => ({ boxes: Float64Array.from(image.truth.boxes), labels: image.truth.labels }));
  const predicted = images.map((image): PredictedObjects => ({
    boxes: Float64Array.from(image.predicted.boxes),
    labels: image.predicted.labels,
    scores: image.predicted.scores,
  }));
  const classes = Array.from({ length: CLASSES }, (_, k) => ({ value: k, name: String(k) }));
  const started = performance.now();
  const m = cocoMetrics(truth, predicted, { classes });
  const seconds = (performance.now() - started) / 1000;
  const figures = [m.AP, m.AP50, m.AP75, m.APsmall, m.APmedium, m.APlarge, m.AR1, m.AR10, m.AR100, m.ARsmall, m.ARmedium, m.ARlarge];
  return { seconds, figures, predicted: predicted.reduce((sum, { labels }) => sum + labels.length, 0) };
}

const [command, ...args] = process.argv.slice(2);
if (command === "make") {
  const [boxes, perImage, seed] = args.map(Number);
  writeFileSync(args[3]!, JSON.stringify(makeImages(boxes!, perImage!, seed!)));
  process.stdout.write(`${JSON.stringify({ seconds: 0, figures: [], predicted: 0 })}\n`);
} else {
  process.stdout.write(`${JSON.stringify(evaluate(args[0]!))}\n`);
}
