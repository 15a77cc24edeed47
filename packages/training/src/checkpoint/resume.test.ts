import { spawn } from "node:child_process";
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { createRng } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { createLearner } from "../learner/create-learner.ts";
import { discData } from "../testing/memory-data.ts";
import { hashWeights } from "../testing/hash-weights.ts";
import type { FitOptions } from "../learner/options.ts";
import type { LearnerTask } from "../tasks/task.ts";

/** The part of a task that names the figures of an epoch. */
type FigureTask = Pick<LearnerTask, "epochMetrics">;

const SCRIPT = fileURLToPath(new URL("../testing/killed-run.ts", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resume-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Outcome {
  readonly signal: string | null;
  readonly output: string;
}

function run(run: string, moment: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", SCRIPT, join(folder, run), moment], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (text: Buffer) => (output += text.toString()));
    child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    child.on("error", reject);
    child.on("close", (code, signal) => (code !== null && code !== 0 ? reject(new Error(errors)) : resolve({ signal, output })));
  });
}

describe("a run that is killed and resumed", () => {
  // One rotating seed a day, printed with a failure, besides the fixed order of kinds.
  const seed = Math.floor(Date.now() / 86_400_000);
  const rng = createRng(seed);
  const between = (from: number, to: number): number => from + rng.int(to - from + 1);
  // 4 epochs of 4 steps with a checkpoint every 3 steps and after each epoch; lrFind reads 100 batches before.
  const moments = [
    `read:${between(101, 106)}`,
    `step:${between(4, 7)}`,
    `write:${between(1, 2)}`,
    `sync:${between(1, 2)}`,
    `step:${between(1, 3)}`,
  ];

  test(`ends with the same weights to the bit: ${moments.join(", ")} (seed ${seed})`, { timeout: 180_000 }, async () => {
    const whole = await run("whole", "none");
    for (const moment of moments) expect(await run("killed", moment), moment).toMatchObject({ signal: "SIGKILL", output: "" });
    const resumed = await run("killed", "none");
    expect(JSON.parse(resumed.output)).toEqual(JSON.parse(whole.output));
    // Nothing half-written stays after the next run has ended well, and a finished run tells its result again.
    expect(await run("killed", "none")).toEqual(resumed);
  });
});

describe("resuming in one process", () => {
  const OPTIONS = { epochs: 4, lr: 1e-2 } as const;
  const train = async (options: FitOptions, prepare?: (task: FigureTask) => void): Promise<string> => {
    const learner = await createLearner(discData({ augment: true }), { base: 4, depth: 2, threads: 1 });
    prepare?.(learner["core"].task);
    try {
      await learner.fit(options);
      return hashWeights(learner.network);
    } finally {
      await learner.dispose();
    }
  };
  /** Stops a run after some steps by cancelling it. */
  const stopped = async (after: number, options: FitOptions, prepare?: (task: FigureTask) => void): Promise<void> => {
    const controller = new AbortController();
    let steps = 0;
    const callbacks = [{ onStep: () => void (++steps === after && controller.abort()) }];
    await expect(train({ ...options, signal: controller.signal, callbacks }, prepare)).rejects.toMatchObject({ name: "AbortError" });
  };

  test.each([
    { optimizer: "adamw", schedule: "oneCycle" },
    { optimizer: "adam", schedule: "cosine" },
    { optimizer: "sgd", schedule: "constant" },
  ] as const)("$optimizer, $schedule: cancelled at any step it goes on to the same bits", { timeout: 120_000 }, async (options) => {
    const whole = await train({ ...OPTIONS, ...options });
    for (const after of [1, 3, 4, 5, 10, 15]) {
      const checkpoint = join(folder, `cancel-${options.optimizer}-${after}`);
      await stopped(after, { ...OPTIONS, ...options, checkpoint });
      expect(await train({ ...OPTIONS, ...options, checkpoint, resume: true }), `after ${after} steps`).toBe(whole);
    }
  });

  test("early stopping and the best epoch survive", async () => {
    const options: FitOptions = { epochs: 12, lr: 0.1, schedule: "constant", earlyStopping: { patience: 4, minDelta: 0 } };
    const whole = await train(options);
    const checkpoint = join(folder, "early");
    await stopped(14, { ...options, checkpoint });
    expect(await train({ ...options, checkpoint, resume: true })).toBe(whole);
  });

  test("the best of epochs with the same figure survives", async () => {
    const options: FitOptions = { epochs: 8, lr: 0.3, schedule: "constant", monitor: "meanIou" };
    const sameFigure = (task: FigureTask): void => void vi.spyOn(task, "epochMetrics").mockReturnValue({ meanIou: 0 });
    const whole = await train(options, sameFigure);
    const checkpoint = join(folder, "same");
    await stopped(26, { ...options, checkpoint }, sameFigure);
    expect(await train({ ...options, checkpoint, resume: true }, sameFigure)).toBe(whole);
  });

  test("other options or data are refused by name", async () => {
    const checkpoint = join(folder, "other");
    await stopped(2, { ...OPTIONS, checkpoint });
    await expect(train({ ...OPTIONS, epochs: 5, clipNorm: 1, checkpoint, resume: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      data: { differing: ["clipNorm", "epochs"] },
    });
    const learner = await createLearner(discData({ seed: 3 }), { base: 4, depth: 2, threads: 1 });
    await expect(learner.fit({ ...OPTIONS, checkpoint, resume: true })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await learner.dispose();
  });

  test("a damaged checkpoint is refused, not guessed at", async () => {
    const checkpoint = join(folder, "damaged");
    await stopped(2, { ...OPTIONS, checkpoint });
    const file = join(checkpoint, "checkpoint.safetensors");
    const bytes = await readFile(file);
    for (const damage of [
      () => truncate(file, bytes.length >> 1),
      () => truncate(file, 0),
      () =>
        writeFile(
          file,
          bytes.map((byte, i) => (i === bytes.length - 100 ? byte ^ 4 : byte)),
        ),
      () => writeFile(file, "{}"),
    ]) {
      await writeFile(file, bytes);
      await damage();
      await expect(train({ ...OPTIONS, checkpoint, resume: true })).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
    }
  });

  test("a full disk ends the run with the former checkpoint whole; with room again it goes on to the same bits", async () => {
    const whole = await train(OPTIONS);
    const checkpoint = join(folder, "full");
    await stopped(6, { ...OPTIONS, checkpoint });
    const before = await readFile(join(checkpoint, "checkpoint.safetensors"));
    const probe = await open(join(folder, "probe"), "w");
    const write = vi.spyOn(Object.getPrototypeOf(probe) as typeof probe, "write");
    await probe.close();
    write.mockRejectedValue(Object.assign(new Error("no space"), { code: "ENOSPC" }));
    await expect(train({ ...OPTIONS, checkpoint, resume: true })).rejects.toMatchObject({ code: "DISK_FULL" });
    write.mockRestore();
    expect(await readFile(join(checkpoint, "checkpoint.safetensors"))).toEqual(before);
    expect((await readdir(checkpoint)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(await train({ ...OPTIONS, checkpoint, resume: true })).toBe(whole);
  });

  test("two runs in one folder: the second is turned away", async () => {
    const checkpoint = join(folder, "locked");
    const learner = await createLearner(discData(), { base: 4, depth: 2, threads: 1 });
    const other = await createLearner(discData(), { base: 4, depth: 2, threads: 1 });
    const outcomes = await Promise.allSettled([learner, other].map((each) => each.fit({ ...OPTIONS, checkpoint })));
    const failures = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(failures).toHaveLength(1);
    expect(failures[0]!.reason).toMatchObject({ code: "OUTPUT_LOCKED" });
    await other.fit({ ...OPTIONS, checkpoint });
    expect((await readdir(checkpoint)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await Promise.all([learner.dispose(), other.dispose()]);
  });

  test("with resume but no checkpoint yet the run begins", async () => {
    const checkpoint = join(folder, "fresh");
    expect(await train({ ...OPTIONS, checkpoint, resume: true })).toBe(await train(OPTIONS));
  });
});
