/**
 * A filter in the orders its users want. tfjs keeps `[height, width, in, out]`. ONNX Runtime moves one axis, or whole rows, several times
 * faster than it exchanges many axes at once, so every order is reached by such moves, and what several users share is made once.
 */

import type { Value } from "../graph/value.ts";
import type { Lowering } from "./lowering.ts";

type Filter = readonly [height: number, width: number, inputs: number, outputs: number];

const shapeOf = (filter: Value): Filter => filter.shape as unknown as Filter;

/** `[height * width, out, in]`: one product-of-matrices transposition per position. */
function exchanged(graph: Lowering, filter: Value): string {
  const [kh, kw, i, o] = shapeOf(filter);
  const name = graph.natural(filter);
  return graph.shared(`exchanged ${name}`, () => graph.op("Transpose", [graph.reshape(name, [kh * kw, i, o])], { perm: [0, 2, 1] }));
}

/** Positions in reverse: the filter turned by half. The first axis is `height * width`. */
function turned(graph: Lowering, name: string, positions: number): string {
  if (positions === 1) return name;
  return graph.op("Gather", [name, graph.int32(Array.from({ length: positions }, (_, k) => positions - 1 - k), [positions])], { axis: 0 }); // prettier-ignore
}

/** ONNX's order, `[out, in, height, width]`, `in` being those of a group. */
export function oihwFilter(graph: Lowering, filter: Value): string {
  const [kh, kw, i, o] = shapeOf(filter);
  const name = graph.natural(filter);
  return graph.shared(`oihw ${name}`, () => {
    // One move is folded into a constant, and is what other readers recognise.
    if (graph.portable || graph.isConstant(filter)) return graph.op("Transpose", [name], { perm: [3, 2, 0, 1] });
    const rows = graph.reshape(exchanged(graph, filter), [kh * kw, o * i]);
    return graph.reshape(graph.op("Transpose", [rows], { perm: [1, 0] }), [o, i, kh, kw]);
  });
}

/** `[in, out, height, width]` turned by half: a convolution with it is the input gradient. */
export function turnedFilter(graph: Lowering, filter: Value): string {
  const [kh, kw, i, o] = shapeOf(filter);
  const name = graph.natural(filter);
  return graph.shared(`turned ${name}`, () => {
    const rows = turned(graph, graph.reshape(name, [kh * kw, i * o]), kh * kw);
    return graph.reshape(graph.op("Transpose", [rows], { perm: [1, 0] }), [i, o, kh, kw]);
  });
}

/**
 * Blocks of ONNX Runtime's blocked layout, `[to / b, from / b, height, width, b from, b to]`, or `[to / b, from, height, width, b to]` when
 * there are fewer than b to come from. `"backward"` goes from out to in with the filter turned by half.
 */
export function blockedFilter(graph: Lowering, filter: Value, direction: "forward" | "backward"): string {
  const { block } = graph;
  const [kh, kw, i, o] = shapeOf(filter);
  const forward = direction === "forward";
  const [from, to] = forward ? [i, o] : [o, i];
  const positions = kh * kw;
  const group = from < block ? 1 : block;
  const rows = forward ? graph.natural(filter) : exchanged(graph, filter);
  return graph.shared(`${direction} blocked ${rows}`, () =>
    gatherBlocks(graph, direction, rows, [to / block, from / group, positions, group], [to, from, kh, kw], (t, f, k, one) => {
      const position = forward ? k : positions - 1 - k;
      return (position * from + f * group + one) * (to / block) + t;
    }),
  );
}

/** A filter gradient in blocks, `[out / b, height, in, width, b out]`, in tfjs's order. */
export function filterFromBlocks(graph: Lowering, name: string, [kh, kw, i, o]: Filter): string {
  const blocks = o / graph.block;
  return gatherBlocks(
    graph,
    "gradient",
    name,
    [kh, kw, i, blocks],
    [kh, kw, i, o],
    (row, column, input, b) => ((b * kh + row) * i + input) * kw + column,
  );
}

/** Rows of one block of channels each in another order: `source` tells which comes where, the same for one `kind` and counts. Several times as fast as a transposition. */
function gatherBlocks(
  graph: Lowering,
  kind: string,
  name: string,
  counts: readonly [number, number, number, number],
  shape: readonly number[],
  source: (a: number, b: number, c: number, d: number) => number,
): string {
  const [as, bs, cs, ds] = counts;
  const size = as * bs * cs * ds;
  const indices = graph.shared(`rows ${kind} ${counts.join()}`, () => {
    const table = new Int32Array(size);
    let at = 0;
    for (let a = 0; a < as; a++)
      for (let b = 0; b < bs; b++) for (let c = 0; c < cs; c++) for (let d = 0; d < ds; d++) table[at++] = source(a, b, c, d);
    return graph.constant("int32", [size], new Uint8Array(table.buffer));
  });
  return graph.reshape(graph.op("Gather", [graph.reshape(name, [size, graph.block]), indices], { axis: 0 }), shape);
}

/** A filter gradient `[height, out, in, width]` in tfjs's order. */
export function filterFromRows(graph: Lowering, name: string, [kh, kw, i, o]: Filter): string {
  const byColumn = graph.op("Transpose", [graph.reshape(name, [kh, o, i * kw])], { perm: [0, 2, 1] });
  if (kw === 1) return graph.reshape(byColumn, [kh, kw, i, o]);
  return graph.op("Transpose", [graph.reshape(byColumn, [kh, i, kw, o])], { perm: [0, 2, 1, 3] });
}
