import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { clipByGlobalNorm, compile, createOptimizer, globalNorm, type OptimizerOptions, readVariable, startEngine } from "./index.ts";
import { type Packed, readFixture, unpack, worstError } from "./testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

interface Trajectory {
  readonly name: string;
  readonly options: OptimizerOptions;
  readonly start: Packed[];
  readonly gradients: Packed[][];
  readonly rates: number[];
  readonly after: Packed[][];
}

describe("equals torch.optim", () => {
  test.each(readFixture<Trajectory[]>("optimizer"))("$name", async ({ options, start, gradients, rates, after }) => {
    const parameters = start.map((packed) => tf.variable(unpack(packed)));
    const optimizer = createOptimizer(options, parameters);
    const scalar = { shape: [], dtype: "float32" } as const;
    const shapes = Object.fromEntries(start.map(({ shape }, i) => [`g${i}`, { shape, dtype: "float32" } as const]));
    const step = compile(
      ({ lr, t, ...given }) => {
        optimizer.apply(start.map((_, i) => given[`g${i}`]!), lr!, t!); // prettier-ignore
        return {};
      },
      { inputs: { lr: scalar, t: scalar, ...shapes } },
    );
    for (const [i, rate] of rates.entries()) {
      const fed = Object.fromEntries(gradients[i]!.map(({ data }, j) => [`g${j}`, Float32Array.from(data)]));
      await step.run({ lr: rate, t: i + 1, ...fed });
      parameters.forEach((v, j) => expect(worstError(readVariable(v).data, after[i]![j]!.data)).toBeLessThan(3e-6));
    }
    await step.dispose();
    optimizer.dispose();
  });
});

/** Five steps over parameters of these values, with the sine of each value as its gradient. */
async function walk(options: OptimizerOptions, starts: readonly Float32Array[]): Promise<Float32Array[]> {
  const parameters = starts.map((values) => tf.variable(tf.tensor1d(values)));
  const optimizer = createOptimizer(options, parameters);
  const scalar = { shape: [], dtype: "float32" } as const;
  const step = compile(
    ({ lr, t }) => {
      optimizer.apply(parameters.map((parameter) => tf.sin(parameter)), lr!, t!); // prettier-ignore
      return {};
    },
    { inputs: { lr: scalar, t: scalar } },
  );
  for (let t = 1; t <= 5; t++) await step.run({ lr: 0.01, t });
  const ends = parameters.map((parameter) => Float32Array.from(readVariable(parameter).data));
  await step.dispose();
  optimizer.dispose();
  parameters.forEach((parameter) => parameter.dispose());
  return ends;
}

// Every number is moved by itself, so that cutting and joining parameters must not change a bit.
test.each<OptimizerOptions>([
  { type: "adam", weightDecay: 0.1 },
  { type: "adamw" },
  { type: "sgd", momentum: 0.9, weightDecay: 0.1 },
  { type: "sgd" },
])("parameters of any size are moved alike: $type", async (options) => {
  const values = (count: number, from: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => ((from + i) % 1009) / 500 - 1);
  const sizes = [3, 700_001, 200_000, 60_000, 1, 262_144, 262_145];
  const ends = await walk(
    options,
    sizes.map((size, i) => values(size, 31 * i)),
  );
  for (const [i, end] of ends.entries()) {
    const picked = Array.from({ length: 1009 }, (_, k) => Math.floor((k * sizes[i]!) / 1009));
    const [alone] = await walk(options, [Float32Array.from(picked, (at) => ((31 * i + at) % 1009) / 500 - 1)]);
    expect(picked.map((at) => end[at]!)).toEqual([...alone!]);
  }
});

test("the global norm and clipping follow torch.nn.utils.clip_grad_norm_", async () => {
  const gradients = [tf.tensor1d([3, 0]), tf.tensor2d([[0], [4]])];
  expect((await globalNorm(gradients).data())[0]).toBeCloseTo(5, 6);
  const { gradients: clipped, norm } = clipByGlobalNorm(gradients, 1);
  expect((await norm.data())[0]).toBeCloseTo(5, 6);
  expect([...(await clipped[0]!.data())][0]).toBeCloseTo(0.6, 6);
  const { gradients: untouched } = clipByGlobalNorm(gradients, 10);
  expect([...(await untouched[1]!.data())]).toEqual([0, 4]);
});
