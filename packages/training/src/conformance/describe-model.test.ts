/** The suite passes for sound networks, and each of its checks fails for a network that breaks just that promise. */

import { GeoLearnError } from "@geolearn/core";
import { batchNorm, conv2d } from "@geolearn/engine";
import { type AnyModelExtension, type BuildOptions, defineModel, type ExtensionNetwork } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, it, test } from "vitest";

import { checks } from "./checks.ts";
import { describeModel, type DescribeModelOptions } from "./describe-model.ts";

/** A sound network; `change` breaks it. */
function build(options: BuildOptions): ExtensionNetwork {
  const { bands, classes, seed, normalize } = options;
  const draw = (shape: number[], step: number): tf.Variable =>
    tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 0.3, "float32", 10 * seed + step)));
  const vector = (value: number, trainable = true): tf.Variable =>
    tf.tidy(() => tf.variable(value === 1 ? tf.ones([8]) : tf.zeros([8]), trainable));
  const [first, head] = [draw([3, 3, bands, 8], 1), draw([1, 1, 8, classes], 2)];
  const [scale, offset, mean, variance] = [vector(1), vector(0), vector(0, false), vector(1, false)];
  return {
    variables: { first, scale, offset, mean, variance, head },
    forward(images, { training }) {
      const convolved = conv2d(normalize(images), first as unknown as tf.Tensor4D, { pad: 1 });
      const normed = batchNorm(convolved, { scale, offset, mean, variance, training, activation: "relu" });
      return conv2d(normed, head as unknown as tf.Tensor4D, { pad: 0 });
    },
  };
}

let count = 0;
type Change = (own: ExtensionNetwork, options: BuildOptions) => Partial<Record<keyof ExtensionNetwork, unknown>>;

function changed(change: Change, more: Partial<AnyModelExtension> = {}): AnyModelExtension {
  return {
    modelType: `conformance-${++count}`,
    task: "pixelClassification",
    build: (options: BuildOptions) => {
      const own = build(options);
      return { ...own, ...change(own, options) } as ExtensionNetwork;
    },
    ...more,
  } as AnyModelExtension;
}

/** The tests the suite writes, by name. */
function written(model: AnyModelExtension | string, options: DescribeModelOptions = {}): Map<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  describeModel(model, { describe: (_, body) => body(), it: (name, body) => tests.set(name, body), ...options });
  return tests;
}

describeModel(
  changed(() => ({})),
  { describe, it },
);
describeModel("unet", { describe, it, config: { base: 4, depth: 2 } });
describeModel("deeplab", { describe, it, config: { backbone: "mobilenetv3-small", decoderWidth: 16 } });
// Scores at an 8th of the image cannot follow the suite's classes, which lie in cells of 5 x 7 pixels; that a PSPNet learns is shown in its own room.
const allButLearning: typeof it = Object.assign((...given: Parameters<typeof it>) => {
  if (!String(given[0]).startsWith("learns")) it(...given);
}, it);
describeModel("pspnet", { describe, it: allButLearning, config: { backbone: "mobilenetv3-small", decoderWidth: 16 } });
describeModel("unet", {
  describe,
  it,
  config: { base: 4, depth: 1, norm: "group", margin: 4, skips: "add" },
  shapes: [{ bands: 4, classes: 3 }],
});

const variable = (values: number[], trainable = true): tf.Variable => tf.tidy(() => tf.variable(tf.tensor1d(values), trainable));
const logits = (own: ExtensionNetwork, x: tf.Tensor4D, training = false): tf.Tensor4D => own.forward(x, { training }) as tf.Tensor4D;
const named = (own: ExtensionNetwork): Record<string, tf.Variable> => own.variables as Record<string, tf.Variable>;

/** The same values, with the gradient turned around. */
const uphill = tf.customGrad((x) => ({ value: tf.add(x as tf.Tensor, 0), gradFunc: (dy: tf.Tensor) => tf.neg(dy) }));

let builds = 0;
let calls = 0;

const broken: readonly [check: string, what: string, model: AnyModelExtension, message: RegExp][] = [
  ["is built for any number", "three bands and no others", changed((own) => ({ forward: (x: tf.Tensor4D, how: { training: boolean }) => own.forward(x.shape[3] === 3 ? x : tf.reshape(x, [-1, 8, 8, 3]), how) })), /for 1 bands and 3 classes does not run/],
  ["names its parameters alike", "a counter in a name", changed((own) => ({ variables: { ...named(own), [`head_${++builds}`]: variable([1], false) } })), /"head_\d+" in one build and "head_\d+" in the next/],
  ["draws its first weights", "initializers without a seed", changed((own) => ({ variables: { ...named(own), first: tf.tidy(() => tf.variable(tf.randomNormal([3]))) } })), /With one seed first begin with other values/],
  ["draws its first weights", "seeds of its own", changed(() => ({}), { build: (options: BuildOptions) => build({ ...options, seed: 5 }) } as never), /Seeds 1 and 2 give the same/],
  ["gives every pixel scores", "scores that are not 1 in all", changed(() => ({ decode: (x: tf.Tensor4D) => tf.sigmoid(x) })), /A pixel has the scores/],
  ["gives every pixel scores", "logits for scores", changed(() => ({ decode: (x: tf.Tensor4D) => tf.sub(tf.softmax(x, -1), 0.5) })), /A pixel has the scores .*, 0 in all|, -?[0-9.e-]+ in all/],
  ["scores an image alike", "batch statistics in inference", changed((own) => ({ forward: (x: tf.Tensor4D) => logits(own, x, true), decode: undefined })), /scores of an image change by/],
  ["takes every size", "a stride it does not declare", changed((own) => ({ forward: (x: tf.Tensor4D) => { const y = logits(own, x); return tf.image.resizeNearestNeighbor(tf.avgPool(y, 4, 4, "valid"), [Math.floor(x.shape[1] / 4) * 4, Math.floor(x.shape[2] / 4) * 4]); } })), /Images of 1 x 1 pixels are not taken/],
  ["takes every size", "a margin it does not declare", changed((own) => ({ decode: (x: tf.Tensor4D) => x, forward: (x: tf.Tensor4D) => conv2d(logits(own, x), tf.zeros([3, 3, 2, 2]), { pad: 0 }) })), /are not taken/],
  ["has a loss that is a finite", "a mean over no pixel", changed(() => ({ loss: (x: tf.Tensor4D, t: tf.Tensor3D) => tf.div(tf.sum(tf.mul(tf.sum(tf.square(x), 3), tf.cast(tf.greaterEqual(t, 0), "float32"))), tf.sum(tf.cast(tf.greaterEqual(t, 0), "float32"))) })), /The loss of a batch without any label is NaN/],
  ["does not count pixels", "a mean over all pixels", changed(() => ({ loss: (x: tf.Tensor4D) => tf.mean(tf.square(x)) })), /when only outputs at pixels without a label change/],
  ["lets a gradient reach", "a variable nobody uses", changed((own) => ({ variables: { ...named(own), idle: variable([1, 2]) } })), /No gradient reaches idle/],
  ["lets a gradient reach", "a variable without effect", changed((own) => { const idle = variable([1]); return { variables: { ...named(own), idle }, forward: (x: tf.Tensor4D, how: { training: boolean }) => tf.add(own.forward(x, how) as tf.Tensor4D, tf.mul(idle, 0)) }; }), /Three steps of training leave idle/],
  ["learns", "a gradient that points uphill", changed((own) => ({ forward: (x: tf.Tensor4D, { training }: { training: boolean }) => uphill(logits(own, x, training)) })), /the loss goes from/],
  ["leaves no tensors", "a tensor of its own", changed(() => { tf.keep(tf.zeros([3])); return {}; }), /leaves 1 tensors/],
  ["has all it knows", "a variable it does not list", changed((own, { seed }) => { const hidden = tf.tidy(() => tf.variable(tf.randomNormal([1], 0, 1, "float32", seed), false)); return { forward: (x: tf.Tensor4D, how: { training: boolean }) => tf.mul(own.forward(x, how) as tf.Tensor4D, hidden), dispose: () => hidden.dispose() }; }), /with the same weights gives scores that differ/],
  ["comes back from its model package", "settings that grow each time", changed(() => ({}), { resolve: ({ rounds = 0 }) => ({ rounds: (rounds as number) + 1 }) }), /has other settings/],
  ["comes back from its model package", "settings it refuses itself", changed(() => ({}), { resolve: (given) => { if ("width" in given) throw new GeoLearnError("INVALID_ARGUMENT", "width is no setting"); return { width: 8 }; } }), /cannot be built again from its package: width is no setting/],
  ["gives the same scores as an ONNX", "a forward pass that counts", changed((own) => ({ decode: (x: tf.Tensor4D) => tf.softmax(tf.mul(x, ++calls), -1), forward: (x: tf.Tensor4D, how: { training: boolean }) => own.forward(x, how) })), /scores of the ONNX file differ/],
]; // prettier-ignore

test.each(broken)("%s: fails for %s", { timeout: 60_000 }, async (check, _, model, message) => {
  const [name, run] = [...written(model)].find(([each]) => each.startsWith(check))!;
  expect(name).toContain(check);
  const error: unknown = await run().then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({
    code: "MODEL_INVALID",
    message: expect.stringMatching(message) as string,
    hint: expect.any(String) as string,
  });
});

test("every check has a network that fails it", () => {
  const without = checks.filter(({ name }) => !broken.some(([check]) => name.startsWith(check)));
  expect(without.map(({ name }) => name)).toEqual([]);
});

test("needs test functions, and takes no definition that is not sound", () => {
  expect(() => describeModel("unet")).toThrow(/no `describe` and `it`/);
  expect(() => written({ ...changed(() => ({})), modelType: "unet" })).toThrow(expect.objectContaining({ code: "MODEL_INVALID" }));
  expect(defineModel(changed(() => ({})))).toBeDefined();
});
