import { readFileSync } from "node:fs";

import { compile, createOptimizer, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import type { BackboneName } from "../backbones/backbone.ts";
import { meanTileLoss, tileLoss } from "../losses/tile-loss.ts";
import { classifierState } from "../testing/classifiers.ts";
import { pattern } from "../testing/pattern.ts";
import { loadClassifierWeights } from "../weights/classifier-weights.ts";
import { createFeatureClassifier } from "./classifier.ts";

interface Fixture {
  readonly classes: number;
  readonly side: number;
  readonly batch: number;
  readonly chips: number;
  readonly runs: readonly {
    readonly name: string;
    readonly backbone: BackboneName;
    readonly several: boolean;
    readonly rate: number;
    readonly losses: readonly number[];
    readonly norms: Readonly<Record<string, number>>;
  }[];
}

const fixture = JSON.parse(readFileSync(new URL("./fixtures/classifiers.json", import.meta.url), "utf8")) as Fixture;
const { classes, side, batch, chips } = fixture;

/** A noisy chip whose stripes tell its class. */
function chip(number: number): Float32Array {
  const k = number % classes;
  const values = Float64Array.from(pattern(`noise ${number}`, side * side * 3), (v) => 0.3 * v);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const stripe = Math.floor((row * k + column * (classes - k)) / 8) % 2;
      for (let band = 0; band < 3; band++) values[(row * side + column) * 3 + band]! += 0.5 * stripe;
    }
  }
  return Float32Array.from(values);
}

const ours = (name: string): string =>
  name
    .replace(/^(fc|classifier\.3)\./, "head.")
    .replace(/^classifier\.0\./, "hidden.")
    .replace(/^(?!head|hidden)/, "encoder.");

it.each(fixture.runs)("steps of $name run as PyTorch's, from the same weights over the same chips", { timeout: 300_000 }, async (run) => {
  await startEngine();
  const { name, backbone, several, rate, losses, norms } = run;
  const before = tf.memory().numTensors;
  const network = createFeatureClassifier({ bands: 3, classes, backbone, multiLabel: several, dropout: 0 });
  await loadClassifierWeights(network, classifierState(name, { bands: 3, classes }));
  const loss = tileLoss(several ? { type: "binaryCrossEntropy" } : { type: "crossEntropy", labelSmoothing: 0.1 });
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const step = compile(
    ({ images, truth, rate: lr, step: number }) => {
      const { value, grads } = tf.variableGrads(
        () => meanTileLoss(loss(network.forward(images as tf.Tensor4D, { training: true }), truth!)),
        variables,
      );
      const gradients = variables.map((v) => grads[v.name]!);
      optimizer.apply(gradients, lr!, number!);
      return { loss: value, norms: tf.stack(gradients.map((g) => tf.sqrt(tf.sum(tf.square(g))))) };
    },
    {
      inputs: {
        images: { shape: [batch, side, side, 3], dtype: "float32" },
        truth: several ? { shape: [batch, classes], dtype: "float32" } : { shape: [batch], dtype: "int32" },
        rate: { shape: [], dtype: "float32" },
        step: { shape: [], dtype: "float32" },
      },
    },
  );
  const made = Array.from({ length: chips }, (_, i) => chip(i));
  for (const [i, theirs] of losses.entries()) {
    const images = new Float32Array(batch * side * side * 3);
    const indices = new Int32Array(batch);
    const hot = new Float32Array(batch * classes);
    for (let k = 0; k < batch; k++) {
      const number = (i * batch + k) % chips;
      images.set(made[number]!, k * side * side * 3);
      indices[k] = number % classes;
      for (const index of [number % classes, (number + 1) % classes]) hot[k * classes + index] = 1;
    }
    const found = await step.run({ images, truth: several ? hot : indices, rate, step: i + 1 });
    // Training amplifies rounding: PyTorch in float32 parts from itself in float64 by a third of a percent.
    const apart = Math.abs(found["loss"]!.data[0]! / theirs - 1);
    expect(apart, `loss of step ${i + 1}`).toBeLessThan(i === 0 ? 1e-4 : 0.01);
    if (i > 0) continue;
    const lengths = new Map(Object.entries(norms).map(([key, norm]) => [ours(key), norm]));
    expect(trainable.map((p) => p.name).toSorted()).toEqual([...lengths.keys()].toSorted());
    const greatest = Math.max(...lengths.values());
    for (const [p, { name: parameter }] of trainable.entries()) {
      // A shift in front of a convolution with a norm behind it has no gradient but rounding.
      const length = lengths.get(parameter)!;
      expect(Math.abs(found["norms"]!.data[p]! - length), parameter).toBeLessThan(1e-3 * length + 1e-6 * greatest);
    }
  }
  expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
  await step.dispose();
  optimizer.dispose();
  network.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
