/** One step of training as a compiled function: forward, loss, gradients, clipping, update. */

import { GeoLearnError } from "@geolearn/core";
import { clipByGlobalNorm, compile, createOptimizer, globalNorm, type Optimizer, type TensorSpec } from "@geolearn/engine";
import type { AnyNetwork } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import type { StepRates } from "../schedule/schedules.ts";
import type { FedBatch, TaskGraph } from "../tasks/task.ts";
import type { OptimizationOptions } from "./options.ts";

const SCALAR: TensorSpec = { shape: [], dtype: "float32" };

/** What a step needs besides its optimizer. */
export interface StepContext {
  readonly graph: TaskGraph;
  readonly network: Pick<AnyNetwork, "modelType" | "parameters">;
  /** Whether the backbone's weights stay as they are. Its running statistics go on adapting to the imagery either way. */
  readonly frozen: boolean;
}

/** What a step tells. */
export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
}

/** A compiled training step with the optimizer it feeds. */
export interface TrainingStep {
  readonly optimizer: Optimizer;
  /** @param step Number of the step since the optimizer was fresh, from 1. */
  run(batch: FedBatch, rates: StepRates, step: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** Records the step and makes the optimizer's slots. */
export function createTrainingStep({ graph, network, frozen }: StepContext, options: OptimizationOptions = {}): TrainingStep {
  const trained = network.parameters.filter(({ trainable, backbone }) => trainable && !(frozen && backbone));
  const variables = trained.map(({ variable }) => variable);
  const { optimizer: type = "adamw", weightDecay, momentum = 0.9, clipNorm } = options;
  const optimizer = createOptimizer(
    { type, ...(weightDecay !== undefined && { weightDecay }), ...(type === "sgd" && { momentum }) },
    variables,
  );
  const usualDecay = type === "sgd" ? momentum : 0.9;
  const step = compile(
    ({ lr, step: number, beta1, ...fed }) => {
      const { value, grads } = tf.variableGrads(() => graph.loss(fed), variables);
      const gradients = variables.map(({ name }) => grads[name]!);
      refuseUnreached(network, trained, grads);
      const clipped = clipNorm === undefined ? { gradients, norm: globalNorm(gradients) } : clipByGlobalNorm(gradients, clipNorm);
      optimizer.apply(clipped.gradients, lr!, number!, beta1);
      return { loss: value, gradientNorm: clipped.norm };
    },
    { inputs: { ...graph.inputs, lr: SCALAR, step: SCALAR, beta1: SCALAR } },
  );
  return {
    optimizer,
    async run({ feeds }, { lr, beta1 }, number) {
      const result = await step.run({ ...feeds, lr, step: number, beta1: beta1 ?? usualDecay });
      return { loss: result["loss"]!.data[0]!, gradientNorm: result["gradientNorm"]!.data[0]! };
    },
    async dispose() {
      await step.dispose();
      optimizer.dispose();
    },
  };
}

/** tfjs has no gradient for a variable the loss does not depend on; only networks of one's own have such. */
function refuseUnreached(
  { modelType }: StepContext["network"],
  trained: AnyNetwork["parameters"],
  gradients: Readonly<Record<string, tf.Tensor>>,
): void {
  const lost = trained.filter(({ variable }) => !Object.hasOwn(gradients, variable.name)).map(({ name }) => name);
  if (lost.length === 0) return;
  throw new GeoLearnError(
    "MODEL_INVALID",
    `No gradient reaches ${lost.slice(0, 6).join(", ")}${lost.length > 6 ? ` and ${lost.length - 6} more` : ""} of the model "${modelType}".`,
    { hint: "Use them on the way to the loss, or make them with `trainable: false`.", data: { parameters: lost } },
  );
}
