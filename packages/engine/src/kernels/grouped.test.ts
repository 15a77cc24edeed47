import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { conv2d, depthwiseConv2d, startEngine } from "../index.ts";
import { worstError } from "../testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

describe("convolutions in groups", () => {
  test("the depthwise filter gradient of a large image, in strips", async () => {
    const [n, h, w, c, stride, pad] = [2, 160, 66, 8, 2, 1];
    const [ho, wo] = [(h + 2 * pad - 3) >> 1, (w + 2 * pad - 3) >> 1].map((side) => side + 1) as [number, number];
    // All positive: what sums in float32 get wrong would add up.
    const x = Float32Array.from({ length: n * h * w * c }, (_, i) => 1 + Math.abs(Math.sin(i)));
    const dy = Float32Array.from({ length: n * ho * wo * c }, (_, i) => 1 + Math.cos(i) ** 2);
    const want = new Float64Array(9 * c);
    for (let b = 0; b < n; b++)
      for (let i = 0; i < ho; i++)
        for (let j = 0; j < wo; j++)
          for (let k = 0; k < 9; k++) {
            const [row, column] = [i * stride + Math.floor(k / 3) - pad, j * stride + (k % 3) - pad];
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            for (let ch = 0; ch < c; ch++)
              want[k * c + ch]! += x[((b * h + row) * w + column) * c + ch]! * dy[((b * ho + i) * wo + j) * c + ch]!;
          }
    const images = tf.tensor4d(x, [n, h, w, c]);
    const f = (filter: tf.Tensor4D): tf.Tensor4D => depthwiseConv2d(images, filter, { strides: stride, pad });
    const gradient = tf.grad((v) => f(v as tf.Tensor4D))(tf.ones([3, 3, c, 1]), tf.tensor4d(dy, [n, ho, wo, c]));
    expect(worstError(await gradient.data(), want)).toBeLessThan(2e-6);
  });

  test.each([
    { n: 3, h: 11, w: 9, each: 5, out: 4, groups: 3, kernel: [3, 2], strides: [2, 1], dilations: [1, 2], pad: 2 },
    { n: 1, h: 8, w: 12, each: 16, out: 16, groups: 4, kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pad: 1 },
    { n: 2, h: 7, w: 7, each: 8, out: 2, groups: 2, kernel: [1, 1], strides: [3, 2], dilations: [1, 1], pad: 0 },
    { n: 2, h: 9, w: 8, each: 4, out: 7, groups: 2, kernel: [1, 4], strides: [1, 2], dilations: [2, 1], pad: 1 },
  ] as const)(
    "the filter gradient of $groups groups of $each, batch $n, kernel $kernel, by its definition in float64",
    async ({ n, h, w, each, out, groups, kernel, strides, dilations, pad }) => {
      const [kh, kw] = kernel;
      const [ho, wo] = [h, w].map((side, i) => Math.floor((side + 2 * pad - (kernel[i]! - 1) * dilations[i]! - 1) / strides[i]!) + 1) as [
        number,
        number,
      ];
      const [channels, total] = [groups * each, groups * out];
      const x = Float32Array.from({ length: n * h * w * channels }, (_, i) => Math.sin(i * 1.7));
      const dy = Float32Array.from({ length: n * ho * wo * total }, (_, i) => Math.cos(i * 2.3));
      const want = new Float64Array(kh * kw * each * total);
      for (let b = 0; b < n; b++)
        for (let i = 0; i < ho; i++)
          for (let j = 0; j < wo; j++)
            for (let k = 0; k < kh * kw; k++) {
              const row = i * strides[0] + Math.floor(k / kw) * dilations[0] - pad;
              const column = j * strides[1] + (k % kw) * dilations[1] - pad;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              for (let o = 0; o < total; o++)
                for (let c = 0; c < each; c++)
                  want[(k * each + c) * total + o]! +=
                    x[((b * h + row) * w + column) * channels + Math.floor(o / out) * each + c]! * dy[((b * ho + i) * wo + j) * total + o]!;
            }
      const images = tf.tensor4d(x, [n, h, w, channels]);
      const f = (filter: tf.Tensor): tf.Tensor => conv2d(images, filter as tf.Tensor4D, { strides, dilations, pad, groups });
      const gradient = tf.grad(f)(tf.ones([kh, kw, each, total]), tf.tensor4d(dy, [n, ho, wo, total]));
      expect(gradient.shape).toEqual([kh, kw, each, total]);
      expect(worstError(await gradient.data(), want)).toBeLessThan(2e-6);
    },
  );

  test("groups that do not fit are refused", () => {
    const x = tf.zeros<tf.Rank.R4>([1, 5, 5, 6]);
    expect(() => conv2d(x, tf.zeros([3, 3, 2, 4]), { groups: 4 })).toThrow("4 groups do not divide 6 channels in and 4 out");
    expect(() => conv2d(x, tf.zeros([3, 3, 3, 6]), { groups: 3 })).toThrow(/takes 9 in 3 groups/);
  });
});
