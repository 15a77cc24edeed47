/** Local response normalization over neighbouring channels, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import type { Lowering, LoweringRule } from "./lowering.ts";

interface Settings {
  readonly depthRadius: number;
  readonly bias: number;
  readonly alpha: number;
  readonly beta: number;
}

const settingsOf = (value: Value): Settings => value.attributes as unknown as Settings;

/** Sum over the channels within `radius`, itself included; `name` is `[N, C, H, W]`. */
function overNeighbours(graph: Lowering, name: string, shape: readonly number[], radius: number): string {
  const [n, h, w, c] = shape as readonly [number, number, number, number];
  const size = 2 * radius + 1;
  const stacked = graph.reshape(name, [n, 1, c, h * w]);
  const mean = graph.op("AveragePool", [stacked], {
    kernel_shape: [size, 1],
    strides: [1, 1],
    pads: [radius, 0, radius, 0],
    count_include_pad: 1,
  });
  return graph.op("Mul", [graph.reshape(mean, [n, c, h, w]), graph.floats([size])]);
}

/** bias + alpha * sum of squares */
function norm(graph: Lowering, x: Value, { depthRadius, bias, alpha }: Settings): string {
  const name = graph.channelsFirst(x);
  const squares = overNeighbours(graph, graph.op("Mul", [name, name]), x.shape, depthRadius);
  return graph.op("Add", [graph.op("Mul", [squares, graph.floats([alpha])]), graph.floats([bias])]);
}

const forward: LoweringRule = (graph, value) => {
  const [x] = value.inputs as [Value];
  const settings = settingsOf(value);
  const factor = graph.op("Pow", [norm(graph, x, settings), graph.floats([-settings.beta])]);
  return { name: graph.op("Mul", [graph.channelsFirst(x), factor]), layout: "channelsFirst" };
};

/** dy * norm^-beta - 2 alpha beta x * sum(dy * y / norm) */
const gradient: LoweringRule = (graph, value) => {
  const [x, y, dy] = value.inputs as [Value, Value, Value];
  const settings = settingsOf(value);
  const size = norm(graph, x, settings);
  const direct = graph.op("Mul", [graph.channelsFirst(dy), graph.op("Pow", [size, graph.floats([-settings.beta])])]);
  const ratio = graph.op("Div", [graph.op("Mul", [graph.channelsFirst(dy), graph.channelsFirst(y)]), size]);
  const shared = overNeighbours(graph, ratio, x.shape, settings.depthRadius);
  const scaled = graph.op("Mul", [shared, graph.floats([-2 * settings.alpha * settings.beta])]);
  return { name: graph.op("Add", [direct, graph.op("Mul", [graph.channelsFirst(x), scaled])]), layout: "channelsFirst" };
};

/** Rules of local response normalization by recorded operation. */
export const localResponseRules: Readonly<Record<string, LoweringRule>> = { LRN: forward, LRNGrad: gradient };
