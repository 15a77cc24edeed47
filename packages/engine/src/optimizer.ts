/**
 * Optimizers as functions of tensors, so that a whole step is one recorded graph. The arithmetic is that of torch.optim. Moments of all
 * parameters lie in one vector each: a few operations on a long vector instead of a dozen on every parameter.
 */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";

/** Kind and settings of an optimizer; defaults are torch.optim's. */
export interface OptimizerOptions {
  readonly type: "adamw" | "adam" | "sgd";
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled for `adamw` (default 0.01), added to the gradient for `adam` and `sgd` (default 0). */
  readonly weightDecay?: number;
  /** Of `sgd`, default 0. */
  readonly momentum?: number;
}

/** A piece of an optimizer's state. */
export interface OptimizerSlot {
  readonly name: string;
  readonly variable: tf.Variable;
}

/** An optimizer of given parameters. */
export interface Optimizer {
  /** Everything that must be saved to go on exactly. */
  readonly slots: readonly OptimizerSlot[];
  /**
   * Assigns the parameters' next values, inside a compiled function.
   *
   * @param gradients One per parameter, in the parameters' order.
   * @param learningRate Scalar.
   * @param step Number of this step, from 1; a float32 scalar. Corrects the bias of Adam's moments.
   * @param beta1 Adam's first-moment decay (momentum of `sgd`) of this step as a scalar, for schedules that cycle it; default the options'.
   */
  apply(gradients: readonly tf.Tensor[], learningRate: tf.Tensor, step: tf.Tensor, beta1?: tf.Tensor): void;
  /** Releases the optimizer's state. */
  dispose(): void;
}

/**
 * Creates an optimizer and its slots, before anything is compiled.
 *
 * @example
 * const adamw = createOptimizer({ type: "adamw", weightDecay: 0.01 }, variables);
 */
export function createOptimizer(options: OptimizerOptions, parameters: readonly tf.Variable[]): Optimizer {
  if (parameters.length === 0) throw new GeoLearnError("INVALID_ARGUMENT", "an optimizer needs at least one parameter; given none");
  const { type } = options;
  if (type !== "adam" && type !== "adamw" && type !== "sgd") {
    throw new GeoLearnError("INVALID_ARGUMENT", `optimizer ${String(type)}; expected adamw, adam or sgd`);
  }
  return type === "sgd" ? sgd(options, parameters) : adam(options, parameters);
}

function slot(name: string, size: number): OptimizerSlot {
  return { name, variable: tf.tidy(() => tf.variable(tf.zeros([size]), false)) };
}

const total = (parameters: readonly tf.Variable[]): number => parameters.reduce((sum, variable) => sum + variable.size, 0);

function flatten(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  const flat = tensors.map((tensor) => tf.reshape(tensor, [tensor.size]) as tf.Tensor1D);
  return flat.length === 1 ? flat[0]! : tf.concat1d(flat);
}

/** Assigns `update` of each parameter, given the pieces of a flat change. */
function assignPieces(
  parameters: readonly tf.Variable[],
  flat: tf.Tensor1D,
  update: (parameter: tf.Variable, piece: tf.Tensor) => tf.Tensor,
): void {
  const pieces = parameters.length === 1 ? [flat] : tf.split(flat, parameters.map((variable) => variable.size)); // prettier-ignore
  parameters.forEach((variable, i) => variable.assign(update(variable, tf.reshape(pieces[i]!, variable.shape))));
}

function checkGradients(gradients: readonly tf.Tensor[], parameters: readonly tf.Variable[]): void {
  if (gradients.length !== parameters.length) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${gradients.length} gradients for ${parameters.length} parameters`);
  }
  parameters.forEach((variable, i) => {
    if (gradients[i]!.shape.join() === variable.shape.join()) return;
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `gradient ${i} has shape [${gradients[i]!.shape.join(", ")}]; parameter ${variable.name} has [${variable.shape.join(", ")}]`,
    );
  });
}

/** 1 - beta^step without cancellation. */
const biasCorrection = (beta: number | tf.Tensor, step: tf.Tensor): tf.Tensor =>
  tf.neg(tf.expm1(tf.mul(step, typeof beta === "number" ? Math.log(beta) : tf.log(beta))));

function adam(
  { type, beta1: firstDecay = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = type === "adamw" ? 0.01 : 0 }: OptimizerOptions,
  parameters: readonly tf.Variable[],
): Optimizer {
  const size = total(parameters);
  const first = slot("moment1", size);
  const second = slot("moment2", size);
  return {
    slots: [first, second],
    apply(gradients, learningRate, step, cycled) {
      const beta1: number | tf.Tensor = cycled ?? firstDecay;
      checkGradients(gradients, parameters);
      tf.tidy(() => {
        let g = flatten(gradients);
        if (type === "adam" && weightDecay !== 0) g = tf.add<tf.Tensor1D>(g, tf.mul(flatten(parameters), weightDecay));
        const m = tf.add(tf.mul(first.variable, beta1), tf.mul(g, typeof beta1 === "number" ? 1 - beta1 : tf.sub(1, beta1)));
        const v = tf.add(tf.mul(second.variable, beta2), tf.mul(tf.square(g), 1 - beta2));
        const correction1 = biasCorrection(beta1, step);
        const correction2 = tf.sqrt(biasCorrection(beta2, step));
        const denominator = tf.add(tf.div(tf.sqrt(v), correction2), epsilon);
        const change = tf.div(tf.mul(m, tf.div(learningRate, correction1)), denominator) as tf.Tensor1D;
        const kept = type === "adamw" && weightDecay !== 0 ? tf.sub(1, tf.mul(learningRate, weightDecay)) : null;
        assignPieces(parameters, change, (parameter, piece) => tf.sub(kept === null ? parameter : tf.mul(parameter, kept), piece));
        first.variable.assign(m);
        second.variable.assign(v);
      });
    },
    dispose: () => [first, second].forEach(({ variable }) => variable.dispose()),
  };
}

function sgd({ momentum = 0, weightDecay = 0 }: OptimizerOptions, parameters: readonly tf.Variable[]): Optimizer {
  const slots = momentum === 0 ? [] : [slot("momentum", total(parameters))];
  return {
    slots,
    apply(gradients, learningRate, _step, cycled) {
      const decay: number | tf.Tensor = cycled ?? momentum;
      checkGradients(gradients, parameters);
      tf.tidy(() => {
        let change = flatten(gradients);
        if (weightDecay !== 0) change = tf.add<tf.Tensor1D>(change, tf.mul(flatten(parameters), weightDecay));
        for (const { variable } of slots) {
          change = tf.add(tf.mul(variable, decay), change);
          variable.assign(change);
        }
        assignPieces(parameters, change, (parameter, piece) => tf.sub(parameter, tf.mul(piece, learningRate)));
      });
    },
    dispose: () => slots.forEach(({ variable }) => variable.dispose()),
  };
}
