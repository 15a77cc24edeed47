/** Convolutions with fewer pixels than channels against the sums that define them, in float64. */

import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, conv2d, startEngine } from "../index.ts";

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

interface Case {
  readonly input: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
  readonly out: number;
  readonly strides: number;
  readonly dilations: number;
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
}

const CASES: readonly Case[] = [
  { input: [2, 4, 4, 40], kernel: [3, 3], out: 48, strides: 1, dilations: 1, pads: [1, 1, 1, 1] },
  { input: [2, 4, 4, 40], kernel: [1, 1], out: 33, strides: 1, dilations: 1, pads: [0, 0, 0, 0] },
  { input: [1, 5, 7, 40], kernel: [1, 1], out: 36, strides: 2, dilations: 1, pads: [0, 0, 0, 0] },
  { input: [1, 5, 7, 40], kernel: [3, 2], out: 48, strides: 2, dilations: 1, pads: [1, 0, 0, 1] },
  { input: [1, 6, 5, 32], kernel: [2, 3], out: 32, strides: 1, dilations: 2, pads: [2, 1, 2, 2] },
  { input: [3, 3, 3, 16], kernel: [3, 3], out: 16, strides: 1, dilations: 1, pads: [0, 0, 0, 0] },
  { input: [2, 7, 7, 24], kernel: [2, 2], out: 20, strides: 3, dilations: 1, pads: [0, 0, 0, 0] },
  { input: [4, 1, 1, 8], kernel: [3, 3], out: 12, strides: 1, dilations: 1, pads: [1, 1, 1, 1] },
];

/** Numbers between -1 and 1, the same in every run. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 30 - 1;
  });
}

/** Calls back with the place of every product in the input, the filter and the output. */
function products({ input, kernel, out, strides, dilations, pads }: Case, take: (x: number, w: number, y: number) => void): void {
  const [n, h, w, c] = input;
  const [ho, wo] = outputSides({ input, kernel, out, strides, dilations, pads });
  for (let i = 0; i < n; i++)
    for (let oy = 0; oy < ho; oy++)
      for (let ox = 0; ox < wo; ox++)
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const [y, x] = [oy * strides + ky * dilations - pads[0], ox * strides + kx * dilations - pads[1]];
            if (y < 0 || x < 0 || y >= h || x >= w) continue;
            for (let a = 0; a < c; a++)
              for (let b = 0; b < out; b++)
                take(((i * h + y) * w + x) * c + a, ((ky * kernel[1] + kx) * c + a) * out + b, ((i * ho + oy) * wo + ox) * out + b);
          }
}

function outputSides({ input, kernel, strides, dilations, pads }: Case): [number, number] {
  const [, h, w] = input;
  return [
    Math.floor((h + pads[0] + pads[2] - (kernel[0] - 1) * dilations - 1) / strides) + 1,
    Math.floor((w + pads[1] + pads[3] - (kernel[1] - 1) * dilations - 1) / strides) + 1,
  ];
}

/** Largest difference relative to the largest value. */
function difference(found: ArrayLike<number>, expected: Float64Array): number {
  const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(found[i]! - value)), 0) / size;
}

describe("convolutions with few pixels", () => {
  test.each(CASES)("of $input, kernel $kernel, $out out, stride $strides, dilation $dilations, pads $pads", async (one) => {
    const { input, kernel, out, strides, dilations, pads } = one;
    const [[n, , , c], [ho, wo]] = [input, outputSides(one)];
    const filter = [...kernel, c, out] as [number, number, number, number];
    const output = [n, ho, wo, out] as [number, number, number, number];
    const given = { x: numbers(n * input[1] * input[2] * c, 1), w: numbers(kernel[0] * kernel[1] * c * out, 2), bias: numbers(out, 3) };
    const dy = numbers(n * ho * wo * out, 4);
    const step = compile(
      (inputs) => {
        const f = (x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
          conv2d(x as tf.Tensor4D, w as tf.Tensor4D, { strides, dilations, pad: pads, bias: bias as tf.Tensor1D });
        const [x, w, bias] = [inputs["x"]!, inputs["w"]!, inputs["bias"]!];
        const [dx, dw] = tf.grads(f as (...args: tf.Tensor[]) => tf.Tensor)([x, w, bias], inputs["dy"]!);
        return { y: f(x, w, bias), dx: dx!, dw: dw! };
      },
      {
        inputs: {
          x: { shape: [...input], dtype: "float32" },
          w: { shape: filter, dtype: "float32" },
          bias: { shape: [out], dtype: "float32" },
          dy: { shape: output, dtype: "float32" },
        },
      },
    );
    const found = await step.run({ ...given, dy });
    await step.dispose();
    const y = Float64Array.from({ length: dy.length }, (_, i) => given.bias[i % out]!);
    const [dx, dw] = [new Float64Array(given.x.length), new Float64Array(given.w.length)];
    products(one, (i, k, o) => {
      y[o]! += given.x[i]! * given.w[k]!;
      dx[i]! += dy[o]! * given.w[k]!;
      dw[k]! += dy[o]! * given.x[i]!;
    });
    // float32 sums of at most some 400 products of numbers up to 1
    expect(difference(found["y"]!.data, y)).toBeLessThan(2e-6);
    expect(difference(found["dx"]!.data, dx)).toBeLessThan(2e-6);
    expect(difference(found["dw"]!.data, dw)).toBeLessThan(2e-6);
  });
});
