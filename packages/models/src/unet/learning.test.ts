import { compile, createOptimizer, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import { pixelLoss, type PixelLossSpec } from "../losses/pixel-loss.ts";
import type { Network } from "../network.ts";
import type { UNetConfig } from "./config.ts";
import { createUNet } from "./unet.ts";

beforeAll(async () => {
  await startEngine();
});

const side = 32;
const chips = 4;

/** Four noisy chips with a brighter rectangle each, which is class 1; a frame of pixels nobody labelled. */
function town(bands: number): { images: Float32Array; targets: Int32Array } {
  const images = new Float32Array(chips * side * side * bands);
  const targets = new Int32Array(chips * side * side);
  for (let n = 0; n < chips; n++) {
    for (let row = 0; row < side; row++) {
      for (let col = 0; col < side; col++) {
        const at = (n * side + row) * side + col;
        const inside = row >= 6 + 2 * n && row < 20 + 2 * n && col >= 5 + 3 * n && col < 17 + 3 * n;
        targets[at] = row === 0 || col === 0 ? -1 : Number(inside);
        for (let b = 0; b < bands; b++) images[at * bands + b] = 100 + (inside ? 8 : 0) + 20 * Math.sin(at * (12.9898 + b) + n);
      }
    }
  }
  return { images, targets };
}

async function learn(network: Network, spec: PixelLossSpec, steps: number): Promise<{ losses: number[]; right: number; still: string[] }> {
  const bands = network.config["bands"] as number;
  const { images, targets } = town(bands);
  const loss = pixelLoss(spec);
  const trainable = network.parameters.filter((p) => p.trainable);
  const variables = trainable.map((p) => p.variable);
  const optimizer = createOptimizer({ type: "adam" }, variables);
  const cut = network.margin;
  const middle = (t: tf.Tensor3D): tf.Tensor3D => tf.slice3d(t, [0, cut, cut], [chips, side - 2 * cut, side - 2 * cut]);
  const shapes = {
    images: { shape: [chips, side, side, bands], dtype: "float32" },
    targets: { shape: [chips, side, side], dtype: "int32" },
  } as const;
  const step = compile(
    (input) => {
      const { value, grads } = tf.variableGrads(
        () =>
          loss(network.forward(input["images"] as tf.Tensor4D, { training: true }) as tf.Tensor4D, middle(input["targets"] as tf.Tensor3D)),
        variables,
      );
      const gradients = variables.map((v) => grads[v.name]!);
      optimizer.apply(gradients, input["lr"]!, input["step"]!);
      return { loss: value, sizes: tf.stack(gradients.map((g) => g.abs().max())) };
    },
    { inputs: { ...shapes, lr: { shape: [], dtype: "float32" }, step: { shape: [], dtype: "float32" } } },
  );
  const losses: number[] = [];
  let still: string[] = [];
  for (let i = 1; i <= steps; i++) {
    const result = await step.run({ images, targets, lr: 0.005, step: i });
    losses.push(result["loss"]!.data[0]!);
    if (i === 1)
      still = trainable.filter((_, p) => !(result["sizes"]!.data[p]! > 0 && Number.isFinite(result["sizes"]!.data[p]!))).map((p) => p.name);
  }
  const score = compile(
    (input) => ({
      best: (network.forward(input["images"] as tf.Tensor4D, { training: true }) as tf.Tensor4D).argMax(3),
      truth: middle(input["targets"] as tf.Tensor3D).add(0),
    }),
    { inputs: shapes },
  );
  const { best, truth } = await score.run({ images, targets });
  const counted = [...truth!.data].filter((t) => t >= 0).length;
  const right = [...best!.data].filter((b, i) => b === truth!.data[i]).length / counted;
  await step.dispose();
  await score.dispose();
  optimizer.dispose();
  return { losses, right, still };
}

const plain: UNetConfig = { bands: 3, classes: 2, base: 8, depth: 3, normalization: { mean: [100, 100, 100], std: [15, 15, 15] } };

describe("a U-Net learns four chips by heart", () => {
  it.each<[string, UNetConfig, PixelLossSpec]>([
    ["with cross-entropy", plain, { type: "crossEntropy" }],
    ["with focal loss and added skips", { ...plain, skips: "add" }, { type: "focal" }],
    ["with Dice and group norm", { ...plain, norm: "group" }, { type: "dice" }],
    [
      "with the mix, a margin and twelve bands",
      { ...plain, bands: 12, margin: 4, normalization: null },
      { type: "mix", classWeights: [1, 3] },
    ],
  ])("%s", async (_, config, spec) => {
    const before = tf.memory().numTensors;
    const network = createUNet(config, { seed: 2 });
    const { losses, right, still } = await learn(network, spec, 80);
    expect(still, "parameters without a gradient").toEqual([]);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.25);
    expect(right).toBeGreaterThan(0.97);
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("moves every parameter of a residual encoder", async () => {
    const network = createUNet(
      { bands: 3, classes: 2, backbone: "resnet18", decoderWidths: [16, 16, 8, 8, 8], normalization: plain.normalization! },
      { seed: 2 },
    );
    const { losses, still } = await learn(network, { type: "crossEntropy" }, 5);
    expect(still).toEqual([]);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    network.dispose();
  });
});
