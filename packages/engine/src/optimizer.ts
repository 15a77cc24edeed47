/**
 * Optimizers as functions of tensors, so that a whole step is one recorded graph. The arithmetic is that of torch.optim. Parameters are taken in
 * pieces that stay in the cache while a dozen operations pass over them: small parameters together, large ones cut.
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

/** Numbers of a piece at most: a handful of arrays of a megabyte fit into the cache that cores share. */
const PIECE = 1 << 18;

/** A stretch of all parameters one after another: several whole ones, or a part of one. */
interface Piece {
  /** Positions among the parameters. */
  readonly members: readonly number[];
  readonly size: number;
  /** Where it begins in its parameter, when it is a part of one; else null. */
  readonly begin: number | null;
}

function piecesOf(parameters: readonly tf.Variable[]): readonly Piece[] {
  const pieces: Piece[] = [];
  for (const [i, { size }] of parameters.entries()) {
    const last = pieces.at(-1);
    if (size > PIECE) {
      const parts = Math.ceil(size / PIECE);
      const begins = Array.from({ length: parts + 1 }, (_, k) => Math.floor((k * size) / parts));
      for (let k = 0; k < parts; k++) pieces.push({ members: [i], size: begins[k + 1]! - begins[k]!, begin: begins[k]! });
    } else if (last !== undefined && last.begin === null && last.size + size <= PIECE) {
      pieces[pieces.length - 1] = { members: [...last.members, i], size: last.size + size, begin: null };
    } else {
      pieces.push({ members: [i], size, begin: null });
    }
  }
  return pieces;
}

function slotsOf(name: string, pieces: readonly Piece[]): readonly OptimizerSlot[] {
  return pieces.map(({ size }, i) => ({ name: `${name}.${i}`, variable: tf.tidy(() => tf.variable(tf.zeros([size]), false)) }));
}

const flat = (tensor: tf.Tensor): tf.Tensor1D => tf.reshape(tensor, [tensor.size]) as tf.Tensor1D;

/** The numbers of a piece. */
function take(tensors: readonly tf.Tensor[], { members, size, begin }: Piece): tf.Tensor1D {
  const own = members.map((i) => flat(tensors[i]!));
  if (begin !== null) return tf.slice1d(own[0]!, begin, size);
  return own.length === 1 ? own[0]! : tf.concat1d(own);
}

/** Assigns the parameters' next values, given those of each piece. */
function assignPieces(parameters: readonly tf.Variable[], pieces: readonly Piece[], next: readonly tf.Tensor1D[]): void {
  const parts = parameters.map((): tf.Tensor1D[] => []);
  for (const [k, { members, begin }] of pieces.entries()) {
    const whole = begin !== null || members.length === 1;
    const sizes = members.map((i) => parameters[i]!.size);
    const own: readonly tf.Tensor1D[] = whole ? [next[k]!] : (tf.split(next[k]!, sizes) as tf.Tensor1D[]);
    members.forEach((i, at) => parts[i]!.push(own[at]!));
  }
  parameters.forEach((parameter, i) => {
    const own = parts[i]!;
    parameter.assign(tf.reshape(own.length === 1 ? own[0]! : tf.concat1d(own), parameter.shape));
  });
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
  const pieces = piecesOf(parameters);
  const [first, second] = [slotsOf("moment1", pieces), slotsOf("moment2", pieces)];
  return {
    slots: [...first, ...second],
    apply(gradients, learningRate, step, cycled) {
      const beta1: number | tf.Tensor = cycled ?? firstDecay;
      checkGradients(gradients, parameters);
      tf.tidy(() => {
        const rest = typeof beta1 === "number" ? 1 - beta1 : tf.sub(1, beta1);
        // Numerator and denominator of the change times the root of v's correction: one pass less over all parameters.
        const correction2 = tf.sqrt(biasCorrection(beta2, step));
        const rate = tf.mul(tf.div(learningRate, biasCorrection(beta1, step)), correction2);
        const least = tf.mul(correction2, epsilon);
        const kept = type === "adamw" && weightDecay !== 0 ? tf.sub(1, tf.mul(learningRate, weightDecay)) : null;
        const next = pieces.map((piece, i): tf.Tensor1D => {
          const parameter = take(parameters, piece);
          const gradient = take(gradients, piece);
          const g = type === "adam" && weightDecay !== 0 ? tf.add(gradient, tf.mul(parameter, weightDecay)) : gradient;
          const m = tf.add(tf.mul(first[i]!.variable, beta1), tf.mul(g, rest));
          const v = tf.add(tf.mul(second[i]!.variable, beta2), tf.mul(tf.square(g), 1 - beta2));
          first[i]!.variable.assign(m);
          second[i]!.variable.assign(v);
          const change = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(v), least));
          return tf.sub(kept === null ? parameter : tf.mul(parameter, kept), change);
        });
        assignPieces(parameters, pieces, next);
      });
    },
    dispose: () => [...first, ...second].forEach(({ variable }) => variable.dispose()),
  };
}

function sgd({ momentum = 0, weightDecay = 0 }: OptimizerOptions, parameters: readonly tf.Variable[]): Optimizer {
  const pieces = piecesOf(parameters);
  const slots = momentum === 0 ? [] : slotsOf("momentum", pieces);
  return {
    slots,
    apply(gradients, learningRate, _step, cycled) {
      const decay: number | tf.Tensor = cycled ?? momentum;
      checkGradients(gradients, parameters);
      tf.tidy(() => {
        const next = pieces.map((piece, i): tf.Tensor1D => {
          const parameter = take(parameters, piece);
          let change: tf.Tensor1D = take(gradients, piece);
          if (weightDecay !== 0) change = tf.add(change, tf.mul(parameter, weightDecay));
          if (slots.length > 0) {
            change = tf.add(tf.mul(slots[i]!.variable, decay), change);
            slots[i]!.variable.assign(change);
          }
          return tf.sub(parameter, tf.mul(change, learningRate));
        });
        assignPieces(parameters, pieces, next);
      });
    },
    dispose: () => slots.forEach(({ variable }) => variable.dispose()),
  };
}
