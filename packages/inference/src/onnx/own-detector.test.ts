import { compile, startEngine } from "@geolearn/engine";
import { createRetinaNet, type ModelManifest, toOnnx } from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";

import { openOnnxFunction } from "./onnx-function.ts";

const [IMAGES, HEIGHT, WIDTH] = [3, 64, 96];

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

test("a RetinaNet written as an ONNX file finds what the network itself finds", async () => {
  const anchors = { sizes: [8, 16, 32, 64, 128] };
  const network = createRetinaNet({ bands: 3, classes: 2, fpnWidth: 16, headDepth: 0, anchors }, { seed: 4 });
  const manifest: ModelManifest = {
    ...{ task: "objectDetection", name: "Trees", modelType: "retinanet", backbone: "resnet18", config: network.config },
    classes: [
      { value: 3, name: "oak", color: [0, 90, 0] },
      { value: 7, name: "pine", color: [0, 200, 0] },
    ],
    ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "uint8" },
    statistics: Array.from({ length: 3 }, () => ({ min: -1, max: 1, mean: 0, std: 1, count: 100 })),
    ...{ chipWidth: WIDTH, chipHeight: HEIGHT, resolution: null, metrics: {}, training: {} },
  };
  const options = { minScore: 0.011, maxDetections: 30 };
  const fn = await openOnnxFunction(toOnnx(network, manifest, { batch: 2, ...options }).bytes);
  const pixels = Float32Array.from({ length: IMAGES * HEIGHT * WIDTH * 3 }, (_, i) => 3 * Math.sin(i * i));
  const block = { pixels, mask: new Uint8Array(IMAGES * HEIGHT * WIDTH).fill(1), size: IMAGES, height: HEIGHT, width: WIDTH, bands: 3 };
  const found = await fn.detect(block);

  const run = compile(({ x }) => ({ ...network.decode(network.forward(x as tf.Tensor4D, { training: false }), options) }), {
    inputs: { x: { shape: [IMAGES, HEIGHT, WIDTH, 3], dtype: "float32" } },
  });
  const { boxes, scores, classIndices } = await run.run({ x: pixels });
  expect(found.length).toBe(IMAGES);
  for (const [n, objects] of found.entries()) {
    const there = [...scores!.data.subarray(30 * n, 30 * n + 30)].filter((score) => score > 0).length;
    expect(objects.length).toBe(there);
    expect(there).toBeGreaterThan(5);
    for (const [k, object] of objects.entries()) {
      const at = 30 * n + k;
      expect(object.classIndex).toBe(classIndices!.data[at]);
      expect(object.score).toBeCloseTo(scores!.data[at]!, 5);
      object.box.forEach((side, i) => expect(side).toBeCloseTo(boxes!.data[4 * at + i]!, 3));
    }
  }
  await run.dispose();
  await fn.dispose();
  network.dispose();
});
