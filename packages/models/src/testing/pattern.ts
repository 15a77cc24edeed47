/** The numbers tests/oracles/models.py fills weights and images with, and helpers to compare results. Used by tests only. */

import type { HostTensor } from "@geolearn/engine";

import type { ParameterSpec } from "../network/parameter-spec.ts";
import { sizeOf } from "../network/parameter-spec.ts";

/** Numbers in [-1, 1) that depend on name and position alone. */
export function pattern(name: string, count: number): Float64Array {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i + 1, 2654435761) + hash) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    values[i] = ((x ^ (x >>> 16)) >>> 0) / 2147483648 - 1;
  }
  return values;
}

/** Weights of the oracle's networks, in the order of weight files. */
export function patternWeights(parameters: readonly ParameterSpec[]): Map<string, HostTensor> {
  const weights = new Map<string, HostTensor>();
  for (const spec of parameters) {
    const values = pattern(spec.name, sizeOf(spec.shape));
    const { centre, spread } = rangeOf(spec);
    for (let i = 0; i < values.length; i++) values[i] = centre + spread * values[i]!;
    weights.set(spec.name, { data: new Float32Array(values), shape: spec.shape, dtype: "float32" });
  }
  return weights;
}

/** Residual branches begin small, so that activations do not double at each of them. */
function rangeOf({ name, role, fanIn }: ParameterSpec): { centre: number; spread: number } {
  switch (role) {
    case "kernel":
      return { centre: 0, spread: Math.sqrt(6 / fanIn) };
    case "scale":
      return name.endsWith("bn2.weight") ? { centre: 0.3, spread: 0.1 } : { centre: 1, spread: 0.2 };
    case "shift":
      return { centre: 0, spread: 0.2 };
    case "runningVariance":
      return { centre: 1, spread: 0.3 };
    default:
      return { centre: 0, spread: 0.1 };
  }
}

/** Pixels around 100, `[N, H, W, bands]`. */
export function patternImage(count: number): Float32Array {
  return Float32Array.from(pattern("image", count), (v) => 100 + 50 * v);
}

/** Targets from -1 to classes - 1. */
export function patternTargets(count: number, classes: number): Int32Array {
  return Int32Array.from(pattern("targets", count), (v) => Math.floor(((v + 1) / 2) * (classes + 1)) - 1);
}

/** Float32 numbers of a fixture. */
export function unpack(text: string): Float32Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  return new Float32Array(bytes.buffer);
}

/** Greatest absolute difference. */
export function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= greatest)) greatest = difference;
  }
  return greatest;
}

/** Greatest absolute difference over the greatest value of `b`. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < b.length; i++) scale = Math.max(scale, Math.abs(b[i]!));
  return greatestDifference(a, b) / (scale === 0 ? 1 : scale);
}

/** True when both hold the same names and bits; much faster than a deep comparison of millions of numbers. */
export function sameWeights(a: ReadonlyMap<string, HostTensor>, b: ReadonlyMap<string, HostTensor>): boolean {
  if (a.size !== b.size) return false;
  const bytes = ({ data }: HostTensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...a].every(([name, tensor]) => b.has(name) && Buffer.compare(bytes(tensor), bytes(b.get(name)!)) === 0);
}
