import { readFileSync } from "node:fs";

import { compile, createOptimizer, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import { filled, scene, shapesOf, slotted } from "../testing/detection.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createSSD } from "./ssd.ts";

interface Fixture {
  readonly standard: { readonly maps: number[]; readonly keys: string };
  readonly training: {
    readonly side: number;
    readonly batch: number;
    readonly chips: number;
    readonly rate: number;
    readonly losses: readonly (readonly [classification: number, boxes: number])[];
    readonly norms: Readonly<Record<string, number>>;
  };
}

const { standard, training } = JSON.parse(readFileSync(new URL("./fixtures/ssd.json", import.meta.url), "utf8")) as Fixture;

const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.extra.", "extra.");

it("a hundred steps run as torchvision's, from the same weights over the same chips", { timeout: 300_000 }, async () => {
  await startEngine();
  const { side, batch, chips, rate, losses, norms } = training;
  const before = tf.memory().numTensors;
  const network = createSSD({ bands: 3, classes: 2, backbone: "resnet18", maps: standard.maps });
  const shapes = shapesOf(standard.keys);
  for (const name of [...shapes.keys()].filter((key) => key.includes("classification_head"))) {
    const [outputs, ...rest] = shapes.get(name)!;
    shapes.set(name, [(outputs! / 4) * 3, ...rest]);
  }
  await loadDetectorWeights(network, filled(shapes, 0.02));

  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const step = compile(
    (input) => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = network.forward(input["images"] as tf.Tensor4D, { training: true });
        const truth = { boxes: input["boxes"] as tf.Tensor3D, classIndices: input["classes"] as tf.Tensor2D };
        return tf.addN(Object.values(network.losses(outputs, truth)));
      }, variables);
      const gradients = variables.map((v) => grads[v.name]!);
      optimizer.apply(gradients, input["rate"]!, input["step"]!);
      return { loss: value, norms: tf.stack(gradients.map((g) => tf.sqrt(tf.sum(tf.square(g))))) };
    },
    {
      inputs: {
        images: { shape: [batch, side, side, 3], dtype: "float32" },
        boxes: { shape: [batch, 4, 4], dtype: "float32" },
        classes: { shape: [batch, 4], dtype: "int32" },
        rate: { shape: [], dtype: "float32" },
        step: { shape: [], dtype: "float32" },
      },
    },
  );
  const scenes = Array.from({ length: chips }, (_, i) => scene(i, side));
  for (const [i, theirs] of losses.entries()) {
    const now = Array.from({ length: batch }, (_, k) => scenes[(i * batch + k) % chips]!);
    const images = new Float32Array(batch * side * side * 3);
    for (const [k, { image }] of now.entries()) images.set(image, k * image.length);
    const { boxes, classIndices } = slotted(
      now.map(({ truth }) => truth),
      4,
    );
    const found = await step.run({ images, boxes, classes: classIndices, rate, step: i + 1 });
    // Training amplifies rounding: a percent over twenty steps, five over a hundred is what two right implementations keep.
    const apart = Math.abs(found["loss"]!.data[0]! / (theirs[0] + theirs[1]) - 1);
    expect(apart, `loss of step ${i + 1}`).toBeLessThan(i === 0 ? 1e-4 : i < 20 ? 0.01 : 0.05);
    if (i > 0) continue;
    // Of every parameter; the first layers' gradients have passed all others. On the coarsest maps no anchor stands for an object yet.
    const lengths = new Map(Object.entries(norms).map(([name, norm]) => [ours(name), norm]));
    expect(trainable.map(({ name }) => name).toSorted()).toEqual([...lengths.keys()].toSorted());
    for (const [p, { name }] of trainable.entries()) {
      const norm = found["norms"]!.data[p]!;
      expect(Math.abs(norm - lengths.get(name)!), name).toBeLessThanOrEqual(1e-3 * lengths.get(name)!);
    }
  }
  expect(Object.values(norms).filter((norm) => norm > 0).length).toBe(72);
  const [start, end] = [losses[0]!, losses.at(-1)!];
  expect(end[0] + end[1]).toBeLessThan(0.8 * (start[0] + start[1]));
  await step.dispose();
  optimizer.dispose();
  network.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
