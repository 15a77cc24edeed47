import { readFileSync } from "node:fs";

import { startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";

import { type Course, expectSameCourse } from "../testing/course.ts";
import { filled, shapesOf } from "../testing/detection.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { createSSD } from "./ssd.ts";

interface Fixture {
  readonly standard: { readonly maps: number[]; readonly keys: string };
  readonly training: Course;
}

const { standard, training } = JSON.parse(readFileSync(new URL("./fixtures/ssd.json", import.meta.url), "utf8")) as Fixture;

it("a hundred steps run as torchvision's, from the same weights over the same chips", { timeout: 300_000 }, async () => {
  await startEngine();
  const before = tf.memory().numTensors;
  const network = createSSD({ bands: 3, classes: 2, backbone: "resnet18", maps: standard.maps });
  const shapes = shapesOf(standard.keys);
  for (const name of [...shapes.keys()].filter((key) => key.includes("classification_head"))) {
    const [outputs, ...rest] = shapes.get(name)!;
    shapes.set(name, [(outputs! / 4) * 3, ...rest]);
  }
  await loadDetectorWeights(network, filled(shapes, 0.02));

  const ours = (name: string): string => name.replace("backbone.body.", "encoder.").replace("backbone.extra.", "extra.");
  const { theirs } = await expectSameCourse(network, training, { ours });
  expect(theirs.at(-1)!).toBeLessThan(0.8 * theirs[0]!);
  // On the coarsest maps no anchor stands for an object yet.
  expect(Object.values(training.norms).filter((norm) => norm > 0).length).toBe(72);
  expect(tf.memory().numTensors).toBe(before);
});
