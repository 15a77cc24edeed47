import { compile, startEngine } from "@geolearn/engine";
import {
  createCenterMask,
  createFCOS,
  createMaskRCNN,
  createRetinaNet,
  createSSD,
  type ModelManifest,
  type ObjectNetwork,
  toOnnx,
} from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";

import { openOnnxFunction } from "./onnx-function.ts";

const [IMAGES, HEIGHT, WIDTH] = [3, 64, 96];
const MOST = 30;
const sizes = [8, 16, 32, 64, 128];
const common = { bands: 3, classes: 2, fpnWidth: 16, anchors: { sizes } };

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const NETWORKS: readonly [string, Pick<ModelManifest, "task" | "modelType">, () => ObjectNetwork][] = [
  [
    "RetinaNet",
    { task: "objectDetection", modelType: "retinanet" },
    () => createRetinaNet({ ...common, headDepth: 0 }, { seed: 4 }) as ObjectNetwork,
  ],
  ["FCOS", { task: "objectDetection", modelType: "fcos" }, () => createFCOS({ ...common, headDepth: 1 }, { seed: 4 }) as ObjectNetwork],
  [
    "SingleShotDetector",
    { task: "objectDetection", modelType: "ssd" },
    () => createSSD({ bands: 3, classes: 2, variant: "lite", maps: [16, 32, 64] }, { seed: 4 }) as ObjectNetwork,
  ],
  [
    "SingleShotDetector with grids",
    { task: "objectDetection", modelType: "ssd" },
    () => createSSD({ bands: 3, classes: 2, maps: [16, 32], anchors: { grids: [3, 2], zooms: [1, 1.5] } }, { seed: 4 }) as ObjectNetwork,
  ],
  [
    "CenterMask",
    { task: "instanceSegmentation", modelType: "centermask" },
    () => createCenterMask({ ...common, headDepth: 1, maskHeadWidth: 16, maskHeadDepth: 1 }, { seed: 4 }) as ObjectNetwork,
  ],
  [
    "Mask R-CNN",
    { task: "instanceSegmentation", modelType: "mask-rcnn" },
    () => createMaskRCNN({ ...common, boxHeadWidth: 32, maskHeadWidth: 16, maskHeadDepth: 1 }, { seed: 4 }) as ObjectNetwork,
  ],
];

test.each(NETWORKS)("a %s written as an ONNX file finds what the network itself finds", { timeout: 60_000 }, async (_, kind, create) => {
  const network = create();
  const manifest: ModelManifest = {
    ...{ ...kind, name: "Trees", backbone: "resnet18", config: network.config },
    classes: [
      { value: 3, name: "oak", color: [0, 90, 0] },
      { value: 7, name: "pine", color: [0, 200, 0] },
    ],
    ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "uint8" },
    statistics: Array.from({ length: 3 }, () => ({ min: -1, max: 1, mean: 0, std: 1, count: 100 })),
    ...{ chipWidth: WIDTH, chipHeight: HEIGHT, resolution: null, metrics: {}, training: {} },
  };
  const options = { minScore: 0.011, maxDetections: MOST };
  const fn = await openOnnxFunction(toOnnx(network, manifest, { batch: 2, ...options }).bytes);
  const pixels = Float32Array.from({ length: IMAGES * HEIGHT * WIDTH * 3 }, (_unused, i) => 3 * Math.sin(i * i));
  const block = { pixels, mask: new Uint8Array(IMAGES * HEIGHT * WIDTH).fill(1), size: IMAGES, height: HEIGHT, width: WIDTH, bands: 3 };
  const found = await fn.detect(block);

  const run = compile(({ x }) => ({ ...network.decode(network.forward(x as tf.Tensor4D, { training: false }), options) }), {
    inputs: { x: { shape: [IMAGES, HEIGHT, WIDTH, 3], dtype: "float32" } },
  });
  const { boxes, scores, classIndices, masks } = await run.run({ x: pixels });
  expect(masks !== undefined).toBe(kind.task === "instanceSegmentation");
  const area = masks === undefined ? 0 : masks.data.length / scores!.data.length;
  expect(found.length).toBe(IMAGES);
  for (const [n, objects] of found.entries()) {
    const there = [...scores!.data.subarray(MOST * n, MOST * (n + 1))].filter((score) => score > 0).length;
    expect(objects.length).toBe(there);
    expect(there).toBeGreaterThan(5);
    for (const [k, object] of objects.entries()) {
      const at = MOST * n + k;
      expect(object.classIndex).toBe(classIndices!.data[at]);
      expect(object.score).toBeCloseTo(scores!.data[at]!, 5);
      object.box.forEach((side, i) => expect(side).toBeCloseTo(boxes!.data[4 * at + i]!, 3));
      if (masks === undefined) continue;
      const theirs = masks.data.subarray(at * area, (at + 1) * area);
      expect(object.mask).toMatchObject({ width: Math.sqrt(area), height: Math.sqrt(area) });
      expect(Math.max(...object.mask!.scores.map((score, i) => Math.abs(score - theirs[i]!)))).toBeLessThan(1e-4);
    }
  }
  await run.dispose();
  await fn.dispose();
  network.dispose();
});
