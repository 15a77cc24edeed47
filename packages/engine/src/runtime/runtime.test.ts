import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { GeoLearnError } from "@geolearn/core";
import { runningEngine } from "../engine-state.ts";
import { type Value, leaf, operation } from "../graph/value.ts";
import { startEngine } from "../index.ts";
import { lowerings } from "../lower/table.ts";
import { createDeviceRunner } from "./devices.ts";
import { node } from "./node.ts";
import { ONNXRUNTIME_VERSION, loadOnnxRuntime } from "./onnxruntime.ts";
import type { OnnxRuntime } from "./runtime.ts";
import { checkSingleTfjs, tfjsCopies } from "./single-tfjs.ts";

const require = createRequire(import.meta.url);

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

describe("starting", () => {
  test("is idempotent, and refuses other options", async () => {
    const info = await startEngine();
    expect(info).toMatchObject({ device: "cpu", threads: 2 });
    expect(await startEngine({ device: "cpu", threads: 2 })).toBe(info);
    await expect(startEngine({ threads: 1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(startEngine({ threads: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("devices that are not there are refused with a way out", async () => {
    for (const device of ["coreml", "dml", "cuda"] as const) {
      if (device !== "cuda" && loadOnnxRuntime(1).providers.includes(device)) continue;
      const error: unknown = await createDeviceRunner(node, device, { threads: 1 }, lowerings).then(
        () => new Error(`${device} is there`),
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: "DEVICE_UNAVAILABLE", message: expect.stringContaining(device), data: { device } });
      expect((error as GeoLearnError).hint).toContain('"cpu"');
      expect((error as Error).message).not.toContain("\n");
    }
  });

  test("auto computes on what it chose, and says why not on the others", async () => {
    const { info, runner } = await createDeviceRunner(node, "auto", { threads: 1 }, lowerings);
    const before = node.fastestFirst.slice(0, node.fastestFirst.indexOf(info.device as "cpu"));
    expect(info.passedOver.map(({ device }) => device)).toEqual(before);
    for (const { reason } of info.passedOver) expect(reason.length).toBeGreaterThan(10);
    await runner.dispose();
  });

  test("a device that is lost while it runs is told apart from a graph that fails", async () => {
    let broken = false;
    const native = loadOnnxRuntime(1);
    const failing: OnnxRuntime = {
      ...native,
      providers: ["webgpu"],
      async createSession(model, options) {
        const session = await native.createSession(model, { ...options, executionProviders: ["cpu"] });
        return {
          ...session,
          run: (feeds, results) => (broken ? Promise.reject(new Error("device removed")) : session.run(feeds, results)),
        };
      },
    };
    const { runner } = await createDeviceRunner({ ...node, loadRuntime: async () => failing }, "webgpu", { threads: 1 }, lowerings);
    const square = (values: number[]): Value =>
      operation("Square", [leaf(Float32Array.from(values), [2], "float32")], {}, [2], "float32", 0);
    const good = square([2, 3]);
    await runner.run([good]);
    expect([...good.host!.data]).toEqual([4, 9]);
    const wrong = operation("Add", [good, leaf(new Float32Array(3), [3], "float32")], {}, [2], "float32", 0);
    await expect(runner.run([wrong])).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    broken = true;
    await expect(runner.run([square([1, 5])])).rejects.toMatchObject({
      code: "DEVICE_LOST",
      message: expect.stringContaining("device removed"),
      hint: expect.stringContaining("checkpoint"),
    });
    // The queue goes on: what is asked for later fails by itself, not by what failed before.
    broken = false;
    const again = square([1, 5]);
    await runner.run([again]);
    expect([...again.host!.data]).toEqual([1, 25]);
  });

  test("the private binding belongs to the pinned version", () => {
    const entry = require.resolve("onnxruntime-node");
    const { version } = JSON.parse(readFileSync(join(dirname(entry), "../package.json"), "utf8")) as { version: string };
    expect(version).toBe(ONNXRUNTIME_VERSION);
    const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(dependencies["onnxruntime-node"]).toBe(ONNXRUNTIME_VERSION);
  });

  test("the blocked layout was recognised, or there is none", () => {
    expect([0, 4, 8, 16, 32, 64]).toContain(runningEngine().runner!.target.block);
  });
});

describe("copies of tfjs", () => {
  test("one is fine, two are named with version and place", () => {
    expect(() => checkSingleTfjs()).not.toThrow();
    const folder = mkdtempSync(join(tmpdir(), "tfjs-"));
    const files = ["4.22.0", "4.10.0"].map((version) => {
      const place = join(folder, version, "node_modules", "@tensorflow", "tfjs-core");
      mkdirSync(join(place, "dist"), { recursive: true });
      writeFileSync(join(place, "package.json"), JSON.stringify({ version }));
      return join(place, "dist", "tf-core.node.js");
    });
    try {
      expect(tfjsCopies(files).map((copy) => copy.version)).toEqual(["4.22.0", "4.10.0"]);
      checkSingleTfjs(files);
      throw new Error("not refused");
    } catch (error) {
      expect(GeoLearnError.is(error, "MULTIPLE_TFJS")).toBe(true);
      expect((error as Error).message).toContain("4.10.0");
      expect((error as Error).message).toContain(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
