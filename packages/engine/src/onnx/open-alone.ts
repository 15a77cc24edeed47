/** ONNX models on a device of their own, in Node. */

import { createDeviceRunner, type OnnxDevice } from "../runtime/devices.ts";
import { nodeDevices } from "../runtime/node-devices.ts";
import type { OnnxModel } from "./decode.ts";
import { type OnnxSession, sessionOn } from "./session.ts";

/** Where a session runs. */
export interface OnnxSessionOptions {
  /** @defaultValue "cpu" */
  readonly device?: OnnxDevice | "auto";
  /** Threads of one operation on the CPU. @defaultValue the cores this process may use */
  readonly threads?: number;
}

/**
 * Makes a session of a checked model without an engine: neither tfjs nor its memory, which counts in worker threads.
 *
 * @throws DEVICE_UNAVAILABLE; ENGINE_FAILED when ONNX Runtime cannot be loaded or refuses the model
 * @example
 * const session = await openOnnxSession(parseOnnxModel(bytes, "net.onnx"), { threads: 1 });
 */
export async function openOnnxSession(
  model: OnnxModel,
  { device = "cpu", threads = nodeDevices.threads }: OnnxSessionOptions = {},
): Promise<OnnxSession> {
  const { runner } = await createDeviceRunner(nodeDevices, device, { threads }, new Map());
  return sessionOn(runner, model);
}
