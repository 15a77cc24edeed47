/** The engine in a browser, or in a web worker: onnxruntime-web, an optional peer. */

import { GeoLearnError } from "@geolearn/core";
import type { TensorData } from "../types.ts";
import { type OnnxDevice, unavailable } from "./devices.ts";
import type { Platform, RuntimeRequest } from "./platform.ts";
import type { OnnxRuntime, RuntimeTensor, SessionOptions } from "./runtime.ts";

/** What is used of onnxruntime-web. */
interface WebRuntime {
  readonly Tensor: new (dtype: string, data: TensorData, dims: readonly number[]) => RuntimeTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<WebSession> };
  readonly env: {
    readonly versions: Readonly<Record<string, string>>;
    logLevel?: string;
    readonly wasm: { numThreads?: number; wasmPaths?: string };
  };
}

interface WebSession {
  run(feeds: Readonly<Record<string, RuntimeTensor>>, results: readonly string[]): Promise<Readonly<Record<string, RuntimeTensor>>>;
  endProfiling(): void;
  release(): Promise<void>;
}

interface BrowserGlobals {
  /** True when the page's headers allow shared memory, which threads need. */
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<unknown> };
  };
}

const globals = globalThis as BrowserGlobals;

/** Threads pay up to here; more mostly wait for each other. */
const MOST_THREADS = 8;

/** In onnxruntime-web the CPU's provider is called after WebAssembly. */
const PROVIDERS: Readonly<Partial<Record<OnnxDevice, string>>> = { cpu: "wasm" };

/** Why there is no WebGPU, or null; asked before its library, twice as large as the CPU's, is loaded. */
async function withoutGpu(): Promise<string | null> {
  const gpu = globals.navigator?.gpu;
  if (gpu === undefined) return "this browser has no WebGPU, or the page is not served over https or from localhost";
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter === null ? "the browser found no graphics adapter for WebGPU" : null;
}

const load = (device: OnnxDevice): Promise<unknown> =>
  device === "webgpu" ? import("onnxruntime-web/webgpu") : import("onnxruntime-web/wasm");

/** Loads onnxruntime-web. Its `.mjs` and `.wasm` files must be served from one folder. */
async function loadRuntime(device: OnnxDevice, { threads, assets }: RuntimeRequest): Promise<OnnxRuntime | string> {
  const missing = device === "webgpu" ? await withoutGpu() : null;
  if (missing !== null) return missing;
  let ort: WebRuntime;
  try {
    ort = (await load(device)) as WebRuntime;
  } catch (cause) {
    throw new GeoLearnError("ENGINE_FAILED", `onnxruntime-web could not be loaded: ${String(cause)}`, {
      hint: "Install the optional peer `onnxruntime-web` 1.30.0 beside @geolearn/engine and bundle it.",
      cause,
    });
  }
  const allowed = globals.crossOriginIsolated === true ? threads : 1;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = allowed;
  // A folder rather than the code inside the bundle: threads are started from it, and must not run the page's own bundle.
  ort.env.wasm.wasmPaths = new URL(assets ?? ".", import.meta.url).href;
  return {
    version: ort.env.versions["web"] ?? ort.env.versions["common"] ?? "unknown",
    threads: allowed,
    providers: device === "webgpu" ? ["cpu", "webgpu"] : ["cpu"],
    synchronous: false,
    async createSession(model, options) {
      const session = await ort.InferenceSession.create(model, webOptions(options));
      return {
        run: (feeds, results) => session.run(feeds, results),
        endProfiling: () => session.endProfiling(),
        dispose: () => session.release(),
      };
    },
    createTensor: (dtype, data, shape) => new ort.Tensor(dtype, data, shape),
  };
}

const webOptions = (options: SessionOptions): object => ({
  ...options,
  executionProviders: options.executionProviders.map((provider) =>
    typeof provider === "string" ? (PROVIDERS[provider as OnnxDevice] ?? provider) : provider,
  ),
});

/** A browser with onnxruntime-web. */
export const browser: Platform = {
  threads: Math.max(1, Math.min(MOST_THREADS, globals.navigator?.hardwareConcurrency ?? 1)),
  fastestFirst: ["webgpu", "cpu"],
  hints: {
    cpu: "Serve the `.mjs` and `.wasm` files of onnxruntime-web/dist and give their folder as `assets`.",
    webgpu: "WebGPU needs a browser and a graphics driver that support it, and a page served over https or from localhost.",
    cuda: "A browser has no CUDA; its GPU is reached through webgpu.",
    coreml: "A browser has no CoreML; its GPU is reached through webgpu.",
    dml: "A browser has no DirectML; its GPU is reached through webgpu.",
    tensorflow: "tfjs-node runs in Node only.",
  },
  // A bundler takes one copy of tfjs; which files it came from cannot be seen here.
  checkTfjs: () => undefined,
  loadRuntime,
  startTensorflow: () =>
    Promise.reject(unavailable(browser, "tensorflow", [{ device: "tensorflow", reason: "a browser cannot load native libraries" }])),
};
