import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { GeoLearnError } from "@geolearn/core";
import { runningEngine } from "../engine-state.ts";
import { startEngine } from "../index.ts";
import { ONNXRUNTIME_VERSION, loadOnnxRuntime } from "./onnxruntime.ts";
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
    const { createDeviceRunner } = await import("./devices.ts");
    const { lowerings } = await import("../lower/table.ts");
    for (const device of ["coreml", "dml", "cuda"] as const) {
      if (loadOnnxRuntime().providers.includes(device)) continue;
      try {
        createDeviceRunner(device, 1, lowerings);
        throw new Error("not refused");
      } catch (error) {
        expect(GeoLearnError.is(error, "DEVICE_UNAVAILABLE"), String(error)).toBe(true);
        expect((error as GeoLearnError).hint).toContain("cpu");
      }
    }
    const { info, runner } = createDeviceRunner("auto", 1, lowerings);
    expect(info.device === "cpu" ? info.passedOver.length : 1).toBeGreaterThan(0);
    runner.dispose();
    const { startTensorflow } = await import("./tensorflow.ts");
    await expect(startTensorflow(1)).rejects.toMatchObject({ code: "DEVICE_UNAVAILABLE", hint: expect.stringContaining("tfjs-node") });
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
