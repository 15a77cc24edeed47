/** The engine in Node. */

import { availableParallelism } from "node:os";
import { loadOnnxRuntime } from "./onnxruntime.ts";
import type { Platform } from "./platform.ts";
import { checkSingleTfjs } from "./single-tfjs.ts";
import { startTensorflow } from "./tensorflow.ts";

/** Node with the native library inside onnxruntime-node. */
export const node: Platform = {
  threads: availableParallelism(),
  fastestFirst: ["cuda", "coreml", "dml", "webgpu", "cpu"],
  hints: {
    cpu: "Install onnxruntime-node again; its CPU library is inside the package.",
    cuda: "CUDA needs an NVIDIA driver, CUDA 12 and cuDNN 9, and onnxruntime-node installed with its install script allowed (it downloads the provider).",
    webgpu: "WebGPU needs a graphics driver with Vulkan, Metal or Direct3D 12 support.",
    coreml: "CoreML exists on macOS only.",
    dml: "DirectML exists on Windows only.",
    tensorflow: "Install the optional peer `@tensorflow/tfjs-node` 4.22.0.",
  },
  checkTfjs: checkSingleTfjs,
  loadRuntime: (_device, { threads }) => Promise.resolve(loadOnnxRuntime(threads)),
  startTensorflow,
};
