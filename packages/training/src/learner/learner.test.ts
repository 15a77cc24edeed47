import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { GeoLearnError, type Warning } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { type HostTensor, readOnnxWeights, startEngine } from "@geolearn/engine";
import { createNetwork, encodeSafetensors, readModelPackage } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { DISC_CLASSES, discChips, discData, memoryData } from "../testing/memory-data.ts";
import { hashWeights } from "../testing/hash-weights.ts";
import { squareData } from "../testing/memory-objects.ts";
import { stripeData } from "../testing/memory-tiles.ts";
import { createLearner } from "./create-learner.ts";
import type { FitOptions, LearnerOptions } from "./options.ts";

const SMALL = { base: 4, depth: 2, threads: 1 } as const;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "learner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a network learns what is there and nothing else", () => {
  test("it overfits four chips", async () => {
    const chips = discChips(4, { side: 32 });
    const data = memoryData({ train: chips, valid: chips, side: 32, bands: 3, classes: DISC_CLASSES, batchSize: 4 });
    const learner = await createLearner(data, { ...SMALL, base: 8 });
    await learner.fit({ epochs: 60, lr: 1e-2 });
    const { meanIou, loss } = await learner.evaluate();
    expect(meanIou).toBeGreaterThan(0.99);
    expect(loss).toBeLessThan(0.05);
    await learner.dispose();
  });

  test("it finds discs on chips it never saw", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, base: 8 });
    await learner.fit({ epochs: 20, lr: 1e-2 });
    expect((await learner.mIOU({ mean: false }))["disc"]).toBeGreaterThan(0.8);
    await learner.dispose();
  });

  test("with labels that mean nothing it does no better than the most frequent class", async () => {
    const learner = await createLearner(discData({ side: 32, shuffled: true }), SMALL);
    await learner.fit({ epochs: 15, lr: 1e-2 });
    const { pixelAccuracy, kappa, classes } = await learner.evaluate();
    const counts = classes.map(({ truthPixels }) => truthPixels);
    const majority = Math.max(...counts) / counts.reduce((a, b) => a + b, 0);
    expect(pixelAccuracy).toBeLessThanOrEqual(majority + 0.01);
    expect(Math.abs(kappa ?? 0)).toBeLessThan(0.03);
    await learner.dispose();
  });
});

describe("repeatability", () => {
  async function train(seed: number): Promise<string> {
    const learner = await createLearner(discData({ seed, augment: true }), SMALL);
    await learner.fit({ epochs: 3, lr: 1e-2 });
    const hash = hashWeights(learner.network);
    await learner.dispose();
    return hash;
  }

  test("one seed gives the same weights to the bit, another gives others", async () => {
    const first = await train(1);
    expect(await train(1)).toBe(first);
    expect(await train(2)).not.toBe(first);
  });

  test("no tensors are left behind", async () => {
    const run = async (): Promise<void> => {
      const learner = await createLearner(discData(), SMALL);
      await learner.lrFind({ steps: 12 });
      await learner.fit({ epochs: 2, lr: 1e-2 });
      await learner.evaluate();
      await learner.showResults();
      await learner.dispose();
    };
    await run();
    const before = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("lrFind", () => {
  test("leaves weights and running statistics as they were, and training after it as if it had not been", async () => {
    const learner = await createLearner(discData(), SMALL);
    const other = await createLearner(discData(), SMALL);
    const before = hashWeights(learner.network);
    const { lr, curve } = await learner.lrFind({ from: 1e-5, to: 10, steps: 60 });
    expect(hashWeights(learner.network)).toBe(before);
    expect(curve.length).toBeGreaterThan(30);
    expect(curve[0]!.lr).toBeCloseTo(1e-5, 12);
    expect(lr).toBeGreaterThan(1e-4);
    expect(lr).toBeLessThan(1);
    await learner.fit({ epochs: 2, lr: 1e-2 });
    await other.fit({ epochs: 2, lr: 1e-2 });
    expect(hashWeights(learner.network)).toBe(hashWeights(other.network));
    await Promise.all([learner.dispose(), other.dispose()]);
  });

  test("fit without a rate looks for one", async () => {
    const learner = await createLearner(discData(), SMALL);
    const stages = new Set<string>();
    const { lr, epochs, lrFindSeconds, seconds } = await learner.fit({ epochs: 4, onProgress: ({ stage }) => stages.add(stage) });
    expect([...stages]).toEqual(["lr-find", "train"]);
    expect(lrFindSeconds).toBeGreaterThan(0);
    expect(lrFindSeconds! + epochs.reduce((sum, record) => sum + record.seconds, 0)).toBeLessThanOrEqual(seconds);
    expect((await learner.plotLr()).svg).toContain("Learning-rate sweep");
    expect((await learner.fit({ epochs: 1, lr })).lrFindSeconds).toBeNull();
    expect(lr).toBeGreaterThan(1e-5);
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    await learner.dispose();
  });

  test("refuses rates that do not grow", async () => {
    const learner = await createLearner(discData(), SMALL);
    await expect(learner.lrFind({ from: 1, to: 0.1 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "lrFind got to 0.1, expected a number above 1, the first rate.",
    });
    await expect(learner.lrFind({ from: "1e-6" as never })).rejects.toMatchObject({
      message: 'lrFind got from "1e-6", expected a number above 0.',
    });
    await expect(learner.lrFind({ clipNorm: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });
});

describe("fit", () => {
  test("records every epoch and goes on counting", async () => {
    const learner = await createLearner(discData(), SMALL);
    const seen: number[] = [];
    await learner.fit({ epochs: 2, lr: 1e-2, callbacks: [{ onEpochEnd: ({ epoch }) => void seen.push(epoch) }] });
    const { epochs, best } = await learner.fit({ epochs: 1, lr: 1e-3, callbacks: [{ onEpochEnd: ({ epoch }) => void seen.push(epoch) }] });
    expect(seen).toEqual([1, 2, 3]);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([3]);
    expect(best).toBe(3);
    expect(learner.records).toHaveLength(3);
    expect(Object.keys(learner.records[0]!.metrics)).toEqual(["pixelAccuracy", "meanIou", "kappa", "iou ground", "iou disc"]);
    await learner.dispose();
  });

  test("puts the best epoch back, or keeps the last", async () => {
    // A rate far too high in the end makes the last epochs worse than an early one.
    const weights = async (restoreBest: boolean): Promise<{ validLoss: number; best: number; losses: number[] }> => {
      const learner = await createLearner(discData(), SMALL);
      const { epochs, best } = await learner.fit({ epochs: 8, lr: 0.3, schedule: "constant", restoreBest });
      const { loss } = await learner.evaluate();
      await learner.dispose();
      return { validLoss: loss!, best: best!, losses: epochs.map(({ validLoss }) => validLoss!) };
    };
    const restored = await weights(true);
    const last = await weights(false);
    expect(restored.losses).toEqual(last.losses);
    expect(restored.losses[restored.best - 1]).toBe(Math.min(...restored.losses));
    expect(restored.validLoss).toBe(Math.min(...restored.losses));
    expect(last.validLoss).toBe(last.losses.at(-1));
  });

  test("of epochs with the same figure keeps the one with the lowest validation loss, and warns when no epoch had another", async () => {
    const learner = await createLearner(discData(), SMALL);
    const figure = vi.spyOn(learner["core"].task, "epochMetrics").mockReturnValue({ meanIou: 0 });
    const warnings: Warning[] = [];
    const onWarning = (warning: Warning): void => void warnings.push(warning);
    // A rate far too high in the end makes the last epochs worse than an early one.
    const options = { epochs: 8, lr: 0.3, schedule: "constant", monitor: "meanIou", onWarning } as const;
    const { epochs, best } = await learner.fit(options);
    const losses = epochs.map(({ validLoss }) => validLoss!);
    const lowest = Math.min(...losses);
    expect(losses.indexOf(lowest)).not.toBe(0);
    expect(losses.indexOf(lowest)).not.toBe(7);
    expect(best).toBe(losses.indexOf(lowest) + 1);
    expect((await learner.evaluate()).loss).toBe(lowest);
    expect(warnings).toMatchObject([
      {
        code: "MONITOR_UNCHANGED",
        message: "meanIou was 0 in all 8 epochs; the epoch with the lowest validation loss was kept.",
        hint: expect.stringContaining("`monitor`") as string,
      },
    ]);
    await learner.fit({ ...options, epochs: 2, lr: 1e-3, restoreBest: false });
    expect(warnings[1]).toMatchObject({ message: "meanIou was 0 in all 2 epochs; the last epoch was kept." });
    figure.mockReturnValue({ meanIou: null });
    await learner.fit({ ...options, epochs: 2, lr: 1e-3 });
    expect(warnings[2]).toMatchObject({ message: expect.stringContaining("meanIou had no value in all 2 epochs") as string });
    await learner.fit({ ...options, epochs: 1, lr: 1e-3 });
    figure.mockReturnValueOnce({ meanIou: 0.2 });
    await learner.fit({ ...options, epochs: 2, lr: 1e-3 });
    expect(warnings).toHaveLength(3);
    await learner.dispose();
  });

  test("stops early when nothing gets better", async () => {
    const learner = await createLearner(discData(), SMALL);
    const { epochs, ended } = await learner.fit({
      epochs: 40,
      lr: 1e-9,
      schedule: "constant",
      optimizer: "sgd",
      earlyStopping: { patience: 3 },
      monitor: "trainLoss",
    });
    expect(ended).toBe("earlyStopping");
    expect(epochs).toHaveLength(4);
    await learner.dispose();
  });

  test("reports steps, images per second and time left", async () => {
    const learner = await createLearner(discData(), SMALL);
    const reports: { done: number; total: number; values?: Readonly<Record<string, number>> }[] = [];
    await learner.fit({ epochs: 3, lr: 1e-2, onProgress: (progress) => reports.push(progress) });
    const last = reports.at(-1)!;
    expect([last.done, last.total]).toEqual([12, 12]);
    expect(last.values!["imagesPerSecond"]).toBeGreaterThan(0);
    expect(last.values!["secondsLeft"]).toBe(0);
    const dones = reports.map(({ done }) => done);
    expect(dones).toEqual([...dones].sort((a, b) => a - b));
    expect(reports[5]!.values!["secondsLeft"]).toBeGreaterThan(0);
    await learner.dispose();
  });

  test("a pixel that is not finite ends the run, names the chips, and leaves the weights from before it", async () => {
    const chips = discChips(8);
    chips[5]!.image[7] = Number.NaN;
    const data = memoryData({ train: chips, valid: discChips(2, { seed: 9 }), side: 16, bands: 3, classes: DISC_CLASSES, batchSize: 2 });
    // The statistics of the data would be NaN too; real ones leave such pixels out.
    const clean = { ...data, statistics: discData().statistics } as LearningData<"pixelClassification">;
    const learner = await createLearner(clean, SMALL);
    const before = hashWeights(learner.network);
    const error = await learner.fit({ epochs: 2, lr: 1e-2 }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: "LOSS_NOT_FINITE",
      message: expect.stringMatching(/chip5.*\. The weights from before this fit were put back\.$/) as string,
      data: { keptEpoch: null },
    });
    const { data: details } = error as { data: { epoch: number; batch: number; chips: string[] } };
    expect(details.epoch).toBe(1);
    expect(details.chips).toContain("chip5");
    expect(hashWeights(learner.network)).toBe(before);
    const { loss } = await learner.evaluate();
    expect(loss).toBeLessThan(5);
    await learner.dispose();
  });

  test("a rate far too high ends the run with the best epoch's weights, or those from before it; training goes on as if it had not been", async () => {
    const [learner, other] = [await createLearner(discData(), SMALL), await createLearner(discData(), SMALL)];
    // A loss that goes astray from the second epoch on.
    const astray = {
      onEpochEnd: () => void vi.spyOn(learner["core"].task, "evaluate").mockRejectedValueOnce(new GeoLearnError("LOSS_NOT_FINITE", "NaN.")),
    };
    for (const one of [learner, other]) await one.fit({ epochs: 1, lr: 1e-2 });
    const first = hashWeights(learner.network);
    const failure = (fit: Promise<unknown>): Promise<unknown> => fit.catch((error: unknown) => error);
    expect(await failure(learner.fit({ epochs: 2, lr: 1e30, schedule: "constant", optimizer: "sgd" }))).toMatchObject({
      code: "LOSS_NOT_FINITE",
      data: { epoch: 2, keptEpoch: null },
    });
    expect(hashWeights(learner.network)).toBe(first);
    expect(await failure(learner.fit({ epochs: 3, lr: 1e-3, schedule: "constant", callbacks: [astray] }))).toMatchObject({
      code: "LOSS_NOT_FINITE",
      message: "NaN. The weights of epoch 2, the best so far, were put back.",
      data: { keptEpoch: 2 },
    });
    await other.fit({ epochs: 1, lr: 1e-3, schedule: "constant" });
    expect(hashWeights(learner.network)).toBe(hashWeights(other.network));
    for (const one of [learner, other]) await one.fit({ epochs: 1, lr: 1e-3 });
    expect(learner.records.at(-1)!.validLoss).toBe(other.records.at(-1)!.validLoss);
    await learner.save(join(folder, "recovered.dlpk"));
    await Promise.all([learner.dispose(), other.dispose()]);
  });

  test("cancelling ends it at once and leaves the learner usable", async () => {
    const learner = await createLearner(discData(), SMALL);
    const controller = new AbortController();
    let steps = 0;
    const running = learner.fit({
      epochs: 50,
      lr: 1e-2,
      signal: controller.signal,
      callbacks: [{ onStep: () => void (++steps === 7 && controller.abort()) }],
    });
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    expect(steps).toBe(7);
    await learner.fit({ epochs: 1, lr: 1e-3 });
    await learner.dispose();
  });

  test("clipping keeps gradients small", async () => {
    const first = async (clipNorm?: number): Promise<number[]> => {
      const learner = await createLearner(discData(), SMALL);
      const before = [...learner.network.weights().get("head.weight")!.data];
      await learner.fit({
        epochs: 1,
        lr: 1,
        schedule: "constant",
        optimizer: "sgd",
        momentum: 0,
        ...(clipNorm !== undefined && { clipNorm }),
      });
      const after = [...learner.network.weights().get("head.weight")!.data];
      await learner.dispose();
      return after.map((value, i) => Math.abs(value - before[i]!));
    };
    expect(Math.max(...(await first(1e-4)))).toBeLessThan(5e-4);
    expect(Math.max(...(await first()))).toBeGreaterThan(1e-2);
  });

  test.each([
    ["lr", "1e-3", 'fit got lr "1e-3", expected a number above 0, or "auto".'],
    ["lr", 0, 'fit got lr 0, expected a number above 0, or "auto".'],
    ["epochs", "2", 'fit got epochs "2", expected a whole number from 1.'],
    ["epochs", 1.5, "fit got epochs 1.5, expected a whole number from 1."],
    ["clipNorm", -1, "fit got clipNorm -1, expected a number above 0."],
    ["clipNorm", Number.NaN, "fit got clipNorm NaN, expected a number above 0."],
    ["weightDecay", "0.1", 'fit got weightDecay "0.1", expected a number from 0.'],
    ["momentum", 1, "fit got momentum 1, expected a number from 0 to less than 1."],
    ["optimizer", "lion", 'fit got optimizer "lion", expected "adamw", "adam" or "sgd".'],
    ["schedule", "one-cycle", 'fit got schedule "one-cycle", expected "oneCycle", "constant" or "cosine".'],
    ["earlyStopping", 3, "fit got earlyStopping 3, expected true, false, or its settings."],
    ["earlyStopping", { patience: 0 }, "fit got earlyStopping.patience 0, expected a whole number from 1."],
    ["restoreBest", "no", 'fit got restoreBest "no", expected true or false.'],
    ["checkpointEvery", 0, "fit got checkpointEvery 0, expected a whole number from 1."],
    ["monitor", "map50", 'fit cannot monitor "map50".'],
  ])("refuses %s %o before anything is made", async (field, value, message) => {
    const learner = await createLearner(discData(), SMALL);
    const checkpoint = join(folder, "never");
    const options = { epochs: 1, lr: 1e-3, checkpoint, [field]: value } as FitOptions;
    for (const refused of [learner.fit(options), learner.estimate(options)]) {
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    }
    await expect(readdir(checkpoint)).rejects.toMatchObject({ code: "ENOENT" });
    expect(learner.records).toHaveLength(0);
    await learner.dispose();
  });

  test("refuses epochs, monitors and data that make no sense", async () => {
    const learner = await createLearner(discData(), SMALL);
    await expect(learner.fit({ epochs: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(learner.fit({ monitor: "iou unicorns" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(learner.fit({ resume: true })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const few = await createLearner(discData({ train: discChips(3) }), SMALL);
    await expect(few.fit({ lr: 1e-3 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await Promise.all([learner.dispose(), few.dispose()]);
  });

  test("refuses settings that the network does not read, and says which it has", async () => {
    const refused = (options: LearnerOptions) => createLearner(discData(), { ...SMALL, ...options }).catch((error: unknown) => error);
    expect(await refused({ fpnWidth: 64, outputStride: 8 })).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("A unet has no outputStride, no fpnWidth.") as string,
      hint: expect.stringMatching(/ base, depth, widths, skips,/) as string,
      data: { fields: ["outputStride", "fpnWidth"] },
    });
    expect(await refused({ backbone: "resnet18" })).toMatchObject({ data: { fields: ["base", "depth"] } });
    expect(await refused({ decoderWidths: [8, 8, 8, 8, 8] })).toMatchObject({ data: { fields: ["decoderWidths"] } });
  });

  test("without validation chips it trains, records no metrics and keeps the epoch of the lowest training loss", async () => {
    const learner = await createLearner(discData({ valid: [] }), SMALL);
    const { epochs, best } = await learner.fit({ epochs: 3, lr: 1e-2 });
    expect(epochs[0]).toMatchObject({ validLoss: null, metrics: {} });
    expect(best).toBe(3);
    await expect(learner.evaluate()).rejects.toMatchObject({ code: "SPLIT_IMPOSSIBLE" });
    await learner.dispose();
  });
});

describe("estimate", () => {
  test("counts the steps, measures time and memory, and leaves the learner as it was, to the bit", async () => {
    const [learner, other] = [
      await createLearner(discData({ augment: true }), SMALL),
      await createLearner(discData({ augment: true }), SMALL),
    ];
    const before = hashWeights(learner.network);
    const estimate = await learner.estimate({ epochs: 5, checkpoint: folder });
    expect(hashWeights(learner.network)).toBe(before);
    expect(estimate).toMatchObject({ steps: 5 * 4 + 100, measuredBatches: 3 });
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.memoryMb).toBeGreaterThan(process.memoryUsage().rss / 2 ** 21);
    // AdamW: weights twice (the best ones too) and two slots in a checkpoint, at most two checkpoints and a model
    const parameters = learner.network.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
    expect(estimate.diskMb * 2 ** 20).toBeGreaterThan(7 * 4 * parameters);
    expect(estimate.diskMb * 2 ** 20).toBeLessThanOrEqual(9 * 4 * parameters);
    expect((await learner.estimate({ epochs: 2, lr: 1e-3 })).steps).toBe(8);
    expect(await readdir(folder)).not.toContain("checkpoint.safetensors");
    await learner.fit({ epochs: 2, lr: 1e-2 });
    await other.fit({ epochs: 2, lr: 1e-2 });
    expect(hashWeights(learner.network)).toBe(hashWeights(other.network));
    await expect(learner.estimate({ epochs: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await Promise.all([learner.dispose(), other.dispose()]);
  });
});

describe("what counts", () => {
  test("ignored classes and padding take no part in metrics", async () => {
    const learner = await createLearner(discData(), { ...SMALL, ignoreClasses: ["ground"] });
    const { pixels, classes } = await learner.evaluate();
    expect(classes[0]!.truthPixels).toBe(0);
    expect(pixels).toBe(classes[1]!.truthPixels);
    expect(pixels).toBe(discChips(5, { seed: 77 }).reduce((sum, { target }) => sum + target.reduce((a, b) => a + b, 0), 0));
    await learner.dispose();
    await expect(createLearner(discData(), { ...SMALL, ignoreClasses: ["tree"] })).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
  });

  test("predictions are the values of the user's classes, for any number of chips", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, margin: 4 });
    await learner.fit({ epochs: 4, lr: 1e-2 });
    const chips = discChips(6, { side: 32, seed: 30 });
    const together = await learner.predict(Float32Array.from(chips.flatMap(({ image }) => [...image])));
    expect(together).toMatchObject({ count: 6, height: 24, width: 24 });
    expect([...new Set(together.values)].sort((a, b) => a - b)).toEqual([0, 5]);
    for (const [i, { image }] of chips.entries()) {
      expect((await learner.predict(image)).values).toEqual(together.values.slice(i * 576, (i + 1) * 576));
    }
    await expect(learner.predict(new Float32Array(5))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });

  test("a network that scores only the centre is trained and measured there", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, margin: 4 });
    await learner.fit({ epochs: 1, lr: 1e-2 });
    expect((await learner.evaluate()).pixels).toBe(5 * 24 * 24);
    await learner.showResults();
    await learner.dispose();
  });

  test.each(["crossEntropy", "focal", "dice", "mix"] as const)("loss %s falls", async (loss) => {
    const learner = await createLearner(discData(), { ...SMALL, loss, classWeights: "balanced" });
    const { epochs } = await learner.fit({ epochs: 6, lr: 1e-2 });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.9 * epochs[0]!.trainLoss);
    await learner.dispose();
  });

  test("group norm trains at one chip a batch", async () => {
    const learner = await createLearner(discData({ batchSize: 1 }), { ...SMALL, norm: "group", groups: 2 });
    const { epochs } = await learner.fit({ epochs: 4, lr: 1e-2 });
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss);
    await learner.dispose();
  });
});

describe("models", () => {
  test("saved and loaded it does the same; the package tells what it was", async () => {
    const learner = await createLearner(discData(), { ...SMALL, name: "discs" });
    await learner.fit({ epochs: 3, lr: 1e-2 });
    const path = join(folder, "discs.dlpk");
    await learner.save(path);
    const { manifest, preview } = await readModelPackage(path);
    const evaluation = await learner.evaluate();
    expect(manifest).toMatchObject({
      task: "pixelClassification",
      name: "discs",
      modelType: "unet",
      classes: DISC_CLASSES,
      resolution: 0.5,
    });
    expect(manifest.metrics).toMatchObject({ meanIou: evaluation.meanIou, pixelAccuracy: evaluation.pixelAccuracy });
    expect(Buffer.from(preview!.subarray(1, 4)).toString()).toBe("PNG");
    const again = await createLearner(discData(), { pretrained: path, threads: 1 });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).confusion).toEqual(evaluation.confusion);
    const blank = await createLearner(discData({ seed: 4 }), SMALL);
    await blank.load(path);
    expect(hashWeights(blank.network)).toBe(hashWeights(learner.network));
    await expect(learner.save(join(folder, "discs.zip"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await Promise.all([learner.dispose(), again.dispose(), blank.dispose()]);
  });

  test("as an ONNX file it has its weights and what the package tells", async () => {
    const learner = await createLearner(discData(), SMALL);
    const path = join(folder, "discs.onnx");
    const saved = await learner.toOnnx(path);
    expect(saved).toMatchObject({ out: path, stac: null, opset: 18 });
    const { tensors, metadata } = await readOnnxWeights(path);
    for (const [name, { data }] of learner.network.weights()) expect([...tensors.get(name)!.data], name).toEqual([...data]);
    const { manifest } = JSON.parse(metadata.get("geolearn")!) as { manifest: unknown };
    expect(manifest).toEqual(JSON.parse(JSON.stringify((await learner.toPackage()).manifest)));
    await learner.dispose();
  });

  test("fine-tuning for other classes keeps all but the last layer, and says so", async () => {
    const learner = await createLearner(discData(), SMALL);
    const path = join(folder, "start.dlpk");
    await learner.save(path);
    const log: string[] = [];
    const classes = [...DISC_CLASSES, { value: 9, name: "ring", color: [0, 0, 255] as const }];
    const tuned = await createLearner(discData({ classes }), { pretrained: path, threads: 1, log: (line) => log.push(line) });
    expect(log.join()).toContain("head.weight");
    expect([...tuned.network.weights().get("down.0.conv1.weight")!.data]).toEqual([
      ...learner.network.weights().get("down.0.conv1.weight")!.data,
    ]);
    await tuned.fit({ epochs: 1, lr: 1e-3 });
    await Promise.all([learner.dispose(), tuned.dispose()]);
  });

  test("a U-Net goes on from a change detector and the other way, but no other network does", async () => {
    const learner = await createLearner(discData(), { ...SMALL, modelType: "unet" });
    const path = join(folder, "unet.dlpk");
    await learner.save(path);
    const pairs = memoryData({
      train: discChips(4).map((chip) => ({ ...chip, image: Float32Array.from({ length: 16 * 16 * 6 }, (_, i) => i % 50) })),
      valid: [],
      side: 16,
      bands: 6,
      classes: DISC_CLASSES,
    });
    const detector = await createLearner(pairs, { threads: 1, modelType: "change-detector", pretrained: path });
    const name = "down.1.conv1.weight";
    expect(detector.network.weights().get(name)).toEqual(learner.network.weights().get(name));
    const again = join(folder, "change.dlpk");
    await detector.save(again);
    const unet = await createLearner(discData(), { threads: 1, modelType: "unet", pretrained: again });
    expect(unet.network.weights().get(name)).toEqual(learner.network.weights().get(name));
    await expect(createLearner(discData(), { threads: 1, modelType: "deeplab", pretrained: path })).rejects.toMatchObject({
      code: "WEIGHTS_MISMATCH",
      message: expect.stringContaining("holds a network of type unet; deeplab was asked for.") as string,
      data: { modelType: "unet", asked: "deeplab" },
    });
    for (const one of [learner, detector, unet]) await one.dispose();
  });

  test("a package is measured on other data with the constants it was trained with", async () => {
    const learner = await createLearner(discData(), SMALL);
    await learner.fit({ epochs: 2, lr: 1e-2 });
    const path = join(folder, "constants.dlpk");
    await learner.save(path);
    const bright = discData({ train: discChips(4).map((chip) => ({ ...chip, image: chip.image.map((value) => value + 40) })) });
    const again = await createLearner(bright, { pretrained: path, threads: 1 });
    expect(bright.statistics[0]!.mean).not.toBe(learner.data.statistics[0]!.mean);
    expect((await again.evaluate()).confusion).toEqual((await learner.evaluate()).confusion);
    await Promise.all([learner.dispose(), again.dispose()]);
  });

  test("a held backbone keeps its weights, a released one learns", async () => {
    const learner = await createLearner(discData({ side: 32 }), {
      backbone: "resnet18",
      decoderWidths: [16, 8, 8, 8, 4],
      threads: 1,
      freeze: true,
    });
    const held = learner.network.parameters.filter(({ backbone, trainable }) => backbone && trainable).map(({ name }) => name);
    const encoder = (): string => {
      const weights = learner.network.weights();
      return JSON.stringify(held.map((name) => [...weights.get(name)!.data.slice(0, 20)]));
    };
    const before = encoder();
    const rest = hashWeights(learner.network);
    await learner.fit({ epochs: 1, lr: 1e-3 });
    expect(encoder()).toBe(before);
    expect(hashWeights(learner.network)).not.toBe(rest);
    await learner.unfreeze().fit({ epochs: 1, lr: 1e-3 });
    expect(encoder()).not.toBe(before);
    await learner.dispose();
  });

  test("a chip size the network cannot take is refused with the next good one", async () => {
    await expect(createLearner(discData({ side: 18 }), { base: 4, depth: 3, threads: 1 })).rejects.toMatchObject({
      code: "CHIP_SIZE_NOT_DIVISIBLE",
      hint: "Use chips of 24 x 24 pixels, or cut these smaller when training: `chipSize: 16`.",
    });
  });

  test("names of TensorFlow's networks decide how the encoder pads; a package keeps it", async () => {
    const small = { threads: 1, backbone: "mobilenet_v2", decoderWidths: [4, 4, 4, 4, 4] } as const;
    await startEngine({ threads: 1 });
    const source = createNetwork("unet", { bands: 3, classes: 2, ...small }, { seed: 5 });
    const file = new Map<string, HostTensor>();
    // As Keras names and turns them.
    for (const [name, { data, shape }] of source.weights()) {
      if (name === "encoder.features.0.0.weight") {
        const turned = new Float32Array(data.length);
        for (let i = 0; i < data.length; i++) {
          const [o, c, tap] = [Math.floor(i / 27), Math.floor(i / 9) % 3, i % 9];
          turned[(tap * 3 + c) * 32 + o] = data[i]!;
        }
        file.set("Conv1/kernel", { data: turned, shape: [3, 3, 3, 32], dtype: "float32" });
      } else if (name.startsWith("encoder.features.0.1.")) {
        const part = { weight: "gamma", bias: "beta", running_mean: "moving_mean", running_var: "moving_variance" }[
          name.split(".").at(-1)!
        ]!;
        file.set(`bn_Conv1/${part}`, { data, shape, dtype: "float32" });
      }
    }
    source.dispose();
    const path = join(folder, "keras.safetensors");
    await writeFile(path, encodeSafetensors(file));
    // Half an encoder is refused, but only after its names were understood.
    await expect(createLearner(discData({ side: 32 }), { ...small, weights: path })).rejects.toMatchObject({
      code: "WEIGHTS_MISMATCH",
      message: expect.stringContaining("expanded_conv_depthwise/depthwise_kernel is missing") as string,
    });
    const learner = await createLearner(discData({ side: 32 }), { ...small, convention: "tensorflow" });
    expect(learner.network.config).toMatchObject({ backbone: "mobilenetv2", convention: "tensorflow" });
    const saved = join(folder, "mobile.dlpk");
    await learner.save(saved);
    await learner.dispose();
    for (const more of [{}, { backbone: "mobilenetv2" } as const]) {
      const again = await createLearner(discData({ side: 32 }), { threads: 1, pretrained: saved, ...more });
      expect(again.network.config["convention"]).toBe("tensorflow");
      await again.dispose();
    }
  });

  test("normalization is that of the data, of ImageNet, or one's own", async () => {
    const of = async (options: LearnerOptions): Promise<unknown> => {
      const learner = await createLearner(discData(), { ...SMALL, ...options });
      await learner.dispose();
      return learner.network.config["normalization"];
    };
    const { statistics } = discData();
    const measured = { mean: statistics.map(({ mean }) => mean), std: statistics.map(({ std }) => std) };
    expect(await of({})).toEqual(measured);
    expect(await of({ normalization: "data" })).toEqual(measured);
    const { mean, std } = (await of({ normalization: "imagenet" })) as typeof measured;
    // torchvision's constants for pixels of 0 to 1.
    expect(mean.map((v) => v / 255)).toEqual([0.485, 0.456, 0.406].map((v) => expect.closeTo(v, 10) as number));
    expect(std.map((v) => v / 255)).toEqual([0.229, 0.224, 0.225].map((v) => expect.closeTo(v, 10) as number));
    const own = { mean: [1, 2, 3], std: [4, 5, 6] };
    expect(await of({ normalization: own })).toEqual(own);
    const chips = discChips(2, { side: 16 });
    const sixteen = { ...memoryData({ train: chips, valid: chips, side: 16, bands: 3, classes: DISC_CLASSES }), sampleType: "uint16" };
    await expect(createLearner(sixteen, { ...SMALL, normalization: "imagenet" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("weights are fetched from an address with a checksum only", async () => {
    const source = await createLearner(discData(), SMALL);
    const bytes = encodeSafetensors(source.network.weights());
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(request.url!);
      response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/disc.safetensors?key=secret`;
    const lines: string[] = [];
    const options = { ...SMALL, seed: 99, network: { allowPrivate: true }, log: (line: string) => lines.push(line) };
    const cache = process.env["GEOLEARN_CACHE"];
    process.env["GEOLEARN_CACHE"] = join(folder, "cache");
    try {
      await expect(createLearner(discData(), { ...options, weights: address })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(requests).toEqual([]);
      for (const given of [{ weights: `${address}#sha256=${sha256}` }, { weights: address, sha256 }]) {
        const learner = await createLearner(discData(), { ...options, ...given });
        const name = "middle.conv2.weight";
        expect(learner.network.weights().get(name)).toEqual(source.network.weights().get(name));
        expect(learner.frozen).toBe(true);
        await learner.dispose();
      }
      expect(requests.length).toBe(1);
      expect(lines.join()).toMatch(/were read from .*disc\.safetensors \(names of torchvision\)/);
      expect(lines.join()).not.toContain("secret");
    } finally {
      if (cache === undefined) delete process.env["GEOLEARN_CACHE"];
      else process.env["GEOLEARN_CACHE"] = cache;
      await new Promise((resolve) => server.close(resolve));
      await source.dispose();
    }
  });
});

describe("figures and report", () => {
  test("every figure is saved, and the report asks nothing of the network", async () => {
    const learner = await createLearner(discData({ side: 32 }), { ...SMALL, name: "discs <b>" });
    await learner.fit({ epochs: 3, lr: 1e-2 });
    await learner.lrFind({ steps: 12 });
    await learner.showResults(join(folder, "results.png"));
    await learner.plotLosses(join(folder, "losses.svg"));
    await learner.plotLr(join(folder, "lr.png"));
    await learner.plotConfusionMatrix(join(folder, "confusion.png"));
    await learner.report(join(folder, "report.html"));
    const html = await readFile(join(folder, "report.html"), "utf8");
    expect(html).toContain("discs &#60;b&#62;");
    expect(html).toContain("Confusion matrix");
    expect(html).toMatch(/<dt>learning-rate sweep<\/dt><dd>\d+\.\d s<\/dd>/);
    for (const [address] of html.matchAll(/(?:src|href)\s*=\s*"[^"]{0,30}/g)) expect(address).toMatch(/"(data:image\/png;base64|#)/);
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\/|@import|url\(/);
    expect((await readFile(join(folder, "losses.svg"), "utf8")).startsWith("<svg")).toBe(true);
    expect((await readFile(join(folder, "results.png"))).subarray(1, 4).toString()).toBe("PNG");
    await expect(learner.report(join(folder, "report.pdf"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await learner.dispose();
  });

  test("without validation chips results and report show training chips, and say so", async () => {
    const title = ">Training chips</text>";
    const pixels = await createLearner(discData({ valid: [] }), SMALL);
    expect((await pixels.showResults()).svg).toContain(title);
    await pixels.report(join(folder, "training-chips.html"));
    expect(await readFile(join(folder, "training-chips.html"), "utf8")).toContain('alt="Training chips with truth and prediction"');
    const objects = await createLearner(squareData({ train: 4, valid: 0 }), { threads: 1, fpnWidth: 8, headDepth: 0 });
    expect((await objects.showResults(undefined, { rows: 1 })).svg).toContain(title);
    const tiles = await createLearner(stripeData({ train: 10, valid: 0 }), { threads: 1 });
    expect((await tiles.showResults()).svg).toContain(title);
    const measured = await createLearner(discData(), SMALL);
    expect((await measured.showResults()).svg).toContain(">Validation chips</text>");
    for (const learner of [pixels, objects, tiles, measured]) await learner.dispose();
  });

  test("plots that have nothing to show say so", async () => {
    const learner = await createLearner(discData(), SMALL);
    await expect(learner.plotLosses()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(learner.plotLr()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });
});
