/** What passes between the engine and those who use it. */

/** Where networks run. `auto` takes the fastest that really creates a session. */
export type Device = "cpu" | "webgpu" | "cuda" | "coreml" | "dml" | "tensorflow" | "auto";

/** Number types of tensors. */
export type TensorType = "float32" | "int32" | "bool";

/** Values of a tensor outside the engine. */
export type TensorData = Float32Array | Int32Array | Uint8Array;

/** A tensor outside the engine, row-major. */
export interface HostTensor {
  readonly data: TensorData;
  readonly shape: readonly number[];
  readonly dtype: TensorType;
}

/** Shape and type of an input of a compiled function. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: TensorType;
}
