/** Which execution providers really work here. */

import { GeoLearnError } from "@geolearn/core";
import type { EngineInfo } from "../engine-state.ts";
import type { LoweringRule } from "../lower/lowering.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Device } from "../types.ts";
import type { DevicePlatform, RuntimeRequest } from "./platform.ts";
import type { OnnxRuntime, SessionOptions } from "./runtime.ts";
import { GraphRunner } from "./session.ts";

/** Devices that are providers of ONNX Runtime. */
export type OnnxDevice = Exclude<Device, "auto" | "tensorflow">;

/** Devices with ONNX Runtime's own operators (FusedMatMul). */
const FUSED: readonly OnnxDevice[] = ["cpu", "cuda", "dml"];

/** Session options of a device. */
export function sessionOptions(device: OnnxDevice, threads: number): SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    enableCpuMemArena: true,
    // One planned block on top of the arena of the first run would nearly double the memory of a training step.
    enableMemPattern: false,
    logSeverityLevel: 3,
  };
}

/** Creates and runs a session of one addition; returns why it does not work, or null. */
async function refusal(runtime: OnnxRuntime, device: OnnxDevice, threads: number): Promise<string | null> {
  if (!runtime.providers.includes(device)) return `this build of ONNX Runtime has ${runtime.providers.join(", ")}`;
  const port = { type: "float32", dims: [1, 1, 8, 8] } as const;
  const model = encodeModel({
    nodes: [{ name: "add", type: "Add", domain: "", inputs: ["x", "x"], outputs: ["y"], attributes: {} }],
    initializers: [],
    inputs: [{ name: "x", ...port }],
    outputs: [{ name: "y", ...port }],
    opsets: { "": 18 },
  });
  try {
    const session = await runtime.createSession(model, { ...sessionOptions(device, threads), logSeverityLevel: 4 });
    const x = runtime.createTensor("float32", new Float32Array(64).fill(1), port.dims);
    const y = (await session.run({ x }, ["y"]))["y"]!.data;
    await session.dispose();
    return y[63] === 2 ? null : `it computed 1 + 1 = ${String(y[63])}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Channels in a block of the blocked layout of ONNX Runtime's CPU provider: 16 with AVX-512, 8 with AVX2. Found by reordering 64 channels of
 * two pixels and looking where the second pixel begins.
 */
async function probeBlock(runtime: OnnxRuntime, threads: number): Promise<number> {
  const port = { type: "float32", dims: [1, 64, 1, 2] } as const;
  const model = encodeModel({
    nodes: [
      {
        name: "probe",
        type: "ReorderInput",
        domain: "com.microsoft.nchwc",
        inputs: ["x"],
        outputs: ["y"],
        attributes: { channels_last: 0 },
      },
    ],
    initializers: [],
    inputs: [{ name: "x", ...port }],
    outputs: [{ name: "y", ...port }],
    opsets: { "": 18, "com.microsoft.nchwc": 1 },
  });
  try {
    const session = await runtime.createSession(model, { ...sessionOptions("cpu", threads), logSeverityLevel: 4 });
    const pixel = Float32Array.from({ length: 128 }, (_, i) => i % 2);
    const reordered = (await session.run({ x: runtime.createTensor("float32", pixel, port.dims) }, ["y"]))["y"]!.data;
    await session.dispose();
    const block = reordered.indexOf(1);
    return block >= 4 && block <= 64 ? block : 0;
  } catch {
    return 0;
  }
}

/** A runner on the device asked for. @throws DEVICE_UNAVAILABLE */
export async function createDeviceRunner(
  platform: DevicePlatform,
  device: OnnxDevice | "auto",
  request: RuntimeRequest,
  rules: ReadonlyMap<string, LoweringRule>,
): Promise<{ runner: GraphRunner; info: EngineInfo }> {
  const passedOver: { device: Device; reason: string }[] = [];
  for (const candidate of device === "auto" ? platform.fastestFirst : [device]) {
    const runtime = await platform.loadRuntime(candidate, request);
    const reason = typeof runtime === "string" ? runtime : await refusal(runtime, candidate, runtime.threads);
    if (typeof runtime !== "string" && reason === null) {
      const { threads } = runtime;
      const block = candidate === "cpu" ? await probeBlock(runtime, threads) : 0;
      const target = { rules, block, fused: FUSED.includes(candidate) };
      const lost = candidate === "cpu" ? () => Promise.resolve(null) : () => refusal(runtime, candidate, threads);
      const runner = new GraphRunner(runtime, target, sessionOptions(candidate, threads), lost);
      return { runner, info: { device: candidate, threads, version: runtime.version, passedOver } };
    }
    passedOver.push({ device: candidate, reason: reason ?? "unknown" });
  }
  throw unavailable(platform, device, passedOver);
}

/** The error of a device that is not there. */
export function unavailable(
  platform: DevicePlatform,
  device: Device,
  passedOver: readonly { readonly device: Device; readonly reason: string }[],
): GeoLearnError {
  const reasons = passedOver.map((each) => (passedOver.length > 1 ? `${each.device}: ${each.reason.trim()}` : each.reason.trim()));
  return new GeoLearnError("DEVICE_UNAVAILABLE", `device ${device} cannot be used: ${reasons.join("; ") || "unknown"}`, {
    hint: `${platform.hints[device] ?? ""} Or use \`device: "cpu"\` or \`device: "auto"\`.`.trim(),
    data: { device, passedOver },
  });
}
