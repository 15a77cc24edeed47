/** Starting the engine: one ONNX Runtime, one device. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { type EngineInfo, engineInfo, setEngine } from "./engine-state.ts";
import { BACKEND_NAME, OnnxBackend } from "./graph/backend.ts";
import { registerKernels } from "./kernels/register.ts";
import { lowerings } from "./lower/table.ts";
import { prepareRandomState } from "./random-state.ts";
import { createDeviceRunner } from "./runtime/devices.ts";
import type { Platform } from "./runtime/platform.ts";
import type { Device } from "./types.ts";

/** How the engine is to run. */
export interface EngineOptions {
  /** Default `"cpu"`. `"auto"` takes the fastest that really creates a session. */
  readonly device?: Device;
  /** Threads of one operation on the CPU; default the cores this process may use. */
  readonly threads?: number;
  /** In a browser, the address of the folder that holds the `.wasm` files of onnxruntime-web; default where the script lies. */
  readonly assets?: string;
}

let starting: Promise<EngineInfo> | null = null;

/** Starts the engine on a platform, or gives the running one. */
export async function startOn(platform: Platform, options: EngineOptions): Promise<EngineInfo> {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `threads is ${threads}; expected a whole number of at least 1`);
  }
  platform.checkTfjs();
  starting ??= start(platform, options).catch((error: unknown) => {
    starting = null;
    throw error;
  });
  const info = await starting;
  checkSameOptions(info, options);
  if (info.device !== "tensorflow") {
    if (tf.getBackend() !== BACKEND_NAME) await tf.setBackend(BACKEND_NAME);
    prepareRandomState();
  }
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

async function start(platform: Platform, { device = "cpu", threads = platform.threads, assets }: EngineOptions): Promise<EngineInfo> {
  const former = engineInfo();
  if (former !== null) return former;
  if (device === "tensorflow") {
    const info = await platform.startTensorflow(threads);
    setEngine({ info, runner: null, checkTfjs: platform.checkTfjs });
    return info;
  }
  const { runner, info } = await createDeviceRunner(platform, device, { threads, assets }, lowerings);
  registerKernels();
  tf.registerBackend(BACKEND_NAME, () => new OnnxBackend(runner), 10);
  await tf.setBackend(BACKEND_NAME);
  setEngine({ info, runner, checkTfjs: platform.checkTfjs });
  return info;
}
