/** From data to a Learner. */

import { GeoLearnError } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { startEngine } from "@geolearn/engine";

import { chooseLoss } from "../tasks/pixels/loss-spec.ts";
import { PixelLearner } from "../tasks/pixels/pixel-learner.ts";
import { createPixelTask } from "../tasks/pixels/pixel-task.ts";
import { LearnerCore } from "./core.ts";
import { createNetworkFor } from "./create-network.ts";
import type { LearnerOptions } from "./options.ts";

/** Learners by task. */
export interface Learners {
  readonly pixelClassification: PixelLearner;
}

/** Tasks a Learner can train. */
export type TrainableTask = keyof Learners;

/** The Learner of a task. */
export type LearnerOf<T extends TrainableTask> = Learners[T];

/**
 * A network for the data, with random or given first weights, ready to be trained. With `pretrained` it goes on from a model package: other
 * classes or bands begin anew in their layer only, and `log` names them; its backbone is held at first, as always when weights were loaded.
 *
 * @throws CHIP_SIZE_NOT_DIVISIBLE, WEIGHTS_MISMATCH, MODEL_FOREIGN, MODEL_NOT_DEFINED, MODEL_INVALID, TASK_MISMATCH, CLASS_UNKNOWN, INVALID_ARGUMENT
 *
 * @example
 * const learner = await createLearner(data, { backbone: "resnet18" });
 * await learner.fit({ epochs: 10 });
 * await learner.save("buildings.dlpk");
 */
export async function createLearner<T extends TrainableTask>(data: LearningData<T>, options: LearnerOptions = {}): Promise<LearnerOf<T>> {
  if (data.task !== "pixelClassification") {
    throw new GeoLearnError("TASK_MISMATCH", `The data are for ${String(data.task)}; this learner is for pixelClassification.`, {
      hint: 'Prepare the data with `task: "pixelClassification"`.',
    });
  }
  const { device, threads, seed = data.seed, onWarning = () => undefined } = options;
  const engine = await startEngine({ ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) });
  const loss = chooseLoss(data, options);
  const { network, backboneLoaded } = await createNetworkFor(data, options, seed);
  const frozen = options.freeze ?? (backboneLoaded && network.parameters.some(({ backbone }) => backbone));
  if (frozen) options.log?.("The backbone is held at first; unfreeze() trains it too.");
  const task = createPixelTask(data, network, loss, engine.device !== "tensorflow");
  const core = new LearnerCore(data, network, task, engine, seed, onWarning, frozen);
  return new PixelLearner(core, task, data, options.name ?? network.modelType);
}
