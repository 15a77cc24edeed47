/**
 * What every device must compute alike: operations and their gradients on the PyTorch fixtures, products, softmax, elementwise and array
 * operations, and five steps of a small U-Net. The cases are run on one device after another and the numbers compared.
 */

import * as tf from "@tensorflow/tfjs";
import {
  type OptimizerOptions,
  type Padding,
  adaptiveAvgPool,
  avgPool,
  batchNorm,
  compile,
  conv2d,
  createOptimizer,
  dropout,
  groupNorm,
  logSoftmax,
  maxPool,
  readVariable,
  resizeBilinear,
  softmaxCrossEntropy,
  upsampleNearest,
} from "../index.ts";
import { type Case, type Packed, readFixture, unpack } from "./packed.ts";

/** One thing to compute. */
export interface DeviceCase {
  readonly group: string;
  readonly name: string;
  /** Arrays by name; what another device gives must be equal within a tolerance. */
  readonly compute: () => Promise<Record<string, ArrayLike<number>>>;
}

type Inputs = Readonly<Record<string, tf.Tensor>>;
type Arrays = Record<string, ArrayLike<number>>;

const image = (tensor: tf.Tensor | undefined): tf.Tensor4D => tensor as tf.Tensor4D;

/** Runs a function of tensors once, compiled: one session for all it gives. */
async function once(inputs: Readonly<Record<string, Packed>>, compute: (inputs: Inputs) => Record<string, tf.Tensor>): Promise<Arrays> {
  const specs = Object.fromEntries(Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  const compiled = compile(compute, { inputs: specs });
  const typed = ({ dtype, data }: Packed): Float32Array | Int32Array => (dtype === "int32" ? Int32Array : Float32Array).from(data);
  const results = await compiled.run(Object.fromEntries(Object.entries(inputs).map(([name, packed]) => [name, typed(packed)])));
  await compiled.dispose();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

/** Output and gradients of a fixture's operation. */
function fixtureCase(
  group: string,
  row: Case,
  apply: (inputs: Inputs) => tf.Tensor,
  more: Readonly<Record<string, Packed>> = {},
): DeviceCase {
  const names = Object.keys(row.gradients);
  const compute = (given: Inputs): Record<string, tf.Tensor> => {
    const withGiven = (...tensors: tf.Tensor[]): tf.Tensor =>
      apply({ ...given, ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) });
    const gradients = tf.grads(withGiven)(names.map((name) => given[name]!), given["dy"]!); // prettier-ignore
    return { output: apply(given), ...Object.fromEntries(gradients.map((gradient, i) => [`gradient of ${names[i]}`, gradient])) };
  };
  return { group, name: row.name, compute: () => once({ ...row.inputs, ...more, dy: row.dy }, compute) };
}

type LossCase = Case & { readonly targets?: Packed; readonly weights?: Packed | null };
type NormCase = Case & Readonly<Record<"mean" | "variance", Packed>>;

function fixtureCases(): DeviceCase[] {
  const convolutions = readFixture<Case[]>("conv2d").map((row) => {
    const { strides, dilations, pad } = row.options as { strides: [number, number]; dilations: [number, number]; pad: Padding };
    return fixtureCase("conv2d", row, ({ x, filter, bias }) =>
      conv2d(image(x), image(filter), { strides, dilations, pad, ...(bias ? { bias } : {}) }),
    );
  });
  const pools = readFixture<Case[]>("pool").map((row) => {
    const { size, strides, pad } = row.options as { size: number; strides: number; pad: number };
    return fixtureCase("pool", row, ({ x }) => (row.op === "maxPool" ? maxPool : avgPool)(image(x), size, { strides, pad }));
  });
  const resizes = readFixture<Case[]>("resize").map((row) => {
    const { factor, size } = row.options as { factor: number; size: [number, number] };
    return fixtureCase("resize", row, ({ x }) =>
      row.op === "resizeBilinear" ? resizeBilinear(image(x), size) : upsampleNearest(image(x), factor),
    );
  });
  const pixelNetworks = readFixture<Case[]>("pixel-networks").map((row) => {
    const { size, ...options } = row.options as { size: [number, number]; strides: number; dilations: number; pad: number; groups: number };
    return fixtureCase("pixel networks", row, ({ x, filter }) => {
      if (row.op === "conv2d") return conv2d(image(x), image(filter), options);
      return row.op === "adaptiveAvgPool" ? adaptiveAvgPool(image(x), size) : resizeBilinear(image(x), size, { alignCorners: true });
    });
  });
  const losses = readFixture<LossCase[]>("loss").map((row) => {
    const { ignoreIndex, reduction } = row.options as { ignoreIndex: number | null; reduction: "mean" };
    const more = Object.fromEntries(Object.entries({ targets: row.targets, weights: row.weights }).filter(([, value]) => value)) as Record<string, Packed>; // prettier-ignore
    const apply = ({ logits, targets, weights }: Inputs): tf.Tensor =>
      row.op === "logSoftmax"
        ? logSoftmax(logits!)
        : softmaxCrossEntropy(logits!, targets!, {
            reduction,
            ...(weights === undefined ? {} : { weights }),
            ...(ignoreIndex === null ? {} : { ignoreIndex }),
          });
    return fixtureCase("loss", row, apply, more);
  });
  const norms = readFixture<NormCase[]>("norm").map((row) => {
    const { activation, training, groups } = row.options as { activation: "relu" | "none"; training: boolean; groups: number };
    if (row.op === "groupNorm") {
      return fixtureCase("norm", row, ({ x, scale, offset }) =>
        groupNorm(image(x), { scale: scale!, offset: offset!, groups, activation }),
      );
    }
    return {
      group: "norm",
      name: row.name,
      async compute() {
        const [mean, variance] = [row.mean, row.variance].map((values) => tf.variable(unpack(values), false)) as [tf.Variable, tf.Variable];
        const { compute } = fixtureCase("norm", row, ({ x, scale, offset }) =>
          batchNorm(image(x), { scale: scale!, offset: offset!, mean, variance, activation, training }),
        );
        const arrays = await compute();
        const running = { mean: readVariable(mean).data.slice(), variance: readVariable(variance).data.slice() };
        mean.dispose();
        variance.dispose();
        return { ...arrays, ...running };
      },
    };
  });
  return [...convolutions, ...pools, ...resizes, ...pixelNetworks, ...losses, ...norms];
}

interface Trajectory {
  readonly name: string;
  readonly options: OptimizerOptions;
  readonly start: Packed[];
  readonly gradients: Packed[][];
  readonly rates: number[];
}

function optimizerCase({ name, options, start, gradients, rates }: Trajectory): DeviceCase {
  return {
    group: "optimizer",
    name,
    async compute() {
      const parameters = start.map((values) => tf.variable(unpack(values)));
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
      }
      const result = Object.fromEntries(parameters.map((variable, i) => [`parameter ${i}`, readVariable(variable).data.slice()]));
      await step.dispose();
      optimizer.dispose();
      for (const variable of parameters) variable.dispose();
      return result;
    },
  };
}

/** Numbers in (-1, 1) without a pattern, the same on every machine. */
export function numbers(size: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

const packed = (shape: readonly number[], seed: number, factor = 1): Packed => {
  const size = shape.reduce((product, side) => product * side, 1);
  return { shape: [...shape], dtype: "float32", data: Array.from(numbers(size, seed), (x) => x * factor) };
};

const integers = (values: readonly number[]): Packed => ({ shape: [values.length], dtype: "int32", data: [...values] });

/** Results of operations on some arrays `a`, `b`... */
function simple(
  group: string,
  name: string,
  inputs: readonly Packed[],
  compute: (...inputs: tf.Tensor[]) => Record<string, tf.Tensor>,
): DeviceCase {
  const named = Object.fromEntries(inputs.map((input, i) => [`x${i}`, input]));
  return { group, name, compute: () => once(named, (given) => compute(...inputs.map((_, i) => given[`x${i}`]!))) };
}

/** A function of some arrays with its gradients, dy being numbers of its own. */
function differentiated(group: string, name: string, inputs: readonly Packed[], apply: (...inputs: tf.Tensor[]) => tf.Tensor): DeviceCase {
  return simple(group, name, inputs, (...given) => {
    const output = apply(...given);
    // A smooth weight per element, made in the graph.
    const dy = tf.cos(tf.reshape(tf.range(0, output.size), output.shape));
    const gradients = tf.grads(apply)(given, dy);
    return { output, ...Object.fromEntries(gradients.map((gradient, i) => [`gradient ${i}`, gradient])) };
  });
}

function productCases(): DeviceCase[] {
  const plain = [false, true].flatMap((a) =>
    [false, true].map((b) =>
      differentiated("matmul", `transposed ${a}, ${b}`, [packed(a ? [9, 7] : [7, 9], 1), packed(b ? [5, 9] : [9, 5], 2)], (x, y) =>
        tf.matMul(x!, y!, a, b),
      ),
    ),
  );
  return [...plain, differentiated("matmul", "batches", [packed([3, 4, 6], 1), packed([3, 6, 5], 2)], (x, y) => tf.matMul(x!, y!))];
}

function softmaxCases(): DeviceCase[] {
  return [[5, 7], [2, 5, 6, 4]].map((shape) => differentiated("softmax", shape.join("x"), [packed(shape, 3, 8)], (x) => tf.softmax(x!))); // prettier-ignore
}

function elementwiseCases(): DeviceCase[] {
  const smooth = (name: string, apply: (x: tf.Tensor) => tf.Tensor): DeviceCase =>
    differentiated("elementwise", name, [packed([3, 37], 5)], (x) => apply(x!));
  return [
    smooth("relu", tf.relu),
    smooth("elu", tf.elu),
    smooth("sigmoid", tf.sigmoid),
    smooth("tanh", tf.tanh),
    smooth("exp and log", (x) => tf.log(tf.add(tf.exp(x), 1))),
    smooth("softplus", tf.softplus),
    smooth("square root", (x) => tf.sqrt(tf.add(tf.square(x), 0.1))),
    smooth("expm1", tf.expm1),
    smooth("clip", (x) => tf.clipByValue(x, -0.5, 0.25)),
    smooth("leaky relu", (x) => tf.leakyRelu(x, 0.1)),
    differentiated("elementwise", "division with broadcast", [packed([4, 5, 3], 1), packed([3], 2)], (a, b) => tf.div(a!, tf.add(b!, 2))),
    differentiated("elementwise", "maximum and minimum", [packed([40], 1), packed([40], 2)], (a, b) =>
      tf.add(tf.maximum(a!, b!), tf.mul(tf.minimum(a!, b!), 3)),
    ),
    simple("elementwise", "comparisons", [packed([50], 1, 3), packed([50], 2, 3)], (x, y) => {
      const [a, b] = [tf.round(x!), tf.round(y!)];
      const either = tf.where(tf.greater(a, b), a, tf.neg(b));
      return { either, equal: tf.equal(a, b), order: tf.logicalAnd(tf.lessEqual(a, b), tf.logicalNot(tf.greaterEqual(a, 1))) };
    }),
    simple("elementwise", "whole numbers", [integers([7, -7, 100, -1, 0, 6]), integers([2, 2, 7, 3, 5, -4])], (a, b) => ({
      ...{ sum: tf.add(a!, b!), product: tf.mul(a!, b!), quotient: tf.floorDiv(a!, b!), rest: tf.mod(a!, b!) },
    })),
  ];
}

function arrayCases(): DeviceCase[] {
  return [
    simple("arrays", "reductions", [packed([3, 5, 6, 4], 1)], (x) => ({
      ...{ sum: tf.sum(x!, [0, 1, 2]), mean: tf.mean(x!, 3), max: tf.max(x!, [1, 2]), min: tf.min(x!), product: tf.prod(x!, 1) },
    })),
    simple("arrays", "places of the greatest and least", [packed([3, 5, 6, 4], 1)], (x) => ({
      ...{ channels: tf.argMax(x!, 3), rows: tf.argMin(x!, 1), top: tf.topk(x!, 2).indices },
    })),
    simple("arrays", "sum of a long run", [packed([1 << 18], 2)], (x) => ({
      sum: tf.sum(tf.add(tf.zeros([1 << 18]), 200.7)),
      mean: tf.mean(x!),
    })),
    differentiated("arrays", "cut, joined and padded", [packed([2, 5, 6, 3], 1), packed([2, 5, 6, 2], 2)], (a, b) => {
      const cut = tf.slice(tf.concat([a!, b!], 3), [0, 1, 0, 1], [2, 3, 6, 3]);
      return tf.pad(cut, [[0, 0], [1, 2], [0, 1], [0, 0]]); // prettier-ignore
    }),
    simple("arrays", "picked by index", [packed([6, 4], 1), integers([5, 0, 0, 3])], (x, places) => ({ rows: tf.gather(x!, places!) })),
    differentiated("arrays", "transposed and tiled", [packed([2, 3, 4], 1)], (x) => tf.tile(tf.transpose(x!, [2, 0, 1]), [1, 2, 1])),
    simple(
      "arrays",
      "one-hot, cumulative sum, strides",
      [integers([2, 0, 5, -1]), packed([4, 9], 1), packed([6, 8], 2)],
      (places, x, y) => ({
        ...{ hot: tf.oneHot(places!, 4), sum: tf.cumsum(x!, 1), strided: tf.stridedSlice(y!, [5, 1], [0, 8], [-2, 3]) },
      }),
    ),
  ];
}

/** Sizes beyond those of the fixtures: many work groups, long reductions, kernels as large as the image. */
function largeCases(): DeviceCase[] {
  return [
    differentiated("large", "conv2d of 128 px", [packed([2, 128, 128, 8], 1), packed([3, 3, 8, 16], 2)], (x, w) =>
      conv2d(image(x), image(w), { pad: 1 }),
    ),
    differentiated("large", "strided conv2d of 96 px", [packed([1, 96, 96, 4], 1), packed([7, 7, 4, 8], 2)], (x, w) =>
      conv2d(image(x), image(w), { pad: 3, strides: 2 }),
    ),
    differentiated("large", "max pool of 96 px", [packed([2, 96, 96, 8], 1)], (x) => maxPool(image(x), 3, { strides: 2, pad: 1 })),
  ];
}

/** Variables of a U-Net of two levels on three bands, with given start values. */
function unetVariables(): {
  filters: tf.Variable[];
  norms: { scale: tf.Variable; offset: tf.Variable; mean: tf.Variable; variance: tf.Variable }[];
} {
  const shapes = [[3, 3, 3, 8], [3, 3, 8, 16], [3, 3, 24, 8]] as const; // prettier-ignore
  const filters = shapes.map((shape, i) => tf.variable(unpack(packed(shape, 20 + i, Math.sqrt(6 / (shape[0] * shape[1] * shape[2]))))));
  filters.push(tf.variable(unpack(packed([1, 1, 8, 4], 30, 0.5))));
  const norms = shapes.map(([, , , channels]) => ({
    scale: tf.variable(tf.ones([channels])),
    offset: tf.variable(tf.zeros([channels])),
    mean: tf.variable(tf.zeros([channels]), false),
    variance: tf.variable(tf.ones([channels]), false),
  }));
  return { filters, norms };
}

/** Losses and final weights of `steps` AdamW steps of a small U-Net with batch norm, dropout, pooling and up-sampling. */
export function unetCase(steps: number): DeviceCase {
  return {
    group: "unet",
    name: `${steps} steps`,
    async compute() {
      const { filters, norms } = unetVariables();
      const forward = (x: tf.Tensor4D, seed: tf.Tensor): tf.Tensor4D => {
        const block = (input: tf.Tensor4D, i: number): tf.Tensor4D =>
          batchNorm(conv2d(input, image(filters[i]), { pad: 1 }), { ...norms[i]!, training: true, activation: "relu" });
        const fine = block(x, 0);
        const coarse = dropout(block(maxPool(fine, 2), 1), 0.1, seed, 1);
        const joined = tf.concat([upsampleNearest(coarse, 2), fine], 3) as tf.Tensor4D;
        return conv2d(block(joined, 2), image(filters[3]));
      };
      const trained = [...filters, ...norms.flatMap(({ scale, offset }) => [scale, offset])];
      const adam = createOptimizer({ type: "adamw", weightDecay: 0.01 }, trained);
      const scalar = { shape: [], dtype: "float32" } as const;
      const step = compile(
        ({ x, y, lr, t, seed }) => {
          const loss = (): tf.Scalar => softmaxCrossEntropy(forward(image(x), seed!), y!, { ignoreIndex: 0 }) as tf.Scalar;
          const { value, grads } = tf.variableGrads(loss, trained);
          adam.apply(trained.map((variable) => grads[variable.name]!), lr!, t!); // prettier-ignore
          return { loss: value };
        },
        {
          inputs: {
            x: { shape: [2, 32, 32, 3], dtype: "float32" },
            y: { shape: [2, 32, 32], dtype: "int32" },
            ...{ lr: scalar, t: scalar, seed: { shape: [], dtype: "int32" } },
          },
        },
      );
      const losses: number[] = [];
      for (let t = 1; t <= steps; t++) {
        const x = numbers(2 * 32 * 32 * 3, 40 + t);
        const y = Int32Array.from({ length: 2 * 32 * 32 }, (_, i) => (x[i * 3]! > 0 ? 1 : x[i * 3 + 1]! > 0 ? 2 : i % 7 === 0 ? 0 : 3));
        const { loss } = await step.run({ x, y, lr: 3e-3, t, seed: t });
        losses.push(loss!.data[0]!);
      }
      const state = [...trained, ...norms.flatMap(({ mean, variance }) => [mean, variance])];
      const weights = Object.fromEntries(state.map((variable, i) => [`variable ${i}`, readVariable(variable).data.slice()]));
      await step.dispose();
      adam.dispose();
      for (const variable of state) variable.dispose();
      return { losses, ...weights };
    },
  };
}

/** Every case. */
export function deviceCases(): readonly DeviceCase[] {
  return [
    ...fixtureCases(),
    ...readFixture<Trajectory[]>("optimizer").map(optimizerCase),
    ...productCases(),
    ...softmaxCases(),
    ...elementwiseCases(),
    ...arrayCases(),
    ...largeCases(),
    unetCase(5),
  ];
}
