/**
 * A network as a user writes it by hand: a head for classes and one for the boundaries between them, whose targets are computed in the graph, with a
 * loss and a decoder that use both.
 */

import { batchNorm, constant, conv2d, maxPool, upsampleNearest } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { type ExtensionNetwork, type ModelExtension, defineModel } from "geolearn";

type EdgeOutputs = { readonly logits: tf.Tensor4D; readonly edges: tf.Tensor4D };
type EdgeTargets = { readonly classes: tf.Tensor3D; readonly edges: tf.Tensor; readonly counts: tf.Tensor };

interface EdgeConfig {
  readonly width: number;
  /** Share of the boundary in the loss. */
  readonly edgeWeight: number;
}

/** An encoder of one level and a decoder, with both heads on top. */
export const edgeNet: ModelExtension<EdgeConfig, EdgeOutputs, EdgeTargets> = defineModel<EdgeConfig, EdgeOutputs, EdgeTargets>({
  modelType: "edge-net",
  task: "pixelClassification",
  resolve: ({ width = 8, edgeWeight = 0.5 }) => ({ width: width as number, edgeWeight: edgeWeight as number }),
  build({ bands, classes, config: { width, edgeWeight }, seed, normalize }): ExtensionNetwork<EdgeOutputs, EdgeTargets> {
    let draws = 0;
    const kernel = (size: number, from: number, to: number): tf.Variable =>
      tf.tidy(() => tf.variable(tf.randomNormal([size, size, from, to], 0, Math.sqrt(2 / (size * size * from)), "float32", seed * 100 + ++draws))); // prettier-ignore
    const vector = (length: number, value: 0 | 1, trainable = true): tf.Variable =>
      tf.tidy(() => tf.variable(value === 1 ? tf.ones([length]) : tf.zeros([length]), trainable));
    const variables: Record<string, tf.Variable> = {};
    const convNorm = (name: string, from: number, to: number): ((x: tf.Tensor4D, training: boolean) => tf.Tensor4D) => {
      const weight = (variables[`${name}.weight`] = kernel(3, from, to));
      const scale = (variables[`${name}.scale`] = vector(to, 1));
      const offset = (variables[`${name}.offset`] = vector(to, 0));
      const mean = (variables[`${name}.mean`] = vector(to, 0, false));
      const variance = (variables[`${name}.variance`] = vector(to, 1, false));
      return (x, training) =>
        batchNorm(conv2d(x, weight as unknown as tf.Tensor4D, { pad: 1 }), { scale, offset, mean, variance, training, activation: "relu" });
    };
    const first = convNorm("encoder.first", bands, width);
    const second = convNorm("encoder.second", width, 2 * width);
    const third = convNorm("decoder", 3 * width, width);
    const head = (variables["classes.weight"] = kernel(1, width, classes));
    const headBias = (variables["classes.bias"] = vector(classes, 0));
    const edge = (variables["edges.weight"] = kernel(1, width, 1));
    const edgeBias = (variables["edges.bias"] = vector(1, 0));
    return {
      variables,
      backbone: ["encoder"],
      stride: 2,
      forward(images, { training }) {
        const top = first(normalize(images), training);
        const middle = second(maxPool(top, 2), training);
        const features = third(tf.concat([top, upsampleNearest(middle, 2)], 3), training);
        return {
          logits: conv2d(features, head as unknown as tf.Tensor4D, { pad: 0, bias: headBias }),
          edges: conv2d(features, edge as unknown as tf.Tensor4D, { pad: 0, bias: edgeBias }),
        };
      },
      targets(classIndices) {
        const [n, height, width_] = classIndices.shape;
        // A boundary: the pixel to the right or below is of another class, and both count.
        const differs = (down: number, right: number): tf.Tensor => {
          const here = tf.slice(classIndices, [0, 0, 0], [n, height - down, width_ - right]);
          const there = tf.slice(classIndices, [0, down, right], [n, height - down, width_ - right]);
          const both = tf.logicalAnd(tf.greaterEqual(here, 0), tf.greaterEqual(there, 0));
          const edges = tf.cast(tf.logicalAnd(tf.notEqual(here, there), both), "float32");
          return tf.pad(edges, [[0, 0], [0, down], [0, right]]); // prettier-ignore
        };
        return {
          classes: classIndices,
          edges: tf.maximum(differs(0, 1), differs(1, 0)),
          counts: tf.cast(tf.greaterEqual(classIndices, 0), "float32"),
        };
      },
      loss({ logits, edges }, targets, { pixelLoss }) {
        const z = tf.squeeze<tf.Tensor3D>(edges, [3]);
        // max(z, 0) - z t + log(1 + exp(-|z|)), the stable form of binary cross-entropy
        const each = tf.add(tf.sub(tf.relu(z), tf.mul(z, targets.edges)), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
        const mean = tf.div(tf.sum(tf.mul(each, targets.counts)), tf.maximum(tf.sum(targets.counts), 1));
        return tf.add(pixelLoss(logits, targets.classes), tf.mul(mean, edgeWeight));
      },
      decode({ logits, edges }) {
        // On a boundary the classes are told apart less sharply.
        const sharpness = tf.sub(constant(Float32Array.of(1), []), tf.mul(0.5, tf.sigmoid(edges)));
        return tf.softmax(tf.mul(logits, sharpness), -1);
      },
    };
  },
});
