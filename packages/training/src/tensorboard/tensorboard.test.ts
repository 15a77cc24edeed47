import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import fs, { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Warning } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { createLearner } from "../learner/create-learner.ts";
import type { FitResult, StepReport } from "../learner/options.ts";
import { discData } from "../testing/memory-data.ts";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { EventFile } from "./event-file.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const script = fileURLToPath(new URL("../testing/killed-run.ts", import.meta.url));
const peers = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(peers) && spawnSync(peers, ["-c", "import tensorboard"]).status === 0;
if (!withPeers) process.stdout.write("tensorboard: its own reader is not asked, no Python environment with it (GEOLEARN_PEERS)\n");

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-tensorboard-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What TensorBoard reads. */
interface Read {
  readonly scalars: Readonly<Record<string, readonly (readonly [number, number])[]>>;
  readonly images: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly texts: Readonly<Record<string, readonly (readonly [number, string])[]>>;
  readonly plugins: Readonly<Record<string, string>>;
}

function read(path: string): Read {
  return JSON.parse(
    execFileSync(peers, ["-W", "ignore", `${root}tests/oracles/tensorboard_events.py`, path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }),
  ) as Read;
}

describe("checksums", () => {
  // RFC 3720, B.4
  test.each([
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [new TextEncoder().encode("123456789"), 0xe3069283],
  ])("of %j", (bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
    expect(maskedCrc32c(bytes)).toBe(Number((BigInt((crc >>> 15) | (crc << 17)) + 0xa282ead8n) & 0xffffffffn));
  });
});

test("files of a folder stand in the order in which they were begun", async () => {
  const path = join(folder, "order");
  for (let i = 0; i < 3; i += 1) await (await EventFile.create(path)).close();
  const stamps = (await readdir(path)).sort().map((name) => Number(name.split(".")[3]));
  expect(new Set(stamps).size).toBe(3);
});

describe.runIf(withPeers)("read by TensorBoard", () => {
  test("a run, and a second call of fit after it", { timeout: 180_000 }, async () => {
    const path = join(folder, "run");
    const learner = await createLearner(discData({}), { base: 4, depth: 2, threads: 1 });
    const steps: StepReport[] = [];
    const results: FitResult[] = [];
    for (const epochs of [2, 1]) {
      results.push(await learner.fit({ epochs, lr: 0.01, tensorboard: path, callbacks: [{ onStep: (step) => void steps.push(step) }] }));
    }
    await learner.dispose();
    const { scalars, images, texts, plugins } = read(path);
    const batches = steps.length / 3;
    const float = (values: readonly (number | null)[]): number[] => values.map((value) => Math.fround(value!));
    const curve = (tag: string): number[] => scalars[tag]!.map(([, value]) => value);

    expect(scalars["step/loss"]!.map(([step]) => step)).toEqual(steps.map((_, i) => i + 1));
    expect(curve("step/loss")).toEqual(float(steps.map(({ loss }) => loss)));
    expect(curve("step/lr")).toEqual(float(steps.map(({ lr }) => lr)));
    expect(curve("step/gradientNorm")).toEqual(float(steps.map(({ gradientNorm }) => gradientNorm)));

    const records = results.flatMap((result) => result.epochs);
    expect(scalars["epoch/trainLoss"]!.map(([step]) => step)).toEqual([batches, 2 * batches, 3 * batches]);
    expect(curve("epoch/trainLoss")).toEqual(float(records.map(({ trainLoss }) => trainLoss)));
    expect(curve("epoch/validLoss")).toEqual(float(records.map(({ validLoss }) => validLoss)));
    expect(curve("epoch/meanIou")).toEqual(float(records.map(({ metrics }) => metrics["meanIou"]!)));
    const classes = learner.data.classes.map(({ name }) => name);
    for (const name of classes) expect(curve(`epoch/iou/${name}`)).toEqual(float(records.map(({ metrics }) => metrics[`iou ${name}`]!)));

    expect(images["results"]!.map(([step]) => step)).toEqual([batches, 2 * batches, 3 * batches]);
    for (const [, width, height, pngWidth, pngHeight] of images["results"]!) {
      expect([pngWidth, pngHeight]).toEqual([width, height]);
      expect(width).toBeGreaterThan(4 * learner.data.chipWidth);
    }
    expect(plugins).toEqual({ "settings/text_summary": "text" });
    expect(texts["settings/text_summary"]!.map(([step]) => step)).toEqual([1, 2 * batches + 1]);
    expect(texts["settings/text_summary"]![0]![1]).toMatch(/\| epochs \| 2 \|[^]*\| lr \| 0\.01 \|/);
  });

  test("a run that was killed and resumed has every step once, as one that was not", { timeout: 300_000 }, () => {
    const run = (name: string, moment: string): string | null => {
      const argv = ["--conditions=@geolearn/source", "--import", "tsx", script, join(folder, name), moment, join(folder, `${name}-log`)];
      return spawnSync(process.execPath, argv, { stdio: "ignore" }).signal;
    };
    expect(run("whole", "none")).toBeNull();
    // a checkpoint is written every third step: steps 4 and 5 are lost with the process, not with the log, and made again
    expect(run("killed", "step:5")).toBe("SIGKILL");
    const before = read(join(folder, "killed-log"));
    expect(before.scalars["step/loss"]!.map(([step]) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(run("killed", "none")).toBeNull();
    const [whole, killed] = [read(join(folder, "whole-log")), read(join(folder, "killed-log"))];
    for (const tag of Object.keys(whole.scalars)) {
      if (tag !== "epoch/seconds") expect(killed.scalars[tag], tag).toEqual(whole.scalars[tag]);
    }
    expect(killed.images).toEqual(whole.images);
  });
});

describe("when the log cannot be written", () => {
  test("a folder that is a file is said before anything is trained", async () => {
    const path = join(folder, "file");
    await writeFile(path, "");
    let reads = 0;
    const learner = await createLearner(discData({ onRead: () => void (reads += 1) }), { base: 4, depth: 2, threads: 1 });
    const failing = learner.fit({ epochs: 1, tensorboard: join(path, "run") });
    await expect(failing).rejects.toMatchObject({ code: "WRITE_FAILED", hint: expect.any(String) as string });
    expect(reads).toBe(0);
    expect(learner.records).toEqual([]);
    await learner.dispose();
  });

  test("later, training goes on with one warning", async () => {
    const path = join(folder, "full");
    const warnings: Warning[] = [];
    const learner = await createLearner(discData({}), { base: 4, depth: 2, threads: 1 });
    const handle = await fs.open(join(folder, "probe"), "w");
    const prototype = Object.getPrototypeOf(handle) as { write: (...args: unknown[]) => Promise<unknown> };
    await handle.close();
    const { write } = prototype;
    let left = 6;
    const spy = vi.spyOn(prototype, "write").mockImplementation(function (this: unknown, ...args: unknown[]) {
      if ((left -= 1) > 0) return write.apply(this, args);
      return Promise.reject(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
    });
    const { epochs } = await learner.fit({ epochs: 2, lr: 0.01, tensorboard: path, onWarning: (warning) => warnings.push(warning) });
    spy.mockRestore();
    await learner.dispose();
    expect(epochs.length).toBe(2);
    expect(warnings.map(({ code }) => code)).toEqual(["TENSORBOARD_STOPPED"]);
    const [name] = await readdir(path);
    expect((await readFile(join(path, name!))).length).toBeGreaterThan(100);
  });
});
