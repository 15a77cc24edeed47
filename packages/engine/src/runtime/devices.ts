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

/** Devices with ONNX Runtime's own operators (FusedMatMul). */
const FUSED: readonly OnnxDevice[] = ["cpu", "cuda", "dml"];

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
    // One planned block on top of the arena of the first run would nearly double the memory of a training step.
    enableMemPattern: false,
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
    const session = runtime.createSession(model, { ...sessionOptions(device, threads), logSeverityLevel: 4 });
    const x = runtime.createTensor("float32", new Float32Array(64).fill(1), port.dims);
    const y = session.run({ x }, { y: null }, {})["y"]!.data;
    session.dispose();
    return y[63] === 2 ? null : `it computed 1 + 1 = ${String(y[63])}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Channels in a block of the blocked layout of ONNX Runtime's CPU provider: 16 with AVX-512, 8 with AVX2. Found by reordering 64 channels of
 * two pixels and looking where the second pixel begins.
 */
function probeBlock(runtime: OnnxRuntime, threads: number): number {
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
    const session = runtime.createSession(model, sessionOptions("cpu", threads));
    const pixel = Float32Array.from({ length: 128 }, (_, i) => i % 2);
    const reordered = session.run({ x: runtime.createTensor("float32", pixel, port.dims) }, { y: null }, {})["y"]!.data;
    session.dispose();
    const block = reordered.indexOf(1);
    return block >= 4 && block <= 64 ? block : 0;
  } catch {
    return 0;
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
      const block = candidate === "cpu" ? probeBlock(runtime, threads) : 0;
      const target = { rules, block, fused: FUSED.includes(candidate) };
      const runner = new GraphRunner(runtime, target, sessionOptions(candidate, threads));
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
