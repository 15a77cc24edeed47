import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { GeoLearnError } from "@geolearn/core";
import {
  compile,
  constant,
  conv2d,
  createOptimizer,
  dropout,
  randomUniform,
  readVariable,
  softmaxCrossEntropy,
  startEngine,
  writeVariable,
} from "./index.ts";
import { onnxBackend } from "./graph/backend.ts";
import type { HostTensor, TensorSpec } from "./types.ts";

beforeAll(async () => {
  await startEngine({ threads: 2 });
});

const float = (...shape: number[]): TensorSpec => ({ shape, dtype: "float32" });
const int = (...shape: number[]): TensorSpec => ({ shape, dtype: "int32" });
const values = (result: HostTensor | undefined): number[] => [...result!.data];

function refusal(record: () => unknown): GeoLearnError {
  try {
    record();
  } catch (error) {
    if (GeoLearnError.is(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("compile", () => {
  test("runs a function of typed arrays and numbers", async () => {
    const f = compile(({ x, k }) => ({ y: tf.mul(x!, k!), total: tf.sum(x!) }), { inputs: { x: float(2, 3), k: float() } });
    expect(f.outputs).toEqual({ y: { shape: [2, 3], dtype: "float32" }, total: { shape: [], dtype: "float32" } });
    const { y, total } = await f.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6), k: 2 });
    expect(values(y)).toEqual([2, 4, 6, 8, 10, 12]);
    expect(values(total)).toEqual([21]);
    await f.dispose();
    await expect(f.run({ x: new Float32Array(6), k: 1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("records once, however often it runs", async () => {
    let calls = 0;
    const f = compile(
      ({ x }) => {
        calls++;
        return { y: tf.square(x!) };
      },
      { inputs: { x: float(2) } },
    );
    for (let i = 0; i < 5; i++) expect(values((await f.run({ x: Float32Array.of(i, -i) }))["y"])).toEqual([i * i, i * i]);
    expect(calls).toBe(1);
    await f.dispose();
  });

  test("reads variables anew and assigns them", async () => {
    const counter = tf.variable(tf.tensor1d([1, 2]), false);
    const f = compile(
      ({ x }) => {
        counter.assign(tf.add(counter, x!) as tf.Tensor1D);
        return { twice: tf.mul(counter, 2) };
      },
      { inputs: { x: float(2) } },
    );
    expect(values(readVariable(counter))).toEqual([1, 2]);
    expect(f.assigned).toEqual([counter]);
    expect(values((await f.run({ x: Float32Array.of(1, 1) }))["twice"])).toEqual([4, 6]);
    expect(values((await f.run({ x: Float32Array.of(1, 1) }))["twice"])).toEqual([6, 8]);
    expect(values(readVariable(counter))).toEqual([3, 4]);
    writeVariable(counter, { data: Float32Array.of(10, 20), shape: [2], dtype: "float32" });
    expect(values((await f.run({ x: Float32Array.of(0, 0) }))["twice"])).toEqual([20, 40]);
    counter.assign(tf.tensor1d([5, 6]));
    await f.run({ x: Float32Array.of(1, 1) });
    expect(values(readVariable(counter))).toEqual([6, 7]);
    await f.dispose();
  });

  test("variables that exchange their values do so at once", async () => {
    const a = tf.variable(tf.scalar(1));
    const b = tf.variable(tf.scalar(2));
    const swap = compile(
      () => {
        const former = a.clone();
        a.assign(b.clone() as tf.Scalar);
        b.assign(former as tf.Scalar);
        return {};
      },
      { inputs: {} },
    );
    await swap.run({});
    expect([...values(readVariable(a)), ...values(readVariable(b))]).toEqual([2, 1]);
    await swap.run({});
    expect([...values(readVariable(a)), ...values(readVariable(b))]).toEqual([1, 2]);
    await swap.dispose();
  });

  test("runs that overlap keep their order", async () => {
    const total = tf.variable(tf.scalar(0));
    const add = compile(
      ({ x }) => {
        total.assign(tf.add(tf.mul(total, 2), x!) as tf.Scalar);
        return { total: total.clone() };
      },
      { inputs: { x: float() } },
    );
    const results = await Promise.all([1, 0, 1, 1].map((x) => add.run({ x })));
    expect(results.map((r) => r["total"]!.data[0])).toEqual([1, 2, 5, 11]);
    await add.dispose();
  });

  test("constant variables are folded, and the graph is built again when they change", async () => {
    const weight = tf.variable(tf.tensor1d([2, 3]));
    const f = compile(({ x }) => ({ y: tf.mul(x!, weight) }), { inputs: { x: float(2) }, variables: "constant" });
    expect(values((await f.run({ x: Float32Array.of(1, 1) }))["y"])).toEqual([2, 3]);
    writeVariable(weight, { data: Float32Array.of(4, 5), shape: [2], dtype: "float32" });
    expect(values((await f.run({ x: Float32Array.of(1, 1) }))["y"])).toEqual([4, 5]);
    await f.dispose();
    expect(refusal(() => compile(() => (weight.assign(tf.neg(weight)), {}), { inputs: {}, variables: "constant" })).code).toBe(
      "INVALID_ARGUMENT",
    );
  });

  test("checks what it is fed", async () => {
    const f = compile(({ x }) => ({ y: tf.neg(x!) }), { inputs: { x: float(2, 2) } });
    await expect(f.run({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("x is missing") });
    await expect(f.run({ x: new Float32Array(3) })).rejects.toMatchObject({ message: expect.stringContaining("3 values") });
    await expect(f.run({ x: new Int32Array(4) })).rejects.toMatchObject({ message: expect.stringContaining("Int32Array") });
    await expect(f.run({ x: 1 })).rejects.toMatchObject({ message: expect.stringContaining("one number") });
    await f.dispose();
  });

  test("a failing function leaves variables and later recordings alone", async () => {
    const v = tf.variable(tf.scalar(3));
    const broken = (): unknown =>
      compile(
        () => {
          v.assign(tf.square(v) as tf.Scalar);
          throw new Error("broken");
        },
        { inputs: {} },
      );
    expect(broken).toThrow("broken");
    expect(values(readVariable(v))).toEqual([3]);
    const f = compile(() => ({ y: tf.add(v, 1) }), { inputs: {} });
    expect(values((await f.run({}))["y"])).toEqual([4]);
    await f.dispose();
  });
});

describe("what may not freeze in a recorded graph", () => {
  const before = (): tf.Tensor => tf.tensor1d([1, 2]);

  test("host values", () => {
    const error = refusal(() => compile(({ x }) => ({ y: tf.add(x!, tf.tensor1d([1, 2])) }), { inputs: { x: float(2) } }));
    expect(error.code).toBe("RECORDING_CONSTANT");
    expect(error.message).toContain("tf.tensor1d");
    expect(refusal(() => compile(({ x }) => ({ y: tf.mul(x!, tf.scalar(0.1)) }), { inputs: { x: float(2) } })).message).toContain(
      "tf.scalar",
    );
    expect(refusal(() => compile(({ x }) => ({ y: tf.mul(x!, [3, 4]) }), { inputs: { x: float(2) } })).code).toBe("RECORDING_CONSTANT");
  });

  test("tensors made before", () => {
    const t = before();
    const error = refusal(() => compile(({ x }) => ({ y: tf.add(x!, t) }), { inputs: { x: float(2) } }));
    expect(error.code).toBe("RECORDING_CONSTANT");
    expect(error.message).toContain("Add");
  });

  test("random numbers of tfjs", () => {
    const made = before();
    for (const draw of [
      () => tf.randomUniform([2]),
      () => tf.randomNormal([2]),
      () => tf.truncatedNormal([2]),
      () => tf.dropout(made, 0.5),
    ]) {
      const error = refusal(() => compile(({ x }) => ({ y: tf.add(x!, draw()) }), { inputs: { x: float(2) } }));
      expect(error.code).toBe("RECORDING_CONSTANT");
      expect(error.hint).toContain("seed");
    }
  });

  test("reads", () => {
    for (const read of [(x: tf.Tensor) => x.dataSync(), (x: tf.Tensor) => x.arraySync()]) {
      const error = refusal(() => compile(({ x }) => (read(tf.square(x!)), {}), { inputs: { x: float(2) } }));
      expect(error.code).toBe("RECORDING_READ");
      expect(error.message).toMatch(/Sync/);
    }
  });

  test("variables made inside, and tfjs's own optimizers", () => {
    const inside = refusal(() => compile(({ x }) => ({ y: tf.add(tf.variable(tf.zeros([2])), x!) }), { inputs: { x: float(2) } }));
    expect(inside.code).toBe("RECORDING_CONSTANT");
    const w = tf.variable(tf.zeros([2]));
    const adam = tf.train.adam(0.1);
    const error = refusal(() =>
      compile(({ x }) => ({ l: adam.minimize(() => tf.sum(tf.square(tf.sub(w, x!))) as tf.Scalar, true)! }), { inputs: { x: float(2) } }),
    );
    expect(error.code).toBe("RECORDING_CONSTANT");
  });

  test("a tensor that outlived its recording has no values", async () => {
    let kept: tf.Tensor | undefined;
    const f = compile(({ x }) => ({ y: (kept = tf.keep(tf.neg(x!))) }), { inputs: { x: float(2) } });
    expect(refusal(() => tf.add(kept!, 1)).code).toBe("RECORDING_READ");
    expect(refusal(() => kept!.dataSync()).code).toBe("RECORDING_READ");
    await f.dispose();
  });

  test("allowed: numbers as arguments, constants, zeros, gradients", async () => {
    const marked = constant(before());
    const w = tf.variable(tf.tensor1d([3, 4]));
    const f = compile(
      ({ x }) => {
        const y = tf.add(tf.mul(x!, 2), constant(Float32Array.of(10, 20), [2]));
        const loss = (): tf.Scalar => tf.sum(tf.mul(tf.square(tf.sub(w, y)), marked)) as tf.Scalar;
        const { grads } = tf.variableGrads(loss, [w]);
        return { y: tf.add(y, tf.zeros([2])), g: grads[w.name]! };
      },
      { inputs: { x: float(2) } },
    );
    const { y, g } = await f.run({ x: Float32Array.of(1, 2) });
    expect(values(y)).toEqual([12, 24]);
    expect(values(g)).toEqual([2 * (3 - 12), 2 * (4 - 24) * 2]);
    await f.dispose();
  });
});

describe("replays", () => {
  const size = 64;
  const inputs = { x: float(8, size), y: float(8, 1), lr: float(), step: float(), seed: int() };

  /** A small network with dropout; `run` is one training step. */
  function trainer(): {
    step: (given: Record<string, tf.Tensor>) => Record<string, tf.Tensor>;
    variables: tf.Variable[];
    reset: () => void;
  } {
    const start = Float32Array.from({ length: size * 16 }, (_, i) => Math.sin(i * 12.9898) * 0.1);
    const first = tf.variable(tf.tensor2d(start, [size, 16]));
    const second = tf.variable(tf.tensor2d(start.slice(0, 16), [16, 1]));
    const optimizer = createOptimizer({ type: "adamw", weightDecay: 0.01 }, [first, second]);
    const variables = [first, second, ...optimizer.slots.map((slot) => slot.variable)];
    const initial = variables.map((v) => ({ ...readVariable(v), data: readVariable(v).data.slice() }));
    const step = ({ x, y, lr, step: t, seed }: Record<string, tf.Tensor>): Record<string, tf.Tensor> => {
      const predict = (): tf.Tensor => tf.matMul(dropout(tf.relu(tf.matMul(x as tf.Tensor2D, first)), 0.4, seed!, 1), second);
      const { value, grads } = tf.variableGrads(() => tf.mean(tf.squaredDifference(predict(), y!)) as tf.Scalar, [first, second]);
      optimizer.apply([grads[first.name]!, grads[second.name]!], lr!, t!);
      return { loss: value };
    };
    return { step, variables, reset: () => variables.forEach((v, i) => writeVariable(v, initial[i]!)) };
  }

  const feeds = (i: number): { x: Float32Array; y: Float32Array; lr: number; step: number; seed: number } => ({
    x: Float32Array.from({ length: 8 * size }, (_, j) => Math.cos(j * 7.7 + i)),
    y: Float32Array.from({ length: 8 }, (_, j) => Math.sin(j + i)),
    lr: 0.01 * (i + 1),
    step: i + 1,
    seed: 100 + i,
  });

  test("with dropout and a schedule equal eager steps, and each other bit for bit", async () => {
    const { step, variables, reset } = trainer();
    const eagerLosses: number[] = [];
    for (let i = 0; i < 3; i++) {
      const given = feeds(i);
      const loss = tf.tidy(
        () =>
          step({
            x: tf.tensor(given.x, [8, size]),
            y: tf.tensor(given.y, [8, 1]),
            lr: tf.scalar(given.lr),
            step: tf.scalar(given.step),
            seed: tf.scalar(given.seed, "int32"),
          })["loss"]!,
      );
      eagerLosses.push((await loss.data())[0]!);
    }
    const eager = variables.map((v) => readVariable(v).data.slice());

    const runs: Float32Array[][] = [];
    for (let round = 0; round < 2; round++) {
      reset();
      const compiled = compile(step, { inputs });
      for (let i = 0; i < 3; i++) expect(Math.abs((await compiled.run(feeds(i)))["loss"]!.data[0]! - eagerLosses[i]!)).toBeLessThan(1e-6);
      runs.push(variables.map((v) => readVariable(v).data.slice() as Float32Array));
      await compiled.dispose();
    }
    expect(runs[0]).toEqual(runs[1]);
    runs[0]!.forEach((data, i) => data.forEach((v, j) => expect(Math.abs(v - eager[i]![j]!)).toBeLessThan(2e-6)));
  });

  test("the state can be saved in the middle and restored exactly", async () => {
    const { step, variables, reset } = trainer();
    const compiled = compile(step, { inputs });
    for (let i = 0; i < 2; i++) await compiled.run(feeds(i));
    const saved = variables.map((v) => ({ ...readVariable(v), data: readVariable(v).data.slice() }));
    for (let i = 2; i < 4; i++) await compiled.run(feeds(i));
    const through = variables.map((v) => readVariable(v).data.slice());
    reset();
    variables.forEach((v, i) => writeVariable(v, saved[i]!));
    for (let i = 2; i < 4; i++) await compiled.run(feeds(i));
    expect(variables.map((v) => readVariable(v).data)).toEqual(through);
    await compiled.dispose();
  });

  test("random numbers are uniform, independent of neighbours, and follow the seed", async () => {
    const n = 1 << 16;
    const f = compile(({ seed }) => ({ a: randomUniform([n], seed!, 0), b: randomUniform([n], seed!, 1) }), { inputs: { seed: int() } });
    const first = await f.run({ seed: 5 });
    const again = await f.run({ seed: 5 });
    const other = await f.run({ seed: 6 });
    expect(again["a"]!.data).toEqual(first["a"]!.data);
    const correlation = (x: ArrayLike<number>, y: ArrayLike<number>, lag = 0): number => {
      let sum = 0;
      for (let i = 0; i + lag < n; i++) sum += (x[i]! - 0.5) * (y[i + lag]! - 0.5);
      return (sum / n) * 12;
    };
    const a = first["a"]!.data as Float32Array;
    expect(Math.min(...a)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...a)).toBeLessThan(1);
    const mean = a.reduce((s: number, v: number) => s + v, 0) / n;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / n));
    const bins = new Float64Array(256);
    for (const v of a) bins[Math.floor(v * 256)]!++;
    const chi = bins.reduce((s, count) => s + (count - n / 256) ** 2 / (n / 256), 0);
    expect(chi).toBeGreaterThan(150);
    expect(chi).toBeLessThan(370);
    for (const lag of [1, 2, 255, 256, 257, 512]) expect(Math.abs(correlation(a, a, lag))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(correlation(a, first["b"]!.data))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(correlation(a, other["a"]!.data))).toBeLessThan(5 / Math.sqrt(n));
    await f.dispose();
  });
});

describe("memory", () => {
  test("neither recording, running nor reading leaves tensors behind", async () => {
    const v = tf.variable(tf.zeros([16]));
    const cycle = async (): Promise<void> => {
      const f = compile(
        ({ x }) => {
          v.assign(tf.add(v, x!) as tf.Tensor1D);
          return { y: tf.sum(v) };
        },
        { inputs: { x: float(16) } },
      );
      for (let i = 0; i < 3; i++) await f.run({ x: new Float32Array(16).fill(i) });
      await f.dispose();
      tf.tidy(() => tf.sum(tf.square(v)).dataSync());
    };
    await cycle();
    const tensors = tf.memory().numTensors;
    const buffers = onnxBackend().numDataIds();
    for (let i = 0; i < 20; i++) await cycle();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(onnxBackend().numDataIds()).toBe(buffers);
  });

  test("building and freeing sessions does not grow the process", async () => {
    const w = tf.variable(tf.zeros([1 << 20]));
    const cycle = async (): Promise<void> => {
      const f = compile(
        ({ x }) => {
          w.assign(tf.add(w, x!) as tf.Tensor1D);
          return {};
        },
        { inputs: { x: float(1 << 20) } },
      );
      for (let i = 0; i < 10; i++) await f.run({ x: new Float32Array(1 << 20) });
      await f.dispose();
    };
    for (let i = 0; i < 5; i++) await cycle();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 25; i++) await cycle();
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(150);
  });
});

describe("outside compile", () => {
  test("values appear when they are read, by promise or at once", async () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const y = tf.matMul(x, tf.add(x, 1));
    expect([...(await y.data())]).toEqual([10, 13, 22, 29]);
    expect(tf.sum(y).arraySync()).toBe(74);
    expect([...tf.argMax(y, 1).dataSync()]).toEqual([1, 1]);
  });

  test("graphs of equal structure share a session", async () => {
    const { runningEngine } = await import("./engine-state.ts");
    const read = (k: number): number => tf.tidy(() => tf.sum(tf.tensor1d([k, 2 * k, 3 * k, 4 * k, 5 * k])).dataSync()[0]!);
    read(1);
    const cached = runningEngine().runner!.cachedSessions;
    for (let k = 2; k < 10; k++) expect(read(k)).toBe(15 * k);
    expect(runningEngine().runner!.cachedSessions).toBe(cached);
  });

  test("steps without compile do not pile up behind variables", async () => {
    const v = tf.variable(tf.scalar(1));
    const loss = tf.variable(tf.scalar(0));
    for (let i = 0; i < 200; i++) {
      tf.tidy(() => {
        v.assign(tf.mul(v, 1.001) as tf.Scalar);
        loss.assign(tf.square(v) as tf.Scalar);
      });
      if (i % 20 === 0) await loss.data();
    }
    expect(Math.abs((await v.data())[0]! - 1.001 ** 200)).toBeLessThan(1e-4);
  });
});

describe("repeated runs in one call", () => {
  const scalar = { shape: [], dtype: "float32" } as const;

  async function train(repeated: boolean, groups: readonly number[]): Promise<{ losses: number[]; weights: Float32Array; unused: number }> {
    await startEngine();
    const filter = tf.variable(
      tf.tensor4d(
        Float32Array.from({ length: 3 * 3 * 2 * 4 }, (_, i) => Math.sin(i)),
        [3, 3, 2, 4],
      ),
    );
    const fixed = tf.variable(tf.tensor1d([0.1, 0.2, 0.3, 0.4]), false);
    const counter = tf.variable(tf.scalar(0), false);
    const adam = createOptimizer({ type: "adam" }, [filter]);
    const step = compile(
      ({ x, y, rate, number }) => {
        const logits = (): tf.Tensor => tf.add(conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, { pad: "same" }), fixed);
        const { value, grads } = tf.variableGrads(
          () => softmaxCrossEntropy(dropout(logits() as tf.Tensor4D, 0.5, tf.cast(number!, "int32"), 1), y!) as tf.Scalar,
          [filter],
        );
        adam.apply([grads[filter.name]!], rate!, number!);
        counter.assign(number as tf.Scalar);
        return { loss: value };
      },
      {
        inputs: { x: { shape: [2, 8, 6, 2], dtype: "float32" }, y: { shape: [2, 8, 6], dtype: "int32" }, rate: scalar, number: scalar },
        repeated,
      },
    );
    const losses: number[] = [];
    let done = 0;
    for (const group of groups) {
      const numbers = Array.from({ length: group }, (_, i) => done + i + 1);
      const inputs = {
        x: Float32Array.from(numbers.flatMap((n) => Array.from({ length: 192 }, (_, i) => Math.cos(i * n)))),
        y: Int32Array.from(numbers.flatMap((n) => Array.from({ length: 96 }, (_, i) => (i * n) % 4))),
        rate: Float32Array.from(numbers, (n) => 0.1 / n),
        number: Float32Array.from(numbers),
      };
      const { loss } = await step.run(inputs);
      expect(loss!.shape).toEqual(repeated ? [group] : []);
      losses.push(...loss!.data);
      done += group;
    }
    const weights = (readVariable(filter).data as Float32Array).slice();
    const unused = readVariable(counter).data[0]!;
    await step.dispose();
    adam.dispose();
    for (const variable of [filter, fixed, counter]) variable.dispose();
    return { losses, weights, unused };
  }

  test("give the bits of single runs, in groups of any size", async () => {
    const single = await train(false, [1, 1, 1, 1, 1, 1]);
    expect(new Set(single.losses).size).toBe(6);
    for (const groups of [[6], [1, 2, 3], [4, 2]]) {
      const repeated = await train(true, groups);
      expect(repeated.losses).toEqual(single.losses);
      expect(repeated.weights).toEqual(single.weights);
      expect(repeated.unused).toBe(6);
    }
  });

  test("refuse inputs that are not for whole runs, or not for as many", async () => {
    await startEngine();
    const add = compile(({ a, b }) => ({ c: tf.add(a!, b!) }), {
      inputs: { a: { shape: [3], dtype: "float32" }, b: scalar },
      repeated: true,
    });
    await expect(add.run({ a: new Float32Array(4), b: new Float32Array(1) })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(add.run({ a: new Float32Array(6), b: new Float32Array(3) })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const { c } = await add.run({ a: Float32Array.of(1, 2, 3, 4, 5, 6), b: Float32Array.of(10, 20) });
    expect(c).toEqual({ data: Float32Array.of(11, 12, 13, 24, 25, 26), shape: [2, 3], dtype: "float32" });
    await add.dispose();
  });
});
