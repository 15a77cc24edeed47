import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { GeoLearnError } from "@geolearn/core";
import { startEngine, upsampleNearest } from "../index.ts";
import { worstError } from "../testing/fixtures.ts";

beforeAll(async () => {
  // One thread: making sessions is what takes time here.
  await startEngine({ threads: 1 });
});

const erf = (x: number): number => {
  // Series of Abramowitz and Stegun 7.1.5; enough terms for |x| < 3.
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};
const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const selu = (x: number): number => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x));

/** Operations by name, what JavaScript's Math says in float64, and where they are defined. */
const UNARY: Readonly<Record<string, [(x: tf.Tensor) => tf.Tensor, (x: number) => number, number, number]>> = {
  abs: [tf.abs, Math.abs, -3, 3],
  acos: [tf.acos, Math.acos, -1, 1],
  acosh: [tf.acosh, Math.acosh, 1, 5],
  asin: [tf.asin, Math.asin, -1, 1],
  asinh: [tf.asinh, Math.asinh, -3, 3],
  atan: [tf.atan, Math.atan, -3, 3],
  atanh: [tf.atanh, Math.atanh, -0.9, 0.9],
  ceil: [tf.ceil, Math.ceil, -3, 3],
  cos: [tf.cos, Math.cos, -3, 3],
  cosh: [tf.cosh, Math.cosh, -3, 3],
  elu: [tf.elu, (x) => (x > 0 ? x : Math.expm1(x)), -3, 3],
  erf: [tf.erf, erf, -2.5, 2.5],
  exp: [tf.exp, Math.exp, -3, 3],
  expm1: [tf.expm1, Math.expm1, -3, 3],
  floor: [tf.floor, Math.floor, -3, 3],
  leakyRelu: [(x) => tf.leakyRelu(x, 0.1), (x) => (x > 0 ? x : 0.1 * x), -3, 3],
  log: [tf.log, Math.log, 0.01, 5],
  log1p: [tf.log1p, Math.log1p, -0.9, 5],
  logSigmoid: [tf.logSigmoid, (x) => -Math.log1p(Math.exp(-x)), -5, 5],
  neg: [tf.neg, (x) => -x, -3, 3],
  reciprocal: [tf.reciprocal, (x) => 1 / x, 0.2, 3],
  relu: [tf.relu, (x) => Math.max(x, 0), -3, 3],
  relu6: [tf.relu6, (x) => Math.min(Math.max(x, 0), 6), -3, 9],
  round: [tf.round, even, -3, 3],
  rsqrt: [tf.rsqrt, (x) => 1 / Math.sqrt(x), 0.1, 3],
  selu: [tf.selu, selu, -3, 3],
  sigmoid: [tf.sigmoid, (x) => 1 / (1 + Math.exp(-x)), -5, 5],
  sign: [tf.sign, Math.sign, -3, 3],
  sin: [tf.sin, Math.sin, -3, 3],
  sinh: [tf.sinh, Math.sinh, -3, 3],
  softplus: [tf.softplus, (x) => Math.log1p(Math.exp(x)), -5, 5],
  sqrt: [tf.sqrt, Math.sqrt, 0.1, 5],
  square: [tf.square, (x) => x * x, -3, 3],
  step: [(x) => tf.step(x, 0.2), (x) => (x > 0 ? 1 : 0.2), -3, 3],
  tan: [tf.tan, Math.tan, -1, 1],
  tanh: [tf.tanh, Math.tanh, -3, 3],
  clip: [(x) => tf.clipByValue(x, -1, 2), (x) => Math.min(Math.max(x, -1), 2), -3, 3],
};

const BINARY: Readonly<Record<string, [(a: tf.Tensor, b: tf.Tensor) => tf.Tensor, (a: number, b: number) => number]>> = {
  add: [tf.add, (a, b) => a + b],
  sub: [tf.sub, (a, b) => a - b],
  mul: [tf.mul, (a, b) => a * b],
  div: [tf.div, (a, b) => a / b],
  maximum: [tf.maximum, Math.max],
  minimum: [tf.minimum, Math.min],
  squaredDifference: [tf.squaredDifference, (a, b) => (a - b) ** 2],
  floorDiv: [tf.floorDiv, (a, b) => Math.floor(a / b)],
  mod: [tf.mod, (a, b) => a - Math.floor(a / b) * b],
  greater: [tf.greater, (a, b) => +(a > b)],
  greaterEqual: [tf.greaterEqual, (a, b) => +(a >= b)],
  less: [tf.less, (a, b) => +(a < b)],
  lessEqual: [tf.lessEqual, (a, b) => +(a <= b)],
  equal: [tf.equal, (a, b) => +(a === b)],
  notEqual: [tf.notEqual, (a, b) => +(a !== b)],
};

const spread = (count: number, low: number, high: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 0.5)) / count);

describe("elementwise", () => {
  test.each(Object.entries(UNARY))("%s", async (_, [op, expected, low, high]) => {
    const x = spread(64, low, high);
    expect(worstError(await op(tf.tensor1d(x)).data(), Array.from(x, expected))).toBeLessThan(1e-6);
  });

  test("expm1 and log1p keep their digits near 0", async () => {
    const x = Float32Array.of(1e-7, -3e-6, 2e-5);
    for (const [op, expected] of [
      [tf.expm1, Math.expm1],
      [tf.log1p, Math.log1p],
    ] as const) {
      const got = await op(tf.tensor1d(x)).data();
      x.forEach((v, i) => expect(Math.abs(got[i]! / expected(v) - 1)).toBeLessThan(1e-6));
    }
  });

  test.each(Object.entries(BINARY))("%s with broadcasting", async (_, [op, expected]) => {
    const [n, h, w, c] = [2, 3, 4, 5];
    const a = Float32Array.from({ length: n * h * w * c }, (_v, i) => Math.round(Math.sin(i) * 8) / 2);
    for (const shape of [[n, h, w, c], [w, c], [c], [n, 1, 1, c], [n, h, w, 1], []]) {
      const size = shape.reduce((p, s) => p * s, 1);
      const b = Float32Array.from({ length: size }, (_v, i) => Math.round(Math.cos(i * 3) * 6) / 2 + 0.25);
      const full = [1, 1, 1, 1, ...shape].slice(-4);
      const want = Float64Array.from(a, (v, at) => {
        const index = [Math.floor(at / (h * w * c)), Math.floor(at / (w * c)) % h, Math.floor(at / c) % w, at % c];
        const other = index.reduce((sum, k, axis) => sum * full[axis]! + (full[axis] === 1 ? 0 : k), 0);
        return expected(v, b[other]!);
      });
      const x = tf.tensor4d(a, [n, h, w, c]);
      for (const left of [x, upsampleNearest(x, 1)]) {
        const got = await op(left, tf.tensor(b, shape)).data();
        expect(worstError(got, want), `[${shape.join()}]`).toBeLessThan(1e-6);
      }
    }
  });

  test("whole numbers divide downwards", async () => {
    const a = tf.tensor1d([7, -7, 7, -7, 6, -6], "int32");
    const b = tf.tensor1d([2, 2, -2, -2, 3, 3], "int32");
    expect([...(await tf.floorDiv(a, b).data())]).toEqual([3, -4, -4, 3, 2, -2]);
    expect([...(await tf.mod(a, b).data())]).toEqual([1, 1, -1, -1, 0, 0]);
  });

  test("logic, selection and tests for odd numbers", async () => {
    const a = tf.tensor1d([true, true, false, false], "bool");
    const b = tf.tensor1d([true, false, true, false], "bool");
    expect([...(await tf.logicalAnd(a, b).data())]).toEqual([1, 0, 0, 0]);
    expect([...(await tf.logicalOr(a, b).data())]).toEqual([1, 1, 1, 0]);
    expect([...(await tf.logicalXor(a, b).data())]).toEqual([0, 1, 1, 0]);
    expect([...(await tf.logicalNot(a).data())]).toEqual([0, 0, 1, 1]);
    expect([...(await tf.where(a, [1, 2, 3, 4], [5, 6, 7, 8]).data())]).toEqual([1, 2, 7, 8]);
    const odd = tf.tensor1d([Number.NaN, Infinity, -Infinity, 1]);
    expect([...(await tf.isNaN(odd).data())]).toEqual([1, 0, 0, 0]);
    expect([...(await tf.isInf(odd).data())]).toEqual([0, 1, 1, 0]);
    expect([...(await tf.isFinite(odd).data())]).toEqual([0, 0, 0, 1]);
  });
});

describe("reductions and arrays agree in both layouts", () => {
  const shape: [number, number, number, number] = [2, 3, 5, 4];
  const values = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i * 1.7) + 0.01 * i);

  /** All axes of every element, with the value. */
  function reduceNaive(axes: number[], start: number, step: (acc: number, v: number) => number): number[] {
    const kept = shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
    const out = Array.from({ length: kept.reduce((p, s) => p * s, 1) }, () => start);
    values.forEach((v, at) => {
      const index = [Math.floor(at / 60), Math.floor(at / 20) % 3, Math.floor(at / 4) % 5, at % 4];
      const to = index.reduce((sum, k, axis) => sum * kept[axis]! + (kept[axis] === 1 ? 0 : k), 0);
      out[to] = step(out[to]!, v);
    });
    return out;
  }

  test.each([[[0]], [[1]], [[2]], [[3]], [[0, 1, 2]], [[1, 2]], [[2, 3]], [[0, 3]], [[0, 1, 2, 3]], [[1, 3]]])(
    "over axes %j",
    async (axes) => {
      const x = tf.tensor4d(values, shape);
      const count = axes.reduce((p, axis) => p * shape[axis]!, 1);
      for (const input of [x, upsampleNearest(x, 1)]) {
        for (const keepDims of [false, true]) {
          const check = async (got: tf.Tensor, want: number[]): Promise<void> => {
            expect(got.shape).toEqual(
              keepDims ? shape.map((s, i) => (axes.includes(i) ? 1 : s)) : shape.filter((_, i) => !axes.includes(i)),
            );
            expect(worstError(await got.data(), want)).toBeLessThan(1e-6);
          };
          const sum = reduceNaive(axes, 0, (a, v) => a + v);
          await check(tf.sum(input, axes, keepDims), sum);
          await check(tf.mean(input, axes, keepDims), sum.map((v) => v / count)); // prettier-ignore
          await check(tf.max(input, axes, keepDims), reduceNaive(axes, -Infinity, Math.max));
          await check(tf.min(input, axes, keepDims), reduceNaive(axes, Infinity, Math.min));
        }
        if (axes.length === 1) {
          const best = await tf.argMax(input, axes[0]).data();
          const max = reduceNaive(axes, -Infinity, Math.max);
          const picked = await tf.max(input, axes).data();
          expect(best.length).toBe(max.length);
          expect(worstError(picked, max)).toBeLessThan(1e-6);
        }
      }
    },
  );

  test("everything that moves elements gives the same from either layout, and its gradient too", async () => {
    const x = tf.tensor4d(values, shape);
    const ops: Record<string, (v: tf.Tensor4D) => tf.Tensor> = {
      reshape: (v) => tf.reshape(v, [6, 20]),
      transpose: (v) => tf.transpose(v, [2, 0, 3, 1]),
      slice: (v) => tf.slice(v, [0, 1, 2, 1], [2, 2, 2, 3]),
      concatChannels: (v) => tf.concat([v, x], 3),
      concatRows: (v) => tf.concat([x, v], 1),
      split: (v) => tf.split(v, [1, 3], 3)[1]!,
      stack: (v) => tf.stack([v, x], 2),
      unstack: (v) => tf.unstack(v, 1)[2]!,
      pad: (v) => tf.pad(v, [[0, 1], [1, 0], [2, 1], [0, 2]], 0), // prettier-ignore
      mirrorPad: (v) => tf.mirrorPad(v, [[0, 0], [1, 1], [2, 0], [0, 0]], "reflect"), // prettier-ignore
      tile: (v) => tf.tile(v, [1, 2, 1, 2]),
      reverse: (v) => tf.reverse(v, [1, 3]),
      expand: (v) => tf.expandDims(v, 2),
      softmax: (v) => tf.softmax(v),
      logSoftmax: (v) => tf.logSoftmax(v),
      logSumExp: (v) => tf.logSumExp(v, 3),
      // tfjs's own gradient of cumsum throws for inner axes, on every backend
      cumsum: (v) => tf.cumsum(v, 3),
      gatherChannels: (v) => tf.gather(v, tf.tensor1d([2, 0, 2], "int32"), 3),
      maxPool: (v) => tf.maxPool(v, [2, 2], [1, 2], "same"),
      avgPool: (v) => tf.avgPool(v, 2, 1, "valid"),
      conv: (v) => tf.conv2d(v, tf.ones([3, 3, 4, 2]), 2, "same"),
      depthwise: (v) => tf.depthwiseConv2d(v, tf.tensor4d(spread(72, -1, 1), [3, 3, 4, 2]), 1, "same"),
      moments: (v) => tf.moments(v, [0, 1, 2]).variance,
    };
    const cpu = new Map<string, [number[], number[]]>();
    for (const [name, op] of Object.entries(ops)) {
      for (const natural of [true, false]) {
        const f = (v: tf.Tensor): tf.Tensor => op((natural ? v : upsampleNearest(v as tf.Tensor4D, 1)) as tf.Tensor4D);
        const weigh = (v: tf.Tensor): tf.Tensor => tf.sum(tf.mul(f(v), tf.sin(tf.mul(f(v), 3))));
        const out = [...(await f(x).data())];
        const needsGradient = !["mirrorPad"].includes(name);
        const gradient = needsGradient && name !== "expand" ? [...(await tf.grad(weigh)(x).data())] : [];
        const former = cpu.get(name);
        if (former === undefined) cpu.set(name, [out, gradient]);
        else {
          expect(worstError(out, former[0]), name).toBeLessThan(1e-6);
          expect(worstError(gradient, former[1]), `gradient of ${name}`).toBeLessThan(2e-5);
        }
      }
    }
  });
});

describe("indices", () => {
  test("one-hot leaves out what is outside", async () => {
    const hot = tf.oneHot(tf.tensor1d([0, 2, -1, 5], "int32"), 3);
    expect(await hot.array()).toEqual([[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]); // prettier-ignore
    expect(await tf.oneHot(tf.tensor1d([1], "int32"), 2, 5, -1).array()).toEqual([[-1, 5]]);
  });

  test("gather along any axis, in batches, and its gradient", async () => {
    const x = tf.tensor3d(spread(24, 0, 24), [2, 3, 4]);
    const indices = tf.tensor1d([2, 0, 2], "int32");
    expect((await tf.gather(x, indices, 1).array()) as number[][][]).toEqual(
      ((await x.array()) as number[][][]).map((m) => [m[2], m[0], m[2]]),
    );
    const batched = tf.gather(x, tf.tensor2d([[0], [2]], [2, 1], "int32"), 1, 1);
    expect(await batched.array()).toEqual([[((await x.array()) as number[][][])[0]![0]], [((await x.array()) as number[][][])[1]![2]]]);
    const gradient = tf.grad((v) => tf.sum(tf.gather(v, indices, 1)))(x);
    expect(await gradient.array()).toEqual([0, 1].map(() => [1, 0, 2].map((k) => [k, k, k, k])));
  });

  test("gatherND, scatterND, topk", async () => {
    const x = tf.tensor2d([[1, 2], [3, 4]]); // prettier-ignore
    expect([...(await tf.gatherND(x, tf.tensor2d([[1, 0], [0, 1]], [2, 2], "int32")).data())]).toEqual([3, 2]); // prettier-ignore
    expect([...(await tf.scatterND(tf.tensor2d([[1], [3], [1]], [3, 1], "int32"), [9, 10, 1], [5]).data())]).toEqual([0, 10, 0, 10, 0]);
    const { values, indices } = tf.topk(tf.tensor1d([3, 9, 1, 7]), 2);
    expect([...(await values.data())]).toEqual([9, 7]);
    expect([...(await indices.data())]).toEqual([1, 3]);
  });

  test("matrix products, transposed and batched", async () => {
    const a = tf.tensor3d(spread(12, -1, 1), [2, 2, 3]);
    const b = tf.tensor3d(spread(12, 0, 2), [2, 3, 2]);
    const plain = await tf.matMul(a, b).array();
    expect(await tf.matMul(tf.transpose(a, [0, 2, 1]), b, true, false).array()).toEqual(plain);
    expect(await tf.matMul(a, tf.transpose(b, [0, 2, 1]), false, true).array()).toEqual(plain);
    expect(() => tf.matMul(a, tf.tensor3d(spread(8, 0, 1), [2, 2, 2]))).toThrow(/inner/i);
  });

  test("string and complex tensors are refused by name", () => {
    try {
      tf.tensor1d(["a"]).dataSync();
      throw new Error("not refused");
    } catch (error) {
      expect(GeoLearnError.is(error, "KERNEL_MISSING")).toBe(true);
    }
  });
});
