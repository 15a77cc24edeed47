/** Matrix products as ONNX nodes. ONNX Runtime adds long rows term by term and loses digits; those go in pieces. */

import { type Value, sizeOf } from "../graph/value.ts";
import type { Lowering, LoweringRule } from "./lowering.ts";
import { sumAxes } from "./reduction.ts";

/** Longest inner side multiplied in one go. */
const RUN = 4096;
/** Most numbers that the partial products of all pieces may hold. */
const MOST_PARTS = 2 ** 22;

const matMul: LoweringRule = (graph, value) => {
  const [a, b] = value.inputs as [Value, Value];
  const transposeA = value.attributes["transposeA"] === true;
  const transposeB = value.attributes["transposeB"] === true;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  const pieces = Math.ceil(inner / RUN);
  if (pieces > 2 && a.shape.length === 2 && b.shape.length === 2 && sizeOf(value.shape) * pieces <= MOST_PARTS)
    return { name: inPieces(graph, value, inner, transposeA, transposeB), layout: "natural" };
  const ranks = { transA: transposeA ? a.shape.length : 0, transB: transposeB ? b.shape.length : 0 };
  return { name: graph.product(graph.natural(a), graph.natural(b), ranks), layout: "natural" };
};

/** A product per piece of the inner side, filled up with zeros, then the sum over the pieces. */
function inPieces(graph: Lowering, value: Value, inner: number, transposeA: boolean, transposeB: boolean): string {
  const [a, b] = value.inputs as [Value, Value];
  const [rows, columns] = value.shape as readonly [number, number];
  const pieces = Math.ceil(inner / RUN);
  const more = pieces * RUN - inner;
  const padded = (name: string, axis: 0 | 1): string =>
    more === 0 ? name : graph.op("Pad", [name, graph.ints(axis === 0 ? [0, 0, more, 0] : [0, 0, 0, more])]);
  const byRows = (name: string, side: number): string => {
    const split = graph.reshape(padded(name, 1), [side, pieces, RUN]);
    return graph.op("Transpose", [split], { perm: [1, 0, 2] });
  };
  const byColumns = (name: string, side: number): string => graph.reshape(padded(name, 0), [pieces, RUN, side]);
  const [x, y] = [graph.natural(a), graph.natural(b)];
  const left = transposeA ? byColumns(x, rows) : byRows(x, rows);
  const right = transposeB ? byRows(y, columns) : byColumns(y, columns);
  const parts = graph.product(left, right, { transA: transposeA ? 3 : 0, transB: transposeB ? 3 : 0 });
  return graph.reshape(sumAxes(graph, parts, [pieces, rows, columns], [0]), [rows, columns]);
}

/** Matrix rules by recorded operation. */
export const matrixRules: Readonly<Record<string, LoweringRule>> = { MatMul: matMul };
