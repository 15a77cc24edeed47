import { describe, expect, test } from "vitest";

import { encodeMask } from "../boxes/rle-mask.ts";
import { createRng } from "../rng.ts";
import { averagePrecision, precisionRecallCurve } from "./average-precision.ts";
import { CocoEvaluation, type CocoFigures, cocoMetrics } from "./coco-metrics.ts";
import { type ConfusionMatrix, createConfusionMatrix } from "./confusion.ts";
import { countDetections, createDetectionConfusion, detectionCounts } from "./detection-confusion.ts";
import { cohenKappa } from "./kappa.ts";
import { askPeers, withPeers } from "./peers.testing.ts";
import { type Scene, asMasks, awkwardScenes, forPeers, randomScene } from "./scenes.testing.ts";
import { topKAccuracy } from "./top-k.ts";
import { vocAp } from "./voc-ap.ts";

const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });
const classList = (count: number): { value: number; name: string }[] =>
  Array.from({ length: count }, (_, k) => ({ value: k * 10, name: `class ${k}` }));
const box = (...corners: number[]): Float64Array => Float64Array.from(corners);

const scenes: Record<string, Scene> = {
  ...awkwardScenes(),
  "ordinary, three classes": randomScene(1, { images: 30, classes: 3, objects: 12, side: 150, found: 0.8, wrong: 0.5, levels: 1e6 }),
  "ties everywhere": randomScene(2, { images: 20, classes: 2, objects: 15, side: 60, found: 0.9, wrong: 1, levels: 3, whole: true }),
  "crowds among objects": randomScene(3, {
    images: 20,
    classes: 2,
    objects: 10,
    side: 200,
    found: 0.9,
    wrong: 0.5,
    levels: 10,
    crowds: 0.3,
  }),
  "many classes, few objects": randomScene(4, { images: 15, classes: 40, objects: 6, side: 120, found: 0.7, wrong: 2, levels: 100 }),
  "small and crowded, beyond 100": randomScene(5, {
    images: 3,
    classes: 1,
    objects: 300,
    side: 30,
    found: 1,
    wrong: 1,
    levels: 20,
    whole: true,
  }),
};

function expectFigures(ours: Partial<CocoFigures>, theirs: Partial<CocoFigures>): void {
  for (const [name, figure] of Object.entries(theirs)) {
    if (name === "classes" || name === "curves") continue;
    const own = ours[name as keyof CocoFigures];
    if (figure === null || own === null || own === undefined) expect(own, name).toBe(figure);
    else expect(Math.abs(own - (figure as number)), `${name}: ${own}, pycocotools ${String(figure)}`).toBeLessThan(1e-9);
  }
}

interface PeerClass extends Pick<CocoFigures, "AP" | "AR100"> {
  readonly curves: Readonly<Record<string, { precision: number[]; scores: number[] }>> | null;
}

describe.skipIf(!withPeers)("COCO's twelve numbers equal pycocotools' to 1e-9", () => {
  const sets = { boxes: Object.entries(scenes), masks: Object.entries(scenes).map(([name, scene]) => [name, asMasks(scene)] as const) };
  for (const iou of ["boxes", "masks"] as const) {
    // an image without any true object or detection names no kind; the peer takes it from the rest
    const answers = withPeers
      ? askPeers<(CocoFigures & { classes: PeerClass[] })[]>("coco", {
          cases: sets[iou].map(([, scene]) => ({ ...forPeers(scene), kind: iou === "boxes" ? "bbox" : "segm" })),
        })
      : [];
    test.each(sets[iou].map(([name, scene], k) => [name, scene, k] as const))(`${iou}: %s`, (_, scene, k) => {
      const { classes, ...ours } = cocoMetrics(scene.truth, scene.predicted, { classes: classList(scene.classes), iou });
      expectFigures(ours, answers[k]!);
      for (const [c, own] of classes.entries()) expectFigures(own, answers[k]!.classes[c]!);
      const evaluation = new CocoEvaluation({ classes: classList(scene.classes), iou });
      for (const [i, objects] of scene.truth.entries()) evaluation.add(objects, scene.predicted[i]!);
      for (const minIou of [0.5, 0.75]) {
        const theirs = answers[k]!.classes.map(({ curves }) => curves?.[String(minIou)] ?? null);
        const curves = evaluation.curves(minIou).map((curve) => curve && { precision: [...curve.precision], scores: [...curve.scores] });
        expect(curves.map((curve) => curve?.scores ?? null)).toEqual(theirs.map((curve) => curve?.scores ?? null));
        // pycocotools adds 2.2e-16 to the divisor of its precision
        const precision = (all: readonly ({ precision: number[] } | null)[]): number[] => all.flatMap((curve) => curve?.precision ?? []);
        expect(precision(curves).length).toBe(precision(theirs).length);
        precision(curves).forEach((value, i) => expect(Math.abs(value - precision(theirs)[i]!)).toBeLessThan(1e-12));
      }
    });
  }
});

describe("COCO's metrics", () => {
  const [truth, predicted] = [
    { boxes: box(0, 0, 50, 50), labels: [0] },
    { boxes: box(0, 0, 50, 40), labels: [0], scores: [0.9] },
  ];

  test("by hand: right up to IoU 0.8", () => {
    const metrics = cocoMetrics([truth], [predicted], { classes: classList(2) });
    expect(metrics).toMatchObject({ AP50: 1, AP75: 1, APsmall: null, APlarge: null });
    for (const figure of [metrics.AP, metrics.APmedium, metrics.AR1, metrics.AR100]) expect(figure).toBeCloseTo(0.7, 12);
    expect(metrics.classes).toMatchObject([
      { value: 0, truthObjects: 1, predictedObjects: 1, AP50: 1 },
      { value: 10, truthObjects: 0, predictedObjects: 0, AP: null },
    ]);
  });

  test("image by image is the same as at once, and may be asked in between", () => {
    const scene = scenes["crowds among objects"]!;
    const evaluation = new CocoEvaluation({ classes: classList(scene.classes) });
    for (const [i, objects] of scene.truth.entries()) {
      evaluation.add(objects, scene.predicted[i]!);
      if (i === 5) evaluation.metrics();
    }
    expect(evaluation.metrics()).toEqual(cocoMetrics(scene.truth, scene.predicted, { classes: classList(scene.classes) }));
  });

  test("a refused image leaves no trace", () => {
    const evaluation = new CocoEvaluation({ classes: classList(1) });
    evaluation.add(truth, predicted);
    const before = evaluation.metrics();
    const wrong: [object, object, string][] = [
      [truth, { ...predicted, labels: [1] }, "CLASS_UNKNOWN"],
      [{ ...truth, labels: [0.5] }, predicted, "CLASS_UNKNOWN"],
      [truth, { ...predicted, scores: [Number.NaN] }, "INVALID_ARGUMENT"],
      [truth, { ...predicted, scores: [] }, "INVALID_ARGUMENT"],
      [{ labels: [] }, predicted, "INVALID_ARGUMENT"],
      [{ ...truth, ignore: [] }, predicted, "INVALID_ARGUMENT"],
      [{ ...truth, areas: [Infinity] }, predicted, "INVALID_ARGUMENT"],
      [{ ...truth, boxes: box(0, 0, 1) }, predicted, "INVALID_ARGUMENT"],
    ];
    for (const [one, other, code] of wrong) {
      expect(() => evaluation.add(one as typeof truth, other as typeof predicted)).toThrow(expect.objectContaining({ code }));
    }
    expect(evaluation.metrics()).toEqual(before);
  });

  test("curves: by hand, and refused at other thresholds", () => {
    const evaluation = new CocoEvaluation({ classes: classList(2) });
    const twice = { boxes: box(0, 0, 50, 50, 100, 100, 150, 150), labels: [0, 0] };
    evaluation.add(twice, { boxes: box(0, 0, 50, 40, 0, 200, 9, 209), labels: [0, 0], scores: [0.9, 0.4] });
    const [curve, none] = evaluation.curves();
    expect(none).toBeNull();
    // half of the objects are found by the first detection, the others by none
    expect([...curve!.precision]).toEqual(Array.from({ length: 101 }, (_, r) => (r <= 50 ? 1 : 0)));
    expect([...curve!.scores]).toEqual(Array.from({ length: 101 }, (_, r) => (r <= 50 ? 0.9 : 0)));
    expect(evaluation.curves(0.85)[0]!.precision.every((value) => value === 0)).toBe(true);
    expect(() => evaluation.curves(0.51)).toThrow(invalid);
  });

  test("refuses lists of different length, no classes, masks of different size", () => {
    expect(() => cocoMetrics([truth], [], { classes: classList(1) })).toThrow(invalid);
    expect(() => cocoMetrics([], [], { classes: [] })).toThrow(invalid);
    const mask = (width: number): { masks: [ReturnType<typeof encodeMask>]; labels: number[] } => ({
      masks: [encodeMask(new Uint8Array(width).fill(1), width, 1)],
      labels: [0],
    });
    expect(() => cocoMetrics([mask(3)], [{ ...mask(4), scores: [1] }], { classes: classList(1), iou: "masks" })).toThrow(invalid);
  });
});

describe("VOC's average precision", () => {
  test("by hand", () => {
    // hits at ranks 1 and 3 of 2: precision 1 up to recall 1/2, 2/3 up to 1
    expect(averagePrecision([1, 0, 1], 2)).toBeCloseTo((1 + 2 / 3) / 2, 12);
    expect(averagePrecision([1, 0, 1], 2, "elevenPoints")).toBeCloseTo((6 + 5 * (2 / 3)) / 11, 12);
    expect(averagePrecision([], 3)).toBe(0);
    expect(averagePrecision([0], 0)).toBeNull();
    expect(() => averagePrecision([1, 1], 1)).toThrow(invalid);
    expect([...precisionRecallCurve([1, 0], 4).recall]).toEqual([0.25, 0.25]);
  });

  test.skipIf(!withPeers)("equals the development kit's to 1e-12", () => {
    const names = Object.keys(scenes).filter((name) => name !== "boxes without area");
    for (const [method, minIou] of [
      ["allPoints", 0.5],
      ["elevenPoints", 0.5],
      ["allPoints", 0.75],
    ] as const) {
      const answers = askPeers<(number | null)[][]>("voc", {
        cases: names.map((name) => ({ ...forPeers(scenes[name]!), minIou, eleven: method === "elevenPoints" })),
      });
      for (const [k, name] of names.entries()) {
        const scene = scenes[name]!;
        const ours = vocAp(scene.truth, scene.predicted, { classes: classList(scene.classes), minIou, method });
        for (const [c, { ap }] of ours.classes.entries()) {
          const theirs = answers[k]![c]!;
          if (ap === null || theirs === null) expect(ap, name).toBe(theirs);
          else expect(Math.abs(ap - theirs), name).toBeLessThan(1e-12);
        }
      }
    }
  });

  test("refuses odd input", () => {
    expect(() => vocAp([], [], { classes: classList(1), minIou: 0 })).toThrow(invalid);
    expect(() => vocAp([{ boxes: box(), labels: [] }], [], { classes: classList(1) })).toThrow(invalid);
    expect(vocAp([], [], { classes: classList(1) })).toEqual({ meanAp: null, classes: [{ value: 0, name: "class 0", ap: null }] });
  });
});

describe("confusion of detections", () => {
  test.skipIf(!withPeers)("equals plain loops", () => {
    const names = Object.keys(scenes).filter((name) => name !== "boxes without area");
    const answers = askPeers<number[][]>("confusion", {
      cases: names.map((name) => ({ ...forPeers(scenes[name]!), minIou: 0.45, minScore: 0.25 })),
    });
    for (const [k, name] of names.entries()) {
      const scene = scenes[name]!;
      const matrix = createDetectionConfusion(scene.classes);
      for (const [i, objects] of scene.truth.entries())
        countDetections(matrix, objects, scene.predicted[i]!, { minIou: 0.45, minScore: 0.25 });
      expect([...matrix.counts], name).toEqual(answers[k]);
    }
  });

  test("counts by hand", () => {
    const matrix = createDetectionConfusion(2);
    countDetections(
      matrix,
      { boxes: box(0, 0, 10, 10, 20, 0, 30, 10, 40, 0, 50, 10), labels: [0, 1, 1] },
      { boxes: box(0, 0, 10, 10, 20, 0, 30, 10, 80, 0, 90, 10), labels: [0, 0, 1], scores: [1, 1, 1] },
    );
    // a house found, a tree taken for a house, a tree missed, a tree where nothing is
    expect([...matrix.counts]).toEqual([1, 0, 0, 1, 0, 1, 0, 1, 0]);
    const { classes, ...all } = detectionCounts(matrix, classList(2));
    expect(all).toEqual({ truePositives: 1, falsePositives: 2, falseNegatives: 2, precision: 1 / 3, recall: 1 / 3, f1: 1 / 3 });
    expect(classes[0]).toMatchObject({ precision: 0.5, recall: 1, f1: 2 / 3 });
    expect(classes[1]).toMatchObject({ precision: 0, recall: 0, f1: 0 });
    expect(detectionCounts(createDetectionConfusion(1), classList(1)).classes[0]).toMatchObject({
      precision: null,
      recall: null,
      f1: null,
    });
    expect(() => detectionCounts(matrix, classList(3))).toThrow(invalid);
  });
});

describe("Cohen's kappa and top-k", () => {
  test("kappa of a textbook table, of agreement and of nothing", () => {
    const table = (size: number, counts: number[]): ConfusionMatrix => ({
      ...createConfusionMatrix(size),
      counts: Float64Array.from(counts),
    });
    expect(cohenKappa(table(2, [20, 5, 10, 15]))).toBeCloseTo(0.4, 12);
    expect(cohenKappa(table(2, [3, 0, 0, 4]))).toBe(1);
    expect(cohenKappa(table(2, [3, 0, 0, 0]))).toBeNull();
    expect(cohenKappa(table(2, [0, 0, 0, 0]))).toBeNull();
  });

  test.skipIf(!withPeers)("top-k equals NumPy's, ties included", () => {
    const rng = createRng(3);
    const truth = Array.from({ length: 500 }, () => rng.int(6));
    const scores = Array.from({ length: 500 * 6 }, () => rng.int(8));
    const theirs = askPeers<number[]>("topk", { scores, truth });
    expect(theirs.map((_, k) => topKAccuracy(scores, truth, 6, k + 1))).toEqual(theirs);
  });

  test("top-k by hand; refuses odd input", () => {
    expect(topKAccuracy([0.5, 0.5, 0.1], [1], 3, 1)).toBe(0);
    expect(topKAccuracy([0.5, 0.5, 0.1], [1], 3, 2)).toBe(1);
    expect(topKAccuracy([0.5, 0.5, 0.1], [-1], 3, 1)).toBeNull();
    expect(() => topKAccuracy([1, 2], [0], 3, 1)).toThrow(invalid);
    expect(() => topKAccuracy([1, 2, 3], [0], 3, 4)).toThrow(invalid);
    expect(() => topKAccuracy([1, Number.NaN, 3], [0], 3, 1)).toThrow(invalid);
    expect(() => topKAccuracy([1, 2, 3], [3], 3, 1)).toThrow(expect.objectContaining({ code: "CLASS_UNKNOWN" }));
  });
});
