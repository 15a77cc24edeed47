/**
 * The WebGPU provider inside onnxruntime-node, on the software driver that Debian's chromium package carries (SwiftShader), in a process of
 * its own: a driver that fails must not take the test run along. With GEOLEARN_TEST_GPU=1 it runs on the machine's own driver.
 */

import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { type DeviceRun, caseGroups, expectAlike, runOnCpu, runOnDevice } from "../testing/compare-devices.ts";

const CHROMIUM = "/usr/lib/chromium";
const DRIVER = `${CHROMIUM}/vk_swiftshader_icd.json`;
const onSoftware = process.env["GEOLEARN_TEST_GPU"] !== "1";
const available = !onSoftware || existsSync(DRIVER);
if (!available) process.stdout.write(`webgpu: tests are skipped, ${DRIVER} is missing (apt-get install chromium)\n`);

// The loader of the Vulkan library lies beside the driver.
const environment = onSoftware
  ? {
      VK_DRIVER_FILES: DRIVER,
      VK_ICD_FILENAMES: DRIVER,
      LD_LIBRARY_PATH: [CHROMIUM, process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":"),
    }
  : {};

/**
 * Relative to the greatest value. Shaders add in another order than the CPU, a few units of float32 (6e-8) over sums of some thousand terms; a
 * mean of 1000 with a spread of 1 leaves three digits fewer in the norms, as in the CPU's own tests.
 */
const TOLERANCES: Readonly<Record<string, number>> = { norm: 2e-4, large: 2e-5 };
const USUAL = 5e-6;

describe.skipIf(!available)("webgpu gives what the CPU gives", () => {
  let webgpu: DeviceRun;
  let cpu: DeviceRun;

  beforeAll(async () => {
    const run = await runOnDevice("webgpu", environment);
    if (typeof run === "string") throw new Error(run);
    webgpu = run;
    cpu = await runOnCpu();
  }, 900_000);

  test("it really is the device, and every case runs", () => {
    expect(webgpu.info.device).toBe("webgpu");
    expect(webgpu.failures).toEqual([]);
  });

  test.each([...caseGroups()])("%s", (group, names) => {
    for (const name of names) expectAlike(name, webgpu, cpu, TOLERANCES[group] ?? USUAL);
  });
});
