/** Resizing and means over a grid as ONNX nodes: whole factors by repetition, everything else by small matrices along each axis. */

import type { Value } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";
import { repeatPixels } from "./pool.ts";

type Image = readonly [number, number, number, number];

const first = (name: string): Lowered => ({ name, layout: "channelsFirst" });

interface Convention {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

const conventionOf = (value: Value): Convention => value.attributes as unknown as Convention;

/** Where output pixel `i` lies in the input. */
function sourceOf(i: number, from: number, to: number, { alignCorners, halfPixelCenters }: Convention): number {
  if (alignCorners) return to === 1 ? 0 : (i * (from - 1)) / (to - 1);
  return halfPixelCenters ? ((i + 0.5) * from) / to - 0.5 : (i * from) / to;
}

/** Weights `[to, from]` of linear interpolation along one axis; beyond the border its value is held. */
export function linearWeights(from: number, to: number, convention: Convention): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const source = Math.min(Math.max(sourceOf(i, from, to, convention), 0), from - 1);
    const low = Math.floor(source);
    const high = Math.min(low + 1, from - 1);
    weights[i * from + low]! += 1 - (source - low);
    weights[i * from + high]! += source - low;
  }
  return weights;
}

/** Weights `[to, from]` of nearest neighbour as tfjs computes it. */
function nearestWeights(from: number, to: number, convention: Convention): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const { alignCorners, halfPixelCenters } = convention;
    const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
    const source = halfPixelCenters ? scale * (i + 0.5) : scale * i;
    const at = Math.min(from - 1, alignCorners ? Math.round(source) : Math.floor(source));
    weights[i * from + Math.max(0, at)] = 1;
  }
  return weights;
}

/** Means have no convention. */
const ANY: Convention = { alignCorners: false, halfPixelCenters: false };

type Weights = (from: number, to: number, convention: Convention) => Float32Array;

/** rows x image x columns', per image and channel; the weights are constants. */
function byMatrices(
  graph: Lowering,
  image: Value,
  small: Image,
  large: Image,
  weights: Weights,
  convention: Convention,
  backward: boolean,
): Lowered {
  const matrix = (axis: 1 | 2): string => {
    const values = weights(small[axis], large[axis], convention);
    return graph.constant("float32", [large[axis], small[axis]], new Uint8Array(values.buffer));
  };
  const x = graph.channelsFirst(image);
  // forward: R x C'; backward: R' dy C
  const columns = graph.product(x, matrix(2), { transB: backward ? 0 : 2 });
  return first(graph.product(matrix(1), columns, { transA: backward ? 2 : 0 }));
}

const resize =
  (weights: Weights): LoweringRule =>
  (graph, value) => {
    const [image] = value.inputs as [Value];
    if (graph.portable) return onnxResize(graph, value, weights === linearWeights);
    return byMatrices(graph, image, image.shape as unknown as Image, value.shape as unknown as Image, weights, conventionOf(value), false);
  };

/** ONNX's own operator, by factors where they give the size exactly: then the graph holds for other sizes too. */
function onnxResize(graph: Lowering, value: Value, linear: boolean): Lowered {
  const [image] = value.inputs as [Value];
  const { alignCorners, halfPixelCenters } = conventionOf(value);
  const [, h, w, c] = image.shape as unknown as Image;
  const [n, ho, wo] = value.shape as unknown as Image;
  const [, like] = value.inputs;
  const mode = linear
    ? { mode: "linear" }
    : // tfjs rounds down, or half up with aligned corners; ONNX's half-pixel coordinate is half a pixel less than tfjs's.
      { mode: "nearest", nearest_mode: alignCorners || halfPixelCenters ? "round_prefer_ceil" : "floor" };
  const coordinates = alignCorners ? "align_corners" : halfPixelCenters ? "half_pixel" : "asymmetric";
  const settings = { ...mode, coordinate_transformation_mode: coordinates };
  if (like !== undefined) return first(graph.op("Resize", [graph.channelsFirst(image), "", "", sidesOf(graph, image, like)], settings));
  const factors = [Math.fround(ho / h), Math.fround(wo / w)] as const;
  const exact = Math.floor(h * factors[0]) === ho && Math.floor(w * factors[1]) === wo;
  const size = exact ? [graph.floats([1, 1, ...factors], [4])] : ["", graph.ints([n, c, ho, wo])];
  return first(graph.op("Resize", [graph.channelsFirst(image), "", ...size], settings));
}

/** Images and channels of one map, height and width of another, as the graph finds them when it runs. */
function sidesOf(graph: Lowering, image: Value, like: Value): string {
  const part = (value: Value, from: number, to: number): string =>
    graph.slice(graph.op("Shape", [graph.channelsFirst(value)]), [0], [from], [to]);
  return graph.op("Concat", [part(image, 0, 2), part(like, 2, 4)], { axis: 0 });
}

const resizeGrad =
  (weights: Weights): LoweringRule =>
  (graph, value) => {
    const [dy] = value.inputs as [Value];
    return byMatrices(graph, dy, value.shape as unknown as Image, dy.shape as unknown as Image, weights, conventionOf(value), true);
  };

const upsample: LoweringRule = (graph, value) => {
  const factor = value.attributes["factor"] as number;
  return first(repeatPixels(graph, graph.channelsFirst(value.inputs[0]!), [factor, factor]));
};

/** The gradients of the repeated pixels, added: their mean times their number. */
const upsampleGrad: LoweringRule = (graph, value) => {
  const factor = value.attributes["factor"] as number;
  const mean = graph.op("AveragePool", [graph.channelsFirst(value.inputs[0]!)], {
    kernel_shape: [factor, factor],
    strides: [factor, factor],
  });
  return first(graph.op("Mul", [mean, graph.floats([factor * factor])]));
};

const wholeFactor = (from: Image, to: Image): number | null => {
  const factor = to[1] / from[1];
  return Number.isInteger(factor) && to[2] === from[2] * factor ? factor : null;
};

const nearest: LoweringRule = (graph, value) => {
  const [image] = value.inputs as [Value];
  const factor = conventionOf(value).alignCorners ? null : wholeFactor(image.shape as unknown as Image, value.shape as unknown as Image);
  if (factor === null) return resize(nearestWeights)(graph, value);
  return first(repeatPixels(graph, graph.channelsFirst(image), [factor, factor]));
};

/**
 * Weights `[to, from]` of means: output pixel `i` is that of the pixels from `floor(i from / to)` up to `ceil((i + 1) from / to)`, so that windows
 * overlap by a pixel where the sides do not divide.
 */
export function meanWeights(from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const [first, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    weights.fill(1 / (end - first), i * from + first, i * from + end);
  }
  return weights;
}

const adaptiveAvgPool: LoweringRule = (graph, value) => {
  const [image] = value.inputs as [Value];
  const [from, to] = [image.shape as unknown as Image, value.shape as unknown as Image];
  if (graph.portable) return meansOfAnySize(graph, image, to);
  return byMatrices(graph, image, from, to, meanWeights, ANY, false);
};

/** The same with matrices that the graph makes from the sides it finds when it runs. */
function meansOfAnySize(graph: Lowering, image: Value, [, rows, columns]: Image): Lowered {
  const x = graph.channelsFirst(image);
  const weights = (axis: 2 | 3, cells: number): string => {
    const whole = (values: readonly number[], dims: readonly number[]): string =>
      graph.constant("int64", dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
    const side = graph.op("Gather", [graph.op("Shape", [x]), whole([axis], [])], { axis: 0 });
    const count = whole([cells], []);
    const places = graph.op("Range", [whole([0], []), side, whole([1], [])]);
    const each = Array.from({ length: cells }, (_, i) => i);
    const from = graph.op("Div", [graph.op("Mul", [whole(each, [cells, 1]), side]), count]);
    const beyond = graph.op("Mul", [whole(each.map((i) => i + 1), [cells, 1]), side]); // prettier-ignore
    const to = graph.op("Div", [graph.op("Add", [beyond, whole([cells - 1], [])]), count]);
    const inside = graph.op("And", [graph.op("GreaterOrEqual", [places, from]), graph.op("Less", [places, to])]);
    const float = (name: string): string => graph.op("Cast", [name], { to: ELEMENT_TYPES.float32 });
    return graph.op("Div", [float(inside), float(graph.op("Sub", [to, from]))]);
  };
  const across = graph.op("Transpose", [weights(3, columns)], { perm: [1, 0] });
  return first(graph.op("MatMul", [weights(2, rows), graph.op("MatMul", [x, across])]));
}

const adaptiveAvgPoolGrad: LoweringRule = (graph, value) => {
  const [dy] = value.inputs as [Value];
  return byMatrices(graph, dy, value.shape as unknown as Image, dy.shape as unknown as Image, meanWeights, ANY, true);
};

/** Resize rules by recorded operation. */
export const resizeRules: Readonly<Record<string, LoweringRule>> = {
  AdaptiveAvgPool: adaptiveAvgPool,
  AdaptiveAvgPoolGrad: adaptiveAvgPoolGrad,
  UpsampleNearest: upsample,
  UpsampleNearestGrad: upsampleGrad,
  ResizeNearest: nearest,
  ResizeNearestGrad: resizeGrad(nearestWeights),
  ResizeBilinear: resize(linearWeights),
  ResizeBilinearGrad: resizeGrad(linearWeights),
};
