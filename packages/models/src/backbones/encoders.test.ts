import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pixelLoss } from "../losses/pixel-loss.ts";
import type { Network } from "../network.ts";
import { createLayerFactory } from "../network/blueprint.ts";
import { hwioToOihw } from "../network/layout.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { pattern, patternTargets, relativeDifference, unpack } from "../testing/pattern.ts";
import { createUNet, unetBlueprint } from "../unet/unet.ts";
import { encoderNames } from "../weights/encoder-names.ts";
import { type EncoderWeightsReport, loadEncoderWeights } from "../weights/encoder-weights.ts";
import { type BackboneName, type Convention, createBackbone, normOf } from "./backbone.ts";

interface Case {
  readonly name: string;
  readonly backbone: BackboneName;
  readonly convention: Convention;
  /** Names and sides of the library's own state dict, deflated. */
  readonly keys: string;
  readonly maps?: readonly { readonly width: number; readonly step: number; readonly values: string }[];
  readonly logits?: string;
  /** Running means of the first norm behind a batch of training. */
  readonly moved?: string;
  readonly training?: {
    readonly loss: number;
    readonly prints: Readonly<Record<string, readonly [length: number, projection: number, rounding: number]>>;
  };
}

type Size = readonly [number, number, number];

function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8")) as T;
}

const { size, trainSize, cases: pytorch } = readFixture<{ size: Size; trainSize: Size; cases: readonly Case[] }>("encoders.json");
const { cases: keras } = readFixture<{ cases: readonly Case[] }>("keras.json");
/** Those that only have their parameters counted hold no maps. */
const cases = [...pytorch, ...keras].filter(({ maps }) => maps !== undefined);

/** Parameters of the whole classifiers, as published. */
const TOTALS: Readonly<Record<string, number>> = {
  "torchvision resnet18": 11_689_512,
  "torchvision resnet34": 21_797_672,
  "torchvision resnet50": 25_557_032,
  "torchvision mobilenet_v2": 3_504_872,
  "torchvision mobilenet_v3_large": 5_483_032,
  "torchvision mobilenet_v3_small": 2_542_856,
  "torchvision efficientnet_b0": 5_288_548,
  "torchvision efficientnet_b1": 7_794_184,
  "torchvision efficientnet_b2": 9_109_994,
  "torchvision efficientnet_b3": 12_233_232,
};

const isCounter = (name: string): boolean => name.endsWith("num_batches_tracked");
const isStatistic = (name: string): boolean => /running_(mean|var)$/.test(name);

/** Names and shapes of a state dict. */
function shapesOf(keys: string): Map<string, number[]> {
  const lines = inflateSync(Buffer.from(keys, "base64")).toString().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[0]!, line.split(" ").slice(1).filter(Boolean).map(Number)]));
}

/** The state dict of a case, filled as the oracle fills it. */
function stateDict({ keys }: Case): Map<string, HostTensor> {
  const shapes = shapesOf(keys);
  const state = new Map<string, HostTensor>();
  for (const [name, shape] of shapes) {
    const values = pattern(name, sizeOf(shape));
    const { centre, spread } = rangeOf(name, shape, shapes.has(name.replace(/weight$/, "running_var")) || name.endsWith("gamma"));
    state.set(name, { data: Float32Array.from(values, (p) => centre + spread * p), shape, dtype: "float32" });
  }
  return state;
}

function rangeOf(name: string, shape: readonly number[], norm: boolean): { centre: number; spread: number } {
  if (shape.length === 4) {
    const seen = name.endsWith("depthwise_kernel") ? shape.slice(0, 2) : name.endsWith("kernel") ? shape.slice(0, 3) : shape.slice(1);
    return { centre: 0, spread: Math.sqrt(6 / sizeOf(seen)) };
  }
  if (shape.length === 2) return { centre: 0, spread: 0.01 };
  if (/(running|moving)_mean$/.test(name)) return { centre: 0, spread: 0.1 };
  if (/(running_var|moving_variance)$/.test(name)) return { centre: 1, spread: 0.3 };
  return norm && /(weight|gamma)$/.test(name) ? { centre: 0.7, spread: 0.1 } : { centre: 0, spread: 0.2 };
}

const normalization = { mean: [100, 100, 100], std: [50, 50, 50] };

/** Pixels of -1 to 1, as the normalization leaves them. */
function pixels(size: Size): Float32Array {
  return Float32Array.from(pattern("image", size[0] * size[1] * size[2] * 3));
}

/** The five maps of a network's encoder. */
async function mapsOf(network: Network, { backbone, convention }: Case): Promise<Float32Array[]> {
  const layers = createLayerFactory([], { norm: "batch", groups: 8, ...normOf(backbone, convention), backbone: true });
  const { forward } = createBackbone(backbone, layers, { bands: 3, convention });
  const variables = new Map(network.parameters.map(({ name, variable }) => [name, variable]));
  const context = { training: false, value: (name: string) => variables.get(name)! };
  const run = compile(({ x }) => Object.fromEntries(forward(x as tf.Tensor4D, context).map((map, i) => [`map${i}`, map])), {
    inputs: { x: { shape: [...size, 3], dtype: "float32" } },
  });
  const result = await run.run({ x: pixels(size) });
  await run.dispose();
  return Object.keys(result)
    .sort()
    .map((key) => result[key]!.data as Float32Array);
}

/** Puts what the file has beside the encoder into the decoder and head: segmentation_models_pytorch's, which lie in the same order. */
function fillDecoder(network: Network, state: ReadonlyMap<string, HostTensor>, { kept }: EncoderWeightsReport): Map<string, string> {
  const theirs = [...state.keys()].filter((name) => /^(decoder|segmentation_head)\./.test(name) && !isCounter(name));
  expect(theirs.length).toBe(kept.length);
  const weights = network.weights();
  for (const [i, name] of kept.entries()) weights.set(name, state.get(theirs[i]!)!);
  network.setWeights(weights);
  return new Map(kept.map((name, i) => [name, theirs[i]!]));
}

beforeAll(async () => {
  await startEngine();
});

describe.each(cases)("$name", (expected) => {
  let network: Network;
  let state: Map<string, HostTensor>;
  let report: EncoderWeightsReport;

  beforeAll(async () => {
    const { backbone, convention } = expected;
    // A decoder is only needed where there is one to compare with.
    const narrow = expected.logits === undefined ? { decoderWidths: [4, 4, 4, 4, 4] } : {};
    network = createUNet({ bands: 3, classes: 2, backbone, convention, normalization, ...narrow }, { seed: 1 });
    state = stateDict(expected);
    report = await loadEncoderWeights(network, state);
  });

  afterAll(() => {
    network.dispose();
  });

  it("is recognized by its names, and every parameter of the encoder is loaded from it", () => {
    const library = expected.name.split(" ")[0]!;
    const timm = library === "timm" || expected.name.includes("timm-");
    const lukemelas = expected.name.startsWith("smp efficientnet");
    const scheme =
      library === "keras"
        ? "keras"
        : lukemelas
          ? "efficientnet-pytorch"
          : timm && !expected.backbone.startsWith("resnet")
            ? "timm"
            : "torchvision";
    expect(report.scheme).toBe(scheme);
    expect(report.loaded).toEqual(network.parameters.filter((p) => p.backbone).map((p) => p.name));
    const beside = report.unused.filter((name) => !isCounter(name));
    // The classifier, in EfficientNets the widest layer in front of it, and decoders.
    expect(
      beside.filter(
        (name) =>
          !/(^|\.)(fc|classifier|decoder|segmentation_head|_?conv_head|_?bn[12]|features\.8|predictions|top_conv|top_bn)[./]/.test(name),
      ),
    ).toEqual([]);
    if (library !== "smp") expect(beside.length).toBeGreaterThan(0);
  });

  it("gives the same maps", async () => {
    const maps = await mapsOf(network, expected);
    expect(maps.length).toBe(5);
    for (const [i, { step, values }] of expected.maps!.entries()) {
      const ours = maps[i]!.filter((_, at) => at % step === 0);
      expect(relativeDifference(ours, unpack(values)), `map ${i}`).toBeLessThan(1e-4);
    }
  });

  const moved = expected.moved;
  it.runIf(moved !== undefined)("moves its running statistics alike", async () => {
    const [first] = network.parameters.filter(({ name }) => name.endsWith("running_mean"));
    const before = network.weights();
    const [n, h, w] = trainSize;
    const run = compile(({ x }) => ({ y: tf.mean(network.forward(x as tf.Tensor4D, { training: true }) as tf.Tensor4D) }), {
      inputs: { x: { shape: [n, h, w, 3], dtype: "float32" } },
    });
    await run.run({ x: pixels(trainSize).map((p) => 100 + 50 * p) });
    await run.dispose();
    const change = (values: ArrayLike<number>): number[] => [...before.get(first!.name)!.data].map((v, i) => values[i]! - v);
    expect(relativeDifference(change(network.weights().get(first!.name)!.data), change(unpack(moved!)))).toBeLessThan(1e-4);
    network.setWeights(before);
  });

  // Only whole U-Nets have scores, and of those three are trained a step; the others have nothing to skip.
  const { logits, training } = expected;
  const given = (name: string, has: boolean, test: () => Promise<void>): void => void (has && it(name, test));

  given("gives the same scores as a whole U-Net", logits !== undefined, async () => {
    fillDecoder(network, state, report);
    const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
      inputs: { x: { shape: [...size, 3], dtype: "float32" } },
    });
    const { y } = await run.run({ x: pixels(size).map((p) => 100 + 50 * p) });
    await run.dispose();
    expect(
      relativeDifference(
        (y!.data as Float32Array).filter((_, i) => i % 61 === 0),
        unpack(logits!),
      ),
    ).toBeLessThan(1e-4);
  });

  given("has the same loss and gradients in training", training !== undefined, async () => {
    const decoder = fillDecoder(network, state, report);
    const names = encoderNames(expected.backbone).find(({ scheme }) => scheme === report.scheme)!;
    const { loss, gradients } = await gradientsOf(network, trainSize);
    expect(loss).toBeCloseTo(training!.loss, 4);
    // ReLUs within rounding of their kink and the small variances of tiny maps move gradients: PyTorch's own in float32 differ from
    // those in float64 by the third number, 3 % in the middle. Anything computed wrongly differs by much more than thrice that.
    for (const [name, ours] of gradients) {
      const theirs = decoder.get(name) ?? `encoder.${names.rename(name.replace("encoder.", ""))}`;
      const [length, projection, rounding] = training!.prints[theirs]!;
      const own = Math.sqrt(ours.reduce((sum, v) => sum + v * v, 0));
      if (length < 1e-12) {
        // What a norm behind it takes away again: exactly nothing, but for rounding.
        expect(own, name).toBeLessThan(1e-5);
        continue;
      }
      const print = pattern("print", ours.length);
      const along = ours.reduce((sum, v, i) => sum + v * print[i]!, 0);
      const tolerance = Math.max(1e-2, 3 * rounding);
      expect(Math.abs(own - length) / length, name).toBeLessThan(tolerance);
      expect(Math.abs(along - projection) / length, name).toBeLessThan(tolerance);
    }
  });
});

it.each(Object.entries(TOTALS))("%s has as many parameters as published", (name, total) => {
  const { backbone, keys } = pytorch.find((found) => found.name === name)!;
  const theirs = [...shapesOf(keys)].filter(([key]) => !isCounter(key) && !isStatistic(key));
  const count = (shapes: readonly (readonly number[])[]): number => shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
  expect(count(theirs.map(([, shape]) => shape))).toBe(total);
  const own = unetBlueprint({ bands: 3, classes: 2, backbone })
    .parameters.filter((p) => p.backbone && isTrainable(p.role))
    .map((p) => [p.name.replace("encoder.", ""), p.shape] as const);
  // In torchvision's own order, and all that is missing is the classifier with the widest layer of an EfficientNet.
  const beside = /^(fc|classifier)\.|^features\.8\./;
  expect(own).toEqual(theirs.filter(([key]) => !(backbone.startsWith("mobilenet") ? /^classifier\./ : beside).test(key)));
});

async function gradientsOf(network: Network, [n, h, w]: Size): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const loss = pixelLoss({ type: "crossEntropy" });
  const variables = network.parameters.filter((p) => p.trainable);
  const step = compile(
    ({ images, targets }) => {
      const { value, grads } = tf.variableGrads(
        () => loss(network.forward(images as tf.Tensor4D, { training: true }) as tf.Tensor4D, targets as tf.Tensor3D),
        variables.map((p) => p.variable),
      );
      return { loss: value, ...Object.fromEntries(variables.map((p) => [p.name, grads[p.variable.name]!])) };
    },
    { inputs: { images: { shape: [n, h, w, 3], dtype: "float32" }, targets: { shape: [n, h, w], dtype: "int32" } } },
  );
  const result = await step.run({ images: pixels([n, h, w]).map((p) => 100 + 50 * p), targets: patternTargets(n * h * w, 2) });
  await step.dispose();
  const gradients = variables.map(({ name, variable }): [string, Float32Array] => {
    const data = result[name]!.data as Float32Array;
    const [kh, kw, i, o] = variable.shape as [number, number, number, number];
    return [name, variable.rank === 4 ? hwioToOihw(data, [o, i, kh, kw]) : data];
  });
  return { loss: result["loss"]!.data[0]!, gradients: new Map(gradients) };
}
