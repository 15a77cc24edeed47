/** A hundred steps of a detector beside those torchvision's has taken from the same weights over the same chips. Used by tests only. */

import { compile, createOptimizer } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect } from "vitest";

import type { ObjectNetwork, ObjectTargets } from "../network.ts";
import { outlines, scene, slotted } from "./detection.ts";

/** What an oracle has written down. */
export interface Course {
  readonly side: number;
  readonly batch: number;
  readonly chips: number;
  readonly rate: number;
  /** Parts of the loss of each step. */
  readonly losses: readonly (readonly number[])[];
  /** Lengths of the gradients of the first step, by torchvision's names. */
  readonly norms: Readonly<Record<string, number>>;
}

/** How a course is followed. */
export interface CourseOptions {
  /** Our name of a parameter of torchvision's. @defaultValue that of a detector with a pyramid */
  readonly ours?: (name: string) => string;
  /** Chips with masks. @defaultValue false */
  readonly outlined?: boolean;
  /**
   * How far losses may part over twenty steps, and over all. @defaultValue [0.01, 0.05]: training amplifies rounding, and that is what two right implementations
   * keep
   */
  readonly apart?: readonly [number, number];
}

/** Most objects of a chip. */
const SLOTS = 4;
const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0);
const withPyramid = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.fpn.", "fpn.");

/**
 * Takes the steps and compares every loss, and of the first step the gradients of every parameter; the first layers' have passed all others.
 * Releases the network. Returns the losses of both sides.
 */
export async function expectSameCourse<Outputs>(
  network: ObjectNetwork<Outputs>,
  { side, batch, chips, rate, losses, norms }: Course,
  { ours = withPyramid, outlined = false, apart = [0.01, 0.05] }: CourseOptions = {},
): Promise<{ own: readonly number[]; theirs: readonly number[] }> {
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const step = compile(
    ({ images, rate: lr, step: count, ...truth }) => {
      const { value, grads } = tf.variableGrads(() => {
        const outputs = network.forward(images as tf.Tensor4D, { training: true });
        return tf.addN(Object.values(network.losses(outputs, truth as unknown as ObjectTargets)));
      }, variables);
      const gradients = variables.map((v) => grads[v.name]!);
      optimizer.apply(gradients, lr!, count!); // prettier-ignore
      return { loss: value, norms: tf.stack(gradients.map((g) => tf.sqrt(tf.sum(tf.square(g))))) };
    },
    {
      inputs: {
        images: { shape: [batch, side, side, 3], dtype: "float32" },
        boxes: { shape: [batch, SLOTS, 4], dtype: "float32" },
        classIndices: { shape: [batch, SLOTS], dtype: "int32" },
        ...(outlined && { masks: { shape: [batch, SLOTS, side, side], dtype: "bool" } as const }),
        rate: { shape: [], dtype: "float32" },
        step: { shape: [], dtype: "float32" },
      },
    },
  );
  const scenes = Array.from({ length: chips }, (_, i) => (outlined ? scene(i, side, "outline") : scene(i, side)));
  const [own, theirs] = [[] as number[], losses.map(sum)];
  for (const i of losses.keys()) {
    const now = Array.from({ length: batch }, (_, k) => scenes[(i * batch + k) % chips]!);
    const images = new Float32Array(batch * side * side * 3);
    for (const [k, { image }] of now.entries()) images.set(image, k * image.length);
    const truths = now.map(({ truth }) => truth);
    const masks = outlined ? { masks: outlines(truths, SLOTS, side, side) } : {};
    const found = await step.run({ images, ...slotted(truths, SLOTS), ...masks, rate, step: i + 1 });
    own.push(found["loss"]!.data[0]!);
    expect(Math.abs(own[i]! / theirs[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(i === 0 ? 1e-4 : apart[i < 20 ? 0 : 1]);
    if (i > 0) continue;
    const lengths = new Map(Object.entries(norms).map(([name, norm]) => [ours(name), norm]));
    expect(trainable.map(({ name }) => name).toSorted()).toEqual([...lengths.keys()].toSorted());
    for (const [p, { name }] of trainable.entries()) {
      const norm = found["norms"]!.data[p]!;
      expect(Math.abs(norm - lengths.get(name)!), name).toBeLessThanOrEqual(1e-3 * lengths.get(name)!);
    }
  }
  await step.dispose();
  optimizer.dispose();
  network.dispose();
  return { own, theirs };
}
