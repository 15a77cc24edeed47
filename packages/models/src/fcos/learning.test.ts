import { readFileSync } from "node:fs";

import { startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import { type Course, expectSameCourse } from "../testing/course.ts";
import { filled, shapesOf } from "../testing/detection.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createFCOS } from "./fcos.ts";

interface Fixture {
  readonly narrow: { readonly width: number; readonly keys: string };
  readonly training: Course;
}

const { narrow, training } = JSON.parse(readFileSync(new URL("./fixtures/fcos.json", import.meta.url), "utf8")) as Fixture;

it("a hundred steps run as torchvision's, from the same weights over the same chips", { timeout: 300_000 }, async () => {
  await startEngine();
  const before = tf.memory().numTensors;
  const network = createFCOS({ bands: 3, classes: 2, backbone: "resnet18", fpnWidth: narrow.width });
  const shapes = shapesOf(narrow.keys);
  shapes.set("head.classification_head.cls_logits.weight", [2, narrow.width, 3, 3]);
  shapes.set("head.classification_head.cls_logits.bias", [2]);
  await loadDetectorWeights(network, filled(shapes, 0.02));

  const { theirs } = await expectSameCourse(network, training);
  expect(theirs.at(-1)!).toBeLessThan(0.8 * theirs[0]!);
  expect(Math.min(...Object.values(training.norms))).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
});
