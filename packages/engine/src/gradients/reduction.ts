/** Gradients of reductions, running sums and products. */

import * as tf from "@tensorflow/tfjs";
import { emit } from "../ops/emit.ts";
import { type GradientRule, type GradientTable, runKernel, unbroadcast } from "./rule.ts";

/** On any axis; tfjs transposes to a wrong shape on inner ones. */
const cumsum: GradientRule = {
  gradient: ([dy], _saved, { axis, exclusive, reverse }) => ({
    x: () => runKernel("Cumsum", { x: dy! }, { axis, exclusive, reverse: reverse !== true }),
  }),
};

const cumprod: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x], { axis, exclusive, reverse }) => ({
    x: () => {
      const [at] = tf.util.parseAxisParam(axis as number, x!.shape);
      return emit("CumprodGrad", [x!, dy!], { axis: at!, exclusive: exclusive === true, reverse: reverse === true }, x!.shape);
    },
  }),
};

/** Equal extremes share the gradient, as in TensorFlow and PyTorch's amax; tfjs gives each of them all of it. */
const extreme: GradientRule = {
  saves: ["x"],
  savesOutputs: [true],
  gradient: ([dy], [x, y], { reductionIndices, axis }) => ({
    x: () => {
      const axes = tf.util.parseAxisParam((reductionIndices ?? axis) as number[], x!.shape);
      const kept = tf.backend_util.expandShapeToKeepDim(x!.shape.filter((_, i) => !axes.includes(i)), axes); // prettier-ignore
      const isExtreme = tf.cast(tf.equal(x!, tf.reshape(y!, kept)), "float32");
      return tf.mul(isExtreme, tf.div(tf.reshape(dy!, kept), tf.sum(isExtreme, axes, true)));
    },
  }),
};

/** Each operand: the other with the gradient, summed over what the operand lacks, repeated over what only it has. */
const einsum: GradientRule = {
  savesAll: true,
  gradient: ([dy], saved, { equation }) => {
    const [left, output] = (equation as string).replace(/\s/g, "").split("->") as [string, string];
    const terms = left.split(",");
    const one = (term: number) => (): tf.Tensor => {
      const labels = [...terms[term]!];
      // Without letters the gradient is a factor.
      const factors = [
        ...(output === "" ? [] : [{ letters: output, tensor: dy! }]),
        ...terms.map((letters, i) => ({ letters, tensor: saved[i]! })).filter((_, i) => i !== term),
      ];
      const known = labels.filter((label) => factors.some(({ letters }) => letters.includes(label)));
      const { shape } = saved[term]!;
      const kept = labels.map((label, axis) => (known.includes(label) ? shape[axis]! : 1));
      const equal = `${factors.map(({ letters }) => letters).join(",")}->${known.join("")}`;
      const found = factors.length === 0 ? dy! : tf.einsum(equal, ...factors.map(({ tensor }) => tensor));
      const scaled = output === "" && factors.length > 0 ? tf.mul(found, dy!) : found;
      return known.length === labels.length ? scaled : tf.broadcastTo(tf.reshape(scaled, kept), shape);
    };
    return Object.fromEntries(terms.map((_, term) => [String(term), one(term)]));
  },
};

/** Also where one side has batches the other lacks. */
const batchMatMul: GradientRule = {
  saves: ["a", "b"],
  gradient: ([dy], [a, b], { transposeA, transposeB }) => {
    const [flipA, flipB] = [transposeA === true, transposeB === true];
    return {
      a: () => unbroadcast(flipA ? tf.matMul(b!, dy!, flipB, true) : tf.matMul(dy!, b!, false, !flipB), a!.shape),
      b: () => unbroadcast(flipB ? tf.matMul(dy!, a!, true, flipA) : tf.matMul(a!, dy!, !flipA, false), b!.shape),
    };
  },
};

/** Rules by name of the operation. */
export const reductionGradients: GradientTable = {
  BatchMatMul: batchMatMul,
  Cumsum: cumsum,
  Cumprod: cumprod,
  Max: extreme,
  Min: extreme,
  Einsum: einsum,
};
