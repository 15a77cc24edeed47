/** Networks of a user's own in the Learner. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { conv2d } from "@geolearn/engine";
import { type AnyModelExtension, type BuildOptions, defineModel, type ExtensionNetwork, readModelPackage } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { DISC_CLASSES, discChips, discData, memoryData } from "../testing/memory-data.ts";
import { evaluatePackage } from "./evaluate-package.ts";
import { createLearner } from "./create-learner.ts";
import type { FitOptions, LearnerOptions } from "./options.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "own-network-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** tf.layers with batch norm and dropout. */
const layers = defineModel({
  modelType: "test-layers",
  task: "pixelClassification",
  resolve: ({ filters = 8 }) => ({ filters: filters as number }),
  build({ bands, classes, config: { filters }, seed, normalize }) {
    const kernel = (n: number): object => ({ kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + n }) });
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ name: "first", inputShape: [null, null, bands], filters, kernelSize: 5, padding: "same", ...kernel(1) }),
        tf.layers.batchNormalization(),
        tf.layers.reLU(),
        tf.layers.dropout({ rate: 0.3 }),
        tf.layers.conv2d({ name: "head", filters: classes, kernelSize: 1, ...kernel(2) }),
      ],
    });
    return {
      variables: model,
      backbone: ["first"],
      forward: (images, { training }) => model.apply(normalize(images), { training }) as tf.Tensor4D,
    };
  },
});

/** By hand, with a loss of its own and a margin. */
const squares = ({ bands, classes, seed, normalize }: BuildOptions): ExtensionNetwork<tf.Tensor4D, tf.Tensor> => {
  const weight = tf.tidy(() => tf.variable(tf.randomNormal<tf.Rank.R4>([3, 3, bands, classes], 0, 0.2, "float32", seed + 1)));
  return {
    variables: { "head.weight": weight },
    margin: 1,
    forward: (images) => conv2d(normalize(images), weight as tf.Tensor4D, { pad: 0 }),
    targets: (indices) => tf.oneHot(indices, classes, 1, 0, "float32"),
    loss(outputs, targets, { classIndices }) {
      const counts = tf.cast(tf.greaterEqual(classIndices, 0), "float32");
      const errors = tf.mul(tf.sum(tf.squaredDifference(tf.softmax(outputs, 3), targets), 3), counts);
      return tf.div(tf.sum(errors), tf.maximum(tf.sum(counts), 1));
    },
  };
};
const ownLoss = defineModel({ modelType: "test-squares", task: "pixelClassification", build: squares });

const SMALL = { threads: 1 } as const;

async function trained(options: LearnerOptions, fit: FitOptions = { epochs: 2, lr: 1e-2 }): Promise<string> {
  const learner = await createLearner(discData({ augment: true }), { ...SMALL, ...options });
  try {
    await learner.fit(fit);
    return hashWeights(learner.network);
  } finally {
    await learner.dispose();
  }
}

describe.each<[string, AnyModelExtension]>([
  ["tf.layers with batch norm and dropout", layers],
  ["by hand with its own loss and a margin", ownLoss],
])("a network %s", (_, model) => {
  test("learns, is saved, opened, evaluated without its code, and trained further", { timeout: 120_000 }, async () => {
    const data = discData({ side: 32 });
    const learner = await createLearner(data, { ...SMALL, model });
    const before = (await learner.evaluate()).loss!;
    const { epochs } = await learner.fit({ epochs: 12 });
    expect(epochs.at(-1)!.validLoss).toBeLessThan(before);
    const evaluation = await learner.evaluate();
    expect(evaluation.meanIou).toBeGreaterThan(0.7);
    const path = join(folder, `${model.modelType}.dlpk`);
    await learner.save(path);
    await learner.report(join(folder, "report.html"));
    expect((await learner.showResults()).png.length).toBeGreaterThan(1000);

    const { loss, ...figures } = await evaluatePackage(path, data);
    expect(loss).toBeNull();
    // The same network through another graph: a pixel on the fence may fall to the other side.
    expect(figures.meanIou).toBeCloseTo(evaluation.meanIou!, 3);
    const again = await createLearner(data, { ...SMALL, pretrained: path });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).confusion).toEqual(evaluation.confusion);
    expect(again.frozen).toBe(model === layers);
    await again.fit({ epochs: 1, lr: 1e-3 });
    const onnx = await again.toOnnx(join(folder, "again.onnx"));
    expect(onnx.inputShape).toEqual(["batch", 3, "height", "width"]);
    for (const each of [learner, again]) await each.dispose();
  });

  test("the same seed gives the same weights, another one others", { timeout: 60_000 }, async () => {
    expect(await trained({ model, seed: 1 })).toBe(await trained({ modelType: model.modelType, seed: 1 }));
    expect(await trained({ model, seed: 1 })).not.toBe(await trained({ model, seed: 2 }));
  });

  test("stopped at any step and resumed it ends with the same bits", { timeout: 120_000 }, async () => {
    const fit = { epochs: 3, lr: 1e-2 } as const;
    const whole = await trained({ model }, fit);
    const checkpoint = join(folder, `${model.modelType}-run`);
    for (const after of [3, 2, 5]) {
      const controller = new AbortController();
      let steps = 0;
      const callbacks = [{ onStep: () => void (++steps === after && controller.abort()) }];
      const stopped = trained({ model }, { ...fit, checkpoint, resume: true, signal: controller.signal, callbacks });
      await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    }
    expect(await trained({ model }, { ...fit, checkpoint, resume: true })).toBe(whole);
  });
});

test("draws of dropout follow seed and step, and a sweep in between changes nothing", { timeout: 60_000 }, async () => {
  const plain = await trained({ model: layers, seed: 1 });
  const learner = await createLearner(discData({ augment: true }), { ...SMALL, model: layers, seed: 1 });
  await learner.lrFind({ steps: 12 });
  await learner.estimate({ epochs: 1 });
  await learner.fit({ epochs: 2, lr: 1e-2 });
  expect(hashWeights(learner.network)).toBe(plain);
  await learner.dispose();
});

test("other classes begin anew in the layers that follow them; settings come from the package", async () => {
  const path = join(folder, "two.dlpk");
  const first = await createLearner(discData(), { ...SMALL, model: layers, config: { filters: 5 } });
  await first.save(path);
  await first.dispose();
  expect((await readModelPackage(path)).manifest.config).toMatchObject({ filters: 5, bands: 3, classes: 2 });
  const chips = discChips(8, { side: 16 });
  const classes = [...DISC_CLASSES, { value: 9, name: "other", color: [1, 2, 3] as const }];
  const data = memoryData({ train: chips, valid: chips, side: 16, bands: 3, classes });
  const lines: string[] = [];
  const next = await createLearner(data, { ...SMALL, pretrained: path, log: (line) => lines.push(line) });
  expect(next.network.config).toMatchObject({ filters: 5, classes: 3 });
  expect(lines[0]).toMatch(/begin anew: head.kernel, head.bias/);
  await next.dispose();
});

test("classes that are ignored count neither in its own loss nor in metrics", async () => {
  const chips = discChips(4, { side: 16 });
  const hidden = chips.map((chip) => ({ ...chip, target: chip.target.map((t) => (t === 1 ? -1 : t)) }));
  const lossOf = async (train: typeof chips, options: LearnerOptions): Promise<number> => {
    const data = memoryData({ train, valid: train, side: 16, bands: 3, classes: DISC_CLASSES });
    const learner = await createLearner(data, { ...SMALL, model: ownLoss, ...options });
    const { loss } = await learner.evaluate();
    await learner.dispose();
    return loss!;
  };
  expect(await lossOf(chips, { ignoreClasses: ["disc"] })).toBe(await lossOf(hidden, {}));
});

describe("createLearner refuses", () => {
  test.each<[string, LearnerOptions, string, RegExp]>([
    ["a definition that is not known", { model: { ...layers, modelType: "stranger" } }, "MODEL_NOT_DEFINED", /"stranger" was not defined/],
    ["a changed definition", { model: { ...layers } }, "MODEL_NOT_DEFINED", /was not defined/],
    ["a name nobody has defined", { modelType: "stranger" }, "MODEL_NOT_DEFINED", /no model "stranger"/],
    ["two names", { model: layers, modelType: "unet" }, "INVALID_ARGUMENT", /modelType says "unet"/],
    ["settings of geolearn's networks", { model: layers, base: 4 }, "INVALID_ARGUMENT", /base is a setting/],
    ["weights of an encoder", { model: layers, weights: "resnet18.pth" }, "INVALID_ARGUMENT", /weights is a setting/],
    ["config for a U-Net", { config: { base: 4 } }, "INVALID_ARGUMENT", /unet is geolearn's/],
  ])("%s", async (_, options, code, message) => {
    const refused = createLearner(discData(), { ...SMALL, ...options });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});

describe("fit refuses", () => {
  test("a chosen loss that the network's own loss does not ask for", async () => {
    const learner = await createLearner(discData(), { ...SMALL, model: ownLoss, classWeights: [1, 2] });
    await expect(learner.fit({ epochs: 1, lr: 1e-2 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("loss of its own") as string,
    });
    await learner.dispose();
  });

  test("parameters no gradient reaches, by name", async () => {
    const model = defineModel({
      modelType: "test-idle",
      task: "pixelClassification",
      build: (options) => {
        const { variables, ...rest } = squares(options);
        return { ...rest, variables: { ...(variables as Record<string, tf.Variable>), "idle.weight": tf.variable(tf.zeros([2])) } };
      },
    });
    const learner = await createLearner(discData(), { ...SMALL, model });
    await expect(learner.fit({ epochs: 1, lr: 1e-2 })).rejects.toMatchObject({
      code: "MODEL_INVALID",
      data: { parameters: ["idle.weight"] },
    });
    await learner.dispose();
  });

  test("random numbers drawn in JavaScript", async () => {
    const model = defineModel({
      modelType: "test-frozen-draw",
      task: "pixelClassification",
      build: (options) => {
        const own = squares(options);
        return { ...own, forward: (images, how) => tf.mul(own.forward(images, how), tf.randomUniform([2])) as tf.Tensor4D };
      },
    });
    const learner = await createLearner(discData(), { ...SMALL, model });
    await expect(learner.fit({ epochs: 1, lr: 1e-2 })).rejects.toMatchObject({ code: "RECORDING_CONSTANT" });
    await learner.dispose();
  });
});
