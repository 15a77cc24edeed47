/** A second front door, in Node: ONNX models without tfjs, for threads that only run them. */

export type { Device, HostTensor, TensorData, TensorType } from "./types.ts";
export { type OnnxSessionOptions, openOnnxSession } from "./onnx/open-alone.ts";
export type { OnnxSession } from "./onnx/session.ts";
export type { OnnxDevice } from "./runtime/devices.ts";
export type { OnnxAttribute, OnnxFunctionInfo, OnnxGraphInfo, OnnxModel, OnnxNodeInfo, OnnxValueInfo } from "./onnx/decode.ts";
export { parseOnnxModel } from "./onnx/parse.ts";
export type { ExternalData, OnnxTensor } from "./onnx/tensor.ts";
