/**
 * Layers that draw at random: dropout in its forms, noise, dropout within recurrent cells. On the engine they draw in the graph, from the state
 * that `seedRandom` sets, so they can be recorded and cost no loop in JavaScript.
 */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME } from "../graph/backend.ts";
import { randomUniform } from "../ops/random.ts";
import { nextSeed } from "../random-state.ts";
import { type Method, prototypeWith, wrap } from "./wrap.ts";

const onEngine = (): boolean => tf.getBackend() === BACKEND_NAME;

const firstOf = (inputs: unknown): tf.Tensor => (Array.isArray(inputs) ? (inputs as tf.Tensor[])[0]! : (inputs as tf.Tensor));

function uniform(shape: readonly number[], id = 0): tf.Tensor {
  return tf.tidy(() => randomUniform(shape, nextSeed(), id));
}

/** Box and Muller's method. The logarithm's argument is in (0, 1]. */
function normal(shape: readonly number[], mean: number, deviation: number): tf.Tensor {
  return tf.tidy(() => {
    const seed = nextSeed();
    const radius = tf.sqrt(tf.mul(-2, tf.log(tf.sub(1, randomUniform(shape, seed, 0)))));
    const wave = tf.cos(tf.mul(2 * Math.PI, randomUniform(shape, seed, 1)));
    return tf.add(tf.mul(tf.mul(radius, wave), deviation), mean);
  });
}

/** 1 with probability 1 - rate, else 0. */
const kept = (shape: readonly number[], rate: number): tf.Tensor => tf.cast(tf.greaterEqual(uniform(shape), rate), "float32");

/** Zeros a share of the elements and scales the others. */
const dropped = (x: tf.Tensor, rate: number, shape: readonly number[] = x.shape): tf.Tensor =>
  tf.tidy(() => tf.mul(x, tf.mul(kept(shape, rate), 1 / (1 - rate))));

interface DropoutLayer {
  readonly rate: number;
  invokeCallHook(inputs: unknown, options: unknown): void;
  getNoiseShape?(x: tf.Tensor): number[] | null | undefined;
}

/** Wraps `call` of a layer's class: in training, and with a rate in (0, 1), `noisy` takes its place. */
function adapt(layer: object, noisy: (layer: DropoutLayer & Record<string, unknown>, x: tf.Tensor) => tf.Tensor): void {
  const prototype = prototypeWith(layer, "call");
  if (prototype === null) return;
  wrap(prototype, "call", (call) => function (this: DropoutLayer & Record<string, unknown>, ...given) {
    const [inputs, options] = given as [unknown, { training?: boolean } | undefined];
    const active = options?.training === true && (this.rate === undefined || (this.rate > 0 && this.rate < 1));
    if (!active || !onEngine()) return call.apply(this, given);
    return tf.tidy(() => {
      this.invokeCallHook(inputs, options);
      return noisy(this, firstOf(inputs));
    });
  }); // prettier-ignore
}

/** With a rate of recurrent dropout the cells ask `dropoutFunc`, if there is one. */
function adaptCell(cell: object): void {
  const prototype = prototypeWith(cell, "call");
  if (prototype === null) return;
  wrap(prototype, "call", (call: Method) => function (this: { dropoutFunc?: unknown }, ...given) {
    if (this.dropoutFunc === undefined && onEngine()) this.dropoutFunc = (ones: tf.Tensor, rate: number) => dropped(ones, rate);
    return call.apply(this, given);
  }); // prettier-ignore
}

/** Wraps the layers' classes. */
export function adaptRandomLayers(): void {
  const rate = 0.5;
  adapt(tf.layers.dropout({ rate }), (layer, x) => dropped(x, layer.rate, layer.getNoiseShape?.(x) ?? x.shape));
  adapt(tf.layers.gaussianNoise({ stddev: 1 }), (layer, x) => tf.add(x, normal(x.shape, 0, layer["stddev"] as number)));
  adapt(tf.layers.gaussianDropout({ rate }), (layer, x) => tf.mul(x, normal(x.shape, 1, Math.sqrt(layer.rate / (1 - layer.rate)))));
  // Klambauer et al. 2017, "Self-Normalizing Neural Networks": dropped elements take the lowest value of SELU.
  adapt(tf.layers.alphaDropout({ rate }), (layer, x) => {
    const lowest = -1.6732632423543772 * 1.0507009873554805;
    const scale = ((1 - layer.rate) * (1 + layer.rate * lowest ** 2)) ** -0.5;
    const mask = kept((layer["noiseShape"] as number[] | undefined) ?? x.shape, layer.rate);
    const held = tf.add(tf.mul(x, mask), tf.mul(tf.sub(1, mask), lowest));
    return tf.add(tf.mul(held, scale), -scale * lowest * layer.rate);
  });
  for (const make of [tf.layers.simpleRNNCell, tf.layers.gruCell, tf.layers.lstmCell]) adaptCell(make({ units: 1 }));
}
