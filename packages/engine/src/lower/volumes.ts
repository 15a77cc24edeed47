/** Convolution and pooling of volumes, `[N, depth, height, width, C]`, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";
import { maxOfWindows } from "./pool.ts";

interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Fronts of all axes, then backs. */
  readonly pads: readonly number[];
}

interface PoolGeometry extends Omit<Geometry, "dilations"> {
  readonly kernel: readonly number[];
}

const geometryOf = (value: Value): Geometry => value.attributes as unknown as Geometry;
const poolOf = (value: Value): PoolGeometry => value.attributes as unknown as PoolGeometry;

function channelsFirst(graph: Lowering, value: Value): string {
  const name = graph.natural(value);
  return graph.shared(`volume first ${name}`, () => graph.op("Transpose", [name], { perm: [0, 4, 1, 2, 3] }));
}

/** Back to channels last; whoever asks for channels first again gets the name as it is. */
function channelsLast(graph: Lowering, name: string): Lowered {
  const natural = graph.op("Transpose", [name], { perm: [0, 2, 3, 4, 1] });
  graph.shared(`volume first ${natural}`, () => name);
  return { name: natural, layout: "natural" };
}

/** `[out, in, depth, height, width]` */
function filterName(graph: Lowering, filter: Value): string {
  const name = graph.natural(filter);
  return graph.shared(`oidhw ${name}`, () => graph.op("Transpose", [name], { perm: [4, 3, 0, 1, 2] }));
}

const conv: LoweringRule = (graph, value) => {
  const [x, filter] = value.inputs as [Value, Value];
  const settings = { kernel_shape: filter.shape.slice(0, 3), ...geometryOf(value) };
  return channelsLast(graph, graph.op("Conv", [channelsFirst(graph, x), filterName(graph, filter)], settings));
};

/** What a floor division left over behind the last window. */
function leftOver(input: readonly number[], output: readonly number[], spans: readonly number[], { strides, pads }: Geometry): number[] {
  return spans.map((span, i) => input[i + 1]! + pads[i]! + pads[i + spans.length]! - ((output[i + 1]! - 1) * strides[i]! + span));
}

const inputGrad: LoweringRule = (graph, value) => {
  const [dy, filter] = value.inputs as [Value, Value];
  const geometry = geometryOf(value);
  const kernel = filter.shape.slice(0, 3);
  const spans = kernel.map((k, i) => (k - 1) * geometry.dilations[i]! + 1);
  const settings = { kernel_shape: kernel, ...geometry, output_padding: leftOver(value.shape, dy.shape, spans, geometry) };
  return channelsLast(graph, graph.op("ConvTranspose", [channelsFirst(graph, dy), filterName(graph, filter)], settings));
};

/** Input channels as images, images as channels, dy as the filter, strides and dilations exchanged. */
const filterGrad: LoweringRule = (graph, value) => {
  const [x, dy] = value.inputs as [Value, Value];
  const { strides, dilations, pads } = geometryOf(value);
  const kernel = value.shape.slice(0, 3);
  const sides = dy.shape.slice(1, 4);
  const met = kernel.map((k, i) => (sides[i]! - 1) * strides[i]! + (k - 1) * dilations[i]! + 1);
  const after = met.map((side, i) => side - x.shape[i + 1]! - pads[i]!);
  const all = [0, 0, ...pads.slice(0, 3), 0, 0, ...after];
  const padded = all.every((pad) => pad === 0) ? channelsFirst(graph, x) : graph.op("Pad", [channelsFirst(graph, x), graph.ints(all)]);
  const exchange = (name: string): string => graph.op("Transpose", [name], { perm: [1, 0, 2, 3, 4] });
  const settings = { kernel_shape: sides, strides: dilations, dilations: strides };
  const found = graph.op("Conv", [exchange(padded), exchange(channelsFirst(graph, dy))], settings);
  return { name: graph.op("Transpose", [found], { perm: [2, 3, 4, 0, 1] }), layout: "natural" };
};

const settingsOf = ({ kernel, strides, pads }: PoolGeometry): Record<string, readonly number[]> => ({
  kernel_shape: kernel,
  strides,
  pads,
});

const maxPool: LoweringRule = (graph, value) =>
  channelsLast(graph, maxOfWindows(graph, channelsFirst(graph, value.inputs[0]!), settingsOf(poolOf(value))));

/** Each gradient goes to the first maximum of its window. */
const maxPoolGrad: LoweringRule = (graph, value) => {
  const [dy, x] = value.inputs as [Value, Value];
  const [n, d, h, w, c] = value.shape as [number, number, number, number, number];
  const [, places] = graph.ops("MaxPool", [channelsFirst(graph, x)], settingsOf(poolOf(value)), 2);
  const count = sizeOf(dy.shape);
  const zeros = graph.op("Expand", [graph.floats([0]), graph.ints([n * c * d * h * w])]);
  const updates = graph.reshape(channelsFirst(graph, dy), [count]);
  const flat = graph.op("ScatterND", [zeros, graph.reshape(places!, [count, 1]), updates], { reduction: "add" });
  return channelsLast(graph, graph.reshape(flat, [n, c, d, h, w]));
};

const avgPool: LoweringRule = (graph, value) => {
  const settings = { ...settingsOf(poolOf(value)), count_include_pad: 0 };
  return channelsLast(graph, graph.op("AveragePool", [channelsFirst(graph, value.inputs[0]!)], settings));
};

/** Each output shares its gradient among the cells of its window that exist. */
const avgPoolGrad: LoweringRule = (graph, value) => {
  const [dy] = value.inputs as [Value];
  const { kernel, strides, pads } = poolOf(value);
  const [n, d, h, w, c] = value.shape as [number, number, number, number, number];
  const sides = dy.shape.slice(1, 4);
  let shared = channelsFirst(graph, dy);
  sides.forEach((side, axis) => {
    const shares = Array.from({ length: side }, (_, i) => {
      const start = i * strides[axis]! - pads[axis]!;
      return 1 / (Math.min(start + kernel[axis]!, value.shape[axis + 1]!) - Math.max(start, 0));
    });
    shared = graph.op("Mul", [shared, graph.floats(shares, [side, ...sides.slice(axis + 1).map(() => 1)])]);
  });
  const planes = graph.reshape(shared, [n * c, 1, ...sides]);
  const ones = graph.floats(new Array<number>(sizeOf(kernel)).fill(1), [1, 1, ...kernel]);
  const rest = leftOver(value.shape, dy.shape, kernel, { strides, pads, dilations: [1, 1, 1] });
  const settings = { ...settingsOf(poolOf(value)), output_padding: rest };
  return channelsLast(graph, graph.reshape(graph.op("ConvTranspose", [planes, ones], settings), [n, c, d, h, w]));
};

/** Rules of volumes by recorded operation. */
export const volumeRules: Readonly<Record<string, LoweringRule>> = {
  Conv3D: conv,
  Conv3DInputGrad: inputGrad,
  Conv3DFilterGrad: filterGrad,
  MaxPool3D: maxPool,
  MaxPool3DGrad: maxPoolGrad,
  AvgPool3D: avgPool,
  AvgPool3DGrad: avgPoolGrad,
};
