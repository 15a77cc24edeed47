/** Starting the engine: one copy of tfjs, one ONNX Runtime, one device. */

import { availableParallelism } from "node:os";
import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { type EngineInfo, engineInfo, setEngine } from "./engine-state.ts";
import { BACKEND_NAME, OnnxBackend } from "./graph/backend.ts";
import { registerKernels } from "./kernels/register.ts";
import { lowerings } from "./lower/table.ts";
import { createDeviceRunner } from "./runtime/devices.ts";
import { checkSingleTfjs } from "./runtime/single-tfjs.ts";
import { startTensorflow } from "./runtime/tensorflow.ts";
import type { Device } from "./types.ts";

/** How the engine is to run. */
export interface EngineOptions {
  /** Default `"cpu"`. `"auto"` takes the fastest that really creates a session. */
  readonly device?: Device;
  /** Threads of one operation on the CPU; default the cores this process may use. */
  readonly threads?: number;
}

let starting: Promise<EngineInfo> | null = null;

/**
 * Starts the engine and makes it tfjs's backend. Call it once at the beginning; calling it again with the same or no options
 * gives the same engine.
 *
 * @throws MULTIPLE_TFJS when two copies of tfjs are loaded; DEVICE_UNAVAILABLE when the device has no session;
 * ENGINE_FAILED when ONNX Runtime cannot be loaded; INVALID_ARGUMENT when it already runs with other options.
 * @example
 * const { device, threads } = await startEngine();
 */
export async function startEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `threads is ${threads}; expected a whole number of at least 1`);
  }
  checkSingleTfjs();
  starting ??= start(options).catch((error: unknown) => {
    starting = null;
    throw error;
  });
  const info = await starting;
  checkSameOptions(info, options);
  if (info.device !== "tensorflow" && tf.getBackend() !== BACKEND_NAME) await tf.setBackend(BACKEND_NAME);
  return info;
}

function checkSameOptions(info: EngineInfo, { device, threads }: EngineOptions): void {
  const otherDevice = device !== undefined && device !== "auto" && device !== info.device;
  const otherThreads = threads !== undefined && threads !== info.threads;
  if (!otherDevice && !otherThreads) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `the engine already runs on ${info.device} with ${info.threads} threads; asked for ${device ?? info.device} with ${threads ?? info.threads}`,
    { hint: "Choose device and threads at the first startEngine() of the process." },
  );
}

async function start({ device = "cpu", threads = availableParallelism() }: EngineOptions): Promise<EngineInfo> {
  const former = engineInfo();
  if (former !== null) return former;
  if (device === "tensorflow") {
    const info = await startTensorflow(threads);
    setEngine({ info, runner: null });
    return info;
  }
  const { runner, info } = createDeviceRunner(device, threads, lowerings);
  registerKernels();
  tf.registerBackend(BACKEND_NAME, () => new OnnxBackend(runner), 10);
  await tf.setBackend(BACKEND_NAME);
  setEngine({ info, runner });
  return info;
}
