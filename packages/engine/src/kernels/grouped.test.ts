import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { conv2d, depthwiseConv2d, type Padding, startEngine } from "../index.ts";
import { type Case, expectCase, readFixture, worstError } from "../testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

interface Options {
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly pad: Padding;
  readonly groups: number;
}

const image = (tensor: tf.Tensor | undefined): tf.Tensor4D => tensor as tf.Tensor4D;

describe("convolutions in groups equal PyTorch, forward and gradients", () => {
  test.each(readFixture<Case[]>("grouped"))("$name", async (row) => {
    const { strides, dilations, pad, groups } = row.options as unknown as Options;
    await expectCase(row, ({ x, filter, bias }) =>
      conv2d(image(x), image(filter), { strides, dilations, pad, groups, ...(bias ? { bias } : {}) }),
    );
  });

  const depthwise = readFixture<Case[]>("grouped").filter(
    ({ options, inputs }) => options["groups"] === inputs["x"]!.shape[3] && inputs["bias"] === undefined,
  );

  test.each(depthwise)("depthwise, and by tfjs: $name", async (row) => {
    const { strides, dilations, pad, groups } = row.options as unknown as Options;
    const [kh, kw, , out] = row.inputs["filter"]!.shape as [number, number, number, number];
    const asDepthwise = (filter: tf.Tensor | undefined): tf.Tensor4D => tf.reshape(filter!, [kh, kw, groups, out / groups]);
    await expectCase(row, ({ x, filter }) => depthwiseConv2d(image(x), asDepthwise(filter), { strides, dilations, pad }));
    // tfjs refuses strides and dilations together
    if (Math.max(...strides) > 1 && Math.max(...dilations) > 1) return;
    const tfjsPad = Array.isArray(pad) ? ([[0, 0], [pad[0]!, pad[2]!], [pad[1]!, pad[3]!], [0, 0]] as never) : (pad as "same"); // prettier-ignore
    await expectCase(row, ({ x, filter }) => tf.depthwiseConv2d(image(x), asDepthwise(filter), strides, tfjsPad, "NHWC", dilations));
  });

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

  test("tfjs's dilated convolution has gradients", async () => {
    for (const row of readFixture<Case[]>("conv2d").filter(({ options }) => String(options["dilations"]) === "2,2")) {
      const { strides, dilations, pad } = row.options as unknown as Options;
      if (Math.max(...strides) > 1 || row.inputs["bias"]) continue;
      await expectCase(row, ({ x, filter }) => tf.conv2d(image(x), image(filter), strides, pad as number, "NHWC", dilations));
    }
  });

  test("groups that do not fit are refused", () => {
    const x = tf.zeros<tf.Rank.R4>([1, 5, 5, 6]);
    expect(() => conv2d(x, tf.zeros([3, 3, 2, 4]), { groups: 4 })).toThrow("4 groups do not divide 6 channels in and 4 out");
    expect(() => conv2d(x, tf.zeros([3, 3, 3, 6]), { groups: 3 })).toThrow(/takes 9 in 3 groups/);
  });
});
