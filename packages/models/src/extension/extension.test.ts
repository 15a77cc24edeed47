import { readZip, writeZip } from "@geolearn/core";
import { compile, type HostTensor, openOnnxSession, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";

import { pixelLoss } from "../losses/pixel-loss.ts";
import type { ModelManifest } from "../manifest.ts";
import type { Network, NetworkOutputs } from "../network.ts";
import { createNetwork, modelTypes } from "../network/registry.ts";
import { scoreGraph } from "../onnx/score-graph.ts";
import { packageContent } from "../package/content.ts";
import { describeModelPackage } from "../package/describe.ts";
import { adaptWeights, loadNetwork } from "../package/load.ts";
import { readModelPackage } from "../package/read.ts";
import { encodeModelPackage } from "../package/write.ts";
import { defined, forget, oneKernel, oneLayer } from "../testing/own-networks.ts";
import { sameWeights } from "../testing/pattern.ts";
import { defineModel } from "./defined.ts";
import type { AnyModelExtension, BuildOptions, ExtensionNetwork } from "./extension.ts";

beforeAll(() => startEngine({ threads: 1 }));

const SHAPE = { bands: 3, classes: 2 };
const made: Network[] = [];
afterEach(() => {
  for (const network of made.splice(0)) network.dispose();
});

function network(modelType: string, config: Record<string, unknown> = SHAPE, seed = 7): Network {
  const built = createNetwork(modelType, config, { seed, task: "pixelClassification" });
  made.push(built);
  return built;
}

const images = (n: number, height: number, width: number, bands: number): HostTensor => ({
  data: Float32Array.from({ length: n * height * width * bands }, (_, i) => 100 + 50 * Math.sin(i * 1.7)),
  shape: [n, height, width, bands],
  dtype: "float32",
});

async function scores(of: Network, { data, shape }: HostTensor): Promise<Float32Array> {
  const run = compile(({ x }) => ({ y: of.decode(of.forward(x as tf.Tensor4D, { training: false })) }), {
    inputs: { x: { shape, dtype: "float32" } },
  });
  const { y } = await run.run({ x: data });
  await run.dispose();
  return y!.data as Float32Array;
}

describe("defineModel", () => {
  const sound: AnyModelExtension = { modelType: "sound", task: "pixelClassification", build: oneLayer as never };

  test("makes a name known and gives the definition back", () => {
    expect(defineModel(sound)).toBe(sound);
    expect(defineModel(sound)).toBe(sound);
    expect(modelTypes()).toContain("sound");
  });

  test.each<[string, Partial<Record<keyof AnyModelExtension, unknown>>]>([
    ["a name of geolearn's", { modelType: "unet" }],
    ["the name of ONNX packages", { modelType: "onnx" }],
    ["a name with capitals", { modelType: "MyNet" }],
    ["no name", { modelType: undefined }],
    ["another task", { task: "objectDetection" }],
    ["no build", { build: undefined }],
    ["a resolve that is no function", { resolve: {} }],
  ])("refuses %s", (_, change) => {
    expect(() => defineModel({ ...sound, modelType: "unsound", ...change } as AnyModelExtension)).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID" }),
    );
    expect(modelTypes()).not.toContain("unsound");
  });

  test("refuses a second definition of a name, unless it is to take the place of the first", () => {
    const modelType = defined(oneLayer);
    const other: AnyModelExtension = { ...sound, modelType };
    expect(() => defineModel(other)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(defineModel(other, { replace: true })).toBe(other);
  });
});

describe("a defined network", () => {
  test("bears names by kind and place, whatever was built before it", () => {
    const modelType = defined(({ bands, classes }) => {
      const input = tf.input({ shape: [null, null, bands] });
      const conv = (x: tf.SymbolicTensor, name?: string): tf.SymbolicTensor =>
        tf.layers.conv2d({ filters: classes, kernelSize: 1, ...(name && { name }) }).apply(x) as tf.SymbolicTensor;
      const inner = tf.sequential({ layers: [tf.layers.batchNormalization({ inputShape: [null, null, classes] })] });
      const model = tf.model({ inputs: input, outputs: conv(inner.apply(conv(conv(input), "head_1")) as tf.SymbolicTensor) });
      return { variables: model, forward: (x, { training }) => model.apply(x, { training }) as tf.Tensor4D, backbone: ["conv2d.0"] };
    });
    const names = [
      ...["conv2d.0.kernel", "conv2d.0.bias", "head_1.kernel", "head_1.bias"],
      ...["gamma", "beta", "moving_mean", "moving_variance"].map((part) => `sequential.0.batch_normalization.0.${part}`),
      ...["conv2d.1.kernel", "conv2d.1.bias"],
    ];
    for (let time = 0; time < 2; time++) {
      const { parameters } = network(modelType);
      expect(parameters.map(({ name }) => name)).toEqual(names);
      expect(parameters.filter(({ trainable }) => !trainable).map(({ name }) => name)).toEqual(names.slice(6, 8));
      expect(parameters.filter(({ backbone }) => backbone).map(({ name }) => name)).toEqual(names.slice(0, 2));
    }
  });

  test("keeps its settings beside bands, classes and normalization", () => {
    const seen: BuildOptions[] = [];
    const modelType = defined(
      (options) => {
        seen.push(options);
        return oneKernel(options);
      },
      { resolve: ({ width = 4 }, { bands }) => ({ width, perBand: bands * 2 }) },
    );
    const normalization = { mean: [1, 2, 3], std: [4, 5, 6] };
    expect(network(modelType, { ...SHAPE, normalization, width: 9 }).config).toEqual({ ...SHAPE, normalization, width: 9, perBand: 6 });
    expect(seen[0]).toMatchObject({ ...SHAPE, normalization, config: { width: 9, perBand: 6 }, seed: 7 });
  });

  test("normalizes by the constants it is given", async () => {
    const modelType = defined(oneKernel);
    const [mean, std] = [[10, 20, 30], [2, 4, 8]]; // prettier-ignore
    const raw = images(1, 2, 2, 3);
    const by = await scores(network(modelType, { ...SHAPE, normalization: { mean, std } }), raw);
    const normalized = { ...raw, data: raw.data.map((v, i) => (v - mean[i % 3]!) / std[i % 3]!) as Float32Array };
    const expected = await scores(network(modelType), normalized);
    for (const [i, value] of by.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
  });

  test("takes other weights, and refuses those of another network", async () => {
    const modelType = defined(oneKernel);
    const [first, second] = [network(modelType, SHAPE, 1), network(modelType, SHAPE, 2)];
    expect(sameWeights(first.weights(), second.weights())).toBe(false);
    second.setWeights(first.weights());
    expect(sameWeights(first.weights(), second.weights())).toBe(true);
    expect(() => network(modelType, { bands: 4, classes: 2 }).setWeights(first.weights())).toThrow(
      expect.objectContaining({ code: "WEIGHTS_MISMATCH", message: expect.stringContaining("head.kernel") as string }),
    );
  });

  test("knows which parameters follow bands and classes", () => {
    const { bands, classes } = network(defined(oneLayer)).sizedBy();
    expect([...bands]).toEqual(["conv2d.0.kernel"]);
    expect([...classes]).toEqual(["conv2d.0.kernel", "conv2d.0.bias"]);
  });

  test("leaves no tensor behind", () => {
    const modelType = defined(oneLayer);
    const before = tf.memory().numTensors;
    const built = createNetwork(modelType, SHAPE, { task: "pixelClassification" });
    built.sizedBy();
    built.dispose();
    built.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(() => built.forward(tf.zeros([1, 2, 2, 3]), { training: false })).toThrow(/disposed/);
  });

  test("is asked for its own targets, loss and decoder", async () => {
    const modelType = defined((options) => {
      const own = oneKernel(options);
      return {
        variables: own.variables,
        forward: (x, how) => ({ logits: own.forward(x, how) as tf.Tensor4D }),
        targets: (indices) => [tf.greaterEqual(indices, 0), indices],
        loss: ((outputs: { logits: tf.Tensor4D }, [, indices]: tf.Tensor[], { pixelLoss: base, classIndices }: never) => {
          expect((classIndices as tf.Tensor).shape).toEqual([1, 2, 2]);
          return tf.mul((base as ReturnType<typeof pixelLoss>)(outputs.logits, indices as tf.Tensor3D), 3);
        }) as never,
        decode: ((outputs: { logits: tf.Tensor4D }) =>
          tf.div(tf.sigmoid(outputs.logits), tf.sum(tf.sigmoid(outputs.logits), 3, true))) as never,
      };
    });
    const own = network(modelType);
    const plain = network(defined(oneKernel));
    plain.setWeights(own.weights());
    expect([own.ownLoss, own.ownDecoder, plain.ownLoss, plain.ownDecoder]).toEqual([true, true, false, false]);
    const lossOf = async (of: Network): Promise<number> => {
      const run = compile(
        ({ x, t }) => ({
          loss: of.loss(of.forward(x as tf.Tensor4D, { training: true }), t as tf.Tensor3D, pixelLoss({ type: "crossEntropy" })),
        }),
        { inputs: { x: { shape: [1, 2, 2, 3], dtype: "float32" }, t: { shape: [1, 2, 2], dtype: "int32" } } },
      );
      const { loss } = await run.run({ x: images(1, 2, 2, 3).data, t: Int32Array.of(0, 1, -1, 1) });
      await run.dispose();
      return loss!.data[0]!;
    };
    expect(await lossOf(own)).toBeCloseTo(3 * (await lossOf(plain)), 4);
    expect(await scores(own, images(1, 2, 2, 3))).not.toEqual(await scores(plain, images(1, 2, 2, 3)));
  });
});

describe("a network that breaks its contract is told so", () => {
  const changed =
    (change: (own: ExtensionNetwork, options: BuildOptions) => Partial<Record<keyof ExtensionNetwork, unknown>>) =>
    (options: BuildOptions): ExtensionNetwork => {
      const own = oneKernel(options);
      return { ...own, ...change(own, options) } as ExtensionNetwork;
    };

  test.each<[string, (options: BuildOptions) => ExtensionNetwork, RegExp]>([
    ["no forward", changed(() => ({ forward: undefined })), /gave no network/],
    ["no variables", changed(() => ({ variables: undefined })), /gave no network/],
    ["half a stride", changed(() => ({ stride: 0.5 })), /stride is 0.5/],
    ["a variable that is none", changed(() => ({ variables: { a: tf.zeros([1]) } })), /"a" is no variable/],
    ["a variable without a name", changed(({ variables }) => ({ variables: { "": Object.values(variables)[0] } })), /is no name/],
    ["one variable twice", changed(({ variables }) => ({ variables: { a: Object.values(variables)[0], b: Object.values(variables)[0] } })), /are one variable/], // prettier-ignore
    ["a variable of whole numbers", changed(() => ({ variables: { n: tf.variable(tf.scalar(1, "int32")) } })), /is int32/],
    ["a backbone nobody knows", changed(() => ({ backbone: ["encoder"] })), /names "encoder".*/],
  ])("%s", (_, build, message) => {
    expect(() => network(defined(build))).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", message: expect.stringMatching(message) as string }),
    );
  });

  test.each<[string, object, RegExp]>([
    ["a constraint", { kernelConstraint: "maxNorm" }, /has a constraint/],
    ["a regularizer without a loss that adds it", { kernelRegularizer: "l1l2" }, /regularizers/],
  ])("%s", (_, options, message) => {
    const build = ({ bands, classes }: BuildOptions): ExtensionNetwork => {
      const model = tf.sequential({
        layers: [tf.layers.conv2d({ filters: classes, kernelSize: 1, inputShape: [null, null, bands], ...options })],
      });
      return { variables: model, forward: (x) => model.apply(x) as tf.Tensor4D };
    };
    expect(() => network(defined(build))).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", message: expect.stringMatching(message) as string }),
    );
  });

  test.each<[string, (options: BuildOptions) => ExtensionNetwork, RegExp]>([
    ["logits of another shape", changed((own) => ({ forward: (x: tf.Tensor4D) => tf.slice(own.forward(x, { training: false }) as tf.Tensor4D, [0, 0, 0, 0], [-1, -1, -1, 1]) })), /`forward` gave \[1, 2, 2, 1\], \[1, 2, 2, 2\] is expected/], // prettier-ignore
    [
      "outputs it does not decode",
      changed((own) => ({ forward: (x: tf.Tensor4D) => ({ a: own.forward(x, { training: false }) }) })),
      /`forward` gave \{ a \}/,
    ],
    ["scores of another shape", changed(() => ({ decode: (x: tf.Tensor4D) => tf.sum(x, 3) })), /`decode` gave \[1, 2, 2\]/],
    ["scores without the margin it says", changed(() => ({ margin: 1, decode: (x: tf.Tensor4D) => x })), /.*/],
    ["a loss for each image", changed(() => ({ loss: (x: tf.Tensor4D) => tf.sum(x, [1, 2, 3]) })), /`loss` gave \[1\], a scalar/],
  ])("%s", (name, build, message) => {
    const own = network(defined(build));
    const run = (): void => {
      const x = tf.zeros<tf.Rank.R4>(name.includes("margin") ? [1, 4, 4, 3] : [1, 2, 2, 3]);
      const outputs: NetworkOutputs = own.forward(x, { training: false });
      own.decode(outputs);
      own.loss(outputs, tf.zeros([1, 2, 2], "int32"), pixelLoss({ type: "crossEntropy" }));
    };
    expect(() => tf.tidy(run)).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", message: expect.stringMatching(message) as string }),
    );
  });

  test.each<[string, unknown, RegExp]>([
    ["a number that is none", { width: NaN }, /no plain JSON at "width"/],
    ["a function", { deep: { f: () => 1 } }, /no plain JSON at "deep.f"/],
    ["a date", { at: [new Date(0)] }, /no plain JSON at "at.0"/],
    ["a list", [1], /are no object/],
    ["a name that is taken", { bands: 3 }, /have a field "bands"/],
  ])("settings with %s", (_, settings, message) => {
    const modelType = defined(oneKernel, { resolve: () => settings as object });
    expect(() => network(modelType)).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", message: expect.stringMatching(message) as string }),
    );
  });

  test("what is asked of it is checked, too", () => {
    const modelType = defined((options) => ({ ...oneKernel(options), stride: 2 }));
    expect(() => network(modelType, { bands: 0, classes: 2 })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field: "bands" } }),
    );
    expect(() => network(modelType, { ...SHAPE, normalization: { mean: [1], std: [1] } })).toThrow(/normalization/);
    const own = network(modelType);
    expect(() => own.forward(tf.zeros([1, 2, 2, 4]), { training: false })).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
    expect(() => own.forward(tf.zeros([1, 3, 2, 3]), { training: false })).toThrow(
      expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }),
    );
    expect(() => network("nobody-knows")).toThrow(expect.objectContaining({ code: "MODEL_NOT_DEFINED" }));
  });
});

const band = { min: 0, max: 255, mean: 100, std: 40, count: 1000 };

function manifestOf({ modelType, config }: Network): ModelManifest {
  return {
    task: "pixelClassification",
    name: "my own",
    modelType,
    backbone: null,
    config,
    classes: [
      { value: 0, name: "land", color: [0, 0, 0] },
      { value: 4, name: "water", color: [0, 0, 255] },
    ],
    bandNames: ["r", "g", "b"],
    bandIndices: [0, 1, 2],
    sampleType: "uint8",
    statistics: [band, band, band],
    chipWidth: 8,
    chipHeight: 4,
    resolution: 1,
    metrics: {},
    training: {},
  };
}

interface Emd extends Record<string, unknown> {
  GeoLearn: { task: string; modelType: string; graph?: { margin: number } };
}

async function packageBytes(of: Network): Promise<Uint8Array> {
  return encodeModelPackage(packageContent(of, manifestOf(of)));
}

async function graphScores(bytes: Uint8Array, image: HostTensor): Promise<Float32Array> {
  const [batch, height, width] = image.shape as [number, number, number];
  const session = await openOnnxSession(scoreGraph(await readModelPackage(bytes), { batch, height, width }));
  const result = await session.run({ [session.inputs[0]!.name]: image });
  await session.dispose();
  return Object.values(result)[0]!.data as Float32Array;
}

describe("its package", () => {
  test("holds settings, weights and a graph that gives the same scores without the code", async () => {
    const modelType = defined(oneLayer);
    const own = network(modelType, { ...SHAPE, normalization: { mean: [100, 100, 100], std: [40, 40, 40] } });
    const bytes = await packageBytes(own);
    const image = images(2, 6, 10, 3);
    const expected = await scores(own, image);
    const again = loadNetwork(await readModelPackage(bytes), { task: "pixelClassification" });
    made.push(again);
    expect(again.config).toEqual(own.config);
    expect(await scores(again, image)).toEqual(expected);
    const weights = own.weights();
    forget(modelType);
    const read = await readModelPackage(bytes);
    expect(sameWeights(read.weights, weights)).toBe(true);
    expect(read.manifest.graph).toMatchObject({ layout: "NCHW", batch: null, stride: 1, margin: 0 });
    // float32 through two graphs that are optimised differently
    for (const [i, value] of (await graphScores(bytes, image)).entries()) expect(value).toBeCloseTo(expected[i]!, 5);
    expect(() => loadNetwork(read)).toThrow(
      expect.objectContaining({ code: "MODEL_NOT_DEFINED", hint: expect.stringContaining("defineModel") as string }),
    );
    expect(await describeModelPackage(bytes)).toMatchObject({
      origin: "geolearn",
      modelType,
      files: [{}, { name: "my own.safetensors" }, { name: "my own.onnx" }],
    });
  });

  test("of a network that is another one at another size is written for the chip", async () => {
    const modelType = defined((options) => {
      const own = oneKernel(options);
      // the size becomes a number in the graph
      const mixed = (x: tf.Tensor4D): tf.Tensor4D => {
        const [n, height, width, classes] = x.shape;
        return tf.image.resizeBilinear(tf.image.resizeBilinear(x, [height / 2, width / 2], false, true), [height, width], false, true).reshape([n, height, width, classes]); // prettier-ignore
      };
      return { variables: own.variables, stride: 2, forward: (x, how) => mixed(own.forward(x, how) as tf.Tensor4D) };
    });
    const own = network(modelType);
    const bytes = await packageBytes(own);
    const image = images(2, 4, 8, 3);
    const expected = await scores(own, image);
    for (const [i, value] of (await graphScores(bytes, image)).entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  });

  test("starts a network for other classes or bands, whose layers begin anew", async () => {
    const modelType = defined((options) => {
      const { bands, classes, seed } = options;
      const variable = (shape: number[], step: number): tf.Variable =>
        tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 1, "float32", 10 * seed + step)));
      const [first, last] = [variable([1, 1, bands, 4], 1), variable([1, 1, 4, classes], 2)];
      const apply = (x: tf.Tensor4D, kernel: tf.Variable): tf.Tensor4D => tf.conv2d(x, kernel as unknown as tf.Tensor4D, 1, "same");
      return { variables: { first, last, middle: variable([4], 3) }, forward: (x) => apply(apply(x, first), last) };
    });
    const pkg = await readModelPackage(await packageBytes(network(modelType)));
    const other = { classes: [...pkg.manifest.classes, { value: 9, name: "snow", color: [9, 9, 9] as const }] };
    const wider = network(modelType, { bands: 5, classes: 3 }, 3);
    expect(adaptWeights(wider, pkg, other)).toEqual({ loaded: ["middle"], reinitialized: ["first", "last"] });
    const renamed = { classes: pkg.manifest.classes.map((c) => ({ ...c, name: `new ${c.name}` })) };
    expect(adaptWeights(network(modelType, SHAPE, 3), pkg, renamed)).toEqual({ loaded: ["first", "middle"], reinitialized: ["last"] });
    expect(() => adaptWeights(network(defined(oneKernel)), pkg)).toThrow(expect.objectContaining({ code: "WEIGHTS_MISMATCH" }));
  });

  const repacked = async (change: (emd: Emd) => void, drop = "nothing"): Promise<Uint8Array> => {
    const modelType = defined(oneKernel);
    const archive = await readZip(await packageBytes(network(modelType)), { code: "MODEL_CORRUPT", name: "test" });
    forget(modelType);
    const entries = await Promise.all(archive.entries.map(async ({ name }) => ({ name, data: await archive.read(name) })));
    const emd = JSON.parse(new TextDecoder().decode(entries[0]!.data)) as Emd;
    change(emd);
    const kept = entries.slice(1).filter(({ name }) => !name.endsWith(drop));
    return writeZip(null, [{ name: entries[0]!.name, data: JSON.stringify(emd) }, ...kept]);
  };

  test.each<[string, Parameters<typeof repacked>]>([
    ["without its graph", [() => undefined, ".onnx"]],
    ["without its weights", [() => undefined, ".safetensors"]],
    ["that names no graph", [(emd) => delete emd["GraphFile"]]],
    ["that names the weights as its graph", [(emd) => (emd["GraphFile"] = emd["ModelFile"])]],
    ["that does not say how the graph is run", [(emd) => delete emd.GeoLearn.graph]],
    ["with a graph for another task", [(emd) => (emd.GeoLearn.task = "objectDetection")]],
    ["that gives one of geolearn's networks a graph", [(emd) => (emd.GeoLearn.modelType = "unet")]],
    ["with a negative margin", [(emd) => (emd.GeoLearn.graph!.margin = -1)]],
  ])("%s is refused", async (_, [change, drop]) => {
    await expect(readModelPackage(await repacked(change, drop))).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });

  test("with weights that are not finite is refused, and not written without its graph", async () => {
    const own = network(defined(oneKernel));
    const { manifest, weights, onnx } = packageContent(own, manifestOf(own));
    const broken = new Map(
      [...weights].map(([name, tensor]) => [name, { ...tensor, data: new Float32Array(tensor.data.length).fill(NaN) }]),
    );
    const bytes = await encodeModelPackage({ manifest, weights: broken, onnx: onnx! });
    await expect(readModelPackage(bytes)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
    for (const content of [
      { manifest, weights },
      { manifest: manifestOf(own), weights, onnx: onnx! },
    ])
      await expect(encodeModelPackage(content)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
