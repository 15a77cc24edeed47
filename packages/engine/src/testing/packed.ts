/** Fixtures written by the scripts in tests/oracles/. */

import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";

/** Values of a fixture: written out, or float32 and int32 in base64. */
export interface Packed {
  readonly shape: number[];
  readonly dtype: "float32" | "int32";
  readonly data: number[];
}

interface Encoded extends Omit<Packed, "data"> {
  readonly base64: string;
}

/** One operation with its result and gradients by PyTorch in float64. */
export interface Case {
  readonly name: string;
  readonly op: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, Packed>>;
  readonly output: Packed;
  readonly dy: Packed;
  readonly gradients: Readonly<Record<string, Packed>>;
}

/** Reads a fixture file beside the tests. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), "utf8"), decoded) as T;
}

/** Values of an encoded fixture; for JSON.parse. */
export function decoded(_key: string, value: Encoded | null): unknown {
  if (typeof value?.base64 !== "string") return value;
  const { buffer } = Uint8Array.from(Buffer.from(value.base64, "base64"));
  const data = [...(value.dtype === "int32" ? new Int32Array(buffer) : new Float32Array(buffer))];
  return { shape: value.shape, dtype: value.dtype, data };
}

/** A tensor of a fixture's values. */
export function unpack(packed: Packed): tf.Tensor {
  return tf.tensor(packed.data, packed.shape, packed.dtype);
}
