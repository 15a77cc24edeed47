/** Every operation and its gradients against PyTorch in float64, on random shapes and settings. */

import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { avgPool, compile, conv2d, conv2dTranspose, maxPool, pyramidRoiAlign, roiAlign, startEngine } from "../index.ts";
import { worstError } from "../testing/fixtures.ts";
import { type RandomCase, randomCases } from "../testing/random-cases.ts";

beforeAll(async () => {
  // One thread: making a session is what takes time here.
  await startEngine({ threads: 1 });
});

type Tensors = Readonly<Record<string, tf.Tensor>>;
// oxlint-disable-next-line typescript/no-explicit-any -- as the oracle wrote them
type Options = any;
type Operation = (inputs: Tensors, options: Options) => tf.Tensor;

const image = (tensor: tf.Tensor | undefined): tf.Tensor4D => tensor as tf.Tensor4D;

const UNARY: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  abs: tf.abs,
  acos: tf.acos,
  acosh: tf.acosh,
  asin: tf.asin,
  asinh: tf.asinh,
  atan: tf.atan,
  atanh: tf.atanh,
  ceil: tf.ceil,
  cos: tf.cos,
  cosh: tf.cosh,
  elu: tf.elu,
  erf: tf.erf,
  exp: tf.exp,
  expm1: tf.expm1,
  floor: tf.floor,
  log: tf.log,
  log1p: tf.log1p,
  logSigmoid: tf.logSigmoid,
  neg: tf.neg,
  reciprocal: tf.reciprocal,
  relu: tf.relu,
  relu6: tf.relu6,
  rsqrt: tf.rsqrt,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sign: tf.sign,
  sin: tf.sin,
  sinh: tf.sinh,
  softplus: tf.softplus,
  sqrt: tf.sqrt,
  square: tf.square,
  tan: tf.tan,
  tanh: tf.tanh,
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  hardSigmoid: (x) => tf.div(tf.relu6(tf.add(x, 3)), 6),
  hardSwish: (x) => tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6)),
  mish: (x) => tf.mul(x, tf.tanh(tf.softplus(x))),
  clip: (x) => tf.clipByValue(x, -1, 2),
};

const BINARY: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  atan2: tf.atan2,
  mod: tf.mod,
  pow: tf.pow,
  prelu: tf.prelu,
};

const REDUCE: Readonly<Record<string, (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor>> = {
  sum: tf.sum,
  mean: tf.mean,
  max: tf.max,
  min: tf.min,
  prod: tf.prod,
  logSumExp: tf.logSumExp,
  euclidean: (x, axes, keepDims) => tf.sqrt(tf.sum(tf.square(x), axes, keepDims)),
  variance: (x, axes, keepDims) => tf.moments(x, axes, keepDims).variance,
};

const CONVENTIONS: Readonly<Record<string, [boolean, boolean]>> = { corners: [true, false], half: [false, true], legacy: [false, false] };

const TF_CONV: Readonly<Record<string, Operation>> = {
  conv2d: ({ x, filter }, { strides, pad, dilations }) => tf.conv2d(image(x), image(filter), strides, pad, "NHWC", dilations),
  nchw: ({ x, filter }, { strides, pad, dilations }) => tf.conv2d(image(x), image(filter), strides, pad, "NCHW", dilations),
  conv1d: ({ x, filter }, { strides, pad, dilations }) =>
    tf.conv1d(x as tf.Tensor3D, filter as tf.Tensor3D, strides, pad, "NWC", dilations),
  depthwise: ({ x, filter }, { strides, pad, dilations }) => tf.depthwiseConv2d(image(x), image(filter), strides, pad, "NHWC", dilations),
  separable: ({ x, filter, point }, { strides, pad, dilations }) =>
    tf.separableConv2d(image(x), image(filter), image(point), strides, pad, dilations, "NHWC"),
  fused: ({ x, filter, bias }, { strides, pad, activation }) =>
    tf.fused.conv2d({ x: image(x), filter: image(filter), strides, pad, bias: bias!, activation }),
};

function tfPool({ x }: Tensors, { kind, size, strides, pad, rounding }: Options): tf.Tensor {
  if (kind === "argmax") return tf.maxPoolWithArgmax(image(x), size, strides, pad)["result"]!;
  return (kind === "avg" ? tf.avgPool : tf.maxPool)(image(x), size, strides, pad, rounding === "same" ? undefined : rounding);
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  unary: ({ x }, { name }) => UNARY[name as string]!(x!),
  binary: ({ a, b }, { name }) => BINARY[name as string]!(a!, b!),
  where: ({ condition, a, b }) => tf.where(tf.cast(condition!, "bool"), a!, b!),
  smoothL1: ({ x }) => tf.where(tf.less(tf.abs(x!), 1), tf.mul(0.5, tf.square(x!)), tf.sub(tf.abs(x!), 0.5)),
  reduce: ({ x }, { name, axes, keepDims }) => REDUCE[name as string]!(x!, axes, keepDims),
  softmax: ({ x }, { name }) => (name === "softmax" ? tf.softmax(x!) : tf.logSoftmax(x!)),
  running: ({ x }, { name, axis, exclusive, reverse }) => (name === "cumsum" ? tf.cumsum : tf.cumprod)(x!, axis, exclusive, reverse),
  transpose: ({ x }, { perm }) => tf.transpose(x!, perm),
  concat: ({ a, b }, { axis }) => tf.concat([a!, b!, a!], axis),
  slices: ({ x }, { begin, size }) => tf.slice(x!, begin, size),
  stridedSlice: ({ x }, { begin, end, strides }) => tf.stridedSlice(x!, begin, end, strides),
  pad: ({ x }, { paddings, value }) => tf.pad(x!, paddings, value),
  mirrorPad: ({ x }, { paddings, mode }) => tf.mirrorPad(x!, paddings, mode),
  tile: ({ x }, { reps }) => tf.tile(x!, reps),
  reverse: ({ x }, { axes }) => tf.reverse(x!, axes),
  stack: ({ a, b }, { axis }) => tf.stack([a!, b!, b!], axis),
  unstack: ({ x }, { axis, at }) => tf.unstack(x!, axis)[at as number]!,
  broadcastTo: ({ x }, { shape }) => tf.broadcastTo(x!, shape),
  depthToSpace: ({ x }, { block }) => tf.depthToSpace(image(x), block),
  spaceToBatch: ({ x }, { block, paddings }) => tf.spaceToBatchND(x!, block, paddings),
  batchToSpace: ({ x }, { block, crops }) => tf.batchToSpaceND(x!, block, crops),
  diag: ({ x }) => tf.diag(x!),
  gather: ({ x, indices }, { axis, batchDims }) => tf.gather(x!, indices as tf.Tensor1D, axis, batchDims),
  gatherNd: ({ x, indices }) => tf.gatherND(x!, indices!),
  scatterNd: ({ indices, updates }, { shape }) => tf.scatterND(indices!, updates!, shape),
  tensorScatterUpdate: ({ tensor, indices, updates }) => tf.tensorScatterUpdate(tensor!, indices!, updates!),
  sparseToDense: ({ indices, values }, { shape, default: filling }) => tf.sparseToDense(indices!, values!, shape, filling),
  unsortedSegmentSum: ({ x, ids }, { segments }) => tf.unsortedSegmentSum(x!, ids as tf.Tensor1D, segments),
  topk: ({ x }, { k }) => tf.topk(x!, k).values,
  bincount: ({ x, weights }, { size }) => tf.denseBincount(x as tf.Tensor1D, (weights ?? tf.zeros([0])) as tf.Tensor1D, size),
  searchSorted: ({ row, values }, { side }) => tf.searchSorted(row!, values!, side),
  matMul: ({ a, b }, { transposeA, transposeB }) => tf.matMul(a!, b!, transposeA, transposeB),
  einsum: (terms, { equation }) => tf.einsum(equation, ...Object.values(terms)),
  conv2d: ({ x, filter }, { strides, dilations, pad, groups }) => conv2d(image(x), image(filter), { strides, dilations, pad, groups }),
  tfConv2d: (inputs, options) => TF_CONV[options.kind as string]!(inputs, options),
  conv2dTranspose: ({ x, filter, bias }, options) => conv2dTranspose(image(x), image(filter), { ...options, bias }),
  tfConv2dTranspose: ({ x, filter }, { shape, strides, pad }) => tf.conv2dTranspose(image(x), image(filter), shape, strides, pad),
  conv3d: ({ x, filter }, { strides, pad, dilations }) =>
    tf.conv3d(x as tf.Tensor5D, filter as tf.Tensor5D, strides, pad, "NDHWC", dilations),
  conv3dTranspose: ({ x, filter }, { shape, strides }) =>
    tf.conv3dTranspose(x as tf.Tensor5D, filter as tf.Tensor5D, shape, strides, "valid"),
  pool2d: ({ x }, { kind, size, strides, pad }) => (kind === "max" ? maxPool : avgPool)(image(x), size, { strides, pad }),
  tfPool2d: tfPool,
  pool3d: ({ x }, { kind, size, strides, pad }) => (kind === "max" ? tf.maxPool3d : tf.avgPool3d)(x as tf.Tensor5D, size, strides, pad),
  dilation2d: ({ x, filter }, { strides, pad, dilations }) => tf.dilation2d(image(x), filter as tf.Tensor3D, strides, pad, dilations),
  localResponse: ({ x }, { radius, bias, alpha, beta }) => tf.localResponseNormalization(image(x), radius, bias, alpha, beta),
  resize: ({ x }, { kind, convention, size }) =>
    (kind === "bilinear" ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor)(image(x), size, ...CONVENTIONS[convention as string]!),
  cropAndResize: ({ image: x, boxes, owners }, { size, method, fill }) =>
    tf.image.cropAndResize(image(x), boxes as tf.Tensor2D, owners as tf.Tensor1D, size, method, fill),
  roiAlign: ({ x, boxes, owners }, options) => roiAlign(image(x), boxes as tf.Tensor2D, owners as tf.Tensor1D, options),
  roiAlignAdaptive: ({ x, boxes, owners }, options) => roiAlign(image(x), boxes as tf.Tensor2D, owners as tf.Tensor1D, options),
  pyramidRoiAlign: ({ boxes, levels, ...maps }, options) =>
    pyramidRoiAlign(Object.values(maps).map(image), boxes as tf.Tensor3D, levels as tf.Tensor2D, options),
  transform: ({ x, matrix }, { kind, mode, fill, size }) => tf.image.transform(image(x), matrix as tf.Tensor2D, kind, mode, fill, size),
  rotate: ({ x }, { radians, fill }) => tf.image.rotateWithOffset(image(x), radians, fill),
  nonMaxSuppression: ({ boxes, scores }, { max, iou, score }) => {
    const least = (score as number | null) ?? -Infinity;
    const found = tf.image.nonMaxSuppressionPadded(boxes as tf.Tensor2D, scores as tf.Tensor1D, max, iou, least, true);
    return tf.concat([found["selectedIndices"]!, tf.reshape(found["validOutputs"]!, [1])]);
  },
};

/** Runs the case as one graph: result and gradients of its inputs. */
async function check(row: RandomCase): Promise<void> {
  const operation = OPERATIONS[row.op]!;
  const names = Object.keys(row.gradients);
  const given = { ...row.inputs, ...(row.dy === null ? {} : { dy: row.dy }) };
  const specs = Object.fromEntries(Object.entries(given).map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  const f = compile(
    (tensors) => {
      const { dy, ...inputs } = tensors;
      const results: Record<string, tf.Tensor> = { output: operation(inputs, row.options) };
      if (names.length === 0) return results;
      const slopes = tf.grads((...values: tf.Tensor[]) =>
        operation({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, values[i]!])) }, row.options),
      )(
        names.map((name) => inputs[name]!),
        dy!,
      );
      names.forEach((name, i) => (results[`d${name}`] = slopes[i]!));
      return results;
    },
    { inputs: specs },
  );
  try {
    const results = await f.run(Object.fromEntries(Object.entries(given).map(([name, { data, dtype }]) => [name, dtype === "int32" ? Int32Array.from(data) : Float32Array.from(data)]))); // prettier-ignore
    const label = JSON.stringify({
      options: row.options,
      shapes: Object.fromEntries(Object.entries(row.inputs).map(([n, v]) => [n, v.shape])),
    });
    expect(results["output"]!.shape, label).toEqual(row.output.shape);
    expect(worstError(results["output"]!.data, row.output.data), `output of ${label}`).toBeLessThan(1e-5);
    for (const name of names) {
      expect(results[`d${name}`]!.shape, label).toEqual(row.gradients[name]!.shape);
      expect(worstError(results[`d${name}`]!.data, row.gradients[name]!.data), `gradient of ${name}, ${label}`).toBeLessThan(1e-4);
    }
  } finally {
    await f.dispose();
  }
}

const cases = randomCases();

describe("equals PyTorch on random cases, forward and gradients", () => {
  test.each([...new Set(cases.map((row) => row.op))])("%s", { timeout: 600_000 }, async (op) => {
    const failures: string[] = [];
    for (const row of cases.filter((each) => each.op === op)) {
      try {
        await check(row);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
    expect(failures).toEqual([]);
  });

  test("nothing is left untested", () => {
    if (process.env["GEOLEARN_RANDOM_OPERATIONS"] !== undefined) return;
    expect(Object.keys(OPERATIONS).filter((op) => !cases.some((row) => row.op === op))).toEqual([]);
    expect(tf.memory().numTensors).toBeLessThan(10);
  });
});
