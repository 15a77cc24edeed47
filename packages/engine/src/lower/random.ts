/**
 * Random numbers as ONNX nodes: a counter-based hash in 32-bit integers. Each row and each column of a square gets a well mixed word (a few
 * operations on short vectors); their exclusive or is mixed once more per element, so that no element is a simple function
 * of its neighbours.
 */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowering, LoweringRule } from "./lowering.ts";

/** Multipliers of the 32-bit mixer found by Chris Wellons (hash-prospector, 2018), as signed integers. */
const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b | 0;
const ROWS = 0x9e3779b9 | 0;
const COLUMNS = 0x85ebca6b | 0;

const multiply = (graph: Lowering, x: string, factor: number): string => graph.op("Mul", [x, graph.int32([factor])]);
const unsigned = (graph: Lowering, x: string): string => graph.op("Cast", [x], { to: ELEMENT_TYPES.uint32 });
const signed = (graph: Lowering, x: string): string => graph.op("Cast", [x], { to: ELEMENT_TYPES.int32 });

/** x ^ (x >>> bits) */
function foldDown(graph: Lowering, x: string, bits: number): string {
  const word = unsigned(graph, x);
  const shift = graph.constant("uint32", [], new Uint8Array(Uint32Array.of(bits).buffer));
  const shifted = graph.op("BitShift", [word, shift], { direction: "RIGHT" });
  return signed(graph, graph.op("BitwiseXor", [word, shifted]));
}

function mix(graph: Lowering, x: string): string {
  const a = multiply(graph, foldDown(graph, x, 16), FIRST);
  const b = multiply(graph, foldDown(graph, a, 15), SECOND);
  return foldDown(graph, b, 16);
}

/** A mixed word for each of 0..count-1, the seed and the place in the graph. */
function words(graph: Lowering, seed: string, id: number, count: number, factor: number): string {
  const counters = graph.int32(
    Array.from({ length: count }, (_, i) => Math.imul(i + 1, factor) ^ Math.imul(id + 1, FIRST)),
    [count],
  );
  const start = mix(graph, graph.op("Add", [seed, graph.int32([Math.imul(id + 1, SECOND)])]));
  return mix(graph, graph.op("BitwiseXor", [mix(graph, counters), start]));
}

const randomUniform: LoweringRule = (graph, value) => {
  const [seedValue] = value.inputs as [Value];
  const id = value.attributes["id"] as number;
  const size = sizeOf(value.shape);
  const columns = Math.ceil(Math.sqrt(size));
  const rows = Math.ceil(size / columns);
  const seed = graph.reshape(graph.natural(seedValue), []);
  const down = graph.reshape(words(graph, seed, id, rows, ROWS), [rows, 1]);
  const across = graph.reshape(words(graph, seed, id, columns, COLUMNS), [1, columns]);
  const square = mix(graph, graph.op("BitwiseXor", [down, across]));
  const flat = graph.reshape(square, [rows * columns]);
  const exact = rows * columns === size ? flat : graph.slice(flat, [0], [0], [size]);
  const bits = graph.op("BitShift", [unsigned(graph, exact), graph.constant("uint32", [], new Uint8Array(Uint32Array.of(8).buffer))], {
    direction: "RIGHT",
  });
  const uniform = graph.op("Mul", [graph.op("Cast", [bits], { to: ELEMENT_TYPES.float32 }), graph.floats([2 ** -24])]);
  return { name: graph.reshape(uniform, value.shape), layout: "natural" };
};

/** Random rules by recorded operation. */
export const randomRules: Readonly<Record<string, LoweringRule>> = { RandomUniform: randomUniform };
