/** Fixtures written by tests/oracles/engine_ops.py, and how results are compared with them. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
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

function decoded(_key: string, value: Encoded | null): unknown {
  if (typeof value?.base64 !== "string") return value;
  const { buffer } = Uint8Array.from(Buffer.from(value.base64, "base64"));
  const data = [...(value.dtype === "int32" ? new Int32Array(buffer) : new Float32Array(buffer))];
  return { shape: value.shape, dtype: value.dtype, data };
}

/** A tensor of a fixture's values. */
export function unpack(packed: Packed): tf.Tensor {
  return tf.tensor(packed.data, packed.shape, packed.dtype);
}

/** Greatest difference, relative to the greatest expected value (or 1, if that is smaller). */
export function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let scale = 1;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    const difference = Math.abs(actual[i]! - expected[i]!);
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference);
  }
  return worst / scale;
}

/** Compares an operation and its gradients with the case. `tolerance` is relative to the greatest value. */
export async function expectCase(row: Case, compute: (inputs: Record<string, tf.Tensor>) => tf.Tensor, tolerance = 3e-6): Promise<void> {
  const inputs = Object.fromEntries(Object.entries(row.inputs).map(([name, packed]) => [name, unpack(packed)]));
  const names = Object.keys(row.gradients);
  const output = compute(inputs);
  expect(output.shape).toEqual(row.output.shape);
  expect(worstError(await output.data(), row.output.data), "output").toBeLessThan(tolerance);
  const gradients = tf.grads((...given: tf.Tensor[]) =>
    compute({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, given[i]!])) }),
  )(
    names.map((name) => inputs[name]!),
    unpack(row.dy),
  );
  for (const [i, name] of names.entries()) {
    expect(gradients[i]!.shape, name).toEqual(row.gradients[name]!.shape);
    expect(worstError(await gradients[i]!.data(), row.gradients[name]!.data), `gradient of ${name}`).toBeLessThan(tolerance);
  }
}
