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

test("the global norm and clipping follow torch.nn.utils.clip_grad_norm_", async () => {
  const gradients = [tf.tensor1d([3, 0]), tf.tensor2d([[0], [4]])];
  expect((await globalNorm(gradients).data())[0]).toBeCloseTo(5, 6);
  const { gradients: clipped, norm } = clipByGlobalNorm(gradients, 1);
  expect((await norm.data())[0]).toBeCloseTo(5, 6);
  expect([...(await clipped[0]!.data())][0]).toBeCloseTo(0.6, 6);
  const { gradients: untouched } = clipByGlobalNorm(gradients, 10);
  expect([...(await untouched[1]!.data())]).toEqual([0, 4]);
});
