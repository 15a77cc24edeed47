/** First values of a network's parameters, from a seed. */

import { createRng, type Rng } from "@geolearn/core";

import { type FirstValues, type ParameterSpec, sizeOf } from "./parameter-spec.ts";

/**
 * How kernels begin. `"torch"`: uniform within 1/sqrt(fan-in), kernels and biases, what PyTorch's convolutions do by
 * default, so that a network here and its twin there start from the same distribution. `"heNormal"`: normal with
 * standard deviation sqrt(2 / fan-in), biases 0 (He et al. 2015, https://arxiv.org/abs/1502.01852).
 */
export type Initializer = "torch" | "heNormal";

/**
 * First values of one parameter, in the order of weight files. Each parameter has its own stream, made of the seed and
 * its name: a layer begins the same whatever else the network contains.
 */
export function initialValues(spec: ParameterSpec, initializer: Initializer, seed: number): Float32Array {
  const values = new Float32Array(sizeOf(spec.shape));
  if (spec.first !== undefined) return fillFirst(values, spec.first, streamOf(spec, seed));
  switch (spec.role) {
    case "scale":
    case "runningVariance":
      return values.fill(1);
    case "shift":
    case "runningMean":
      return values;
    case "bias":
      return initializer === "torch" ? fillUniform(values, 1 / Math.sqrt(spec.fanIn), streamOf(spec, seed)) : values;
    default:
      return initializer === "torch"
        ? fillUniform(values, 1 / Math.sqrt(spec.fanIn), streamOf(spec, seed))
        : fillNormal(values, Math.sqrt(2 / spec.fanIn), streamOf(spec, seed));
  }
}

function fillFirst(values: Float32Array, first: FirstValues, rng: Rng): Float32Array {
  switch (first.kind) {
    case "constant":
      return values.fill(first.value);
    case "uniform":
      return fillUniform(values, first.bound, rng);
    case "normal":
      return fillNormal(values, first.deviation, rng);
  }
}

function streamOf(spec: ParameterSpec, seed: number): Rng {
  return createRng([seed, hashName(spec.name)]);
}

function fillUniform(values: Float32Array, bound: number, rng: Rng): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = (2 * rng.next() - 1) * bound;
  return values;
}

function fillNormal(values: Float32Array, deviation: number, rng: Rng): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = rng.normal() * deviation;
  return values;
}

/** FNV-1a over UTF-16 units. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
