/**
 * Our side of the figures of convolutions in groups: a chain of four such layers, forward, and forward with the gradients for the input and
 * all filters. Prints one JSON line.
 */

import { performance } from "node:perf_hooks";

import { type CompiledFunction, compile, conv2d, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { median } from "./bench.ts";

/** One kind of layer; with more channels out than in, the first of them go on to the next layer. */
export interface GroupedCase {
  readonly name: string;
  readonly batch: number;
  readonly size: number;
  readonly channels: number;
  readonly out: number;
  readonly groups: number;
  readonly kernel: number;
}

/** What the program is told, as JSON. */
export interface GroupedSettings {
  readonly cases: readonly GroupedCase[];
  readonly layers: number;
  readonly steps: number;
  readonly threads: number;
}

/** Milliseconds by the case's name. */
export type GroupedFigures = Readonly<Record<string, { readonly forward: number; readonly step: number }>>;

async function timed(run: CompiledFunction, inputs: Readonly<Record<string, Float32Array>>, steps: number): Promise<number> {
  const times: number[] = [];
  for (let step = 0; step < steps + 2; step++) {
    const start = performance.now();
    await run.run(inputs);
    if (step >= 2) times.push(performance.now() - start);
  }
  await run.dispose();
  return median(times);
}

/** One number of a tensor: the whole need not be copied out. */
const corner = (x: tf.Tensor): tf.Tensor => tf.slice(x, [0, 0, 0, 0], [1, 1, 1, 1]);

async function measure({ batch, size, channels, out, groups, kernel }: GroupedCase, { layers, steps }: GroupedSettings) {
  const image = { shape: [batch, size, size, channels], dtype: "float32" } as const;
  const filter = { shape: [kernel, kernel, channels / groups, out], dtype: "float32" } as const;
  const filters = Object.fromEntries(Array.from({ length: layers }, (_, i) => [`w${i}`, filter]));
  const chain = (x: tf.Tensor, ...weights: tf.Tensor[]): tf.Tensor =>
    weights.reduce((y, weight) => {
      const next = conv2d(y as tf.Tensor4D, weight as tf.Tensor4D, { pad: "same", groups });
      return out > channels ? tf.slice(next, [0, 0, 0, 0], [...image.shape]) : next;
    }, x);
  const forward = compile(({ x, ...weights }) => ({ y: corner(chain(x!, ...Object.values(weights))) }), {
    inputs: { x: image, ...filters },
  });
  const step = compile(
    ({ x, dy, ...weights }) => {
      const gradients = tf.grads(chain)([x!, ...Object.values(weights)], dy!);
      return Object.fromEntries(gradients.map((gradient, i) => [`g${i}`, corner(gradient)]));
    },
    { inputs: { x: image, dy: image, ...filters } },
  );
  const numbers = (shape: readonly number[]): Float32Array =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 12.9898) * 0.3);
  const weights = Object.fromEntries(Object.keys(filters).map((name) => [name, numbers(filter.shape)]));
  const x = numbers(image.shape);
  return { forward: await timed(forward, { x, ...weights }, steps), step: await timed(step, { x, dy: x, ...weights }, steps) };
}

const settings = JSON.parse(process.argv[2]!) as GroupedSettings;
await startEngine({ device: "cpu", threads: settings.threads });
const figures: Record<string, { forward: number; step: number }> = {};
for (const each of settings.cases) figures[each.name] = await measure(each, settings);
console.log(JSON.stringify(figures));
