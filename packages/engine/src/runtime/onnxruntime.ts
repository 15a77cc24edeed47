/**
 * ONNX Runtime underneath. The package's public session only defers a synchronous native call; the native one is used here
 * directly, so that values can also be read synchronously. It lies in a private file, hence the pinned version and its test.
 */

import { createRequire } from "node:module";
import { GeoLearnError } from "@geolearn/core";
import type { TensorData } from "../types.ts";
import type { OnnxRuntime, RuntimeTensor, SessionOptions } from "./runtime.ts";

/** The version of onnxruntime-node whose private binding is used. */
export const ONNXRUNTIME_VERSION = "1.30.0";

/** The native session, synchronous. */
interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: SessionOptions): void;
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, null>>,
    options: Record<string, unknown>,
  ): Record<string, RuntimeTensor>;
  endProfiling(): void;
  dispose(): void;
}

interface Binding {
  readonly binding: { readonly InferenceSession: new () => NativeSession };
  readonly initOrt: () => void;
}

let loaded: Omit<OnnxRuntime, "threads"> | null = null;

/** Loads ONNX Runtime once. @throws ENGINE_FAILED when its binary is missing, with the install switch. */
export function loadOnnxRuntime(threads: number): OnnxRuntime {
  loaded ??= load();
  return { ...loaded, threads };
}

function load(): Omit<OnnxRuntime, "threads"> {
  const require = createRequire(import.meta.url);
  try {
    const entry = require("onnxruntime-node") as {
      Tensor: new (dtype: string, data: TensorData, dims: readonly number[]) => RuntimeTensor;
      listSupportedBackends: () => { name: string }[];
      env: { versions: Record<string, string>; logLevel?: string };
    };
    // Failures arrive as exceptions; printed as well they would fill the terminal of whoever tries devices.
    entry.env.logLevel = "fatal";
    const { binding, initOrt } = require("onnxruntime-node/dist/binding.js") as Binding;
    initOrt();
    return {
      version: entry.env.versions["node"] ?? entry.env.versions["common"] ?? ONNXRUNTIME_VERSION,
      providers: entry.listSupportedBackends().map((backend) => backend.name),
      synchronous: true,
      createSession(model, options) {
        const session = new binding.InferenceSession();
        // The runtime takes no shared memory; it keeps the weights itself, so a copy is soon free again.
        const { buffer, byteOffset, byteLength } = model.buffer instanceof SharedArrayBuffer ? model.slice() : model;
        session.loadModel(buffer, byteOffset, byteLength, options);
        return {
          run: (feeds, results) => session.run(feeds, Object.fromEntries(results.map((name) => [name, null])), {}),
          endProfiling: () => session.endProfiling(),
          dispose: () => session.dispose(),
        };
      },
      createTensor: (dtype, data, shape) => new entry.Tensor(dtype, data, shape),
    };
  } catch (cause) {
    throw new GeoLearnError(
      "ENGINE_FAILED",
      `ONNX Runtime could not be loaded on ${process.platform}-${process.arch}, Node ${process.version}: ${String(cause)}`,
      {
        hint: "Install again with `npm install --ignore-scripts` (its script only fetches CUDA libraries and fails offline; or set ONNXRUNTIME_NODE_INSTALL=skip). The CPU library is inside the package.",
        cause,
      },
    );
  }
}
