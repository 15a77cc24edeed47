/** Training: epochs, the best of them, stopping, and what is refused. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { GeoLearnError, type Warning } from "@geolearn/core";
import type { LearningData } from "@geolearn/data-prep";
import { describe, expect, test, vi } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { DISC_CLASSES, discChips, discData, memoryData } from "../testing/memory-data.ts";
import { SMALL, temporaryFolder } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";
import type { FitOptions, LearnerOptions } from "./options.ts";

const folder = temporaryFolder();

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
    ["lr", "1e-3", 'fit(): `lr` is "1e-3"; expected a number above 0, or "auto".'],
    ["lr", 0, 'fit(): `lr` is 0; expected a number above 0, or "auto".'],
    ["epochs", "2", 'fit(): `epochs` is "2"; expected a whole number from 1.'],
    ["epochs", 1.5, "fit(): `epochs` is 1.5; expected a whole number from 1."],
    ["clipNorm", -1, "fit(): `clipNorm` is -1; expected a number above 0."],
    ["clipNorm", Number.NaN, "fit(): `clipNorm` is NaN; expected a number above 0."],
    ["weightDecay", "0.1", 'fit(): `weightDecay` is "0.1"; expected a number from 0.'],
    ["momentum", 1, "fit(): `momentum` is 1; expected a number from 0 to less than 1."],
    ["optimizer", "lion", 'fit(): `optimizer` is "lion"; expected "adamw", "adam" or "sgd".'],
    ["schedule", "one-cycle", 'fit(): `schedule` is "one-cycle"; expected "oneCycle", "constant" or "cosine".'],
    ["earlyStopping", 3, "fit(): `earlyStopping` is 3; expected true or false, or its settings."],
    ["earlyStopping", { patience: 0 }, "`earlyStopping`: `patience` is 0; expected a whole number from 1."],
    ["restoreBest", "no", 'fit(): `restoreBest` is "no"; expected true or false.'],
    ["checkpointEvery", 0, "fit(): `checkpointEvery` is 0; expected a whole number from 1."],
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
