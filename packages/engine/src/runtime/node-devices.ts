/** The devices of ONNX Runtime in Node. */

import { availableParallelism } from "node:os";
import { loadOnnxRuntime } from "./onnxruntime.ts";
import type { DevicePlatform } from "./platform.ts";

/** Node with the native library inside onnxruntime-node. */
export const nodeDevices: DevicePlatform = {
  threads: availableParallelism(),
  fastestFirst: ["cuda", "coreml", "dml", "webgpu", "cpu"],
  hints: {
    cpu: "Install onnxruntime-node again; its CPU library is inside the package.",
    cuda: "CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9, and onnxruntime-node installed with its install script allowed (it downloads the provider).",
    webgpu: "WebGPU needs a graphics driver with Vulkan, Metal or Direct3D 12 support.",
    coreml: "CoreML exists on macOS only.",
    dml: "DirectML exists on Windows only.",
  },
  loadRuntime: (_device, { threads }) => Promise.resolve(loadOnnxRuntime(threads)),
};
