/** DeepLab and PSPNet learn a made-up scene, for any kind of pixels. */

import { createRng } from "@geolearn/core";
import { compile, createOptimizer, seedRandom, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import { createDeepLab } from "../deeplab/deeplab.ts";
import { pixelLoss } from "../losses/pixel-loss.ts";
import type { Network } from "../network.ts";
import { createPSPNet } from "./pspnet.ts";

beforeAll(async () => {
  await startEngine();
});

const [images, height, width] = [3, 64, 80] as const;

/** Noisy fields, each chip with a brighter or darker rectangle of class 1; a frame of pixels nobody labelled. Numbers between 0 and `most`. */
function fields(bands: number, most: number): { readonly pixels: Float32Array; readonly targets: Int32Array } {
  const rng = createRng(3);
  const pixels = new Float32Array(images * height * width * bands);
  const targets = new Int32Array(images * height * width);
  for (let n = 0; n < images; n++) {
    for (let row = 0; row < height; row++) {
      for (let col = 0; col < width; col++) {
        const at = (n * height + row) * width + col;
        const inside = row >= 8 + 8 * n && row < 36 + 8 * n && col >= 6 + 9 * n && col < 50 + 9 * n;
        targets[at] = row === 0 || col === 0 ? -1 : Number(inside);
        for (let b = 0; b < bands; b++)
          pixels[at * bands + b] = Math.round(most * (0.4 + (inside ? 0.15 : 0) * (b % 2 === 0 ? 1 : -1) + 0.1 * rng.normal()));
      }
    }
  }
  return { pixels, targets };
}

interface Learned {
  readonly losses: readonly number[];
  readonly right: number;
  readonly still: readonly string[];
}

async function learn(network: Network, { pixels, targets }: ReturnType<typeof fields>, steps: number): Promise<Learned> {
  const bands = network.config["bands"] as number;
  const loss = pixelLoss({ type: "crossEntropy" });
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const shapes = {
    x: { shape: [images, height, width, bands], dtype: "float32" },
    y: { shape: [images, height, width], dtype: "int32" },
  } as const;
  const step = compile(
    ({ x, y, lr, t }) => {
      const { value, grads } = tf.variableGrads(
        () => loss(network.forward(x as tf.Tensor4D, { training: true }) as tf.Tensor4D, y as tf.Tensor3D),
        variables,
      );
      const gradients = variables.map((v) => grads[v.name]!);
      optimizer.apply(gradients, lr!, t!); // prettier-ignore
      return { loss: value, sizes: tf.stack(gradients.map((g) => g.abs().max())) };
    },
    { inputs: { ...shapes, lr: { shape: [], dtype: "float32" }, t: { shape: [], dtype: "float32" } } },
  );
  seedRandom(1);
  const losses: number[] = [];
  let still: string[] = [];
  for (let t = 1; t <= steps; t++) {
    const { loss: value, sizes } = await step.run({ x: pixels, y: targets, lr: 2e-3, t });
    losses.push(value!.data[0]!);
    if (t === 1) still = trainable.filter((_, i) => !(sizes!.data[i]! > 0 && Number.isFinite(sizes!.data[i]!))).map(({ name }) => name);
  }
  await step.dispose();
  const score = compile(({ x }) => ({ best: (network.forward(x as tf.Tensor4D, { training: true }) as tf.Tensor4D).argMax(3) }), {
    inputs: { x: shapes.x },
  });
  const { best } = await score.run({ x: pixels });
  await score.dispose();
  optimizer.dispose();
  const counted = targets.reduce((sum, target) => sum + Number(target >= 0), 0);
  return { losses, still, right: targets.reduce((sum, target, i) => sum + Number(target === best!.data[i]), 0) / counted };
}

/** Statistics of the pixels of {@link fields}. */
const normalization = (bands: number, most: number): { readonly mean: readonly number[]; readonly std: readonly number[] } => ({
  mean: Array.from({ length: bands }, () => 0.4 * most),
  std: Array.from({ length: bands }, () => 0.12 * most),
});

describe("learns four chips by heart, with everything dropped out that is", () => {
  it.each<[string, number, number, () => Network]>([
    ["DeepLab, three bands of 8 bits", 3, 255, () => createDeepLab({ ...common(3, 255), backbone: "mobilenetv2" }, { seed: 2 })],
    [
      "DeepLab, twelve bands of 16 bits",
      12,
      10_000,
      () => createDeepLab({ ...common(12, 10_000), backbone: "mobilenetv3-small" }, { seed: 2 }),
    ],
    ["PSPNet, three bands of 8 bits", 3, 255, () => createPSPNet({ ...common(3, 255), backbone: "resnet18" }, { seed: 2 })],
    ["PSPNet, one band of heights", 1, 30, () => createPSPNet({ ...common(1, 30), backbone: "resnet18" }, { seed: 2 })],
  ])("%s", { timeout: 120_000 }, async (_, bands, most, create) => {
    const before = tf.memory().numTensors;
    const network = create();
    const { losses, right, still } = await learn(network, fields(bands, most), 30);
    expect(still, "parameters without a gradient").toEqual([]);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.35);
    expect(right).toBeGreaterThan(0.95);
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

function common(bands: number, most: number) {
  return { bands, classes: 2, decoderWidth: 64, normalization: normalization(bands, most) } as const;
}
