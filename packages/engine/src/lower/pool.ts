/** Pooling as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

interface Geometry {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
}

type Image = readonly [number, number, number, number];

const geometryOf = (value: Value): Geometry => value.attributes as unknown as Geometry;
const first = (name: string): Lowered => ({ name, layout: "channelsFirst" });

const settingsOf = ({
  kernel,
  strides,
  pads,
}: Geometry): { kernel_shape: readonly number[]; strides: readonly number[]; pads: readonly number[] } => ({
  kernel_shape: kernel,
  strides,
  pads,
});

const maxPool: LoweringRule = (graph, value) =>
  first(maxOfWindows(graph, graph.channelsFirst(value.inputs[0]!), settingsOf(geometryOf(value))));

/**
 * ONNX Runtime's MaxPool passes over a NaN as if it were not there; the mean of a window does not. Clipped and times 0 the mean adds nothing
 * to a window of numbers. (Where both infinities meet in a window their mean is NaN, and so is the maximum here: not a number to go on with
 * either.) For others' runtimes the graph is left plain.
 */
export function maxOfWindows(graph: Lowering, x: string, settings: Readonly<Record<string, readonly number[]>>): string {
  const found = graph.op("MaxPool", [x], settings);
  if (graph.portable) return found;
  const mean = graph.op("AveragePool", [x], { ...settings, count_include_pad: 0 });
  const zeroOrNaN = graph.op("Mul", [graph.op("Clip", [mean, graph.floats([-1]), graph.floats([1])]), graph.floats([0])]);
  return graph.op("Add", [found, zeroOrNaN]);
}

const maxPoolGrad: LoweringRule = (graph, value) => {
  const [dy, x, y] = value.inputs as [Value, Value, Value];
  const geometry = geometryOf(value);
  const gradient = graph.channelsFirst(dy);
  return first(
    tilesExactly(x, y, geometry) ? gradientOfTiles(graph, gradient, x, y, geometry) : gradientByIndex(graph, dy, gradient, x, geometry),
  );
};

/** Windows that neither overlap nor leave pixels out. */
function tilesExactly(x: Value, y: Value, { kernel, strides, pads }: Geometry): boolean {
  return (
    [0, 1].every((i) => kernel[i] === strides[i] && y.shape[i + 1]! * kernel[i]! === x.shape[i + 1]!) && pads.every((pad) => pad === 0)
  );
}

/** Repeats each pixel over its window. */
export function repeatPixels(graph: Lowering, name: string, factors: readonly number[]): string {
  const scales = graph.floats([1, 1, factors[0]!, factors[1]!], [4]);
  return graph.op("Resize", [name, "", scales], { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" });
}

/** 1 where difference is 0, else 0; differences are never positive. */
const whereZero = (graph: Lowering, difference: string): string =>
  graph.op("HardSigmoid", [difference], { alpha: { float: 3e38 }, beta: { float: 1 } });

/**
 * The pixel equal to its window's maximum gets the gradient. Equal pixels (flat image regions) are told apart by rank: the first has the
 * highest, and only the highest rank among them wins. A few cheap passes; ONNX's MaxUnpool takes several times as long.
 */
function gradientOfTiles(graph: Lowering, dy: string, x: Value, y: Value, geometry: Geometry): string {
  const { kernel } = geometry;
  const [, h, w] = x.shape as unknown as Image;
  const isMaximum = whereZero(graph, graph.op("Sub", [graph.channelsFirst(x), repeatPixels(graph, graph.channelsFirst(y), kernel)]));
  const ranked = graph.op("Mul", [isMaximum, rankOfPixels(graph, h, w, kernel)]);
  const highest = graph.op("MaxPool", [ranked], settingsOf(geometry));
  const wins = whereZero(graph, graph.op("Sub", [ranked, repeatPixels(graph, highest, kernel)]));
  return graph.op("Mul", [wins, repeatPixels(graph, dy, kernel)]);
}

/** Ranks within a window, `kernel area` for the first pixel down to 1, over the whole image. */
function rankOfPixels(graph: Lowering, h: number, w: number, [kh, kw]: readonly [number, number]): string {
  return graph.shared(`ranks ${h} ${w} ${kh} ${kw}`, () => {
    const ranks = Float32Array.from({ length: h * w }, (_, i) => kh * kw - ((Math.floor(i / w) % kh) * kw + ((i % w) % kw)));
    return graph.constant("float32", [1, 1, h, w], new Uint8Array(ranks.buffer));
  });
}

/** Overlapping or padded windows: add each gradient at the index of its maximum (the first among equals). */
function gradientByIndex(graph: Lowering, dy: Value, gradient: string, x: Value, geometry: Geometry): string {
  const [n, h, w, c] = x.shape as unknown as Image;
  const size = sizeOf(x.shape);
  const [, indices] = graph.ops("MaxPool", [graph.channelsFirst(x)], settingsOf(geometry), 2);
  const zeros = graph.op("Expand", [graph.floats([0]), graph.ints([size])]);
  const count = sizeOf(dy.shape);
  const flat = graph.op("ScatterElements", [zeros, graph.reshape(indices!, [count]), graph.reshape(gradient, [count])], {
    reduction: "add",
  });
  return graph.reshape(flat, [n, c, h, w]);
}

/** ONNX counts places of maxima over everything, channels first; tfjs channels last, within an image or over all. */
const maxPoolPlaces: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  const [n, h, w, c] = x.shape as unknown as Image;
  const [, indices] = graph.ops("MaxPool", [graph.channelsFirst(x)], settingsOf(geometryOf(value)), 2);
  const planes = (at: (image: number, channel: number) => number): string => {
    const table = BigInt64Array.from({ length: n * c }, (_, i) => BigInt(at(Math.floor(i / c), i % c)));
    return graph.constant("int64", [n, c, 1, 1], new Uint8Array(table.buffer));
  };
  const inPlane = graph.op("Sub", [indices!, planes((image, channel) => (image * c + channel) * h * w)]);
  const first = planes((image, channel) => (value.attributes["wholeBatch"] === true ? image * h * w * c : 0) + channel);
  const place = graph.op("Add", [graph.op("Mul", [inPlane, planes(() => c)]), first]);
  return { name: graph.op("Cast", [place], { to: ELEMENT_TYPES.int32 }), layout: "channelsFirst" };
};

const avgPool: LoweringRule = (graph, value) =>
  first(graph.op("AveragePool", [graph.channelsFirst(value.inputs[0]!)], { ...settingsOf(geometryOf(value)), count_include_pad: 0 }));

/** Each output shares its gradient among the pixels of its window that exist. */
const avgPoolGrad: LoweringRule = (graph, value) => {
  const [dy] = value.inputs as [Value];
  const { kernel, strides, pads } = geometryOf(value);
  const [n, h, w, c] = value.shape as unknown as Image;
  const [, ho, wo] = dy.shape as unknown as Image;
  const inside = (out: number, i: number): number => {
    const start = out * strides[i]! - pads[i]!;
    return Math.min(start + kernel[i]!, [h, w][i]!) - Math.max(start, 0);
  };
  const shares = Float32Array.from({ length: ho * wo }, (_, i) => 1 / (inside(Math.floor(i / wo), 0) * inside(i % wo, 1)));
  const shared = graph.op("Mul", [graph.channelsFirst(dy), graph.constant("float32", [1, 1, ho, wo], new Uint8Array(shares.buffer))]);
  const ones = graph.floats(Array.from({ length: kernel[0] * kernel[1] }, () => 1), [1, 1, kernel[0], kernel[1]]); // prettier-ignore
  const rest = [h - (ho - 1) * strides[0] - kernel[0] + pads[0] + pads[2], w - (wo - 1) * strides[1] - kernel[1] + pads[1] + pads[3]];
  const planes = graph.reshape(shared, [n * c, 1, ho, wo]);
  const spread = graph.op("ConvTranspose", [planes, ones], { kernel_shape: kernel, strides, pads, output_padding: rest });
  return first(graph.reshape(spread, [n, c, h, w]));
};

/** Pooling rules by recorded operation. */
export const poolRules: Readonly<Record<string, LoweringRule>> = {
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGrad,
  MaxPoolPlaces: maxPoolPlaces,
  AvgPool: avgPool,
  AvgPoolGrad: avgPoolGrad,
};
