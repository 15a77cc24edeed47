/**
 * Device `tensorflow`: tfjs-node on libtensorflow, in a process of its own. The binding is built by scripts/build-tfjs-node.sh beside the
 * checkout (or in GEOLEARN_TFJS_NODE), since its own installer needs a host that is often not reachable.
 */

import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { type DeviceRun, caseGroups, expectAlike, runOnCpu, runOnDevice } from "../testing/compare-devices.ts";

const folder = process.env["GEOLEARN_TFJS_NODE"] ?? fileURLToPath(new URL("../../../../../.tfjs-node", import.meta.url));
const modules = join(folder, "node_modules");

/** Why it cannot be tested, or null. */
function missing(): string | null {
  if (!existsSync(join(modules, "@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node"))) return "there is no binding";
  const linked = join(modules, "@tensorflow/tfjs/package.json");
  if (!existsSync(linked)) return "the checkout whose tfjs it was linked to is gone";
  const theirs = realpathSync(linked);
  const ours = realpathSync(createRequire(import.meta.url).resolve("@tensorflow/tfjs/package.json"));
  return theirs === ours ? null : "its tfjs is that of another checkout";
}

const reason = missing();
if (reason !== null) process.stdout.write(`tensorflow: tests are skipped, ${reason} in ${folder} (scripts/build-tfjs-node.sh)\n`);

/** As on WebGPU: float32 in another order of sums; a mean of 1000 with a spread of 1 leaves three digits fewer. */
const TOLERANCES: Readonly<Record<string, number>> = { norm: 2e-4, large: 2e-5, unet: 2e-5 };
const USUAL = 5e-6;

describe.skipIf(reason !== null)("tfjs-node gives what ONNX Runtime gives", () => {
  let tensorflow: DeviceRun;
  let cpu: DeviceRun;

  beforeAll(async () => {
    const run = await runOnDevice("tensorflow", { NODE_PATH: modules });
    if (typeof run === "string") throw new Error(run);
    tensorflow = run;
    cpu = await runOnCpu();
  }, 600_000);

  test("it really is the device, and every case runs", () => {
    expect(tensorflow.info).toMatchObject({ device: "tensorflow", version: "4.22.0" });
    expect(tensorflow.failures).toEqual([]);
  });

  test.each([...caseGroups()])("%s", (group, names) => {
    for (const name of names) expectAlike(name, tensorflow, cpu, TOLERANCES[group] ?? USUAL);
  });
});
