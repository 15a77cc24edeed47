/** What the engine needs of ONNX Runtime, natively and in a browser. */

import type { TensorData, TensorType } from "../types.ts";
import type { Eventually } from "./eventually.ts";

/** A provider by name, with the nodes it is to leave to the CPU. */
export type ExecutionProvider = string | { readonly name: string; readonly forceCpuNodeNames?: readonly string[] };

/** How a session is made: what ONNX Runtime's JavaScript packages have in common. */
export interface SessionOptions {
  readonly executionProviders: readonly ExecutionProvider[];
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: number;
  readonly graphOptimizationLevel: "all" | "disabled" | "basic" | "extended";
  readonly executionMode: "sequential";
  readonly enableCpuMemArena: boolean;
  readonly enableMemPattern: boolean;
  readonly logSeverityLevel: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A tensor of ONNX Runtime. */
export interface RuntimeTensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

/** A graph that was loaded. */
export interface RuntimeSession {
  /** Gives the named results, each in memory of its own. */
  run(feeds: Readonly<Record<string, RuntimeTensor>>, results: readonly string[]): Eventually<Readonly<Record<string, RuntimeTensor>>>;
  /** Writes the profile, if the session was made to collect one. */
  endProfiling(): void;
  dispose(): Eventually<void>;
}

/** The loaded library. */
export interface OnnxRuntime {
  readonly version: string;
  /** Threads of one operation on the CPU. */
  readonly threads: number;
  /** Execution providers inside the binary, e.g. `cpu`, `webgpu`. */
  readonly providers: readonly string[];
  /** Whether sessions answer at once; only then can values be read by `dataSync()`. */
  readonly synchronous: boolean;
  createSession(model: Uint8Array, options: SessionOptions): Eventually<RuntimeSession>;
  createTensor(dtype: TensorType, data: TensorData, shape: readonly number[]): RuntimeTensor;
}
