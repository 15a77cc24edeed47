/** What differs between Node and a browser. */

import type { EngineInfo } from "../engine-state.ts";
import type { Device } from "../types.ts";
import type { OnnxDevice } from "./devices.ts";
import type { OnnxRuntime } from "./runtime.ts";

/** How ONNX Runtime is to be loaded. */
export interface RuntimeRequest {
  /** Threads of one operation on the CPU. */
  readonly threads: number;
  /** Address of the folder with the `.wasm` files, in a browser. */
  readonly assets?: string | undefined;
}

/** What finds the devices of ONNX Runtime. */
export interface DevicePlatform {
  /** Threads an operation may use. */
  readonly threads: number;
  /** Devices in the order `auto` tries them; the last always works. */
  readonly fastestFirst: readonly OnnxDevice[];
  /** How to go on when a device is not there. */
  readonly hints: Readonly<Partial<Record<Device, string>>>;
  /** Loads ONNX Runtime for a device, or says why that is of no use here. @throws ENGINE_FAILED */
  loadRuntime(device: OnnxDevice, request: RuntimeRequest): Promise<OnnxRuntime | string>;
}

/** Where the engine runs. */
export interface Platform extends DevicePlatform {
  /** Refuses a second copy of tfjs where it can be seen. @throws MULTIPLE_TFJS */
  readonly checkTfjs: () => void;
  /** Starts tfjs-node. @throws DEVICE_UNAVAILABLE */
  startTensorflow(threads: number): Promise<EngineInfo>;
}
