/** Pixel classification, as the Learner sees it. */

import { GeoLearnError } from "@geolearn/core";
import { type BatchesOptions, type LearningData } from "@geolearn/data-prep";
import { type Network, type PixelLoss, pixelLoss } from "@geolearn/models";

import { readAhead } from "../../learner/read-ahead.ts";
import { percent } from "../../report/html.ts";
import { shownExamples } from "../shown-examples.ts";
import type { FedBatch, LearnerTask, Results, Side } from "../task.ts";
import { type EvaluationContext, evaluateChips, type PixelEvaluation, predictExamples } from "./evaluate.ts";
import { createEvaluationStep, type EvaluationStep, pixelGraph } from "./graph.ts";
import type { ChosenLoss } from "./loss-spec.ts";
import { pixelSections } from "./report.ts";
import { resultsFigure, resultsPicture } from "./results.ts";

/** The task, with what it alone can do. */
export interface PixelTask extends LearnerTask<PixelEvaluation> {
  /** What an evaluation runs on, compiled at the first use. */
  context(): EvaluationContext;
}

/** Brings a network and pixel data together. `tells` is false where nothing is recorded, so that nobody knows what the loss asked for. */
export function createPixelTask(data: LearningData, network: Network, { spec, chosen }: ChosenLoss, tells: boolean): PixelTask {
  const { batchSize, chipHeight, chipWidth, bands, classes } = data;
  const ignored: ReadonlySet<number> = new Set(spec.ignoredClasses ?? []);
  const learnersLoss = pixelLoss(spec);
  let asked = false;
  const loss: PixelLoss = (logits, targets) => {
    asked = true;
    return learnersLoss(logits, targets);
  };
  const options = { network, loss, ignored, shape: [batchSize, chipHeight, chipWidth, bands] as const };
  let step: EvaluationStep | null = null;
  const context = (): EvaluationContext => ({ data, step: (step ??= createEvaluationStep(options)), margin: network.margin, ignored });

  return {
    ...pixelGraph(options),
    context,
    describedLoss: network.ownLoss ? { type: `own loss of ${network.modelType}` } : spec,
    settings: { loss: spec },
    checkLoss() {
      if (!network.ownLoss || asked || !chosen || !tells) return;
      throw new GeoLearnError("INVALID_ARGUMENT", `The ${network.modelType} network has a loss of its own, which asks for no other.`, {
        hint: "Leave out `loss` and `classWeights`, or let its loss use `pixelLoss`.",
      });
    },
    async *batches(side: Side, reading?: BatchesOptions): AsyncGenerator<FedBatch> {
      for await (const { names, images, targets } of data[side].read(reading)) yield { names, feeds: { images, targets } };
    },
    async *rehearse(signal) {
      const { step: evaluation } = context();
      for await (const batch of readAhead(data.valid.read(signal && { signal }))) yield evaluation.run(batch);
    },
    evaluate: async (signal) => evaluateChips(context(), data.valid, signal),
    monitors: ["pixelAccuracy", "meanIou", "kappa", ...classes.map(({ name }) => `iou ${name}` as const)],
    epochMetrics: ({ pixelAccuracy, meanIou, kappa, classes: each }) => ({
      ...{ pixelAccuracy, meanIou, kappa },
      ...Object.fromEntries(each.map(({ name, iou }) => [`iou ${name}`, iou])),
    }),
    packageMetrics: ({ pixelAccuracy, meanIou, kappa, classes: each }) => ({ pixelAccuracy, meanIou, kappa, classes: each }),
    async results(side, count, signal): Promise<Results> {
      const examples = await predictExamples(context(), data[side], count, signal);
      const shown = shownExamples(data, examples);
      return {
        figure: ({ rgb } = {}) => resultsFigure(examples, classes, shown(rgb), side),
        picture: () => resultsPicture(examples, classes, shown()),
      };
    },
    reportSections: async (evaluation) => pixelSections(evaluation, classes),
    labelFacts() {
      const total = data.classPixels.reduce((a, b) => a + b, 0);
      const shares = classes.map(({ name }, k) => `${name} ${total === 0 ? "-" : percent(data.classPixels[k]! / total)}`);
      return [["labelled training pixels", shares.join(", ")]];
    },
    dispose: async () => step?.dispose(),
  };
}
