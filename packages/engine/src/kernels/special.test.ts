/** Kernels that random cases do not reach: results whose shape depends on values, random draws, numbers that are none, refusals. */

import * as tf from "@tensorflow/tfjs";
import { GeoLearnError } from "@geolearn/core";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, maxPool, seedRandom, startEngine } from "../index.ts";
import { type Case, type Packed, readFixture, unpack, worstError } from "../testing/fixtures.ts";

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const values = async (tensor: tf.Tensor): Promise<number[]> => [...(await tensor.data())];

function refusal(run: () => unknown): GeoLearnError {
  try {
    run();
  } catch (error) {
    if (GeoLearnError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const recorded =
  (f: (x: tf.Tensor) => tf.Tensor, shape: number[]): (() => unknown) =>
  () =>
    compile(({ x }) => ({ y: f(x!) }), { inputs: { x: { shape, dtype: "float32" } } });

describe("results whose shape depends on values", () => {
  const boxes = tf.tensor2d([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [0, 100, 1, 101]]); // prettier-ignore
  const scores = tf.tensor1d([0.9, 0.75, 0.6, 0.95, 0.5, 0.3]);

  // Expected values of TensorFlow's NonMaxSuppressionOpTest.
  test("non-maximum suppression in all its forms", async () => {
    expect(await values(tf.image.nonMaxSuppression(boxes, scores, 3, 0.5))).toEqual([3, 0, 5]);
    expect(await values(tf.image.nonMaxSuppression(boxes, scores, 30, 0.5))).toEqual([3, 0, 5]);
    expect(await values(tf.image.nonMaxSuppression(boxes, scores, 3, 0.5, 0.5))).toEqual([3, 0]);
    const padded = tf.image.nonMaxSuppressionPadded(boxes, scores, 5, 0.5, 0, true);
    expect(await values(padded["selectedIndices"]!)).toEqual([3, 0, 5, 0, 0]);
    expect(await values(padded["validOutputs"]!)).toEqual([3]);
    expect(await values(tf.image.nonMaxSuppressionPadded(boxes, scores, 5, 0.5, 0, false)["selectedIndices"]!)).toEqual([3, 0, 5]);
    const soft = tf.image.nonMaxSuppressionWithScore(boxes, scores, 6, 1, 0, 0.5);
    expect(await values(soft["selectedIndices"]!)).toEqual([3, 0, 1, 5, 4, 2]);
    expect(worstError(await values(soft["selectedScores"]!), [0.95, 0.9, 0.384, 0.3, 0.256, 0.197])).toBeLessThan(1e-3);
  });

  test("unique values, whereAsync and booleanMaskAsync", async () => {
    const { values: found, indices } = tf.unique(tf.tensor1d([1, 1, 2, 4, 4, 4, 7, 8, 8]));
    expect(await values(found)).toEqual([1, 2, 4, 7, 8]);
    expect(await values(indices)).toEqual([0, 0, 1, 2, 2, 2, 3, 4, 4]);
    expect(await (await tf.whereAsync(tf.greater(scores, 0.7))).array()).toEqual([[0], [1], [3]]);
    expect(worstError(await values(await tf.booleanMaskAsync(scores, tf.greater(scores, 0.7))), [0.9, 0.75, 0.95])).toBeLessThan(1e-6);
  });

  test("sparse rows", async () => {
    const data = tf.tensor2d([[1, 2], [3, 4], [5, 6]]); // prettier-ignore
    const [indices, segments] = [tf.tensor1d([0, 1, 2], "int32"), tf.tensor1d([0, 0, 1], "int32")];
    expect(await tf.sparse.sparseSegmentSum(data, indices, segments).array()).toEqual([[4, 6], [5, 6]]); // prettier-ignore
    expect(await tf.sparse.sparseSegmentMean(data, indices, segments).array()).toEqual([[2, 3], [5, 6]]); // prettier-ignore
  });

  test("recorded, they are refused by name and with a way on", () => {
    for (const [name, f, hint] of [
      ["Unique", (x: tf.Tensor) => tf.unique(x).values, /denseBincount/],
      ["NonMaxSuppressionV3", (x: tf.Tensor) => tf.image.nonMaxSuppression(tf.reshape(x, [2, 4]), tf.ones([2]), 2), /Padded/],
      [
        "NonMaxSuppressionV5",
        (x: tf.Tensor) => tf.image.nonMaxSuppressionWithScore(tf.reshape(x, [2, 4]), tf.ones([2]), 2)["selectedIndices"]!,
        /Padded/,
      ],
    ] as const) {
      const error = refusal(recorded(f, [8]));
      expect(error.code).toBe("RECORDING_READ");
      expect(error.message).toContain(name);
      expect(error.hint).toMatch(hint);
    }
  });

  test("what is missing says so", () => {
    const error = refusal(() => tf.engine().runKernel("FFT", { input: tf.ones([4]) }));
    expect([error.code, error.message, error.hint]).toEqual([
      "KERNEL_MISSING",
      "the engine has no kernel FFT",
      "Keep real and imaginary parts as two tensors, or compute on tfjs's cpu backend before or after.",
    ]);
    expect(refusal(() => tf.complex([1], [2])).code).toBe("KERNEL_MISSING");
    expect(refusal(() => tf.string.stringSplit(["a b"], " ")).code).toBe("KERNEL_MISSING");
  });
});

describe("draws", () => {
  test("multinomial follows the probabilities, and a seed fixes it", async () => {
    const probabilities = tf.tensor2d([[0.1, 0.2, 0.7], [0.5, 0.5, 0]]); // prettier-ignore
    const drawn = (await tf.multinomial(probabilities, 20_000, 3, true).array()) as number[][];
    const shares = drawn.map((row) => [0, 1, 2].map((k) => row.filter((v) => v === k).length / row.length));
    // Three standard deviations of a share of 20000 draws are below 0.011.
    expect(worstError(shares.flat(), [0.1, 0.2, 0.7, 0.5, 0.5, 0])).toBeLessThan(0.011);
    expect(drawn[1]!.every((v) => v < 2)).toBe(true);
    const logits = tf.log(tf.add(probabilities, 1e-9));
    const again = async (seed: number): Promise<number[]> => values(tf.multinomial(logits as tf.Tensor2D, 50, seed));
    expect(await again(5)).toEqual(await again(5));
    expect(await again(5)).not.toEqual(await again(6));
  });

  test("recorded, each run draws anew, from the engine's seed", async () => {
    const f = compile(({ x }) => ({ a: tf.multinomial(x as tf.Tensor2D, 40), b: tf.multinomial(x as tf.Tensor2D, 40) }), {
      inputs: { x: { shape: [1, 8], dtype: "float32" } },
    });
    const run = async (): Promise<number[][]> => Object.values(await f.run({ x: new Float32Array(8) })).map(({ data }) => [...data]);
    seedRandom(4);
    const [first, second] = [await run(), await run()];
    expect(new Set([...first, ...second].map(String)).size).toBe(4);
    seedRandom(4);
    expect([await run(), await run()]).toEqual([first, second]);
    await f.dispose();
  });
});

describe("numbers that are none", () => {
  const spoilt = Float32Array.from({ length: 64 }, (_, i) => (i === 21 ? Number.NaN : i));

  test("reductions keep a NaN", async () => {
    const x = tf.tensor2d(spoilt, [8, 8]);
    for (const op of [tf.max, tf.min, tf.sum, tf.mean, tf.prod, tf.logSumExp]) {
      const rows = await values(op(x, 1));
      expect([op.name, rows.map((v) => Number.isNaN(v))]).toEqual([op.name, [false, false, true, false, false, false, false, false]]);
    }
    expect(await values(tf.max(tf.tensor1d([-Infinity, Infinity])))).toEqual([Infinity]);
  });

  interface Row extends Pick<Case, "name" | "op" | "output"> {
    readonly x: Packed;
    readonly options: { readonly axis: number; readonly size: number; readonly strides: number; readonly pad: number };
  }

  // NaN and infinities in JSON: values come in base64
  test.each(readFixture<Row[]>("not-numbers"))(
    "$op of $name is PyTorch's, where some are NaN or infinite",
    async ({ op, x, options, output }) => {
      const { axis, size, strides, pad } = options;
      const given = unpack(x);
      const compute = {
        argMax: () => tf.argMax(given, axis),
        argMin: () => tf.argMin(given, axis),
        maxPool: () => maxPool(given as tf.Tensor4D, size, { strides, pad }),
        maxPool3d: () => tf.maxPool3d(given as tf.Tensor5D, size, strides, "valid"),
      }[op]!;
      const found = compute();
      expect(found.shape).toEqual(output.shape);
      expect(await values(found)).toEqual(output.data);
      if (op === "maxPool") {
        expect(await values(tf.maxPool(given as tf.Tensor4D, size, strides, pad, "floor"))).toEqual(output.data);
      }
    },
  );

  test("a NaN in a window reaches the loss, and what is learnt from it", async () => {
    for (const size of [2, 3]) {
      const pooled = (x: tf.Tensor): tf.Tensor => tf.square(maxPool(x as tf.Tensor4D, size, { strides: 2, pad: size - 2 }));
      const gradient = tf.grad(pooled)(tf.tensor4d(spoilt, [1, 8, 8, 1]));
      expect((await values(gradient)).some((v) => Number.isNaN(v))).toBe(true);
    }
  });

  test("activations keep a NaN", async () => {
    const x = tf.tensor1d([Number.NaN, 1]);
    for (const op of [tf.relu, tf.relu6, tf.elu, tf.selu, tf.sigmoid, tf.tanh, tf.softplus, tf.softmax, tf.step, tf.sign] as ((
      x: tf.Tensor,
    ) => tf.Tensor)[])
      expect([op.name, Number.isNaN((await op(x).data())[0]!)]).toEqual([op.name, true]);
  });
});

test("long products of matrices keep their digits, transposed or not", async () => {
  const length = (1 << 20) + 77;
  const numbers = (phase: number): Float32Array => Float32Array.from({ length: 2 * length }, (_, i) => 1 + Math.abs(Math.sin(i + phase)));
  const [a, b] = [numbers(0), numbers(1)];
  // a as [2, length] and b as [length, 2]
  const want = [0, 0, 0, 0];
  for (let k = 0; k < length; k++)
    for (let i = 0; i < 2; i++) for (let j = 0; j < 2; j++) want[2 * i + j]! += a[i * length + k]! * b[2 * k + j]!;
  const [x, y] = [tf.tensor2d(a, [2, length]), tf.tensor2d(b, [length, 2])];
  for (const [flipA, flipB] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    const product = tf.matMul(flipA ? tf.transpose(x) : x, flipB ? tf.transpose(y) : y, flipA, flipB);
    const got = await product.data();
    want.forEach((v, i) => expect(Math.abs(got[i]! / v - 1), `${flipA} ${flipB}`).toBeLessThan(1e-6));
  }
}); // prettier-ignore

describe("other kernels", () => {
  test("places of maxima are counted as in tfjs", async () => {
    const x = tf.tensor4d([1, 8, 3, 4, 5, 2, 7, 6, 9, 1, 2, 3, 4, 5, 6, 10], [2, 2, 2, 2]);
    const { result, indexes } = tf.maxPoolWithArgmax(x, 2, 2, "valid", false) as { result: tf.Tensor; indexes: tf.Tensor };
    expect([await values(result), await values(indexes)]).toEqual([[7, 8, 9, 10], [6, 1, 0, 7]]); // prettier-ignore
    expect(await values(tf.maxPoolWithArgmax(x, 2, 2, "valid", true)["indexes"]!)).toEqual([6, 1, 8, 15]);
  });

  test("ranges, bits, shapes, flips, bands", async () => {
    expect(worstError(await values(tf.linspace(1, 3, 5)), [1, 1.5, 2, 2.5, 3])).toBeLessThan(1e-7);
    expect(await values(tf.range(5, 1, -2))).toEqual([5, 3]);
    expect(await values(tf.bitwiseAnd(tf.tensor1d([12, 7], "int32"), tf.tensor1d([10, 5], "int32")))).toEqual([8, 5]);
    expect(await values(tf.broadcastArgs(tf.tensor1d([1, 4], "int32"), tf.tensor1d([3, 2, 1], "int32")))).toEqual([3, 2, 4]);
    expect(await values(tf.image.flipLeftRight(tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1])))).toEqual([2, 1, 4, 3]);
    expect(await tf.linalg.bandPart(tf.ones([3, 3]), 0, 1).array()).toEqual([[1, 1, 0], [0, 1, 1], [0, 0, 1]]); // prettier-ignore
    expect(await values(tf.lowerBound(tf.tensor1d([0, 3, 3, 5]), tf.tensor1d([3, 6])))).toEqual([1, 4]);
    expect(await values(tf.upperBound(tf.tensor1d([0, 3, 3, 5]), tf.tensor1d([3, 6])))).toEqual([3, 4]);
    expect(await values(tf.bincount(tf.tensor1d([1, 1, 0, 5], "int32"), tf.tensor1d([]), 3))).toEqual([1, 2, 0]);
    expect(await tf.denseBincount(tf.tensor2d([[0, 1, 1]], [1, 3], "int32"), tf.zeros([0, 0]), 3, true).array()).toEqual([[1, 1, 0]]);
  });

  test("equal values: the first place, whoever asks", async () => {
    const x = tf.tensor1d([2, 5, 5, 1, 5]);
    expect(await values(tf.argMax(x))).toEqual([1]);
    expect(await values(tf.topk(x, 4).indices)).toEqual([1, 2, 4, 0]);
    expect(await values(tf.topk(tf.tensor1d([3, 9, 1], "int32"), 2).values)).toEqual([9, 3]);
  });
});
