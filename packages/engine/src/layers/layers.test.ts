/** Plain scripts of tf.layers: the same numbers as on tfjs's cpu backend, where that one is right. */

import * as tf from "@tensorflow/tfjs";
import { createRng } from "@geolearn/core";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compile, seedRandom, startEngine } from "../index.ts";
import { runningEngine } from "../engine-state.ts";
import { worstError } from "../testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

beforeEach(async () => {
  await tf.setBackend("onnx");
});

interface Script {
  readonly layers: () => tf.layers.Layer[];
  readonly input: number[];
  readonly output: number[];
  readonly settings: () => tf.ModelCompileArgs;
  /** Whole numbers below this as input; otherwise normal numbers. */
  readonly words?: number;
}

const SAMPLES = 20;
const size = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** A script as anybody writes it, with weights and data that do not depend on the backend. */
async function run(backend: string, { layers, input, output, settings, words }: Script): Promise<number[][]> {
  await tf.setBackend(backend);
  const rng = createRng(5);
  const model = tf.sequential({ layers: layers() });
  model.setWeights(
    model.getWeights().map((weight, i) => {
      const name = model.weights[i]!.name;
      const start = name.includes("moving_variance") || name.includes("gamma") ? 1 : 0;
      const spread = name.includes("moving_") ? 0 : 0.3;
      return tf.tensor(
        Float32Array.from({ length: weight.size }, () => start + spread * rng.normal()),
        weight.shape,
      );
    }),
  );
  const x = tf.tensor(
    Float32Array.from({ length: SAMPLES * size(input) }, () => (words === undefined ? rng.normal() : rng.int(words))),
    [SAMPLES, ...input],
  );
  const targets = Float32Array.from({ length: SAMPLES * size(output) }, () => 0);
  for (let i = 0; i < targets.length; i += output.at(-1)!) targets[i + rng.int(output.at(-1)!)] = 1;
  const y = tf.tensor(targets, [SAMPLES, ...output]);
  model.compile(settings());
  // 20 samples, 4 of them for validation, in batches of 6, 6 and 4
  const { history } = await model.fit(x, y, { epochs: 2, batchSize: 6, shuffle: false, validationSplit: 0.2 });
  const evaluated = model.evaluate(x, y, { batchSize: 8 });
  const scores = await Promise.all((Array.isArray(evaluated) ? evaluated : [evaluated]).map(async (score) => (await score.data())[0]!));
  const predicted = await (model.predict(x, { batchSize: 7 }) as tf.Tensor).data();
  const weights = await Promise.all(model.getWeights().map(async (weight) => [...(await weight.data())]));
  return [...Object.keys(history).sort().map((key) => history[key] as number[]), scores, [...predicted], ...weights]; // prettier-ignore
}

async function expectSame(script: Script, tolerance: number): Promise<void> {
  const ours = await run("onnx", script);
  const theirs = await run("cpu", script);
  expect(ours.length).toBe(theirs.length);
  ours.forEach((values, i) => expect(worstError(values, theirs[i]!), `result ${i}`).toBeLessThan(tolerance));
}

const { layers: l } = tf;

// No upSampling2d: the gradient of tfjs's cpu backend is wrong there for batches above 1.
const CLASSIFIER: Script = {
  layers: () => [
    l.conv2d({ inputShape: [12, 10, 3], filters: 6, kernelSize: 3, padding: "same", strides: 2, activation: "relu", kernelRegularizer: "l1l2" }),
    l.batchNormalization(),
    l.depthwiseConv2d({ kernelSize: 3, padding: "same", depthMultiplier: 2, activation: "elu" }),
    l.separableConv2d({ kernelSize: 3, filters: 5, padding: "same" }),
    l.leakyReLU(),
    l.averagePooling2d({ poolSize: 2 }),
    l.conv2dTranspose({ filters: 4, kernelSize: 2, strides: 2, activation: "sigmoid" }),
    l.zeroPadding2d({ padding: 1 }),
    l.cropping2D({ cropping: [[1, 0], [0, 2]] }),
    l.prelu(),
    l.layerNormalization(),
    l.globalAveragePooling2d({}),
    l.dense({ units: 7, activation: "tanh", kernelConstraint: "maxNorm" }),
    l.dense({ units: 4, activation: "softmax" }),
  ], // prettier-ignore
  input: [12, 10, 3],
  output: [4],
  settings: () => ({ optimizer: tf.train.sgd(0.05), loss: "categoricalCrossentropy", metrics: ["accuracy"] }),
};

describe("scripts of tf.layers give what tfjs's cpu backend gives", () => {
  test("a small classifier of images", async () => expectSame(CLASSIFIER, 2e-4));

  test("words: embedding and LSTM", async () =>
    expectSame(
      {
        layers: () => [
          l.embedding({ inputDim: 11, outputDim: 5, inputLength: 6 }),
          l.lstm({ units: 4, returnSequences: true }),
          l.lstm({ units: 3 }),
          l.dense({ units: 2, activation: "sigmoid" }),
        ],
        input: [6],
        output: [2],
        words: 11,
        settings: () => ({ optimizer: tf.train.rmsprop(0.01), loss: "binaryCrossentropy" }),
      },
      2e-4,
    ));

  test("series: 1-D convolution, GRU both ways, a layer at each time", async () =>
    expectSame(
      {
        layers: () => [
          l.conv1d({ inputShape: [8, 3], filters: 4, kernelSize: 3, padding: "same" }),
          l.maxPooling1d({ poolSize: 2 }),
          l.bidirectional({ layer: l.gru({ units: 3, returnSequences: true }) as tf.RNN, mergeMode: "concat" }),
          l.timeDistributed({ layer: l.dense({ units: 2 }) }),
        ],
        input: [8, 3],
        output: [4, 2],
        settings: () => ({ optimizer: "adam", loss: "meanSquaredError", metrics: ["mae"] }),
      },
      // Adam divides by the square root of tiny second moments: differences of the last bit show.
      5e-3,
    ));

  const OPTIMIZERS: Readonly<Record<string, () => tf.Optimizer>> = {
    sgd: () => tf.train.sgd(0.1),
    momentum: () => tf.train.momentum(0.05, 0.9, true),
    adagrad: () => tf.train.adagrad(0.1),
    adadelta: () => tf.train.adadelta(0.5),
    adam: () => tf.train.adam(0.02),
    adamax: () => tf.train.adamax(0.02),
    rmsprop: () => tf.train.rmsprop(0.01, 0.9, 0.5, undefined, true),
  };

  test.each(Object.keys(OPTIMIZERS))("optimizer %s", async (name) => {
    const optimizer = OPTIMIZERS[name]!;
    await expectSame(
      {
        layers: () => [l.dense({ inputShape: [5], units: 6, activation: "relu" }), l.dense({ units: 3 })],
        input: [5],
        output: [3],
        settings: () => ({ optimizer: optimizer(), loss: (labels: tf.Tensor, given: tf.Tensor) => tf.losses.huberLoss(labels, given) }),
      },
      1e-3,
    );
  });
});

describe("training loops", () => {
  test("later epochs make no graphs of their own", async () => {
    const { runner } = runningEngine();
    const model = tf.sequential({
      layers: [l.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 3, activation: "relu" }), l.flatten(), l.dense({ units: 1 })],
    });
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    const [x, y] = [tf.randomNormal([40, 6, 6, 1]), tf.randomNormal([40, 1])];
    await model.fit(x, y, { epochs: 2, batchSize: 8 });
    const former = runner!.cachedSessions;
    await model.fit(x, y, { epochs: 4, batchSize: 8 });
    expect(runner!.cachedSessions).toBeLessThanOrEqual(former + 1);
    const { numTensors } = tf.memory();
    await model.fit(x, y, { epochs: 1, batchSize: 8 });
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test("a loop with an optimizer and a loss of one's own learns", async () => {
    const w = tf.variable(tf.zeros([3, 1]));
    const x = tf.randomNormal([32, 3]);
    const y = tf.matMul(x, tf.tensor2d([[1], [-2], [0.5]])); // prettier-ignore
    const optimizer = tf.train.sgd(0.3);
    let last = 0;
    for (let step = 0; step < 60; step++)
      last = optimizer.minimize(() => tf.mean(tf.square(tf.sub(tf.matMul(x, w), y))) as tf.Scalar, true)!.dataSync()[0]!;
    expect(last).toBeLessThan(1e-3);
    expect(worstError(await w.data(), [1, -2, 0.5])).toBeLessThan(0.05);
  });

  test("datasets", async () => {
    const model = tf.sequential({ layers: [l.dense({ inputShape: [2], units: 1 })] });
    model.compile({ optimizer: tf.train.sgd(0.2), loss: "meanSquaredError" });
    const rows = Array.from({ length: 24 }, (_, i) => ({ xs: [i / 24, 1 - i / 12], ys: [i / 12] }));
    const data = tf.data.array(rows).batch(6) as unknown as tf.data.Dataset<tf.TensorContainer>;
    const { history } = await model.fitDataset(data, { epochs: 30 });
    expect((history["loss"] as number[]).at(-1)!).toBeLessThan((history["loss"] as number[])[0]! / 10);
    const score = (await model.evaluateDataset(data as never, { batches: 4 })) as tf.Scalar;
    expect(score.dataSync()[0]!).toBeLessThan((history["loss"] as number[])[0]!);
  });

  test("dilated layers of convolutions train", async () => {
    const model = tf.sequential({
      layers: [l.conv2d({ inputShape: [9, 9, 2], filters: 3, kernelSize: 3, dilationRate: 2 }), l.flatten(), l.dense({ units: 1 })],
    });
    model.compile({ optimizer: tf.train.adam(0.05), loss: "meanSquaredError" });
    const { history } = await model.fit(tf.randomNormal([16, 9, 9, 2]), tf.randomNormal([16, 1]), { epochs: 40 });
    const losses = history["loss"] as number[];
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  });
});

describe("layers that draw", () => {
  const training = { training: true };
  const SHAPE = [100, 400];

  test("dropout drops its share, anew each time, and a seed repeats it", async () => {
    const layer = l.dropout({ rate: 0.3 });
    const draw = async (): Promise<number[]> => [...(await (layer.apply(tf.ones(SHAPE), training) as tf.Tensor).data())];
    seedRandom(1);
    const [first, second] = [await draw(), await draw()];
    expect(first).not.toEqual(second);
    for (const drawn of [first, second]) {
      expect(drawn.every((v) => v === 0 || Math.abs(v - 1 / 0.7) < 1e-6)).toBe(true);
      // Three standard deviations of a share of 40000 draws are 0.007.
      expect(Math.abs(drawn.filter((v) => v === 0).length / drawn.length - 0.3)).toBeLessThan(0.007);
    }
    seedRandom(1);
    expect(await draw()).toEqual(first);
    expect(await (layer.apply(tf.ones([3])) as tf.Tensor).data()).toEqual(Float32Array.of(1, 1, 1));
  });

  test("a noise shape drops whole channels", async () => {
    const layer = l.dropout({ rate: 0.5, noiseShape: [4, 1, 50] });
    const rows = (await (layer.apply(tf.ones([4, 6, 50]), training) as tf.Tensor3D).array()).flatMap((image) =>
      image[0]!.map((_, channel) => image.map((row) => row[channel]!)),
    );
    expect(rows.every((row) => new Set(row).size === 1)).toBe(true);
    expect(new Set(rows.map((row) => row[0])).size).toBe(2);
  });

  const moments = async (x: tf.Tensor): Promise<[number, number]> => {
    const { mean, variance } = tf.moments(x);
    return [(await mean.data())[0]!, Math.sqrt((await variance.data())[0]!)];
  };

  test("noise has the mean and spread it says", async () => {
    const ones = tf.ones(SHAPE);
    for (const [layer, spread] of [
      [l.gaussianNoise({ stddev: 0.7 }), 0.7],
      [l.gaussianDropout({ rate: 0.2 }), 0.5],
    ] as const) {
      const [mean, deviation] = await moments(layer.apply(ones, training) as tf.Tensor);
      expect([Math.abs(mean - 1) < 0.015, Math.abs(deviation - spread) < 0.01]).toEqual([true, true]);
    }
    // Alpha dropout keeps mean 0 and spread 1 of its input.
    const [mean, deviation] = await moments(l.alphaDropout({ rate: 0.1 }).apply(tf.randomNormal(SHAPE), training) as tf.Tensor);
    expect([Math.abs(mean) < 0.03, Math.abs(deviation - 1) < 0.03]).toEqual([true, true]);
  });

  test("they can be recorded, with recurrent dropout too, and draw anew at each run", async () => {
    const model = tf.sequential({
      layers: [l.lstm({ inputShape: [3, 4], units: 5, dropout: 0.4, recurrentDropout: 0.3 }), l.dropout({ rate: 0.5 })],
    });
    const f = compile(({ x }) => ({ y: model.apply(x!, training) as tf.Tensor }), {
      inputs: { x: { shape: [2, 3, 4], dtype: "float32" } },
    });
    const x = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
    seedRandom(9);
    const runs = [await f.run({ x }), await f.run({ x })].map(({ y }) => [...y!.data]);
    expect(runs[0]).not.toEqual(runs[1]);
    seedRandom(9);
    expect([...(await f.run({ x }))["y"]!.data]).toEqual(runs[0]);
    await f.dispose();
  });
});
