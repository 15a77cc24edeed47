/** Images with objects that tests evaluate, ordinary and awkward ones. */

import { type RleMask, maskToText } from "../boxes/rle-mask.ts";
import { type Rng, createRng } from "../rng.ts";
import type { PredictedObjects, TruthObjects } from "./objects.ts";

/** Images and how many classes their labels come from. */
export interface Scene {
  readonly classes: number;
  readonly truth: TruthObjects[];
  readonly predicted: PredictedObjects[];
}

/** What random scenes are made of. */
export interface SceneOptions {
  readonly images: number;
  readonly classes: number;
  readonly objects: number;
  /** Greatest side of an object in pixels. */
  readonly side: number;
  /** Share of the true objects that are found, and false finds as a share of them. */
  readonly found: number;
  readonly wrong: number;
  /** Scores are multiples of one over this: few levels make many ties. */
  readonly levels: number;
  /** Share of the true objects that are ignored. */
  readonly crowds?: number;
  /** Whole numbers for coordinates. */
  readonly whole?: boolean;
}

type Box = [number, number, number, number];

/** A random scene; predictions are true boxes moved a little, and boxes anywhere. */
export function randomScene(seed: number, options: SceneOptions): Scene {
  const rng = createRng([seed, 11]);
  const { classes, levels, crowds = 0, whole = false } = options;
  const exact = (value: number): number => (whole ? Math.round(value) : Math.round(value * 64) / 64);
  const box = (): Box => {
    const [x, y] = [exact(rng.next() * 400), exact(rng.next() * 400)];
    return [x, y, x + 1 + exact(rng.next() ** 2 * options.side), y + 1 + exact(rng.next() ** 2 * options.side)];
  };
  const truth: TruthObjects[] = [];
  const predicted: PredictedObjects[] = [];
  for (let image = 0; image < options.images; image++) {
    const objects = Array.from({ length: rng.int(options.objects + 1) }, () => ({
      box: box(),
      label: rng.int(classes),
      ignore: rng.next() < crowds ? 1 : 0,
    }));
    const finds = objects.flatMap((object) => {
      const copies = object.ignore === 1 ? 3 : 1;
      return Array.from({ length: copies }, () => ({
        box: moved(object.box, rng, exact),
        label: rng.next() < 0.9 ? object.label : rng.int(classes),
      })).filter(() => rng.next() < options.found);
    });
    const others = Array.from({ length: Math.round(objects.length * options.wrong) + rng.int(2) }, () => ({
      box: box(),
      label: rng.int(classes),
    }));
    const all = [...finds, ...others];
    truth.push({
      boxes: Float64Array.from(objects.flatMap((object) => object.box)),
      labels: objects.map(({ label }) => label),
      ignore: objects.map(({ ignore }) => ignore),
    });
    predicted.push({
      boxes: Float64Array.from(all.flatMap((object) => object.box)),
      labels: all.map(({ label }) => label),
      scores: all.map(() => rng.int(levels + 1) / levels),
    });
  }
  return { classes, truth, predicted };
}

function moved([xmin, ymin, xmax, ymax]: Box, rng: Rng, exact: (value: number) => number): Box {
  const by = (side: number): number => exact((rng.next() - 0.5) * side * 0.5);
  const [width, height] = [xmax - xmin, ymax - ymin];
  const [x, y] = [Math.max(0, xmin + by(width)), Math.max(0, ymin + by(height))];
  return [x, y, Math.max(x + 1, xmax + by(width)), Math.max(y + 1, ymax + by(height))];
}

/** Scenes on which implementations part. */
export function awkwardScenes(): Record<string, Scene> {
  const one = (truth: TruthObjects, predicted: PredictedObjects, classes = 1): Scene => ({
    classes,
    truth: [truth],
    predicted: [predicted],
  });
  const boxes = (...list: Box[]): Float64Array => Float64Array.from(list.flat());
  const none = { boxes: boxes(), labels: [] };
  const square = (side: number, x = 0): Box => [x, 0, x + side, side];
  const rng = createRng(5);
  const crowdOf = Array.from({ length: 130 }, (): Box => {
    const [x, y] = [rng.int(90), rng.int(90)];
    return [x, y, x + 8, y + 8];
  });
  return {
    "no images": { classes: 2, truth: [], predicted: [] },
    "an empty image": one(none, { ...none, scores: [] }),
    "nothing to find": one(none, { boxes: boxes(square(10)), labels: [0], scores: [0.5] }),
    "nothing found": one({ boxes: boxes(square(10)), labels: [0] }, { ...none, scores: [] }),
    "classes without objects, and a class only predicted": one(
      { boxes: boxes(square(10)), labels: [1] },
      { boxes: boxes(square(10), square(10)), labels: [1, 3], scores: [0.5, 0.9] },
      5,
    ),
    "empty images between others": {
      classes: 1,
      truth: [none, { boxes: boxes(square(10)), labels: [0] }, none],
      predicted: [
        { ...none, scores: [] },
        { boxes: boxes(square(9)), labels: [0], scores: [0.4] },
        { boxes: boxes(square(5)), labels: [0], scores: [0.4] },
      ],
    },
    "areas exactly on the bounds": one(
      { boxes: boxes(square(32), square(96, 200), square(31, 400), square(97, 600)), labels: [0, 0, 0, 0] },
      { boxes: boxes(square(32), square(96, 200), [400, 0, 433, 32], square(96, 600)), labels: [0, 0, 0, 0], scores: [0.9, 0.8, 0.7, 0.6] },
    ),
    "areas that are not those of the boxes": one(
      { boxes: boxes(square(50), square(50, 100), square(10, 200)), labels: [0, 0, 0], areas: [1024, 9216, 9217] },
      { boxes: boxes(square(50), square(48, 100), square(9, 200)), labels: [0, 0, 0], scores: [0.3, 0.6, 0.9] },
    ),
    "IoU exactly on thresholds": one(
      { boxes: boxes([0, 0, 20, 1], [100, 0, 120, 1], [200, 0, 220, 1], [300, 0, 320, 1]), labels: [0, 0, 0, 0] },
      {
        boxes: boxes([0, 0, 10, 1], [100, 0, 115, 1], [200, 0, 219, 1], [300, 0, 320, 1]),
        labels: [0, 0, 0, 0],
        scores: [0.5, 0.5, 0.5, 0.5],
      },
    ),
    "two finds of one object, the worse one better placed": one(
      { boxes: boxes(square(20)), labels: [0] },
      { boxes: boxes([0, 0, 20, 14], square(20)), labels: [0, 0], scores: [0.9, 0.8] },
    ),
    "one find between two objects alike": one(
      { boxes: boxes([0, 0, 20, 10], [10, 0, 30, 10]), labels: [0, 0] },
      { boxes: boxes([5, 0, 25, 10], [5, 0, 25, 10]), labels: [0, 0], scores: [0.5, 0.5] },
    ),
    "crowds take many, objects before crowds": one(
      { boxes: boxes([0, 0, 100, 100], square(20), [50, 50, 60, 60]), labels: [0, 0, 0], ignore: [1, 0, 1] },
      {
        boxes: boxes(square(20), square(19), [40, 40, 60, 60], [50, 50, 60, 61], [90, 90, 130, 130]),
        labels: [0, 0, 0, 0, 0],
        scores: [0.5, 0.9, 0.7, 0.6, 0.8],
      },
    ),
    "crowds alone": one(
      { boxes: boxes(square(20)), labels: [0], ignore: [1] },
      { boxes: boxes(square(20), square(5)), labels: [0, 0], scores: [0.5, 0.6] },
    ),
    "more than 100 detections in an image": one(
      { boxes: boxes(...crowdOf), labels: crowdOf.map(() => 0) },
      {
        boxes: boxes(...crowdOf, ...crowdOf),
        labels: [...crowdOf, ...crowdOf].map(() => 0),
        scores: [...crowdOf, ...crowdOf].map((_, i) => (i % 7) / 10),
      },
    ),
    "boxes without area": one(
      { boxes: boxes([5, 5, 5, 9], square(10)), labels: [0, 0] },
      { boxes: boxes([5, 5, 5, 9], square(10)), labels: [0, 0], scores: [0.9, 0.8] },
    ),
  };
}

/** The same scene with ellipses in the boxes as masks, some of them without a pixel. */
export function asMasks({ classes, truth, predicted }: Scene, width = 560, height = 520): Scene {
  const withMasks = <T extends TruthObjects | PredictedObjects>(objects: T): T => {
    const masks = Array.from(objects.labels, (_, i) => ellipse(objects.boxes!.slice(4 * i, 4 * i + 4), width, height));
    const { boxes: _, ...rest } = objects;
    return { ...rest, masks } as unknown as T;
  };
  return { classes, truth: truth.map(withMasks), predicted: predicted.map(withMasks) };
}

/** Run by run, since scenes have thousands of them. */
function ellipse(box: ArrayLike<number>, width: number, height: number): RleMask {
  const [xmin, ymin, xmax, ymax] = Array.from(box) as Box;
  const counts = [0];
  const add = (set: boolean, run: number): void => {
    if (run <= 0) return;
    if ((counts.length % 2 === 0) === set) counts[counts.length - 1]! += run;
    else counts.push(run);
  };
  for (let x = 0; x < width; x++) {
    const dx = (2 * (x + 0.5) - xmin - xmax) / (xmax - xmin);
    const half = (Math.sqrt(Math.max(0, 1 - dx * dx)) * (ymax - ymin)) / 2;
    const [top, foot] = [(ymin + ymax) / 2 - half, (ymin + ymax) / 2 + half].map((y) => Math.min(height, Math.max(0, Math.round(y)))) as [
      number,
      number,
    ];
    add(false, top);
    add(true, foot - top);
    add(false, height - foot);
  }
  return { width, height, counts: Uint32Array.from(counts) };
}

/** A scene as tests/oracles/objects.py reads it. */
export function forPeers({ classes, truth, predicted }: Scene): { classes: number; kind: "bbox" | "segm"; images: [object, object][] } {
  const plain = ({ boxes, masks, ...rest }: TruthObjects | PredictedObjects): object => ({
    ...(boxes === undefined ? {} : { boxes: [...boxes] }),
    ...(masks === undefined ? {} : { masks: masks.map((mask) => ({ width: mask.width, height: mask.height, text: maskToText(mask) })) }),
    ...Object.fromEntries(Object.entries(rest).map(([name, values]) => [name, Array.from(values as ArrayLike<number>)])),
  });
  const kind = truth.some(({ masks }) => masks !== undefined) ? "segm" : "bbox";
  return { classes, kind, images: truth.map((objects, i) => [plain(objects), plain(predicted[i]!)]) };
}
