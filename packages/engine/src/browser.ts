/** The front door in a browser: everything of index.ts that needs no files, on onnxruntime-web. */

export type { Device, HostTensor, TensorData, TensorSpec, TensorType } from "./types.ts";

// starting
export type { EngineOptions } from "./start-on.ts";
export { startEngine } from "./start-browser.ts";
export { type EngineInfo, engineInfo } from "./engine-state.ts";

// recording
export { type CompileOptions, type CompiledFunction, type TensorMap, compile } from "./compile.ts";
export { constant } from "./constant.ts";
export { readVariable, writeVariable } from "./variables.ts";

// operations with gradients of their own
export { type Conv2dOptions, type Conv2dTransposeOptions, type Padding, conv2d, conv2dTranspose, depthwiseConv2d } from "./ops/conv2d.ts";
export { type PoolOptions, avgPool, maxPool } from "./ops/pool.ts";
export { type BatchNormOptions, batchNorm } from "./ops/batch-norm.ts";
export { type GroupNormOptions, groupNorm } from "./ops/group-norm.ts";
export { type ResizeBilinearOptions, adaptiveAvgPool, resizeBilinear, upsampleNearest } from "./ops/resize.ts";
export { type PyramidRoiAlignOptions, type RoiAlignOptions, pyramidRoiAlign, roiAlign } from "./ops/roi-align.ts";
export { dropout, randomUniform } from "./ops/random.ts";
export { seedRandom } from "./random-state.ts";
export { type CrossEntropyOptions, logSoftmax, softmaxCrossEntropy } from "./ops/cross-entropy.ts";

// optimizers
export { type Optimizer, type OptimizerOptions, type OptimizerSlot, createOptimizer } from "./optimizer.ts";
export { clipByGlobalNorm, globalNorm } from "./ops/norm.ts";

// ONNX files in and out
export { type ExportInput, type ExportOnnxOptions, type ExportedOnnx, type FreeSide, exportOnnx } from "./onnx/export.ts";
export type { OnnxPort } from "./onnx/encode.ts";
export { openOnnxSession } from "./onnx/open.ts";
export type { OnnxSession } from "./onnx/session.ts";
export { type ImageLayout, type InputFrame, type OutputFrame, FRAMED_INPUT, FRAMED_OUTPUT, frameOnnxModel } from "./onnx/frame.ts";
export type { OnnxAttribute, OnnxFunctionInfo, OnnxGraphInfo, OnnxModel, OnnxNodeInfo, OnnxValueInfo } from "./onnx/decode.ts";
export { parseOnnxModel } from "./onnx/parse.ts";
export type { ExternalData, OnnxTensor } from "./onnx/tensor.ts";
export { bfloatsToFloats, halfToFloat } from "./onnx/half.ts";
