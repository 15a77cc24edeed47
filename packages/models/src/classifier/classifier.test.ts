import { readFileSync } from "node:fs";

import type { GeoLearnError } from "@geolearn/core";
import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import type { BackboneName } from "../backbones/backbone.ts";
import { meanTileLoss, tileLoss, type TileLossSpec } from "../losses/tile-loss.ts";
import type { ModelManifest } from "../manifest.ts";
import type { TileNetwork } from "../network.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { openPackage } from "../package/archive.ts";
import { packageContent } from "../package/content.ts";
import { adaptWeights, loadNetwork } from "../package/load.ts";
import { readModelPackage } from "../package/read.ts";
import { encodeModelPackage } from "../package/write.ts";
import { classifierState, pixels } from "../testing/classifiers.ts";
import { greatestDifference, pattern, sameWeights, unpack } from "../testing/pattern.ts";
import { loadClassifierWeights } from "../weights/classifier-weights.ts";
import { createFeatureClassifier, featureClassifierBlueprint } from "./classifier.ts";
import type { FeatureClassifierConfig } from "./config.ts";

interface Fixture {
  readonly cases: readonly {
    readonly name: string;
    readonly backbone: BackboneName;
    readonly bands: number;
    readonly classes: number;
    readonly size: readonly [number, number, number];
    readonly step: number;
    readonly logits: string;
  }[];
  readonly losses: readonly { readonly name: string; readonly spec: TileLossSpec; readonly loss: number; readonly gradient: string }[];
  readonly truth: readonly number[];
  readonly classes: number;
}

/** What tests/oracles/classifiers.py has computed with torchvision. */
const fixture = JSON.parse(readFileSync(new URL("./fixtures/classifiers.json", import.meta.url), "utf8")) as Fixture;

const TOTALS: readonly (readonly [BackboneName, number])[] = [
  ["resnet18", 11_689_512],
  ["resnet34", 21_797_672],
  ["resnet50", 25_557_032],
  ["mobilenetv2", 3_504_872],
  ["mobilenetv3-large", 5_483_032],
  ["mobilenetv3-small", 2_542_856],
  ["efficientnet-b0", 5_288_548],
  ["efficientnet-b1", 7_794_184],
  ["efficientnet-b2", 9_109_994],
  ["efficientnet-b3", 12_233_232],
];

beforeAll(async () => {
  await startEngine();
});

/** Runs a network on the oracle's pixels. */
async function forward(network: TileNetwork, [n, height, width]: readonly [number, number, number], bands: number): Promise<Float32Array> {
  const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) }), {
    inputs: { x: { shape: [n, height, width, bands], dtype: "float32" } },
  });
  const { y } = await run.run({ x: pixels(n * height * width * bands) });
  await run.dispose();
  return y!.data as Float32Array;
}

function thrown(work: () => unknown): GeoLearnError {
  try {
    work();
  } catch (error) {
    return error as GeoLearnError;
  }
  throw new Error("nothing was thrown");
}

it.each(TOTALS)("%s has torchvision's %i trainable parameters", (backbone, total) => {
  const { parameters } = featureClassifierBlueprint({ bands: 3, classes: 1000, backbone });
  expect(parameters.filter(({ role }) => isTrainable(role)).reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(total);
});

describe("logits are torchvision's", () => {
  it.each(fixture.cases)(
    "$name, $bands bands, $size",
    { timeout: 180_000 },
    async ({ name, backbone, bands, classes, size, step, logits }) => {
      const before = tf.memory().numTensors;
      const network = createFeatureClassifier({ bands, classes, backbone });
      const state = classifierState(name, { bands, classes });
      const { loaded, kept, head, unused } = await loadClassifierWeights(network, state);
      expect(kept).toEqual([]);
      expect(loaded).toHaveLength(network.parameters.length);
      expect(head.at(-2)).toBe("head.weight");
      expect(unused.filter((key) => !key.endsWith("num_batches_tracked"))).toEqual([]);
      const found = await forward(network, size, bands);
      const expected = unpack(logits);
      const thin = Float32Array.from(expected, (_, i) => found[i * step]!);
      // float32 against float64 through up to 50 layers of random weights
      expect(greatestDifference(thin, expected)).toBeLessThan(1e-4);
      network.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );
});

describe("losses are PyTorch's", () => {
  it.each(fixture.losses)("$name", async ({ spec, loss, gradient }) => {
    const { truth, classes } = fixture;
    const several = spec.type === "binaryCrossEntropy";
    const shape = [truth.length, classes] as const;
    const logits = Float32Array.from(pattern("logits", shape[0] * classes), (v) => 4 * v);
    const many = Float32Array.from(pattern("many", shape[0] * classes), (v) => (v > 0 ? 1 : 0));
    const run = compile(
      ({ x, t }) => {
        const { value, grad } = tf.valueAndGrad((y: tf.Tensor) => meanTileLoss(tileLoss(spec)(y as tf.Tensor2D, t!)))(x!) as never as {
          value: tf.Scalar;
          grad: tf.Tensor;
        };
        return { value, grad };
      },
      {
        inputs: {
          x: { shape, dtype: "float32" },
          t: several ? { shape, dtype: "float32" } : { shape: [truth.length], dtype: "int32" },
        },
      },
    );
    const { value, grad } = await run.run({ x: logits, t: several ? many : Int32Array.from(truth) });
    await run.dispose();
    expect(Math.abs(value!.data[0]! / loss - 1)).toBeLessThan(1e-6);
    expect(greatestDifference(grad!.data as Float32Array, unpack(gradient))).toBeLessThan(1e-6);
  });

  it("is 0 with gradient 0 when no image counts", async () => {
    const run = compile(
      ({ x, t }) => tf.valueAndGrad((y) => meanTileLoss(tileLoss({ type: "crossEntropy" })(y as tf.Tensor2D, t!)))(x!) as never,
      {
        inputs: { x: { shape: [2, 3], dtype: "float32" }, t: { shape: [2], dtype: "int32" } },
      },
    );
    const { value, grad } = await run.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6), t: Int32Array.of(-1, -1) });
    await run.dispose();
    expect([value!.data[0]!, ...grad!.data].map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it("refuses what it cannot compute", () => {
    expect(thrown(() => tileLoss({ type: "crossEntropy", labelSmoothing: 1 })).data).toEqual({ field: "labelSmoothing" });
    expect(thrown(() => tileLoss({ type: "crossEntropy", classWeights: [1, -1] })).data).toEqual({ field: "classWeights" });
    expect(thrown(() => tileLoss({ type: "dice" } as never)).data).toEqual({ field: "type" });
    const loss = tileLoss({ type: "crossEntropy", classWeights: [1, 1] });
    expect(thrown(() => tf.tidy(() => loss(tf.zeros([1, 3]), tf.tensor1d([0], "int32")).losses)).message).toContain(
      "2 class weights for 3 classes",
    );
  });
});

const manifest = (network: TileNetwork, more: Partial<ModelManifest> = {}): ModelManifest => ({
  task: "objectClassification",
  name: "trees",
  modelType: network.modelType,
  backbone: "mobilenetv3-small",
  config: network.config,
  classes: Array.from({ length: 3 }, (_, i) => ({ value: i + 1, name: `class ${i + 1}`, color: [10 * i, 20, 30] as const })),
  bandNames: ["a", "b"],
  bandIndices: [0, 1],
  sampleType: "uint16",
  statistics: [0, 1].map(() => ({ min: 0, max: 9, mean: 4, std: 2, count: 100 })),
  chipWidth: 48,
  chipHeight: 64,
  crop: { mode: "boundingBox", blacken: true },
  resolution: 0.5,
  metrics: { accuracy: 0.75 },
  training: {},
  ...more,
});

const small: FeatureClassifierConfig = { bands: 2, classes: 3, backbone: "mobilenetv3-small" };

describe("a package", () => {
  it("gives the same network again, and tells Esri's keys", async () => {
    const network = createFeatureClassifier({ ...small, multiLabel: true, thresholds: [0.3, 0.5, 0.7] }, { seed: 3 });
    const content = packageContent(network, manifest(network));
    const bytes = await encodeModelPackage(content);
    const pkg = await readModelPackage(bytes);
    expect(pkg.manifest.crop).toEqual({ mode: "boundingBox", blacken: true });
    const again = loadNetwork(pkg, { task: "objectClassification" });
    expect(again.multiLabel).toBe(true);
    expect(again.thresholds).toEqual([0.3, 0.5, 0.7]);
    expect(sameWeights(again.weights(), network.weights())).toBe(true);
    const { archive } = await openPackage(bytes);
    const emd = JSON.parse(Buffer.from(await archive.read("trees.emd")).toString()) as Record<string, unknown>;
    expect(emd).toMatchObject({
      ModelType: "ObjectClassification",
      CropSizeFixed: 0,
      BlackenAroundFeature: 1,
      accuracy: 0.75,
      ImageWidth: 48,
    });
    network.dispose();
    again.dispose();
  });

  it("starts a network for other classes and bands", async () => {
    const network = createFeatureClassifier(small, { seed: 3 });
    const pkg = await readModelPackage(await encodeModelPackage(packageContent(network, manifest(network))));
    const other = createFeatureClassifier({ ...small, bands: 5, classes: 7 }, { seed: 4 });
    const { loaded, reinitialized } = adaptWeights(other, pkg);
    expect(reinitialized).toEqual(["encoder.features.0.0.weight", "head.weight", "head.bias"]);
    expect(loaded).toContain("hidden.weight");
    network.dispose();
    other.dispose();
  });
});

it("keeps the last layer for other classes, and loads what is in front of it", async () => {
  const network = createFeatureClassifier({ bands: 4, classes: 7, backbone: "mobilenetv3-large" }, { seed: 1 });
  const { head, kept, adapted, unused } = await loadClassifierWeights(
    network,
    classifierState("mobilenet_v3_large", { bands: 3, classes: 1000 }),
  );
  expect(head).toEqual(["hidden.weight", "hidden.bias"]);
  expect(kept).toEqual(["head.weight", "head.bias"]);
  expect(adapted).toEqual(["encoder.features.0.0.weight"]);
  expect(unused.filter((name) => !name.endsWith("num_batches_tracked"))).toEqual(["classifier.3.weight", "classifier.3.bias"]);
  network.dispose();
});

it("reads its own weights, refuses those of another encoder and numbers that are none", async () => {
  const network = createFeatureClassifier({ ...small, backbone: "resnet18" }, { seed: 1 });
  const { head } = await loadClassifierWeights(network, network.weights());
  expect(head).toEqual(["head.weight", "head.bias"]);
  await expect(loadClassifierWeights(network, classifierState("mobilenet_v2", { bands: 3, classes: 3 }))).rejects.toMatchObject({
    code: "WEIGHTS_MISMATCH",
  });
  const broken = new Map<string, HostTensor>(network.weights());
  broken.set("head.bias", { data: Float32Array.of(1, Number.NaN, 2), shape: [3], dtype: "float32" });
  await expect(loadClassifierWeights(network, broken)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  network.dispose();
});

it("draws dropout in training only", async () => {
  const network = createFeatureClassifier({ bands: 1, classes: 2, backbone: "mobilenetv2", norm: "group", dropout: 0.5 }, { seed: 2 });
  const run = compile(
    ({ x }) => ({
      a: network.forward(x as tf.Tensor4D, { training: true }),
      b: network.forward(x as tf.Tensor4D, { training: true }),
      c: network.forward(x as tf.Tensor4D, { training: false }),
      d: network.forward(x as tf.Tensor4D, { training: false }),
    }),
    { inputs: { x: { shape: [1, 32, 32, 1], dtype: "float32" } } },
  );
  const { a, b, c, d } = await run.run({ x: pixels(32 * 32) });
  await run.dispose();
  expect(a!.data).not.toEqual(b!.data);
  expect(c!.data).toEqual(d!.data);
  network.dispose();
});

describe("scores", () => {
  it.each([
    [false, (row: number[]) => row.map((v) => Math.exp(v) / row.reduce((sum, w) => sum + Math.exp(w), 0))],
    [true, (row: number[]) => row.map((v) => 1 / (1 + Math.exp(-v)))],
  ])("with several classes an image: %s", async (multiLabel, expected) => {
    const network = createFeatureClassifier({ ...small, multiLabel }, { seed: 5 });
    const run = compile(({ x }) => ({ y: network.decode(x as tf.Tensor2D) }), { inputs: { x: { shape: [1, 3], dtype: "float32" } } });
    const row = [1.5, -2, 0.25];
    const { y } = await run.run({ x: Float32Array.from(row) });
    await run.dispose();
    expect(greatestDifference(y!.data as Float32Array, expected(row))).toBeLessThan(1e-6);
    network.dispose();
  });
});

it("refuses configurations it cannot build, and images of other bands", () => {
  const refused = (config: Record<string, unknown>): unknown =>
    thrown(() => createNetwork("feature-classifier", { ...small, ...config })).data["field"];
  expect(refused({ classes: 1 })).toBe("classes");
  expect(refused({ backbone: "vgg16" })).toBe("backbone");
  expect(refused({ thresholds: [0.5, 0.5, 0.5] })).toBe("thresholds");
  expect(refused({ multiLabel: true, thresholds: [0.5] })).toBe("thresholds");
  expect(refused({ multiLabel: "yes" })).toBe("multiLabel");
  expect(refused({ dropout: 1 })).toBe("dropout");
  expect(refused({ convention: "tensorflow" })).toBe("convention");
  expect(thrown(() => createNetwork("feature-classifier", { ...small }, { task: "pixelClassification" })).code).toBe("TASK_MISMATCH");
  const network = createNetwork("feature-classifier", { ...small }, { task: "objectClassification" });
  expect(thrown(() => tf.tidy(() => network.forward(tf.zeros([1, 32, 32, 3]), { training: false }))).code).toBe("BANDS_MISMATCH");
  network.dispose();
});
