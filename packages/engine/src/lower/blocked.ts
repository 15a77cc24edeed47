/**
 * Convolutions in ONNX Runtime's blocked layout. Its optimizer only uses it for constant filters; in training they change, so the nodes are
 * written here. Pixels of a block of channels lie together; reordering in and out included, this takes two thirds to nine tenths of the time.
 */

import type { Value } from "../graph/value.ts";
import type { AttributeValue } from "../onnx/encode.ts";
import type { Lowering } from "./lowering.ts";

/** Fewest pixels of an output for which reordering in and out is worth it. */
const LEAST_PIXELS = 64;

/** Whether a convolution that gives `output` should be blocked. */
export function paysBlocked(graph: Lowering, filter: Value, output: readonly number[], channelsIn: number, channelsOut: number): boolean {
  const { block } = graph;
  const [kh, kw] = filter.shape as readonly [number, number];
  if (block === 0 || graph.isConstant(filter) || kh * kw === 1 || channelsOut % block !== 0) return false;
  if (channelsIn % block !== 0 && channelsIn >= block) return false;
  return output[1]! * output[2]! >= LEAST_PIXELS;
}

/** A convolution of x with the filter, or with the filter turned by half and its in and out swapped (`"backward"`). */
export function blockedConvolution(
  graph: Lowering,
  x: Value,
  filter: Value,
  direction: "forward" | "backward",
  more: readonly string[],
  settings: Readonly<Record<string, AttributeValue>>,
): string {
  const channelsIn = filter.shape[direction === "forward" ? 2 : 3]!;
  const channelsOut = filter.shape[direction === "forward" ? 3 : 2]!;
  const name = graph.channelsFirst(x);
  const blockedInput =
    channelsIn < graph.block ? name : graph.shared(`blocked ${name}`, () => graph.blocked("ReorderInput", [name], { channels_last: 0 }));
  const out = graph.blocked("Conv", [blockedInput, blockedFilter(graph, filter, direction), ...more], { ...settings, group: 1 });
  return graph.blocked("ReorderOutput", [out], { channels: channelsOut, channels_last: 0 });
}

/** Filters lie as `[out / b, in / b, height, width, b in, b out]`, or `[out / b, in, height, width, b out]` when there are fewer than b in. */
function blockedFilter(graph: Lowering, filter: Value, direction: "forward" | "backward"): string {
  const { block: b } = graph;
  const [kh, kw, i, o] = filter.shape as readonly [number, number, number, number];
  const natural = graph.natural(filter);
  const turned = direction === "forward" ? natural : graph.slice(natural, [0, 1], [-1, -1], [-(2 ** 31), -(2 ** 31)], [-1, -1]);
  // From here on "last" is out for forward and in for backward.
  const [from, to] = direction === "forward" ? [i, o] : [o, i];
  const shape = [to, from, kh, kw];
  if (from < b) {
    const split = direction === "forward" ? [kh, kw, i, o / b, b] : [kh, kw, i / b, b, o];
    const perm = direction === "forward" ? [3, 2, 0, 1, 4] : [2, 4, 0, 1, 3];
    return graph.reshape(graph.op("Transpose", [graph.reshape(turned, split)], { perm }), shape);
  }
  const perm = direction === "forward" ? [4, 2, 0, 1, 3, 5] : [2, 4, 0, 1, 5, 3];
  return graph.reshape(graph.op("Transpose", [graph.reshape(turned, [kh, kw, i / b, b, o / b, b])], { perm }), shape);
}
