/** How gradients of tfjs's operations are written here. */

import * as tf from "@tensorflow/tfjs";
import { emit } from "../ops/emit.ts";

/** For each input a function that makes its gradient. */
export type InputGradients = Record<string, () => tf.Tensor>;

/** The gradient of an operation of tfjs. */
export interface GradientRule {
  /** Inputs kept for the backward pass, by name. */
  readonly saves?: readonly string[];
  /** Keep all inputs of an operation that takes a list of them. */
  readonly savesAll?: boolean;
  /** Which outputs are kept too; they follow the inputs. */
  readonly savesOutputs?: readonly boolean[];
  /** @param dy Gradient of the output; of an operation with several outputs, of each. */
  readonly gradient: (dy: tf.Tensor[], saved: readonly tf.Tensor[], attributes: Readonly<Record<string, unknown>>) => InputGradients;
}

/** Rules by name of the operation. */
export type GradientTable = Readonly<Record<string, GradientRule>>;

/** Runs a kernel of tfjs. */
export function runKernel(kernel: string, inputs: Record<string, tf.Tensor>, attributes: Record<string, unknown>): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs, attributes as tf.NamedAttrMap);
}

/** Zeros as the gradient of what a result does not depend on smoothly. */
export const noGradient = (x: tf.Tensor): tf.Tensor => emit("Fill", [], { value: 0 }, x.shape);

/** Adds up what broadcasting repeated, so that the gradient has the operand's shape. */
export function unbroadcast(gradient: tf.Tensor, shape: readonly number[]): tf.Tensor {
  if (gradient.shape.join() === shape.join()) return gradient;
  const added = gradient.rank - shape.length;
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < added || (shape[axis - added] === 1 && gradient.shape[axis] !== 1));
  return tf.reshape(axes.length === 0 ? gradient : tf.sum(gradient, axes), shape.slice());
}
