import { readFileSync } from "node:fs";

import { GeoLearnError } from "@geolearn/core";
import { compile, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pixelLoss } from "../losses/pixel-loss.ts";
import type { Network } from "../network.ts";
import { hwioToOihw } from "../network/layout.ts";
import { sizeOf } from "../network/parameter-spec.ts";
import { createBlueprint } from "../network/architectures.ts";
import { createNetwork } from "../network/registry.ts";
import {
  greatestDifference,
  pattern,
  patternImage,
  patternTargets,
  patternWeights,
  relativeDifference,
  unpack,
} from "../testing/pattern.ts";
import type { UNetConfig } from "./config.ts";
import { createUNet, unetBlueprint } from "./unet.ts";

interface Case {
  readonly name: string;
  readonly size: readonly [number, number, number];
  readonly config: UNetConfig;
  readonly trainable: number;
  /** Of the scores, one in so many is kept. */
  readonly every: number;
  readonly eval: string;
  readonly train: string;
  readonly running: Readonly<Record<string, string>>;
  readonly loss?: number;
  readonly gradients?: Readonly<Record<string, string>>;
  /** Length of each gradient and its projection on a pattern, where the gradients themselves are too many. */
  readonly gradientPrints?: Readonly<Record<string, readonly [number, number]>>;
}

interface Fixture {
  readonly cases: readonly Case[];
  readonly trainableParameters: Readonly<Record<string, number>>;
}

const fixture = JSON.parse(readFileSync(new URL("./fixtures/unet.json", import.meta.url), "utf8")) as Fixture;

beforeAll(async () => {
  await startEngine();
});

async function run(network: Network, [n, h, w]: readonly [number, number, number], training: boolean): Promise<Float32Array> {
  const bands = network.config["bands"] as number;
  const shape = [n, h, w, bands];
  const step = compile(({ images }) => ({ logits: network.forward(images as tf.Tensor4D, { training }) as tf.Tensor4D }), {
    inputs: { images: { shape, dtype: "float32" } },
  });
  const { logits } = await step.run({ images: patternImage(n * h * w * bands) });
  await step.dispose();
  return logits!.data as Float32Array;
}

describe.each(fixture.cases)("$name against PyTorch", (expected) => {
  let network: Network;

  beforeAll(() => {
    network = createUNet(expected.config, { weights: patternWeights(unetBlueprint(expected.config).parameters) });
  });

  afterAll(() => {
    network.dispose();
  });

  it("scores the same pixels alike", async () => {
    const scores = await run(network, expected.size, false);
    expect(greatestDifference(thin(scores, expected.every), unpack(expected.eval))).toBeLessThan(1e-4);
  });

  it("scores alike with the batch's statistics, and moves the running ones alike", async () => {
    // Tiny maps deep in the network make small variances, which magnify float32's rounding: PyTorch computed in float64.
    const scores = await run(network, expected.size, true);
    expect(relativeDifference(thin(scores, expected.every), unpack(expected.train))).toBeLessThan(1e-4);
    const after = network.weights();
    for (const [name, values] of Object.entries(expected.running))
      expect(relativeDifference(after.get(name)!.data, unpack(values)), name).toBeLessThan(1e-5);
  });

  it("has as many trainable parameters", () => {
    const sizes = unetBlueprint(expected.config)
      .parameters.filter((p) => !p.role.startsWith("running"))
      .map((p) => sizeOf(p.shape));
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(expected.trainable);
  });

  it.runIf(expected.loss !== undefined)("has the same gradient in every parameter", async () => {
    const { loss, gradients } = await gradientsOf(network, expected.size, expected.config.classes);
    expect(loss).toBeCloseTo(expected.loss!, 4);
    for (const [name, values] of Object.entries(expected.gradients ?? {})) {
      expect(relativeDifference(gradients.get(name)!, unpack(values)), name).toBeLessThan(1e-3);
    }
    // Among millions of ReLUs some sit within rounding of their kink: in float64, pixels changed by one part in a million already move
    // these gradients by 1 to 3 %. Anything computed wrongly moves them by much more.
    for (const [name, [length, projection]] of Object.entries(expected.gradientPrints ?? {})) {
      const ours = gradients.get(name)!;
      const print = pattern("print", ours.length);
      expect(Math.abs(Math.hypot(...chunkLengths(ours)) - length) / length, name).toBeLessThan(2e-2);
      expect(Math.abs(ours.reduce((sum, v, i) => sum + v * print[i]!, 0) - projection) / length, name).toBeLessThan(2e-2);
    }
  });
});

function thin(values: Float32Array, every: number): Float32Array {
  return values.filter((_, i) => i % every === 0);
}

/** Loss and gradients in the order of weight files. */
async function gradientsOf(
  network: Network,
  [n, h, w]: readonly [number, number, number],
  classes: number,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const bands = network.config["bands"] as number;
  const sides = [h - 2 * network.margin, w - 2 * network.margin] as const;
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
    { inputs: { images: { shape: [n, h, w, bands], dtype: "float32" }, targets: { shape: [n, ...sides], dtype: "int32" } } },
  );
  const result = await step.run({ images: patternImage(n * h * w * bands), targets: patternTargets(n * sides[0] * sides[1], classes) });
  await step.dispose();
  const gradients = variables.map(({ name, variable }): [string, Float32Array] => {
    const data = result[name]!.data as Float32Array;
    const [kh, kw, i, o] = variable.shape as [number, number, number, number];
    return [name, variable.rank === 4 ? hwioToOihw(data, [o, i, kh, kw]) : data];
  });
  return { loss: result["loss"]!.data[0]!, gradients: new Map(gradients) };
}

/** Lengths of pieces, so that no call gets millions of arguments. */
function chunkLengths(values: Float32Array): number[] {
  return Array.from({ length: Math.ceil(values.length / 4096) }, (_, i) => Math.hypot(...values.subarray(i * 4096, (i + 1) * 4096)));
}

function trainable(network: Network): number {
  return network.parameters.filter((p) => p.trainable).reduce((sum, p) => sum + p.variable.size, 0);
}

describe("createUNet", () => {
  it("counts the parameters PyTorch counts", () => {
    const plain = createUNet({ bands: 3, classes: 2 });
    expect(trainable(plain)).toBe(1_812_034);
    expect(trainable(plain)).toBe(fixture.trainableParameters["plain"]);
    plain.dispose();
    for (const backbone of ["resnet18", "resnet34"] as const) {
      const sizes = unetBlueprint({ bands: 3, classes: 2, backbone })
        .parameters.filter((p) => !p.role.startsWith("running"))
        .map((p) => sizeOf(p.shape));
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(fixture.trainableParameters[backbone]);
    }
  });

  it("begins with the same weights for the same seed, and others for another", () => {
    const config = { bands: 4, classes: 3, base: 4, depth: 2 };
    const [a, b, c] = [7, 7, 8].map((seed) => createUNet(config, { seed }));
    expect(weightsOf(b!)).toEqual(weightsOf(a!));
    expect(weightsOf(c!)["middle.conv1.weight"]).not.toEqual(weightsOf(a!)["middle.conv1.weight"]);
    for (const network of [a!, b!, c!]) network.dispose();
  });

  it("begins with PyTorch's distribution, or He's", () => {
    const config = { bands: 3, classes: 2, base: 16, depth: 2 };
    const torch = createUNet(config, { seed: 1 });
    const kernel = torch.weights().get("middle.conv2.weight")!.data as Float32Array;
    const bound = 1 / Math.sqrt(64 * 9);
    expect(Math.max(...kernel)).toBeLessThanOrEqual(Math.fround(bound));
    expect(deviation(kernel)).toBeCloseTo(bound / Math.sqrt(3), 3);
    const he = createUNet({ ...config, initializer: "heNormal" }, { seed: 1 });
    expect(deviation(he.weights().get("middle.conv2.weight")!.data as Float32Array)).toBeCloseTo(Math.sqrt(2 / (64 * 9)), 3);
    expect([...he.weights().get("head.bias")!.data]).toEqual([0, 0]);
    torch.dispose();
    he.dispose();
  });

  it("marks the encoder as backbone", () => {
    const names = (config: UNetConfig): string[] =>
      unetBlueprint(config)
        .parameters.filter((p) => p.backbone)
        .map((p) => p.name.split(".")[0]!);
    expect(new Set(names({ bands: 3, classes: 2 }))).toEqual(new Set(["down", "middle"]));
    expect(new Set(names({ bands: 3, classes: 2, backbone: "resnet18" }))).toEqual(new Set(["encoder"]));
  });

  it("is built again from its name and configuration", () => {
    const first = createUNet({ bands: 2, classes: 3, base: 4, depth: 2, skips: "add", norm: "group", margin: 4 }, { seed: 3 });
    const config = JSON.parse(JSON.stringify(first.config)) as Record<string, unknown>;
    const again = createNetwork(first.modelType, config, { weights: first.weights(), task: "pixelClassification" });
    expect(again.config).toEqual(first.config);
    expect(weightsOf(again)).toEqual(weightsOf(first));
    first.dispose();
    again.dispose();
  });

  it("leaves no tensors behind", async () => {
    const before = tf.memory().numTensors;
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2, normalization: { mean: [1, 2, 3], std: [1, 0, 2] } });
    await run(network, [1, 16, 16], true);
    network.dispose();
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(() => network.forward(null as never, { training: false })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error,
    );
  });

  it("only centres a band that never varies", async () => {
    const network = createUNet({ bands: 1, classes: 2, base: 2, depth: 1, normalization: { mean: [100], std: [0] } });
    expect([...(await run(network, [1, 4, 4], false))].every(Number.isFinite)).toBe(true);
    network.dispose();
  });
});

describe("refusals", () => {
  const shapes: [string, UNetConfig, number[], Record<string, unknown>][] = [
    [
      "sides that do not halve",
      { bands: 3, classes: 2 },
      [1, 250, 256, 3],
      { code: "CHIP_SIZE_NOT_DIVISIBLE", hint: "Use chips of 256 x 256 pixels." },
    ],
    [
      "a residual encoder's stride",
      { bands: 3, classes: 2, backbone: "resnet18" },
      [1, 64, 48, 3],
      { code: "CHIP_SIZE_NOT_DIVISIBLE", hint: "Use chips of 64 x 64 pixels." },
    ],
    [
      "a margin that leaves nothing",
      { bands: 3, classes: 2, margin: 16 },
      [1, 32, 64, 3],
      { code: "CHIP_SIZE_NOT_DIVISIBLE", hint: "Use chips of 64 x 48 pixels." },
    ],
    ["other bands", { bands: 3, classes: 2 }, [1, 64, 64, 4], { code: "BANDS_MISMATCH", data: { given: 4, expected: 3 } }],
  ];

  it.each(shapes)("%s", (_, config, shape, error) => {
    const { forward } = unetBlueprint(config);
    const images = { shape } as unknown as tf.Tensor4D;
    expect(() => forward(images, { training: false, value: () => null as never })).toThrow(expect.objectContaining(error) as Error);
  });

  it.each<[string, object]>([
    ["bands", { bands: 0, classes: 2 }],
    ["bands", { bands: 2.5, classes: 2 }],
    ["classes", { bands: 3 }],
    ["backbone", { bands: 3, classes: 2, backbone: "resnet51" }],
    ["depth", { bands: 3, classes: 2, depth: 40 }],
    ["widths", { bands: 3, classes: 2, widths: [16] }],
    ["widths", { bands: 3, classes: 2, widths: [16, -1] }],
    ["skips", { bands: 3, classes: 2, skips: "none" }],
    ["norm", { bands: 3, classes: 2, norm: "layer" }],
    ["margin", { bands: 3, classes: 2, margin: -1 }],
    ["normalization.mean", { bands: 3, classes: 2, normalization: { mean: [1, 2], std: [1, 1, 1] } }],
    ["normalization.std", { bands: 1, classes: 2, normalization: { mean: [1], std: [NaN] } }],
    ["decoderWidths", { bands: 3, classes: 2, backbone: "resnet18", decoderWidths: [1, 2] }],
    ["initializer", { bands: 3, classes: 2, initializer: "zeros" }],
  ])("a configuration with a wrong %s", (field, config) => {
    expect(() => unetBlueprint(config as UNetConfig)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }) as Error,
    );
  });

  it("any nonsense in a configuration from a stranger's file, by a typed error", () => {
    const fields = [
      "bands",
      "classes",
      "backbone",
      "base",
      "depth",
      "widths",
      "decoderWidths",
      "skips",
      "margin",
      "norm",
      "groups",
      "normalization",
      "initializer",
    ];
    const nonsense = [
      null,
      true,
      -1,
      0.5,
      1e300,
      "",
      "abcde",
      [],
      [[]],
      [null, null],
      {},
      { length: 5 },
      { mean: "abc", std: [1] },
      [1e9, 1e9, 1e9, 1e9, 1e9],
    ];
    for (const field of fields) {
      for (const value of nonsense) {
        for (const backbone of [null, "resnet18"]) {
          try {
            expect(
              unetBlueprint({ bands: 3, classes: 2, backbone, [field]: value } as unknown as UNetConfig).parameters.length,
            ).toBeGreaterThan(0);
          } catch (error) {
            expect(error, `${field}: ${JSON.stringify(value)}`).toMatchObject({ name: "GeoLearnError", code: "INVALID_ARGUMENT" });
          }
        }
      }
    }
  });

  it("an architecture nobody knows", () => {
    expect(() => createBlueprint("hourglass", {})).toThrow(/known are unet/);
  });

  it("weights of another network, by name", () => {
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2 });
    const weights = network.weights();
    weights.set("head.weight", { data: new Float32Array(12), shape: [3, 4, 1, 1], dtype: "float32" });
    weights.delete("middle.norm1.bias");
    weights.set("tail.weight", { data: new Float32Array(1), shape: [1], dtype: "float32" });
    try {
      network.setWeights(weights);
      expect.unreachable();
    } catch (error) {
      expect(GeoLearnError.is(error, "WEIGHTS_MISMATCH")).toBe(true);
      expect((error as GeoLearnError).data).toEqual({
        missing: ["middle.norm1.bias"],
        unknown: ["tail.weight"],
        misshaped: ["head.weight is [3, 4, 1, 1] instead of [2, 4, 1, 1]"],
      });
    }
    network.dispose();
  });
});

function weightsOf(network: Network): Record<string, number[]> {
  return Object.fromEntries([...network.weights()].map(([name, { data }]) => [name, [...data]]));
}

function deviation(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
}
