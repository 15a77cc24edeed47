/** One step of training as a compiled function: forward, loss, gradients, clipping, update. */

import { GeoLearnError } from "@geolearn/core";
import type { PixelBatch } from "@geolearn/data-prep";
import {
  clipByGlobalNorm,
  type CompiledFunction,
  compile,
  createOptimizer,
  globalNorm,
  type Optimizer,
  type TensorSpec,
} from "@geolearn/engine";
import type { Network, PixelLoss } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import type { StepRates } from "../schedule/schedules.ts";
import type { OptimizationOptions } from "./options.ts";

/** What a step needs besides its optimizer. */
export interface StepContext {
  readonly network: Network;
  /** The Learner's loss; a network may have its own. */
  readonly loss: PixelLoss;
  /** Positions of classes whose pixels do not count. */
  readonly ignored: ReadonlySet<number>;
  /** `[batch, height, width, bands]`. */
  readonly shape: readonly [number, number, number, number];
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
  run(batch: PixelBatch, rates: StepRates, step: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** Records the step and makes the optimizer's slots. */
export function createTrainingStep(
  { network, loss, ignored, shape, frozen }: StepContext,
  options: OptimizationOptions = {},
): TrainingStep {
  const trained = network.parameters.filter(({ trainable, backbone }) => trainable && !(frozen && backbone));
  const variables = trained.map(({ variable }) => variable);
  const { optimizer: type = "adamw", weightDecay, momentum = 0.9, clipNorm } = options;
  const optimizer = createOptimizer(
    { type, ...(weightDecay !== undefined && { weightDecay }), ...(type === "sgd" && { momentum }) },
    variables,
  );
  const usualDecay = type === "sgd" ? momentum : 0.9;
  const step = compile(
    ({ images, targets, lr, step: number, beta1 }) => {
      const { value, grads } = tf.variableGrads(
        () => network.loss(network.forward(images as tf.Tensor4D, { training: true }), counted(targets!, network, ignored), loss),
        variables,
      );
      const gradients = variables.map(({ name }) => grads[name]!);
      refuseUnreached(network, trained, grads);
      const clipped = clipNorm === undefined ? { gradients, norm: globalNorm(gradients) } : clipByGlobalNorm(gradients, clipNorm);
      optimizer.apply(clipped.gradients, lr!, number!, beta1);
      return { loss: value, gradientNorm: clipped.norm };
    },
    { inputs: { ...batchInputs(shape), lr: SCALAR, step: SCALAR, beta1: SCALAR } },
  );
  return {
    optimizer,
    async run({ images, targets }, { lr, beta1 }, number) {
      const result = await step.run({ images, targets, lr, step: number, beta1: beta1 ?? usualDecay });
      return { loss: result["loss"]!.data[0]!, gradientNorm: result["gradientNorm"]!.data[0]! };
    },
    async dispose() {
      await step.dispose();
      optimizer.dispose();
    },
  };
}

/** tfjs has no gradient for a variable the loss does not depend on; only networks of one's own have such. */
function refuseUnreached({ modelType }: Network, trained: Network["parameters"], gradients: Readonly<Record<string, tf.Tensor>>): void {
  const lost = trained.filter(({ variable }) => !Object.hasOwn(gradients, variable.name)).map(({ name }) => name);
  if (lost.length === 0) return;
  throw new GeoLearnError(
    "MODEL_INVALID",
    `No gradient reaches ${lost.slice(0, 6).join(", ")}${lost.length > 6 ? ` and ${lost.length - 6} more` : ""} of the model "${modelType}".`,
    { hint: "Use them on the way to the loss, or make them with `trainable: false`.", data: { parameters: lost } },
  );
}

/** What one evaluation batch gives. */
export interface EvaluationResult {
  /** Mean over the labelled pixels of the batch; null when the loss is not known. */
  readonly loss: number | null;
  /** Class indices, `[batch, height - 2 margin, width - 2 margin]`. */
  readonly predicted: Int32Array;
}

/** A compiled forward pass with loss and classes. */
export interface EvaluationStep {
  run(batch: PixelBatch): Promise<EvaluationResult>;
  dispose(): Promise<void>;
}

/** Records the forward pass with stored statistics. */
export function createEvaluationStep({ network, loss, ignored, shape }: Omit<StepContext, "frozen">): EvaluationStep {
  const step: CompiledFunction = compile(
    ({ images, targets }) => {
      const outputs = network.forward(images as tf.Tensor4D, { training: false });
      return { loss: network.loss(outputs, counted(targets!, network, ignored), loss), predicted: tf.argMax(network.decode(outputs), 3) };
    },
    { inputs: batchInputs(shape) },
  );
  return {
    async run({ images, targets }) {
      const { loss: value, predicted } = await step.run({ images, targets });
      return { loss: value!.data[0]!, predicted: predicted!.data as Int32Array };
    },
    dispose: () => step.dispose(),
  };
}

/** Targets of the pixels a network scores. */
export function cutHostTargets(
  targets: Int32Array,
  [count, height, width]: readonly [number, number, number, number],
  margin: number,
): Int32Array {
  if (margin === 0) return targets;
  const [innerHeight, innerWidth] = [height - 2 * margin, width - 2 * margin];
  const inner = new Int32Array(count * innerHeight * innerWidth);
  for (let n = 0, to = 0; n < count; n++) {
    for (let row = margin; row < height - margin; row++, to += innerWidth) {
      const from = (n * height + row) * width + margin;
      inner.set(targets.subarray(from, from + innerWidth), to);
    }
  }
  return inner;
}

const SCALAR: TensorSpec = { shape: [], dtype: "float32" };

function batchInputs(shape: readonly [number, number, number, number]): { images: TensorSpec; targets: TensorSpec } {
  return { images: { shape, dtype: "float32" }, targets: { shape: shape.slice(0, 3), dtype: "int32" } };
}

/** Targets of the pixels a network scores, -1 where they do not count. */
function counted(targets: tf.Tensor, { margin }: Network, ignored: ReadonlySet<number>): tf.Tensor3D {
  const [n, height, width] = targets.shape as [number, number, number];
  const inner = margin === 0 ? targets : tf.slice(targets, [0, margin, margin], [n, height - 2 * margin, width - 2 * margin]);
  const none = tf.neg(tf.onesLike(inner));
  return [...ignored].reduce((kept, index) => tf.where(tf.equal(kept, index), none, kept), inner) as tf.Tensor3D;
}
