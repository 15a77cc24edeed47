/**
 * The engine's own operations written with those of tfjs, for devices that run tfjs itself (tfjs-node). Each gives what its ONNX form gives;
 * gradients are not taken through them: the operations with gradients ask for them by name, too.
 */

import * as tf from "@tensorflow/tfjs";
import type { Attributes } from "../graph/value.ts";
import { linearWeights, meanWeights } from "../lower/resize.ts";
import { uniformNumbers } from "../lower/random-numbers.ts";

type Image = tf.Tensor4D;
type Direct = (inputs: readonly tf.Tensor[], attributes: Attributes, shape: readonly number[]) => tf.Tensor;

interface Geometry {
  readonly strides: [number, number];
  readonly dilations: readonly [number, number];
  /** `[top, left, bottom, right]` */
  readonly pads: readonly [number, number, number, number];
  readonly kernel: [number, number];
  readonly groups?: number;
}

const geometryOf = (attributes: Attributes): Geometry => attributes as unknown as Geometry;
/** The least float32; an infinite one would make 0 times infinity in gradients. */
const LEAST = -3.4028234663852886e38;

/** Runs a kernel of tfjs that has no function of its own. */
function kernel(name: string, inputs: Record<string, tf.Tensor>, attributes: object): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes as never);
}

function padded(x: tf.Tensor, [top, left, bottom, right]: Geometry["pads"], value = 0): Image {
  const sides: [number, number][] = [[0, 0], [top, bottom], [left, right], [0, 0]]; // prettier-ignore
  return (top + left + bottom + right === 0 ? x : tf.pad(x, sides, value)) as Image;
}

const paddedShape = ([n, h, w, c]: readonly number[], [top, left, bottom, right]: Geometry["pads"]): [number, number, number, number] => [
  n!,
  h! + top + bottom,
  w! + left + right,
  c!,
];

/** What lies inside the padding. */
const inside = (x: tf.Tensor, shape: readonly number[], [top, left]: Geometry["pads"]): tf.Tensor =>
  tf.slice(x, [0, top, left, 0], shape.slice());

/** A filter with zeros between its rows and columns: tfjs refuses gradients of dilated convolutions, and strides with dilations. */
function spread(filter: tf.Tensor, [dh, dw]: Geometry["dilations"]): Image {
  if (dh === 1 && dw === 1) return filter as Image;
  const [kh, kw, i, o] = filter.shape as [number, number, number, number];
  const apart = tf.pad(tf.reshape(filter, [kh, 1, kw, 1, i * o]), [[0, 0], [0, dh - 1], [0, 0], [0, dw - 1], [0, 0]]); // prettier-ignore
  return tf.slice(tf.reshape(apart, [kh * dh, kw * dw, i, o]), [0, 0, 0, 0], [(kh - 1) * dh + 1, (kw - 1) * dw + 1, i, o]) as Image;
}

const conv2d: Direct = ([x, filter, bias], attributes) => {
  const { strides, dilations, pads } = geometryOf(attributes);
  const out = tf.conv2d(padded(x!, pads), spread(filter!, dilations), strides, "valid");
  return bias === undefined ? out : tf.add(out, bias);
};

const inputGradient: Direct = ([dy, filter], attributes, shape) => {
  const { strides, dilations, pads } = geometryOf(attributes);
  const settings = { strides, pad: "valid", dataFormat: "NHWC", inputShape: paddedShape(shape, pads) };
  return inside(kernel("Conv2DBackpropInput", { dy: dy!, filter: spread(filter!, dilations) }, settings), shape, pads);
};

const filterGradient: Direct = ([x, dy], attributes, shape) => {
  const { strides, dilations, pads } = geometryOf(attributes);
  const [kh, kw, i, o] = shape as [number, number, number, number];
  const [dh, dw] = dilations;
  const wide = [(kh - 1) * dh + 1, (kw - 1) * dw + 1, i, o];
  const gradient = kernel(
    "Conv2DBackpropFilter",
    { x: padded(x!, pads), dy: dy! },
    { strides, pad: "valid", dataFormat: "NHWC", filterShape: wide },
  );
  return tf.stridedSlice(gradient, [0, 0, 0, 0], wide, [dh, dw, 1, 1]);
};

/** Does each group by itself and joins what they give. `cut` says along which axis each input has its groups, -1 for all of it. */
const byGroups =
  (direct: Direct, cut: readonly number[], joined: number): Direct =>
  (inputs, attributes, shape) => {
    const groups = geometryOf(attributes).groups ?? 1;
    const each = shape.map((side, axis) => (axis === joined ? side / groups : side));
    const parts = inputs.map((input, i) => tf.split(input, groups, cut[i] === -1 ? input.rank - 1 : cut[i]!));
    return tf.concat(Array.from({ length: groups }, (_, g) => direct(parts.map((part) => part[g]!), attributes, each)), joined); // prettier-ignore
  };

/** Pixels of each window that exist. */
function counts([, h, w]: readonly number[], [, ho, wo]: readonly number[], { kernel: size, strides, pads }: Geometry): tf.Tensor {
  const overlap = (out: number, axis: 0 | 1): number => {
    const start = out * strides[axis] - pads[axis];
    return Math.min(start + size[axis], axis === 0 ? h! : w!) - Math.max(start, 0);
  };
  const values = Float32Array.from({ length: ho! * wo! }, (_, i) => overlap(Math.floor(i / wo!), 0) * overlap(i % wo!, 1));
  return tf.tensor(values, [1, ho!, wo!, 1]);
}

const area = ({ kernel: [kh, kw] }: Geometry): number => kh * kw;

const avgPool: Direct = ([x], attributes, shape) => {
  const geometry = geometryOf(attributes);
  const mean = tf.avgPool(padded(x!, geometry.pads), geometry.kernel, geometry.strides, "valid");
  return tf.div(tf.mul(mean, area(geometry)), counts(x!.shape, shape, geometry));
};

const avgPoolGradient: Direct = ([dy], attributes, shape) => {
  const geometry = geometryOf(attributes);
  const shared = tf.mul(tf.div(dy!, counts(shape, dy!.shape, geometry)), area(geometry));
  const settings = { filterSize: geometry.kernel, strides: geometry.strides, pad: "valid" };
  const gradient = kernel("AvgPoolGrad", { dy: shared, input: tf.zeros(paddedShape(shape, geometry.pads)) }, settings);
  return inside(gradient, shape, geometry.pads);
};

const maxPool: Direct = ([x], attributes) => {
  const { kernel: size, strides, pads } = geometryOf(attributes);
  return tf.maxPool(padded(x!, pads, LEAST), size, strides, "valid");
};

const maxPoolGradient: Direct = ([dy, x, y], attributes, shape) => {
  const { kernel: size, strides, pads } = geometryOf(attributes);
  const settings = { filterSize: size, strides, pad: "valid" };
  return inside(kernel("MaxPoolGrad", { dy: dy!, input: padded(x!, pads, LEAST), output: y! }, settings), shape, pads);
};

/** Multiplies along one axis by a matrix `[to, from]`. */
function along(x: tf.Tensor, axis: number, weights: Float32Array, to: number): tf.Tensor {
  const order = [0, 1, 2, 3].filter((each) => each !== axis).concat(axis);
  const from = x.shape[axis]!;
  const last = tf.transpose(x, order);
  const rows = tf.matMul(tf.reshape(last, [x.size / from, from]), tf.tensor(weights, [to, from]), false, true);
  const back = [0, 1, 2, 3].map((each) => order.indexOf(each));
  return tf.transpose(tf.reshape(rows, [...last.shape.slice(0, -1), to]), back);
}

/** The matrix `[columns, rows]` of `[rows, columns]`. */
const turned = (values: Float32Array, rows: number, columns: number): Float32Array =>
  Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);

type Convention = Parameters<typeof linearWeights>[2];
type Weights = (from: number, to: number, convention: Convention) => Float32Array;

const byMatrices =
  (weights: Weights): Direct =>
  ([x], attributes, shape) =>
    [1, 2].reduce<tf.Tensor>((image, axis) => {
      const matrix = weights(x!.shape[axis]!, shape[axis]!, attributes as unknown as Convention);
      return along(image, axis, matrix, shape[axis]!);
    }, x!);

const byMatricesBack =
  (weights: Weights): Direct =>
  ([dy], attributes, shape) =>
    [1, 2].reduce<tf.Tensor>((image, axis) => {
      const [from, to] = [shape[axis]!, dy!.shape[axis]!];
      return along(image, axis, turned(weights(from, to, attributes as unknown as Convention), to, from), from);
    }, dy!);

const channels = (x: tf.Tensor): tf.Tensor => tf.sum(x, [0, 1, 2]);

const TABLE: Readonly<Record<string, Direct>> = {
  Conv2D: conv2d,
  Conv2DInputGrad: inputGradient,
  Conv2DFilterGrad: filterGradient,
  GroupedConv: byGroups(conv2d, [3, 3, 0], 3),
  GroupedInputGrad: byGroups(inputGradient, [3, 3], 3),
  GroupedFilterGrad: byGroups(filterGradient, [3, 3], 3),
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  AvgPool: avgPool,
  AvgPoolGrad: avgPoolGradient,
  ChannelSum: ([x]) => channels(x!),
  ChannelMean: ([x]) => tf.div(channels(x!), x!.size / x!.shape[3]!),
  ChannelDot: ([a, b]) => channels(tf.mul(a!, b!)),
  ChannelShift: ([x, shift]) => tf.add(x!, shift!),
  ChannelScale: ([x, scale]) => tf.mul(x!, scale!),
  ChannelScaleShift: ([x, scale, shift]) => tf.add(tf.mul(x!, scale!), shift!),
  Relu: ([x]) => tf.relu(x!),
  ReluGrad: ([dy, y]) => tf.mul(dy!, tf.step(y!)),
  UpsampleNearest: ([x], _, shape) => tf.image.resizeNearestNeighbor(x as Image, [shape[1]!, shape[2]!]),
  UpsampleNearestGrad: ([dy], { factor }) => {
    const side = factor as number;
    return tf.mul(tf.avgPool(dy as Image, side, side, "valid"), side * side);
  },
  ResizeBilinear: byMatrices(linearWeights),
  ResizeBilinearGrad: byMatricesBack(linearWeights),
  AdaptiveAvgPool: byMatrices(meanWeights),
  AdaptiveAvgPoolGrad: byMatricesBack(meanWeights),
  LogSoftmax: ([x]) => tf.logSoftmax(x!, -1),
  RandomUniform: ([seed], { id }, shape) => tf.tensor(uniformNumbers(seed!.dataSync()[0]!, id as number, shape), shape.slice()),
};

/** Runs an operation of the engine with operations of tfjs; null for one that has no such form. */
export function direct(op: string, inputs: readonly tf.Tensor[], attributes: Attributes, shape: readonly number[]): tf.Tensor | null {
  const found = TABLE[op];
  return found === undefined ? null : tf.tidy(() => found(inputs, attributes, shape));
}
