/** Finding objects, as the Learner sees it. */

import type { BatchesOptions, ObjectData } from "@geolearn/data-prep";
import type { ObjectNetwork } from "@geolearn/models";

import { readAhead } from "../../learner/read-ahead.ts";
import { spreadBatches } from "../spread-batches.ts";
import type { FedBatch, LearnerTask, Results, Side } from "../task.ts";
import { evaluateObjects, type ObjectEvaluation, predictedOf, truthOf } from "./evaluate.ts";
import { createObjectEvaluation, feedsOf, type ObjectEvaluationStep, objectGraph } from "./graph.ts";
import { objectSections } from "./report.ts";
import { type DrawnObject, type ObjectExample, objectFigure, objectPicture } from "./results.ts";

/** Scores from which a found object is drawn. */
const DRAWN = 0.5;

/** Brings a network and data with objects together. */
export function createObjectTask(data: ObjectData, network: ObjectNetwork): LearnerTask<ObjectEvaluation> {
  const { classes } = data;
  let compiled: ObjectEvaluationStep | null = null;
  const step = (): ObjectEvaluationStep => (compiled ??= createObjectEvaluation({ network, data }));

  return {
    ...objectGraph({ network, data }),
    describedLoss: { type: `own loss of ${network.modelType}` },
    settings: {},
    checkLoss: () => undefined,
    async *batches(side: Side, reading?: BatchesOptions): AsyncGenerator<FedBatch> {
      for await (const batch of data[side].read(reading)) yield { names: batch.names, feeds: feedsOf(batch, data) };
    },
    async *rehearse(signal) {
      for await (const batch of readAhead(data.valid.read(signal && { signal }))) yield step().run(batch);
    },
    evaluate: async (signal) => evaluateObjects(data, step(), signal),
    monitors: ["AP", "AP50", "AP75", "AR100", ...classes.map(({ name }) => `AP50 ${name}` as const)],
    epochMetrics: ({ AP, AP50, AP75, AR100, classes: each }) => ({
      ...{ AP, AP50, AP75, AR100 },
      ...Object.fromEntries(each.map(({ name, AP50: own }) => [`AP50 ${name}`, own])),
    }),
    packageMetrics: ({ loss: _loss, images: _images, ...metrics }) => metrics,
    async results(side, count, signal): Promise<Results> {
      const examples = await predictExamples(data, step(), side, count, signal);
      return { figure: (drawing) => objectFigure(examples, classes, drawing), picture: () => objectPicture(examples, classes) };
    },
    reportSections: async (evaluation) => objectSections(evaluation),
    labelFacts: () => [
      ["training objects", classes.map(({ name }, k) => `${name} ${data.classObjects[k]!.toLocaleString("en-US")}`).join(", ")],
    ],
    dispose: async () => compiled?.dispose(),
  };
}

/** Some chips of a side, evenly spread over it, with what the network finds on them. */
async function predictExamples(
  data: ObjectData,
  step: ObjectEvaluationStep,
  side: Side,
  count: number,
  signal: AbortSignal | undefined,
): Promise<ObjectExample[]> {
  const { batchSize, chipWidth: width, chipHeight: height, bands } = data;
  const examples: ObjectExample[] = [];
  for await (const [batch, places] of spreadBatches(data[side], { batchSize, count, signal })) {
    const found = await step.run(batch);
    for (const i of places) {
      const area = width * height * bands;
      examples.push({
        ...{ width, height, bands, image: batch.images.slice(i * area, (i + 1) * area) },
        truth: drawnObjects(truthOf(batch, i)),
        found: drawnObjects(predictedOf(found, i)).filter(({ score }) => score! >= DRAWN),
      });
    }
  }
  return examples;
}

function drawnObjects(objects: { boxes: Float32Array; labels: ArrayLike<number>; scores?: ArrayLike<number> }): DrawnObject[] {
  const { boxes, labels, scores } = objects;
  return Array.from(labels, (label, k) => ({
    box: [boxes[4 * k]!, boxes[4 * k + 1]!, boxes[4 * k + 2]!, boxes[4 * k + 3]!] as const,
    label,
    score: scores?.[k] ?? null,
  }));
}
