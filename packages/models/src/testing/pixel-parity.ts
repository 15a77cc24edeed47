/** Pixel networks against the fixtures of tests/oracles/pixel_networks.py. Used by tests only. */

import { readFileSync } from "node:fs";

import { compile } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pixelLoss } from "../losses/pixel-loss.ts";
import type { Network } from "../network.ts";
import { createBlueprint } from "../network/architectures.ts";
import type { Blueprint } from "../network/blueprint.ts";
import { hwioToOihw } from "../network/layout.ts";
import { isTrainable, sizeOf } from "../network/parameter-spec.ts";
import { createNetwork } from "../network/registry.ts";
import { pattern, patternTargets, patternWeights, relativeDifference, unpack } from "./pattern.ts";

type Size = readonly [images: number, height: number, width: number];

/** One network of the library, and what it gave. */
interface Case {
  readonly name: string;
  readonly size: Size;
  readonly config: Readonly<Record<string, unknown>> & { readonly bands: number; readonly classes: number };
  readonly trainable: number;
  /** Of the scores, one in so many is kept. */
  readonly every: number;
  readonly eval: string;
  readonly train?: string;
  readonly loss?: number;
  /** Running statistics of the decoder behind one pass in training. */
  readonly running?: Readonly<Record<string, string>>;
  /** Length of each gradient, its projection on a pattern, and how far float32 alone moves them. */
  readonly gradientPrints?: Readonly<Record<string, readonly [number, number, number]>>;
}

/** Pixels around 100; each image of a batch is brighter than the one before. */
export function brighterImages([n, h, w]: Size, bands: number): Float32Array {
  const each = h * w * bands;
  return Float32Array.from(pattern("image", n * each), (v, i) => Math.fround(100 + 50 * v) + 20 * Math.floor(i / each));
}

/** Declares the tests of a fixture: every case of `modelType`, from the same weights. */
export function describeParity(modelType: "deeplab" | "pspnet" | "change-detector", fixture: URL): void {
  const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: readonly Case[] };

  describe.each(cases)("$name against PyTorch", (expected) => {
    const { size, every } = expected;
    const config = { ...expected.config, dropout: 0 };
    const blueprint = createBlueprint(modelType, config) as Blueprint;
    let network: Network;

    beforeAll(() => {
      network = createNetwork(modelType, config, { weights: patternWeights(blueprint.parameters), task: "pixelClassification" });
    });

    afterAll(() => {
      network.dispose();
    });

    it("has as many trainable parameters", () => {
      const sizes = blueprint.parameters.filter((p) => isTrainable(p.role)).map((p) => sizeOf(p.shape));
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(expected.trainable);
    });

    it("scores the same pixels alike", async () => {
      const scores = await scoresOf(network, size, false);
      expect(relativeDifference(thin(scores, every), unpack(expected.eval))).toBeLessThan(1e-4);
    });

    it.runIf(expected.train !== undefined)("scores alike with the batch's statistics, and moves the running ones alike", async () => {
      const before = network.weights();
      const scores = await scoresOf(network, size, true);
      expect(relativeDifference(thin(scores, every), unpack(expected.train!))).toBeLessThan(1e-4);
      const after = network.weights();
      expect(Object.keys(expected.running!).length).toBeGreaterThan(0);
      for (const [name, values] of Object.entries(expected.running!))
        expect(relativeDifference(after.get(name)!.data, unpack(values)), name).toBeLessThan(1e-5);
      network.setWeights(before);
    });

    it.runIf(expected.loss !== undefined)("has the same loss and gradients", async () => {
      const { loss, gradients } = await gradientsOf(network, size, expected.config.classes);
      expect(loss).toBeCloseTo(expected.loss!, 4);
      expect([...gradients.keys()].sort()).toEqual(Object.keys(expected.gradientPrints!).sort());
      for (const [name, [length, projection, rounding]] of Object.entries(expected.gradientPrints!)) {
        const ours = gradients.get(name)!;
        const print = pattern("print", ours.length);
        const own = Math.sqrt(ours.reduce((sum, v) => sum + v * v, 0));
        const along = ours.reduce((sum, v, i) => sum + v * print[i]!, 0);
        // Some ReLUs sit within rounding of their kink; PyTorch's own float32 shows how much that moves. Anything computed wrongly moves much more.
        const tolerance = Math.max(2e-3, 10 * rounding);
        expect(Math.abs(own - length) / length, name).toBeLessThan(tolerance);
        expect(Math.abs(along - projection) / length, name).toBeLessThan(tolerance);
      }
    });
  });
}

function thin(values: Float32Array, every: number): Float32Array {
  return values.filter((_, i) => i % every === 0);
}

/** Logits of a network for {@link brighterImages}. */
export async function scoresOf(network: Network, size: Size, training: boolean): Promise<Float32Array> {
  const bands = network.config["bands"] as number;
  const step = compile(({ images }) => ({ logits: network.forward(images as tf.Tensor4D, { training }) as tf.Tensor4D }), {
    inputs: { images: { shape: [...size, bands], dtype: "float32" } },
  });
  const { logits } = await step.run({ images: brighterImages(size, bands) });
  await step.dispose();
  return logits!.data as Float32Array;
}

/** Loss and gradients in the order of weight files. */
async function gradientsOf(
  network: Network,
  size: Size,
  classes: number,
): Promise<{ readonly loss: number; readonly gradients: ReadonlyMap<string, Float32Array> }> {
  const bands = network.config["bands"] as number;
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
    { inputs: { images: { shape: [...size, bands], dtype: "float32" }, targets: { shape: [...size], dtype: "int32" } } },
  );
  const result = await step.run({ images: brighterImages(size, bands), targets: patternTargets(sizeOf(size), classes) });
  await step.dispose();
  const gradients = variables.map(({ name, variable }): [string, Float32Array] => {
    const data = result[name]!.data as Float32Array;
    const [kh, kw, i, o] = variable.shape as [number, number, number, number];
    return [name, variable.rank === 4 ? hwioToOihw(data, [o, i, kh, kw]) : data];
  });
  return { loss: result["loss"]!.data[0]!, gradients: new Map(gradients) };
}
