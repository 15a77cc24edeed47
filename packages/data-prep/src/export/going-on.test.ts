import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { lockFolder } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { codeOf, digests, Scratch } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("going on", () => {
  it("appends a second area and counts both", async () => {
    const raster = await scene(scratch.path("append.tif"));
    const out = scratch.path("append");
    const whole = { raster, labels: houses, out, chipSize: 32, stride: 32, workers: 0 };
    const first = await exportTrainingData({ ...whole, extent: [500_000, 4_999_920, 500_032, 5_000_000] });
    const second = await exportTrainingData({ ...whole, extent: [500_032, 4_999_920, 500_096, 5_000_000], startIndex: "next" });
    expect(second.firstIndex).toBe(first.endIndex);
    const all = await exportTrainingData({ ...whole, out: scratch.path("append-whole") });
    expect(first.chips + second.chips).toBe(all.chips);
    const read = (folder: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(folder, "esri_accumulated_stats.json"), "utf8")) as Record<string, unknown>;
    const [joined, once] = [read(out), read(scratch.path("append-whole"))];
    expect(joined["ClassPixelStats"]).toEqual(once["ClassPixelStats"]);
    expect(readFileSync(join(out, "map.txt"), "utf8").trimEnd().split("\n")).toHaveLength(all.chips);
    // the same again finds its chips and adds nothing
    const again = await exportTrainingData({ ...whole, extent: [500_032, 4_999_920, 500_096, 5_000_000], startIndex: "next" });
    expect(again).toMatchObject({ resumed: true, firstIndex: second.firstIndex, endIndex: second.endIndex });
    expect(await codeOf(exportTrainingData({ ...whole, startIndex: 0 }))).toBe("OUTPUT_EXISTS");
    expect(await codeOf(exportTrainingData({ ...whole, startIndex: "next", chipSize: 16 }))).toBe("CHIPS_MISMATCH");
  });

  it("refuses a folder of another export, and replaces it when told", async () => {
    const raster = await scene(scratch.path("again.tif"));
    const out = scratch.path("again");
    await exportTrainingData({ raster, labels: houses, out, chipSize: 32, workers: 0 });
    expect(await codeOf(exportTrainingData({ raster, labels: houses, out, chipSize: 16, workers: 0 }))).toBe("OUTPUT_EXISTS");
    const replaced = await exportTrainingData({ raster, labels: houses, out, chipSize: 16, overwrite: true, workers: 0 });
    expect(readdirSync(join(out, "labels"))).toHaveLength(replaced.chips);
  });

  it("refuses a second writer", async () => {
    const out = scratch.path("locked");
    mkdirSync(out);
    const unlock = await lockFolder(out);
    expect(await codeOf(exportTrainingData({ raster: await scene(scratch.path("locked.tif")), labels: houses, out, chipSize: 32 }))).toBe(
      "OUTPUT_LOCKED",
    );
    await unlock();
  });

  it("keeps what is written when the disk is full, and ends the same once there is room", async () => {
    const raster = await scene(scratch.path("full.tif"));
    const options = { raster, labels: houses, chipSize: 16, stride: 8, workers: 0 };
    await exportTrainingData({ ...options, out: scratch.path("room") });
    const out = scratch.path("full");
    mkdirSync(join(out, "images"), { recursive: true });
    if (!existsSync("/dev/full")) return;
    symlinkSync("/dev/full", join(out, "images/000000020.tif.tmp"));
    expect(await codeOf(exportTrainingData({ ...options, out }))).toBe("DISK_FULL");
    expect(existsSync(join(out, "images/000000020.tif"))).toBe(false);
    expect(await exportTrainingData({ ...options, out })).toMatchObject({ resumed: true });
    expect(digests(out)).toEqual(digests(scratch.path("room")));
  });

  it("ends with the same bytes after being cancelled", async () => {
    const raster = await scene(scratch.path("cancel.tif"));
    const options = { raster, labels: houses, chipSize: 16, stride: 4, workers: 1 };
    await exportTrainingData({ ...options, out: scratch.path("not-cancelled") });
    const out = scratch.path("cancelled");
    for (let round = 0; round < 4; round++) {
      const controller = new AbortController();
      const cancelled = exportTrainingData({
        ...options,
        out,
        signal: controller.signal,
        onProgress: ({ done }) => {
          // between two reports chips are being written, and others wait
          if (done > 40 * round) setTimeout(() => controller.abort(new Error("stop")), round % 2);
        },
      });
      await expect(cancelled).rejects.toThrow("stop");
      expect(readdirSync(join(out, "images")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
    await exportTrainingData({ ...options, out });
    expect(digests(out)).toEqual(digests(scratch.path("not-cancelled")));
  });

  it("ends with the same bytes after being killed at any moment", async () => {
    const raster = await scene(scratch.path("kill.tif"));
    const labelsPath = scratch.path("kill.geojson");
    const crs = { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::32633" } };
    writeFileSync(
      labelsPath,
      JSON.stringify({ type: "FeatureCollection", crs, features: houses.features.map((f) => ({ type: "Feature", ...f })) }),
    );
    const options = { raster, labels: labelsPath, chipSize: 16, stride: 3 };
    await exportTrainingData({ ...options, out: scratch.path("never-killed") });
    const expected = digests(scratch.path("never-killed"));
    const out = scratch.path("killed");
    const program = `
      import { exportTrainingData } from ${JSON.stringify(new URL("./export-training-data.ts", import.meta.url).href)};
      await exportTrainingData({ ...${JSON.stringify(options)}, out: ${JSON.stringify(out)}, workers: 0, onProgress: ({ done }) => process.stdout.write(done + "\\n") });`;
    for (let round = 0; round < 5; round++) {
      const at = 40 + round * 130;
      await new Promise<void>((resolve) => {
        const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", "--input-type=module", "-e", program], {
          stdio: ["ignore", "pipe", "inherit"],
          cwd: new URL("..", import.meta.url),
        });
        child.stdout.on("data", (text: Buffer) => {
          if (
            String(text)
              .trim()
              .split("\n")
              .some((line) => Number(line) >= at)
          )
            child.kill("SIGKILL");
        });
        child.on("exit", () => resolve());
      });
    }
    // as a run leaves it that is killed while it writes this file
    writeFileSync(join(out, ".map.txt.0123456789ab.tmp"), "half a");
    await exportTrainingData({ ...options, out });
    expect(digests(out)).toEqual(expected);
  }, 120_000);
});
