import * as tf from "@tensorflow/tfjs";
import { beforeAll, test } from "vitest";
import { startEngine } from "../index.ts";
import { type Case, expectCase, readFixture } from "../testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

const ACTIVATIONS: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  relu6: tf.relu6,
  sigmoid: tf.sigmoid,
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  hardSigmoid: (x) => tf.div(tf.relu6(tf.add(x, 3)), 6),
  hardSwish: (x) => tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6)),
  mish: (x) => tf.mul(x, tf.tanh(tf.softplus(x))),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
};

test.each(readFixture<Case[]>("activation"))("$name equals PyTorch, forward and gradient", async (row) => {
  await expectCase(row, ({ x }) => ACTIVATIONS[row.op]!(x!));
});
