/** Which execution providers really work here. */

import { GeoLearnError } from "@geolearn/core";
import type { EngineInfo } from "../engine-state.ts";
import type { LoweringRule } from "../lower/lowering.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Device } from "../types.ts";
import { type NativeSessionOptions, type OnnxRuntime, loadOnnxRuntime } from "./onnxruntime.ts";
import { GraphRunner } from "./session.ts";

type OnnxDevice = Exclude<Device, "auto" | "tensorflow">;

/** Order in which `auto` tries; the CPU always works. */
const FASTEST_FIRST: readonly OnnxDevice[] = ["cuda", "coreml", "dml", "webgpu", "cpu"];

const HINTS: Readonly<Record<OnnxDevice, string>> = {
  cpu: "Install onnxruntime-node again; its CPU library is inside the package.",
  cuda: "CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9, and onnxruntime-node installed with its install script allowed (it downloads the provider).",
  webgpu: "WebGPU needs a graphics driver with Vulkan, Metal or Direct3D 12 support.",
  coreml: "CoreML exists on macOS only.",
  dml: "DirectML exists on Windows only.",
};

/** Session options of a device. */
export function sessionOptions(device: OnnxDevice, threads: number): NativeSessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    enableCpuMemArena: true,
    enableMemPattern: true,
    logSeverityLevel: 3,
  };
}

/** Creates and runs a session of one addition; returns why it does not work, or null. */
function refusal(runtime: OnnxRuntime, device: OnnxDevice, threads: number): string | null {
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
    const session = runtime.createSession(model, sessionOptions(device, threads));
    const x = runtime.createTensor("float32", new Float32Array(64).fill(1), port.dims);
    const y = session.run({ x }, { y: null }, {})["y"]!.data;
    session.dispose();
    return y[63] === 2 ? null : `it computed 1 + 1 = ${String(y[63])}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A runner on the device asked for. @throws DEVICE_UNAVAILABLE */
export function createDeviceRunner(
  device: OnnxDevice | "auto",
  threads: number,
  rules: ReadonlyMap<string, LoweringRule>,
): { runner: GraphRunner; info: EngineInfo } {
  const runtime = loadOnnxRuntime();
  const passedOver: { device: Device; reason: string }[] = [];
  for (const candidate of device === "auto" ? FASTEST_FIRST : [device]) {
    const reason = refusal(runtime, candidate, threads);
    if (reason === null) {
      const runner = new GraphRunner(runtime, rules, sessionOptions(candidate, threads));
      return { runner, info: { device: candidate, threads, version: runtime.version, passedOver } };
    }
    passedOver.push({ device: candidate, reason });
  }
  const [failed] = passedOver;
  throw new GeoLearnError("DEVICE_UNAVAILABLE", `device ${device} cannot be used: ${failed?.reason ?? "unknown"}`, {
    hint: `${HINTS[failed?.device as OnnxDevice] ?? ""} Or use device "cpu" or "auto".`.trim(),
    data: { device, passedOver },
  });
}
