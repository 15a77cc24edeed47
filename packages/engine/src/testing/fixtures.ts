/** How results are compared with fixtures. */

import { expect } from "vitest";
import * as tf from "@tensorflow/tfjs";
import { type Case, unpack } from "./packed.ts";

export { type Case, type Packed, readFixture, unpack } from "./packed.ts";

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
