import { readFileSync } from "node:fs";

import { compile, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import { pattern, patternTargets, relativeDifference, unpack } from "../testing/pattern.ts";
import { pixelLoss, type PixelLossSpec } from "./pixel-loss.ts";

interface Case {
  readonly spec: PixelLossSpec;
  readonly scale: number;
  readonly shape: readonly [number, number, number, number];
  readonly loss: number;
  readonly gradient: string;
}

const { cases } = JSON.parse(readFileSync(new URL("./fixtures/losses.json", import.meta.url), "utf8")) as { cases: readonly Case[] };

beforeAll(async () => {
  await startEngine();
});

async function evaluate(
  spec: PixelLossSpec,
  logits: Float32Array,
  targets: Int32Array,
  shape: readonly number[],
): Promise<{ loss: number; gradient: Float32Array }> {
  const loss = pixelLoss(spec);
  const step = compile(
    ({ z, t }) => {
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor) => loss(x as tf.Tensor4D, t as tf.Tensor3D))(z!);
      return { value, grad };
    },
    { inputs: { z: { shape, dtype: "float32" }, t: { shape: shape.slice(0, 3), dtype: "int32" } } },
  );
  const { value, grad } = await step.run({ z: logits, t: targets });
  await step.dispose();
  return { loss: value!.data[0]!, gradient: grad!.data as Float32Array };
}

describe("against PyTorch", () => {
  it.each(cases.map((c) => [`${JSON.stringify(c.spec)}, logits to ${c.scale}`, c] as const))(
    "%s",
    async (_, { spec, scale, shape, loss, gradient }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const logits = Float32Array.from(pattern("logits", count), (v) => scale * v);
      const ours = await evaluate(spec, logits, patternTargets(count / shape[3], shape[3]), shape);
      expect(Math.abs(ours.loss - loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(loss)));
      expect(relativeDifference(ours.gradient, unpack(gradient))).toBeLessThan(1e-4);
    },
  );
});

const everyType: PixelLossSpec[] = [
  { type: "crossEntropy" },
  { type: "focal" },
  { type: "dice" },
  { type: "dice", average: "micro" },
  { type: "mix" },
];

describe("pixelLoss", () => {
  it.each(everyType)("is 0 with gradient 0 when no pixel counts: $type $average", async (spec) => {
    const { loss, gradient } = await evaluate(spec, Float32Array.from(pattern("logits", 48)), new Int32Array(16).fill(-1), [1, 4, 4, 3]);
    expect(Math.abs(loss)).toBe(0);
    expect(gradient.every((v) => v === 0)).toBe(true);
  });

  it.each(everyType)("is finite for a certain network, right or wrong: $type $average", async (spec) => {
    const logits = Float32Array.from({ length: 48 }, (_, i) => (i % 3 === 0 ? 1e4 : -1e4));
    for (const target of [0, 1]) {
      const { loss, gradient } = await evaluate(spec, logits, new Int32Array(16).fill(target), [1, 4, 4, 3]);
      expect(Number.isFinite(loss)).toBe(true);
      expect(gradient.every(Number.isFinite)).toBe(true);
    }
  });

  it("does not count targets beyond the classes", async () => {
    const logits = Float32Array.from(pattern("logits", 48));
    const kept = Int32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    const beyond = kept.map((t) => (t === -1 ? 200 : t));
    const a = await evaluate({ type: "crossEntropy" }, logits, kept, [1, 4, 4, 3]);
    const b = await evaluate({ type: "crossEntropy" }, logits, beyond, [1, 4, 4, 3]);
    expect(b).toEqual(a);
  });

  it("keeps its digits over four million pixels", async () => {
    const side = 2048;
    const logits = new Float32Array(side * side * 2);
    for (let i = 0; i < side * side; i++) logits[2 * i] = 0.25;
    const targets = new Int32Array(side * side);
    const expected = Math.log(1 + Math.exp(-0.25));
    const { loss } = await evaluate({ type: "crossEntropy" }, logits, targets, [1, side, side, 2]);
    expect(Math.abs(loss - expected) / expected).toBeLessThan(1e-6);
    const share = 1 / (1 + Math.exp(-0.25));
    const dice = await evaluate({ type: "dice" }, logits, targets, [1, side, side, 2]);
    expect(Math.abs(dice.loss - (1 - (2 * share) / (share + 1)))).toBeLessThan(1e-6);
  });

  it.each<[string, unknown]>([
    ["type", { type: "hinge" }],
    ["gamma", { type: "focal", gamma: -1 }],
    ["gamma", { type: "focal", gamma: NaN }],
    ["diceFraction", { type: "mix", diceFraction: 1.5 }],
    ["base", { type: "mix", base: "dice" }],
    ["average", { type: "dice", average: "weighted" }],
    ["classWeights", { type: "crossEntropy", classWeights: [1, -1] }],
    ["classWeights", { type: "focal", classWeights: "balanced" }],
    ["gama", { type: "focal", gama: 1 }],
    ["gamma", { type: "crossEntropy", gamma: 1 }],
    ["ignoreIndex", { type: "crossEntropy", ignoreIndex: 0.5 }],
    ["ignoredClasses", { type: "crossEntropy", ignoredClasses: [-2] }],
  ])("refuses a wrong %s", (field, spec) => {
    expect(() => pixelLoss(spec as PixelLossSpec)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }) as Error);
  });

  it("refuses class weights of another number, and targets of another size", async () => {
    await expect(
      evaluate({ type: "crossEntropy", classWeights: [1, 1] }, new Float32Array(48), new Int32Array(16), [1, 4, 4, 3]),
    ).rejects.toThrow(/2 class weights for 3 classes/);
    const loss = pixelLoss({ type: "dice" });
    expect(() => loss({ shape: [1, 4, 4, 3] } as never, { rank: 3, shape: [1, 8, 8] } as never)).toThrow(
      /Cut the targets|logits \[1, 4, 4, 3\] and targets/,
    );
  });
});
