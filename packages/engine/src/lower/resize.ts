/** Resizing as ONNX nodes: whole factors by repetition, everything else by small interpolation matrices. */

import type { Value } from "../graph/value.ts";
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
  const factors = [Math.fround(ho / h), Math.fround(wo / w)] as const;
  const exact = Math.floor(h * factors[0]) === ho && Math.floor(w * factors[1]) === wo;
  const size = exact ? [graph.floats([1, 1, ...factors], [4])] : ["", graph.ints([n, c, ho, wo])];
  const mode = linear
    ? { mode: "linear" }
    : // tfjs rounds down, or half up with aligned corners; ONNX's half-pixel coordinate is half a pixel less than tfjs's.
      { mode: "nearest", nearest_mode: alignCorners || halfPixelCenters ? "round_prefer_ceil" : "floor" };
  const coordinates = alignCorners ? "align_corners" : halfPixelCenters ? "half_pixel" : "asymmetric";
  return first(graph.op("Resize", [graph.channelsFirst(image), "", ...size], { ...mode, coordinate_transformation_mode: coordinates }));
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

/** Resize rules by recorded operation. */
export const resizeRules: Readonly<Record<string, LoweringRule>> = {
  UpsampleNearest: upsample,
  UpsampleNearestGrad: upsampleGrad,
  ResizeNearest: nearest,
  ResizeNearestGrad: resizeGrad(nearestWeights),
  ResizeBilinear: resize(linearWeights),
  ResizeBilinearGrad: resizeGrad(linearWeights),
};
