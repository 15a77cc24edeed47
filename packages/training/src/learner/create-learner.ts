/** From data to a Learner. */

import { GeoLearnError } from "@geolearn/core";
import type { DataOf, ObjectTask } from "@geolearn/data-prep";
import { startEngine } from "@geolearn/engine";
import type { AnyNetwork } from "@geolearn/models";

import { ObjectLearner } from "../tasks/objects/object-learner.ts";
import { createObjectTask } from "../tasks/objects/object-task.ts";
import { chooseLoss } from "../tasks/pixels/loss-spec.ts";
import { PixelLearner } from "../tasks/pixels/pixel-learner.ts";
import { createPixelTask } from "../tasks/pixels/pixel-task.ts";
import type { AnyData } from "../tasks/task.ts";
import { chooseTileLoss } from "../tasks/tiles/loss-spec.ts";
import { TileLearner } from "../tasks/tiles/tile-learner.ts";
import { createTileTask } from "../tasks/tiles/tile-task.ts";
import { checkLearnerOptions } from "./check-options.ts";
import { LearnerCore } from "./core.ts";
import { createNetworkFor } from "./create-network.ts";
import { compareDates } from "./dates.ts";
import type { LearnerOptions } from "./options.ts";

/** Learners by task. */
export interface Learners {
  readonly pixelClassification: PixelLearner;
  readonly objectDetection: ObjectLearner;
  readonly instanceSegmentation: ObjectLearner<"instanceSegmentation">;
  readonly objectClassification: TileLearner;
}

const TASKS: ReadonlySet<string> = new Set<keyof Learners>([
  ...(["pixelClassification", "objectDetection", "instanceSegmentation", "objectClassification"] as const),
]);

/** Tasks a Learner can train. */
export type TrainableTask = keyof Learners;

/** The Learner of a task. */
export type LearnerOf<T extends TrainableTask> = Learners[T];

/** What the Learner of a task measures. */
export type EvaluationOf<T extends TrainableTask> = Awaited<ReturnType<LearnerOf<T>["evaluate"]>>;

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
export function createLearner<T extends TrainableTask>(
  data: DataOf<T> & { readonly task: T },
  options?: LearnerOptions,
): Promise<LearnerOf<T>>;
export async function createLearner(
  data: DataOf<TrainableTask>,
  options: LearnerOptions = {},
): Promise<PixelLearner | ObjectLearner<ObjectTask> | TileLearner> {
  requireData(data);
  checkLearnerOptions(options);
  if (!TASKS.has(data.task)) {
    throw new GeoLearnError(
      "TASK_MISMATCH",
      `The data are for ${String((data as AnyData).task)}, for which there is no network to train.`,
      {
        hint: `Prepare the data with \`task\` one of ${[...TASKS].map((task) => `"${task}"`).join(", ")}.`,
      },
    );
  }
  const { device, threads, seed = data.seed, onWarning = () => undefined } = options;
  const engine = await startEngine({ ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) });
  const frozenOf = ({ network, backboneLoaded }: { network: AnyNetwork; backboneLoaded: boolean }): boolean => {
    const frozen = options.freeze ?? (backboneLoaded && network.parameters.some(({ backbone }) => backbone));
    if (frozen) options.log?.("The backbone is held at first; unfreeze() trains it too.");
    return frozen;
  };
  if (data.task === "objectDetection" || data.task === "instanceSegmentation") {
    refusePixelOptions(options);
    const created = await createNetworkFor(data, options, seed);
    const { network } = created;
    const core = new LearnerCore(data, network, createObjectTask(data, network), engine, seed, onWarning, frozenOf(created));
    return new ObjectLearner(core, data, options.name ?? network.modelType);
  }
  if (data.task === "objectClassification") {
    const loss = chooseTileLoss(data, options);
    const created = await createNetworkFor(data, options, seed);
    const { network } = created;
    const task = createTileTask(data, network, loss);
    const core = new LearnerCore(data, network, task, engine, seed, onWarning, frozenOf(created));
    return new TileLearner(core, task, data, options.name ?? network.modelType);
  }
  const loss = chooseLoss(data, options);
  const created = await createNetworkFor(data, options, seed);
  const { network } = created;
  compareDates(data, network.modelType, onWarning);
  const task = createPixelTask(data, network, loss, engine.device !== "tensorflow");
  const core = new LearnerCore(data, network, task, engine, seed, onWarning, frozenOf(created));
  return new PixelLearner(core, task, data, options.name ?? network.modelType);
}

/** @throws INVALID_ARGUMENT for anything but what prepareData() gives, such as the path of chips or a promise */
export function requireData(data: unknown): void {
  if (typeof data === "object" && data !== null && "task" in data) return;
  const given = typeof data === "string" ? JSON.stringify(data) : data instanceof Promise ? "a promise (mind the `await`)" : String(data);
  throw new GeoLearnError("INVALID_ARGUMENT", `A learner is made for data; it got ${given}, expected what prepareData() gives.`, {
    hint: 'Prepare the chips first, such as `const data = await prepareData("chips", { task: "objectDetection" })`.',
  });
}

/** A setting that nothing reads must not look as if it had a say. */
function refusePixelOptions(options: LearnerOptions): void {
  const given = (["loss", "classWeights", "ignoreClasses"] as const).find((key) => options[key] !== undefined);
  if (given === undefined) return;
  const ofData = given === "ignoreClasses";
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${given}\` is a setting of pixel classification; detectors have their own loss.`, {
    hint: ofData ? "Give `ignoreClasses` to prepareData()." : "Leave it out.",
  });
}
