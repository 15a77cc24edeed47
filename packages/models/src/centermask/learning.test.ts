import { readFileSync } from "node:fs";

import { compile, createOptimizer, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import { filled, outlines, scene, shapesOf, slotted } from "../testing/detection.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createCenterMask } from "./center-mask.ts";

interface Fixture {
  readonly narrow: { readonly width: number; readonly keys: string };
  readonly training: {
    readonly side: number;
    readonly batch: number;
    readonly chips: number;
    readonly rate: number;
    readonly losses: readonly (readonly number[])[];
    readonly norms: Readonly<Record<string, number>>;
  };
}

const { narrow, training } = JSON.parse(readFileSync(new URL("./fixtures/centermask.json", import.meta.url), "utf8")) as Fixture;

const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn.");

it("a hundred steps run as torchvision's, from the same weights over the same chips", { timeout: 300_000 }, async () => {
  await startEngine();
  const { side, batch, chips, rate, losses, norms } = training;
  const before = tf.memory().numTensors;
  const { width } = narrow;
  const network = createCenterMask({
    ...{ bands: 3, classes: 2, backbone: "resnet18", fpnWidth: width, maskHeadWidth: width, maskHeadDepth: 2 },
  });
  const shapes = shapesOf(narrow.keys);
  for (const [name, sides] of shapes) {
    if (name.includes("cls_logits.")) shapes.set(name, [2, ...sides.slice(1)]);
    if (name.includes("mask_fcn_logits.")) shapes.set(name, [3, ...sides.slice(1)]);
  }
  const state = filled(shapes, 0.02);
  for (const [name, tensor] of state)
    if (/^roi_heads\..*weight$/.test(name)) state.set(name, { ...tensor, data: (tensor.data as Float32Array).map((v) => 0.3 * v) });
  await loadDetectorWeights(network, state);

  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const step = compile(
    (input) => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = network.forward(input["images"] as tf.Tensor4D, { training: true });
        const truth = {
          boxes: input["boxes"] as tf.Tensor3D,
          classIndices: input["classes"] as tf.Tensor2D,
          masks: input["masks"] as tf.Tensor4D,
        };
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
        masks: { shape: [batch, 4, side, side], dtype: "bool" },
        rate: { shape: [], dtype: "float32" },
        step: { shape: [], dtype: "float32" },
      },
    },
  );
  const scenes = Array.from({ length: chips }, (_, i) => scene(i, side, "outline"));
  const [own, theirs]: [number[], number[]] = [[], []];
  for (const [i, parts] of losses.entries()) {
    const now = Array.from({ length: batch }, (_, k) => scenes[(i * batch + k) % chips]!);
    const images = new Float32Array(batch * side * side * 3);
    for (const [k, { image }] of now.entries()) images.set(image, k * image.length);
    const truths = now.map(({ truth }) => truth);
    const { boxes, classIndices } = slotted(truths, 4);
    const found = await step.run({ images, boxes, classes: classIndices, masks: outlines(truths, 4, side, side), rate, step: i + 1 });
    own.push(found["loss"]!.data[0]!);
    theirs.push(parts.reduce((sum, v) => sum + v, 0));
    // Training amplifies rounding: a percent over twenty steps, five over a hundred is what two right implementations keep.
    const apart = Math.abs(own[i]! / theirs[i]! - 1);
    expect(apart, `loss of step ${i + 1}`).toBeLessThan(i === 0 ? 1e-4 : i < 20 ? 0.01 : 0.05);
    if (i > 0) continue;
    // Of every parameter; the first layers' gradients have passed all others.
    const lengths = new Map(Object.entries(norms).map(([name, norm]) => [ours(name), norm]));
    expect(trainable.map(({ name }) => name).toSorted()).toEqual([...lengths.keys()].toSorted());
    for (const [p, { name }] of trainable.entries()) {
      const norm = found["norms"]!.data[p]!;
      expect(norm, name).toBeGreaterThan(0);
      expect(Math.abs(norm / lengths.get(name)! - 1), name).toBeLessThan(1e-3);
    }
  }
  expect(theirs.at(-1)!).toBeLessThan(0.8 * theirs[0]!);
  await step.dispose();
  optimizer.dispose();
  network.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
