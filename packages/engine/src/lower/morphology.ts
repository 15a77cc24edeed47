/** Grey-scale dilation as ONNX nodes: one shifted copy of the image per place of the structuring element. */

import type { Value } from "../graph/value.ts";
import type { Lowering, LoweringRule } from "./lowering.ts";
import { sumAxes } from "./reduction.ts";

interface Geometry {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
}

type Image = readonly [number, number, number, number];

const geometryOf = (value: Value): Geometry => value.attributes as unknown as Geometry;

/** Below everything: what lies outside never wins. */
const LOWEST = -3.4e38;

/** Image plus structuring element for each of its places, row by row. */
function candidates(graph: Lowering, x: Value, filter: Value, [ho, wo]: readonly [number, number], geometry: Geometry): string[] {
  const { strides, dilations, pads } = geometry;
  const [, h, w, channels] = x.shape as unknown as Image;
  const [kh, kw] = filter.shape as readonly [number, number];
  const rows = (ho - 1) * strides[0] + (kh - 1) * dilations[0] + 1;
  const columns = (wo - 1) * strides[1] + (kw - 1) * dilations[1] + 1;
  const around = graph.ints([0, 0, pads[0], pads[1], 0, 0, rows - h - pads[0], columns - w - pads[1]]);
  const padded = graph.op("Pad", [graph.channelsFirst(x), around, graph.floats([LOWEST])]);
  const element = graph.op("Transpose", [graph.natural(filter)], { perm: [2, 0, 1] });
  return Array.from({ length: kh * kw }, (_, at) => {
    const [ky, kx] = [Math.floor(at / kw), at % kw];
    const [top, left] = [ky * dilations[0], kx * dilations[1]];
    const shifted = graph.slice(padded, [2, 3], [top, left], [top + (ho - 1) * strides[0] + 1, left + (wo - 1) * strides[1] + 1], strides);
    const weight = graph.reshape(graph.slice(element, [1, 2], [ky, kx], [ky + 1, kx + 1]), [channels, 1, 1]);
    return graph.op("Add", [shifted, weight]);
  });
}

const dilation: LoweringRule = (graph, value) => {
  const [x, filter] = value.inputs as [Value, Value];
  const all = candidates(graph, x, filter, [value.shape[1]!, value.shape[2]!], geometryOf(value));
  return { name: all.length === 1 ? all[0]! : graph.op("Max", all), layout: "channelsFirst" };
};

/** dy where a place is the first to reach the maximum, else 0: one image per place. */
function winners(graph: Lowering, x: Value, filter: Value, dy: Value, geometry: Geometry): string[] {
  const all = candidates(graph, x, filter, [dy.shape[1]!, dy.shape[2]!], geometry);
  const greatest = all.length === 1 ? all[0]! : graph.op("Max", all);
  const gradient = graph.channelsFirst(dy);
  let free: string | null = null;
  return all.map((candidate) => {
    const reaches = graph.op("Equal", [candidate, greatest]);
    const wins: string = free === null ? reaches : graph.op("And", [reaches, free]);
    const stillFree = graph.op("Not", [reaches]);
    free = free === null ? stillFree : graph.op("And", [free, stillFree]);
    return graph.op("Where", [wins, gradient, graph.floats([0])]);
  });
}

const filterGrad: LoweringRule = (graph, value) => {
  const [x, filter, dy] = value.inputs as [Value, Value, Value];
  const [n, ho, wo, c] = dy.shape as unknown as Image;
  const [kh, kw] = filter.shape as readonly [number, number];
  const sums = winners(graph, x, filter, dy, geometryOf(value)).map((name) =>
    graph.reshape(sumAxes(graph, name, [n, c, ho, wo], [0, 2, 3]), [1, c]),
  );
  return { name: graph.reshape(graph.op("Concat", sums, { axis: 0 }), [kh, kw, c]), layout: "natural" };
};

/** Every place sends its winners back where they came from: a transposed convolution that only moves. */
const inputGrad: LoweringRule = (graph, value) => {
  const [x, filter, dy] = value.inputs as [Value, Value, Value];
  const { strides, dilations, pads } = geometryOf(value);
  const [n, h, w, c] = x.shape as unknown as Image;
  const [, ho, wo] = dy.shape as unknown as Image;
  const [kh, kw] = filter.shape as readonly [number, number];
  const places = kh * kw;
  const each = winners(graph, x, filter, dy, geometryOf(value)).map((name) => graph.reshape(name, [n * c, 1, ho, wo]));
  const stacked = graph.op("Concat", each, { axis: 1 });
  const identity = Array.from({ length: places * places }, (_, i) => (i % (places + 1) === 0 ? 1 : 0));
  const rest = [h, w].map(
    (side, i) => side + pads[i]! + pads[i + 2]! - ([ho, wo][i]! - 1) * strides[i]! - ([kh, kw][i]! - 1) * dilations[i]! - 1,
  );
  const moved = graph.op("ConvTranspose", [stacked, graph.floats(identity, [places, 1, kh, kw])], {
    kernel_shape: [kh, kw],
    strides,
    dilations,
    pads,
    output_padding: rest,
  });
  return { name: graph.reshape(moved, [n, c, h, w]), layout: "channelsFirst" };
};

/** Rules of grey-scale morphology by recorded operation. */
export const morphologyRules: Readonly<Record<string, LoweringRule>> = {
  Dilation2D: dilation,
  Dilation2DInputGrad: inputGrad,
  Dilation2DFilterGrad: filterGrad,
};
