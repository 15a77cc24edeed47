import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile, type HostTensor, openOnnxSession, parseOnnxModel, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createMaskRCNN } from "../rcnn/mask-rcnn.ts";
import { filled, shapesOf } from "../testing/detection.ts";
import { greatestDifference, pattern } from "../testing/pattern.ts";
import { pythonPresent, runOracle } from "../testing/python.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { toOnnx } from "./to-onnx.ts";

const [HEIGHT, WIDTH] = [64, 96];
const { narrow } = JSON.parse(readFileSync(new URL("../rcnn/fixtures/rcnn.json", import.meta.url), "utf8")) as {
  readonly narrow: {
    readonly width: number;
    readonly hidden: number;
    readonly classes: number;
    readonly sizes: number[];
    readonly keys: string;
  };
};

async function createNetwork(): Promise<ObjectNetwork> {
  const { width, hidden, classes, sizes, keys } = narrow;
  const network = createMaskRCNN({
    ...{ bands: 3, classes, backbone: "resnet18", fpnWidth: width, boxHeadWidth: hidden, maskHeadWidth: width, maskHeadDepth: 2 },
    ...{ anchors: { sizes }, candidates: [120, 120], proposals: [60, 60], detections: 30 },
  });
  await loadDetectorWeights(network, filled(shapesOf(keys), null));
  return network as ObjectNetwork;
}

const manifestOf = (network: ObjectNetwork): ModelManifest => ({
  ...{ task: "instanceSegmentation", name: "Trees", modelType: "mask-rcnn", backbone: "resnet18", config: network.config },
  classes: ["oak", "beech", "pine"].map((name, i) => ({ value: i + 1, name, color: [10 * i, 200, 0] })),
  ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "float32", chipWidth: WIDTH, chipHeight: HEIGHT, resolution: 0.3 },
  statistics: Array.from({ length: 3 }, () => ({ min: -1, max: 1, mean: 0, std: 1, count: 1000 })),
  ...{ metrics: {}, training: {} },
});

async function found(network: ObjectNetwork, images: number, options: DecodeOptions): Promise<Readonly<Record<string, HostTensor>>> {
  const run = compile(({ x }) => ({ ...network.decode(network.forward(tf.transpose(x!, [0, 2, 3, 1]) as tf.Tensor4D, { training: false }), options) }) as never, {
    inputs: { x: { shape: [images, 3, HEIGHT, WIDTH], dtype: "float32" } },
  }); // prettier-ignore
  const result = await run.run({ x: pixels(images) });
  await run.dispose();
  return result;
}

const pixels = (images: number): Float32Array => Float32Array.from(pattern("image", images * HEIGHT * WIDTH * 3));

type Found = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>>;

/** Compares what a file finds with what the network finds. */
async function compare(
  images: number,
  options: DecodeOptions,
  shape: readonly number[],
  run: (bytes: Uint8Array) => Promise<Found>,
): Promise<void> {
  await startEngine();
  const network = await createNetwork();
  const { bytes, inputShape, outputShape } = toOnnx(network, manifestOf(network), { batch: images, ...options });
  expect({ inputShape, outputShape }).toEqual({ inputShape: [images, 3, HEIGHT, WIDTH], outputShape: [...shape, 4] });
  const theirs = await found(network, images, options);
  network.dispose();
  expect(Math.min(...theirs["scores"]!.data.subarray(0, 5))).toBeGreaterThan(0.2);
  const results = await run(bytes);
  expect(results["masks"]!.shape).toEqual([...shape, 28, 28]);
  expect(Array.from(results["labels"]!.data)).toEqual([...theirs["classIndices"]!.data]);
  expect(greatestDifference(results["boxes"]!.data, theirs["boxes"]!.data)).toBeLessThan(1e-3);
  expect(greatestDifference(results["scores"]!.data, theirs["scores"]!.data)).toBeLessThan(1e-4);
  // Logits of these weights reach 15 and more, and follow the boxes' last digits: 1e-3 in a logit is 2.5e-4 at a mask's edge.
  expect(greatestDifference(results["masks"]!.data, theirs["masks"]!.data)).toBeLessThan(2.5e-4);
}

describe("a Mask R-CNN as an ONNX file finds what the network finds", { timeout: 120_000 }, () => {
  it.each([
    [1, {}, [30]],
    [2, { minScore: 0.2, nmsOverlap: 0.3, maxDetections: 12 }, [2, 12]],
  ] as const)("%i images at a time", async (images, options, shape) => {
    await compare(images, options, shape, async (bytes) => {
      const session = await openOnnxSession(parseOnnxModel(bytes));
      const results = await session.run({ input: { data: pixels(images), shape: [images, 3, HEIGHT, WIDTH], dtype: "float32" } });
      await session.dispose();
      return results;
    });
  });

  it.skipIf(!pythonPresent)("passes onnx.checker and gives the same in Python (needs the Python peers)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "masks-to-onnx-"));
    await compare(1, {}, [30], async (bytes) => {
      const [path, list] = [join(folder, "trees.onnx"), join(folder, "runs.json")];
      await writeFile(path, bytes);
      const data = Buffer.from(pixels(1).buffer).toString("base64");
      await writeFile(list, JSON.stringify([{ inputs: { input: { shape: [1, 3, HEIGHT, WIDTH], data } } }]));
      const { domains, runs } = runOracle("run_onnx.py", path, list) as {
        domains: string[];
        runs: { outputs: Record<string, { shape: number[]; data: string }> }[];
      };
      expect(domains).toEqual([""]);
      const named = Object.entries(runs[0]!.outputs).map(([name, one]) => {
        return [name, { shape: one.shape, data: new Float32Array(Uint8Array.from(Buffer.from(one.data, "base64")).buffer) }] as const;
      });
      return Object.fromEntries(named);
    });
    await rm(folder, { recursive: true });
  });
});
