/** Statistics per channel and normalization, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";
import { pixelsOf, sumAxes } from "./reduction.ts";

/** Longest product of vectors in one go; longer ones lose digits. */
const RUN = 4096;

type Image = readonly [number, number, number, number];

const first = (name: string): Lowered => ({ name, layout: "channelsFirst" });
const natural = (name: string): Lowered => ({ name, layout: "natural" });

const inMemory = (value: Value): number[] => {
  const [n, h, w, c] = value.shape as unknown as Image;
  return [n, c, h, w];
};

/** Sum over images, rows and columns, in that many steps. */
function channelSum(graph: Lowering, x: Value): string {
  return graph.reshape(sumAxes(graph, graph.channelsFirst(x), inMemory(x), [0, 2, 3]), [x.shape[3]!]);
}

const channelMean: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  return natural(graph.op("Mul", [channelSum(graph, x), graph.floats([1 / pixelsOf(x)])]));
};

/** Largest divisor of `length` that is at most RUN; 1 x 1 products of that many terms. */
function runOf(length: number): number {
  for (let parts = Math.ceil(length / RUN); parts <= length; parts++) if (length % parts === 0) return length / parts;
  return 1;
}

/** Sum of products per channel: one product of vectors per image, channel and run, then short sums. */
const channelDot: LoweringRule = (graph, value) => {
  const [a, b] = value.inputs as [Value, Value];
  const [n, h, w, c] = a.shape as unknown as Image;
  const run = runOf(h * w);
  if (run < 64 || !graph.fused) {
    const products = graph.op("Mul", [graph.channelsFirst(a), graph.channelsFirst(b)]);
    return natural(graph.reshape(sumAxes(graph, products, inMemory(a), [0, 2, 3]), [c]));
  }
  const runs = (h * w) / run;
  const rows = (x: Value): string => graph.reshape(graph.channelsFirst(x), [n * c * runs, 1, run]);
  const products = graph.product(rows(a), rows(b), { transB: 3 });
  return natural(graph.reshape(sumAxes(graph, graph.reshape(products, [n, c, runs]), [n, c, runs], [0, 2]), [c]));
};

/** x * scale + shift per channel in one pass. */
function scaleShift(graph: Lowering, x: Value, scale: string, shift: string): Lowered {
  const channels = x.shape[3]!;
  const zeros = graph.floats(Array.from({ length: channels }, () => 0), [channels]); // prettier-ignore
  return first(
    graph.op("BatchNormalization", [graph.channelsFirst(x), scale, shift, zeros, ones(graph, channels)], { epsilon: { float: 0 } }),
  );
}

const ones = (graph: Lowering, count: number): string => graph.floats(Array.from({ length: count }, () => 1), [count]); // prettier-ignore

const channelShift: LoweringRule = (graph, value) => {
  const [x, shift] = value.inputs as [Value, Value];
  return scaleShift(graph, x, ones(graph, x.shape[3]!), graph.natural(shift));
};

const channelScaleShift: LoweringRule = (graph, value) => {
  const [x, scale, shift] = value.inputs as [Value, Value, Value];
  return scaleShift(graph, x, graph.natural(scale), graph.natural(shift));
};

const channelScale: LoweringRule = (graph, value) => {
  const [x, scale] = value.inputs as [Value, Value];
  return first(graph.op("Mul", [graph.channelsFirst(x), graph.reshape(graph.natural(scale), [x.shape[3]!, 1, 1])]));
};

/** Batch norm with given statistics; ONNX Runtime folds it into a convolution before it when everything is constant. */
const fusedBatchNorm: LoweringRule = (graph, value) => {
  const [x, mean, variance, ...rest] = value.inputs as [Value, Value, Value, ...Value[]];
  const { epsilon, hasOffset, hasScale } = value.attributes as { epsilon: number; hasOffset: boolean; hasScale: boolean };
  const channels = x.shape[3]!;
  const offset = hasOffset ? graph.natural(rest[0]!) : graph.floats(Array.from({ length: channels }, () => 0), [channels]); // prettier-ignore
  const scale = hasScale ? graph.natural(rest[hasOffset ? 1 : 0]!) : ones(graph, channels);
  const inputs = [graph.channelsFirst(x), scale, offset, graph.natural(mean), graph.natural(variance)];
  return first(graph.op("BatchNormalization", inputs, { epsilon: { float: epsilon } }));
};

/** Normalization rules by recorded operation. */
export const normRules: Readonly<Record<string, LoweringRule>> = {
  ChannelSum: (graph, value) => natural(channelSum(graph, value.inputs[0]!)),
  ChannelMean: channelMean,
  ChannelDot: channelDot,
  ChannelShift: channelShift,
  ChannelScale: channelScale,
  ChannelScaleShift: channelScaleShift,
  FusedBatchNorm: fusedBatchNorm,
};
