/** What tests/oracles/classifiers.py fills torchvision's classifiers with. Used by tests only. */

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

import type { HostTensor } from "@geolearn/engine";

import { sizeOf } from "../network/parameter-spec.ts";
import { pattern } from "./pattern.ts";

const { cases } = JSON.parse(readFileSync(new URL("../backbones/fixtures/encoders.json", import.meta.url), "utf8")) as {
  cases: readonly { readonly name: string; readonly keys: string }[];
};

/** The state dict of a classifier of torchvision's, by its name there, for other bands and classes. */
export function classifierState(
  name: string,
  { bands, classes }: { readonly bands: number; readonly classes: number },
): Map<string, HostTensor> {
  const { keys } = cases.find((one) => one.name === `torchvision ${name}`)!;
  const shapes = inflateSync(Buffer.from(keys, "base64"))
    .toString()
    .split("\n")
    .map((line) => [line.split(" ")[0]!, line.split(" ").slice(1).filter(Boolean).map(Number)] as const);
  const names = new Set(shapes.map(([key]) => key));
  const state = new Map<string, HostTensor>();
  for (const [position, [key, sides]] of shapes.entries()) {
    const last = position >= shapes.length - 2;
    const shape = position === 0 ? [sides[0]!, bands, sides[2]!, sides[3]!] : last ? [classes, ...sides.slice(1)] : sides;
    const { centre, spread } = rangeOf(key, shape, names.has(key.replace(/weight$/, "running_var")));
    state.set(key, { data: Float32Array.from(pattern(key, sizeOf(shape)), (p) => centre + spread * p), shape, dtype: "float32" });
  }
  return state;
}

function rangeOf(name: string, shape: readonly number[], norm: boolean): { centre: number; spread: number } {
  if (shape.length === 4) return { centre: 0, spread: Math.sqrt(6 / sizeOf(shape.slice(1))) };
  if (shape.length === 2) return { centre: 0, spread: 0.01 };
  if (name.endsWith("running_mean")) return { centre: 0, spread: 0.1 };
  if (name.endsWith("running_var")) return { centre: 1, spread: 0.3 };
  return norm && name.endsWith("weight") ? { centre: 0.7, spread: 0.1 } : { centre: 0, spread: 0.2 };
}

/** Pixels of -1 to 1. */
export function pixels(count: number): Float32Array {
  return Float32Array.from(pattern("image", count), (p) => Math.fround(100 + 50 * p) / 50 - 2);
}
