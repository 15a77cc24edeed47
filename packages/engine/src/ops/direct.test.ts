/**
 * The engine's operations as compositions of tfjs's, here on its cpu backend. They
 * must give what ONNX Runtime gives, which is tested against PyTorch.
 */

import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setEngine } from "../engine-state.ts";
import { type DeviceRun, caseGroups, expectAlike, runHere, runOnDevice } from "../testing/compare-devices.ts";

/** float32 in another order of sums; a mean of 1000 with a spread of 1 leaves three digits fewer. */
const TOLERANCES: Readonly<Record<string, number>> = { norm: 2e-4, large: 2e-5, unet: 2e-5 };
const USUAL = 5e-6;

describe("compositions of tfjs's operations give what ONNX Runtime gives", () => {
  let onnx: DeviceRun;
  let plain: DeviceRun;

  beforeAll(async () => {
    const run = await runOnDevice("cpu", {});
    if (typeof run === "string") throw new Error(run);
    onnx = run;
    await tf.setBackend("cpu");
    const info = { device: "tensorflow", threads: 1, version: "cpu backend", passedOver: [] } as const;
    setEngine({ info, runner: null, checkTfjs: () => undefined });
    plain = await runHere(info);
  }, 600_000);
  afterAll(() => setEngine(undefined));

  test("every case runs", () => {
    expect([...onnx.failures, ...plain.failures]).toEqual([]);
  });

  test.each([...caseGroups()])("%s", (group, names) => {
    for (const name of names) expectAlike(name, plain, onnx, TOLERANCES[group] ?? USUAL);
  });
});
