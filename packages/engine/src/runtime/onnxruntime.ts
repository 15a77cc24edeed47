/**
 * ONNX Runtime underneath. The package's public session only defers a synchronous native call; the native one is used here
 * directly, so that values can also be read synchronously. It lies in a private file, hence the pinned version and its test.
 */

import { createRequire } from "node:module";
import { GeoLearnError } from "@geolearn/core";
import type { TensorData, TensorType } from "../types.ts";

/** The version of onnxruntime-node whose private binding is used. */
export const ONNXRUNTIME_VERSION = "1.30.0";

/** A provider by name, with the nodes it is to leave to the CPU. */
export type ExecutionProvider = string | { readonly name: string; readonly forceCpuNodeNames?: readonly string[] };

/** What the native session takes; a subset of the options of onnxruntime-node plus the free-form `extra`. */
export interface NativeSessionOptions {
  readonly executionProviders: readonly ExecutionProvider[];
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: number;
  readonly graphOptimizationLevel: "all" | "disabled" | "basic" | "extended";
  readonly executionMode: "sequential";
  readonly enableCpuMemArena: boolean;
  readonly enableMemPattern: boolean;
  readonly logSeverityLevel: number;
  readonly enableProfiling?: boolean;
  readonly profileFilePrefix?: string;
  readonly optimizedModelFilePath?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A tensor of ONNX Runtime. */
export interface RuntimeTensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** The native session, synchronous. */
export interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: NativeSessionOptions): void;
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

/** The loaded library. */
export interface OnnxRuntime {
  readonly version: string;
  /** Execution providers inside the binary, e.g. `cpu`, `webgpu`. */
  readonly providers: readonly string[];
  createSession(model: Uint8Array, options: NativeSessionOptions): NativeSession;
  createTensor(dtype: TensorType, data: TensorData, shape: readonly number[]): RuntimeTensor;
}

let loaded: OnnxRuntime | null = null;

/** Loads ONNX Runtime once. @throws ENGINE_FAILED when its binary is missing, with the install switch. */
export function loadOnnxRuntime(): OnnxRuntime {
  loaded ??= load();
  return loaded;
}

function load(): OnnxRuntime {
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
      createSession(model, options) {
        const session = new binding.InferenceSession();
        session.loadModel(model.buffer, model.byteOffset, model.byteLength, options);
        return session;
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
