/**
 * Convolutions in ONNX Runtime's blocked layout. Its optimizer only uses it for constant filters; in training they change, so the nodes are
 * written here. Pixels of a block of channels lie together; reordering in and out included, this takes two thirds to nine tenths of the time.
 */

import type { Value } from "../graph/value.ts";
import type { AttributeValue } from "../onnx/encode.ts";
import { blockedFilter } from "./filters.ts";
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
