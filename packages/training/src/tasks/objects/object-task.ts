/** Finding objects, as the Learner sees it. */

import type { CocoMetrics, MaskWindow } from "@geolearn/core";
import { type BatchesOptions, type ObjectBatch, type ObjectData } from "@geolearn/data-prep";
import type { ObjectNetwork } from "@geolearn/models";

import type { ObjectMonitor } from "../../learner/options.ts";
import { readAhead } from "../../learner/read-ahead.ts";
import { exampleBatches } from "../example-batches.ts";
import { shownExamples } from "../shown-examples.ts";
import type { FedBatch, LearnerTask, Results, Side } from "../task.ts";
import {
  evaluateObjects,
  foundMasks,
  type ObjectEvaluation,
  type ObjectMetrics,
  predictedOf,
  SURE,
  trueMasks,
  truthOf,
} from "./evaluate.ts";
import { createObjectEvaluation, drawOf, feedsOf, type ObjectEvaluationStep, objectGraph } from "./graph.ts";
import { objectSections } from "./report.ts";
import { type DrawnObject, type ObjectExample, objectFigure, objectPicture } from "./results.ts";

const FIGURES = ["AP", "AP50", "AP75", "AR100"] as const;

/** Brings a network and data with objects together. */
export function createObjectTask(data: ObjectData, network: ObjectNetwork): LearnerTask<ObjectEvaluation> {
  const { classes } = data;
  let compiled: ObjectEvaluationStep | null = null;
  const step = (): ObjectEvaluationStep => (compiled ??= createObjectEvaluation({ network, data }));
  const namesOf = <P extends "" | "mask ">(of: P): `${P}${ObjectMonitor}`[] => [
    ...FIGURES.map((figure) => `${of}${figure}` as const),
    ...classes.map(({ name }) => `${of}AP50 ${name}` as const),
  ];

  return {
    ...objectGraph({ network, data }),
    describedLoss: { type: `own loss of ${network.modelType}` },
    settings: {},
    checkLoss: () => undefined,
    async *batches(side: Side, reading?: BatchesOptions): AsyncGenerator<FedBatch> {
      const { epoch = 0, from = 0 } = reading ?? {};
      let place = from;
      for await (const batch of data[side].read(reading))
        yield { names: batch.names, feeds: { ...feedsOf(batch, data), draw: drawOf(data.seed, epoch, place++) } };
    },
    async *rehearse(signal) {
      for await (const batch of readAhead(data.valid.read(signal && { signal }))) yield step().run(batch);
    },
    evaluate: async (signal) => evaluateObjects(data, step(), signal),
    monitors: [...namesOf(""), ...(data.task === "instanceSegmentation" ? namesOf("mask ") : [])],
    epochMetrics: ({ masks, ...boxes }) => ({ ...figuresOf("", boxes), ...(masks === null ? {} : figuresOf("mask ", masks)) }),
    packageMetrics: ({ loss: _loss, images: _images, masks, ...boxes }) => ({
      ...numbersOf(boxes),
      ...(masks === null ? {} : { masks: numbersOf(masks) }),
    }),
    async results(side, count, signal): Promise<Results> {
      const examples = await predictExamples(data, step(), side, count, signal);
      const shown = shownExamples(data, examples);
      return {
        figure: ({ rgb } = {}) => objectFigure(examples, classes, shown(rgb).at(-1)!, side),
        picture: () => objectPicture(examples, classes, shown().at(-1)!),
      };
    },
    reportSections: (evaluation) => objectSections(evaluation, classes),
    labelFacts: () => [
      ["training objects", classes.map(({ name }, k) => `${name} ${data.classObjects[k]!.toLocaleString("en-US")}`).join(", ")],
    ],
    dispose: async () => compiled?.dispose(),
  };
}

/** COCO's numbers without what figures are drawn from. */
function numbersOf({ curves: _curves, confusion: _confusion, ...numbers }: ObjectMetrics): CocoMetrics {
  return numbers;
}

/** The figures of an epoch by name. */
function figuresOf(of: "" | "mask ", metrics: CocoMetrics): Record<string, number | null> {
  return Object.fromEntries([
    ...FIGURES.map((figure) => [`${of}${figure}`, metrics[figure]] as const),
    ...metrics.classes.map(({ name, AP50 }) => [`${of}AP50 ${name}`, AP50] as const),
  ]);
}

/** Some chips of a side, those with objects first, with what the network finds on them. */
async function predictExamples(
  data: ObjectData,
  step: ObjectEvaluationStep,
  side: Side,
  count: number,
  signal: AbortSignal | undefined,
): Promise<ObjectExample[]> {
  const { batchSize, chipWidth: width, chipHeight: height, bands } = data;
  const examples: ObjectExample[] = [];
  const telling = ({ counts }: ObjectBatch, place: number): boolean => counts[place]! > 0;
  for await (const [batch, places] of exampleBatches(data[side], { batchSize, count, telling, signal })) {
    const found = await step.run(batch);
    for (const i of places) {
      const area = width * height * bands;
      examples.push({
        ...{ width, height, bands, image: batch.images.slice(i * area, (i + 1) * area) },
        truth: drawnObjects(truthOf(batch, i), trueMasks(data, batch, i)),
        found: drawnObjects(predictedOf(found, i), foundMasks(data, found, i)).filter(({ score }) => score! >= SURE),
      });
    }
  }
  return examples;
}

function drawnObjects(
  objects: { boxes: Float32Array; labels: ArrayLike<number>; scores?: ArrayLike<number> },
  masks: readonly (MaskWindow | null)[],
): DrawnObject[] {
  const { boxes, labels, scores } = objects;
  return Array.from(labels, (label, k) => ({
    box: [boxes[4 * k]!, boxes[4 * k + 1]!, boxes[4 * k + 2]!, boxes[4 * k + 3]!] as const,
    label,
    score: scores?.[k] ?? null,
    mask: masks[k] ?? null,
  }));
}
