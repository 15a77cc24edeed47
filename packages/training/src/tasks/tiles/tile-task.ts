/** Classifying whole chips, as the Learner sees it. */

import { type BatchesOptions, type TileData } from "@geolearn/data-prep";
import { tileLoss, type TileLossSpec, type TileNetwork } from "@geolearn/models";

import { readAhead } from "../../learner/read-ahead.ts";
import { shownExamples } from "../shown-examples.ts";
import type { FedBatch, LearnerTask, Results, Side } from "../task.ts";
import { evaluateTiles, predictExamples, type TileContext, type TileEvaluation } from "./evaluate.ts";
import { createTileEvaluation, feedsOf, type TileEvaluationStep, tileGraph } from "./graph.ts";
import { tileSections } from "./report.ts";
import { tileFigure, tilePicture } from "./results.ts";

/** The task, with what it alone can do. */
export interface TileTask extends LearnerTask<TileEvaluation> {
  /** What an evaluation runs on, compiled at the first use. */
  context(): TileContext;
}

/** Brings a network and data of whole chips together. */
export function createTileTask(data: TileData, network: TileNetwork, spec: TileLossSpec): TileTask {
  const { classes, multiLabel } = data;
  const options = { network, loss: tileLoss(spec), data };
  let step: TileEvaluationStep | null = null;
  const context = (): TileContext => ({ data, step: (step ??= createTileEvaluation(options)), thresholds: network.thresholds });
  const figures = multiLabel
    ? (["exactMatch", "meanF1", "meanAp"] as const)
    : ([...(classes.length > 5 ? ["accuracy", "top5Accuracy"] : ["accuracy"]), "kappa", "meanF1"] as (
        | "accuracy"
        | "top5Accuracy"
        | "kappa"
        | "meanF1"
      )[]);

  return {
    ...tileGraph(options),
    context,
    describedLoss: spec,
    settings: { loss: spec },
    checkLoss: () => undefined,
    async *batches(side: Side, reading?: BatchesOptions): AsyncGenerator<FedBatch> {
      for await (const batch of data[side].read(reading)) yield { names: batch.names, feeds: feedsOf(batch) };
    },
    async *rehearse(signal) {
      const { step: evaluation } = context();
      for await (const batch of readAhead(data.valid.read(signal && { signal }))) yield evaluation.run(batch);
    },
    evaluate: async (signal) => evaluateTiles(context(), data.valid, signal),
    monitors: [...figures, ...classes.map(({ name }) => `f1 ${name}` as const)],
    epochMetrics: (evaluation) => ({
      ...Object.fromEntries(figures.map((name) => [name, evaluation[name]])),
      ...Object.fromEntries(evaluation.classes.map(({ name, f1 }) => [`f1 ${name}`, f1])),
    }),
    packageMetrics: ({ classes: each, ...evaluation }) => ({
      ...Object.fromEntries(figures.map((name) => [name, evaluation[name]])),
      classes: each,
    }),
    async results(side, count, signal): Promise<Results> {
      const examples = await predictExamples(context(), data[side], count, signal);
      const shown = shownExamples(data, examples);
      return {
        figure: ({ rgb } = {}) => tileFigure(examples, classes, shown(rgb).at(-1)!, side),
        picture: () => tilePicture(examples, classes, shown().at(-1)!),
      };
    },
    reportSections: async (evaluation) => tileSections(evaluation, classes),
    labelFacts: () => [
      ["training chips by class", classes.map(({ name }, k) => `${name} ${data.classChips[k]!.toLocaleString("en-US")}`).join(", ")],
    ],
    dispose: async () => step?.dispose(),
  };
}
