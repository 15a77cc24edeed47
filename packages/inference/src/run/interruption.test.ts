import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { memoryRaster, pixelOf, testFunction } from "../testing/rasters.ts";
import { runInference } from "./run-inference.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "interruption-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const value = (band: number, row: number, col: number): number => (row * 31 + col * 17 + band * 7) & 255;
const raster = memoryRaster({ width: 300, height: 260, value });

/** A function that looks at its neighbours and is slow; `calls` counts how often it ran. */
function slow(delay: number, fingerprint?: string): { fn: ReturnType<typeof testFunction>; calls: () => number } {
  let calls = 0;
  const fn = testFunction({
    ...(fingerprint === undefined ? {} : { fingerprint }),
    concurrency: 2,
    score: (block, image, row, col, band) => (band === 1 ? pixelOf(block, image, Math.max(0, row - 3), col, 0) : 128),
    onProcess: async () => {
      calls++;
      await new Promise((resolve) => setTimeout(resolve, delay));
    },
  });
  return { fn, calls: () => calls };
}

describe("cancel", () => {
  test("at many instants: AbortError, nothing left at the output or among temporary files", async () => {
    // Temporary files of its own: others come and go while tests run beside each other.
    const temporary = await mkdtemp(join(tmpdir(), "interruption-temporary-"));
    vi.stubEnv("TMPDIR", temporary);
    let finished = 0;
    for (let delay = 0; delay < 400; delay += 13) {
      const controller = new AbortController();
      const out = delay % 2 === 0 ? { out: join(folder, "map.tif"), scores: true, resume: true } : {};
      const timer = setTimeout(() => controller.abort(), delay);
      const result = await runInference(slow(4).fn, raster, { ...out, signal: controller.signal }).catch((error: unknown) => error);
      clearTimeout(timer);
      if (result instanceof Error) {
        expect(result.name).toBe("AbortError");
        expect(await readdir(folder)).toEqual([]);
      } else {
        finished++;
        await (result as { dispose(): Promise<void> }).dispose();
        await rm(folder, { recursive: true });
        await mkdir(folder);
      }
    }
    expect(finished).toBeLessThan(25);
    expect(await readdir(temporary)).toEqual([]);
    vi.unstubAllEnvs();
    await rm(temporary, { recursive: true });
  });

  test("before it begins and when the function fails", async () => {
    const out = join(folder, "map.tif");
    await writeFile(out, "the former file");
    await expect(runInference(slow(0).fn, raster, { out, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    const failing = testFunction({ score: () => 0, onProcess: () => Promise.reject(new Error("broken function")) });
    await expect(runInference(failing, raster, { out })).rejects.toThrow("broken function");
    expect(await readdir(folder)).toEqual(["map.tif"]);
    expect(await readFile(out, "utf8")).toBe("the former file");
  });
});

describe("a full disk", () => {
  test("DISK_FULL for every size, the former file stays, nothing is left, and a second try works", async (context) => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    const shell = (command: string): boolean => spawnSync("sh", ["-c", `${command} "$0"`, disk]).status === 0;
    const mount = (size: number): boolean => shell(`mount -t tmpfs -o size=${size}k tmpfs`);
    if (!mount(4)) context.skip("a small disk can only be mounted by root");
    shell("umount");
    let full = 0;
    for (const size of [8, 16, 32, 64, 128, 256, 512, 4096]) {
      expect(mount(size)).toBe(true);
      try {
        const out = join(disk, "map.tif");
        await writeFile(out, "the former file");
        const result = await runInference(slow(0).fn, raster, { out, scores: true, resume: true }).catch((error: unknown) => error);
        if (!(result instanceof Error)) continue;
        full++;
        expect(result).toMatchObject({ code: "DISK_FULL" });
        expect(await readdir(disk)).toEqual(["map.tif"]);
        expect(await readFile(out, "utf8")).toBe("the former file");
        shell("mount -o remount,size=8192k");
        await runInference(slow(0).fn, raster, { out, scores: true, resume: true });
        expect((await readdir(disk)).sort()).toEqual(["map.scores.tif", "map.tif"]);
      } finally {
        shell("umount");
      }
    }
    expect(full).toBeGreaterThan(3);
  }, 120_000);
});

describe("resume", () => {
  const source = fileURLToPath(new URL("../testing/killed-program.ts", import.meta.url));
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const start = (out: string): ChildProcess =>
    spawn(process.execPath, ["--conditions=@geolearn/source", "--import", tsx, source, out], { stdio: ["ignore", "pipe", "inherit"] });

  /** Runs the program and kills it after `windows` windows; false when it ended before. */
  const killAfter = (out: string, windows: number): Promise<boolean> =>
    new Promise((resolve) => {
      const child = start(out);
      let text = "";
      child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if ((text.match(/\n/g)?.length ?? 0) >= windows) child.kill("SIGKILL");
      });
      child.on("close", (code) => resolve(code === null));
    });

  test("killed again and again, the bytes are those of an uninterrupted run", async () => {
    const whole = join(folder, "whole.tif");
    expect(await killAfter(whole, Infinity)).toBe(false);
    const broken = join(folder, "broken.tif");
    for (const windows of [6, 20, 3, 35]) {
      expect(await killAfter(broken, windows)).toBe(true);
      await expect(stat(broken)).rejects.toMatchObject({ code: "ENOENT" });
    }
    // The last record is torn, as by a power cut.
    const journal = join(`${broken}.partial`, "rows.journal");
    await truncate(journal, (await stat(journal)).size - 5);
    expect(await killAfter(broken, Infinity)).toBe(false);
    expect((await readFile(broken)).equals(await readFile(whole))).toBe(true);
    expect((await readFile(join(folder, "broken.scores.tif"))).equals(await readFile(join(folder, "whole.scores.tif")))).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(["broken.scores.tif", "broken.tif", "whole.scores.tif", "whole.tif"]);
  }, 120_000);

  /** Leaves what a killed run leaves: its folder with the journal, here of a run that had nearly finished. */
  async function interrupted(out: string, fingerprint: string): Promise<void> {
    const { fn } = slow(0, fingerprint);
    const kept = join(folder, "kept");
    const controller = new AbortController();
    await runInference(fn, raster, {
      out,
      signal: controller.signal,
      onProgress({ done, total }) {
        if (done < total * 0.7 || controller.signal.aborted) return;
        cpSync(`${out}.partial`, kept, { recursive: true });
        controller.abort();
      },
    }).catch(() => undefined);
    await rm(join(kept, ".geolearn.lock"), { force: true });
    await rename(kept, `${out}.partial`);
  }

  test("rows that are there are not computed again; those of other work are not used", async () => {
    const out = join(folder, "map.tif");
    const reference = slow(0, "a");
    await runInference(reference.fn, raster, { out: join(folder, "reference.tif") });

    await interrupted(out, "a");
    const again = slow(0, "a");
    const map = await runInference(again.fn, raster, { out });
    expect(again.calls()).toBeLessThan(reference.calls() * 0.6);
    expect((await readFile(out)).equals(await readFile(join(folder, "reference.tif")))).toBe(true);
    expect([...map.pixels.values()].reduce((a, b) => a + b)).toBe(300 * 260);

    for (const [other, options] of [
      [slow(0, "b"), {}],
      [slow(0, "a"), { overlap: 20 }],
      [slow(0, "a"), { resume: false }],
      [slow(0), {}],
    ] as const) {
      await interrupted(out, "a");
      await runInference(other.fn, raster, { out, ...options });
      expect(other.calls()).toBeGreaterThan(reference.calls() * 0.6);
    }
  });

  test("two runs cannot write one output at the same time", async () => {
    const out = join(folder, "map.tif");
    const first = runInference(slow(5).fn, raster, { out });
    await new Promise((resolve) => setTimeout(resolve, 60));
    await expect(runInference(slow(0).fn, raster, { out })).rejects.toMatchObject({ code: "OUTPUT_LOCKED" });
    await first;
    expect(await readdir(folder)).toEqual(["map.tif"]);
  });

  test("an output folder that is not there is told", async () => {
    await expect(runInference(slow(0).fn, raster, { out: join(folder, "none", "map.tif") })).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
  });
});
