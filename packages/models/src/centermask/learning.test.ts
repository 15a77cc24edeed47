import { readFileSync } from "node:fs";

import { startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import { type Course, expectSameCourse } from "../testing/course.ts";
import { filled, shapesOf } from "../testing/detection.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createCenterMask } from "./center-mask.ts";

interface Fixture {
  readonly narrow: { readonly width: number; readonly keys: string };
  readonly training: Course;
}

const { narrow, training } = JSON.parse(readFileSync(new URL("./fixtures/centermask.json", import.meta.url), "utf8")) as Fixture;

it("a hundred steps run as torchvision's, from the same weights over the same chips", { timeout: 300_000 }, async () => {
  await startEngine();
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

  const { theirs } = await expectSameCourse(network, training, { outlined: true });
  expect(theirs.at(-1)!).toBeLessThan(0.8 * theirs[0]!);
  expect(Math.min(...Object.values(training.norms))).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
});
