export type { Device, HostTensor, TensorData, TensorSpec, TensorType } from "./types.ts";
