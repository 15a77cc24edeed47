import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { conv2d, depthwiseConv2d, type Padding, startEngine } from "../index.ts";
import { type Case, expectCase, readFixture } from "../testing/fixtures.ts";

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
