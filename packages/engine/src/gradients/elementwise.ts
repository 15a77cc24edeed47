/**
 * Gradients of elementwise operations: comparisons have none, which tfjs takes for an error as soon as their operand is trained; some of tfjs's
 * forget that an operand was broadcast.
 */

import * as tf from "@tensorflow/tfjs";
import { type GradientRule, type GradientTable, noGradient, unbroadcast } from "./rule.ts";

/** Results that jump: no gradient for any of the named inputs. */
const flat = (...inputs: string[]): GradientRule => ({
  saves: inputs,
  gradient: (_dy, saved) => Object.fromEntries(inputs.map((name, i) => [name, () => noGradient(saved[i]!)])),
});

type Slope = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** dy times a slope for each operand; null slopes are 1. */
const binary = (slopeA: Slope | null, slopeB: Slope): GradientRule => ({
  saves: ["a", "b"],
  gradient: ([dy], [a, b]) => ({
    a: () => unbroadcast(slopeA === null ? dy! : tf.mul(dy!, slopeA(a!, b!)), a!.shape),
    b: () => unbroadcast(tf.mul(dy!, slopeB(a!, b!)), b!.shape),
  }),
});

const mask = (condition: tf.Tensor): tf.Tensor => tf.cast(condition, "float32");

/** b a^(b-1), and y log a where a is positive. */
const pow: GradientRule = {
  saves: ["a", "b"],
  savesOutputs: [true],
  gradient: ([dy], [a, b, y]) => ({
    a: () => {
      const exponent = tf.cast(b!, "float32");
      return unbroadcast(tf.mul(dy!, tf.mul(exponent, tf.pow(a!, tf.sub(exponent, 1)))), a!.shape);
    },
    b: () => {
      const positive = tf.greater(a!, 0);
      const logarithm = tf.where(positive, tf.log(tf.where(positive, a!, tf.onesLike(a!))), tf.zerosLike(a!));
      return unbroadcast(tf.mul(dy!, tf.mul(y!, logarithm)), b!.shape);
    },
  }),
};

/** Both branches as tfjs; the condition has no gradient. */
const select: GradientRule = {
  saves: ["condition", "t", "e"],
  gradient: ([dy], [condition, t, e]) => {
    const full = (c: tf.Tensor): tf.Tensor =>
      c.rank === 1 && dy!.rank > 1 ? tf.reshape(c, [c.size, ...dy!.shape.slice(1).map(() => 1)]) : c;
    return {
      condition: () => noGradient(condition!),
      t: () => unbroadcast(tf.mul(dy!, mask(full(condition!))), t!.shape),
      e: () => unbroadcast(tf.mul(dy!, mask(tf.logicalNot(full(condition!)))), e!.shape),
    };
  },
};

/** Rules by name of the operation. */
export const elementwiseGradients: GradientTable = {
  Equal: flat("a", "b"),
  NotEqual: flat("a", "b"),
  Less: flat("a", "b"),
  LessEqual: flat("a", "b"),
  Greater: flat("a", "b"),
  GreaterEqual: flat("a", "b"),
  LogicalAnd: flat("a", "b"),
  LogicalOr: flat("a", "b"),
  LogicalXor: flat("a", "b"),
  LogicalNot: flat("x"),
  BitwiseAnd: flat("a", "b"),
  All: flat("x"),
  Any: flat("x"),
  OneHot: flat("indices"),
  SearchSorted: flat("sortedSequence", "values"),
  Maximum: binary(
    (a, b) => mask(tf.greaterEqual(a, b)),
    (a, b) => mask(tf.less(a, b)),
  ),
  Minimum: binary(
    (a, b) => mask(tf.lessEqual(a, b)),
    (a, b) => mask(tf.greater(a, b)),
  ),
  SquaredDifference: binary(
    (a, b) => tf.mul(2, tf.sub(a, b)),
    (a, b) => tf.mul(2, tf.sub(b, a)),
  ),
  Mod: binary(null, (a, b) => tf.neg(tf.floor(tf.div(a, b)))),
  FloorDiv: flat("a", "b"),
  Atan2: binary(
    (a, b) => tf.div(b, tf.add(tf.square(a), tf.square(b))),
    (a, b) => tf.neg(tf.div(a, tf.add(tf.square(a), tf.square(b)))),
  ),
  Pow: pow,
  Select: select,
};
